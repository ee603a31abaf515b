//! Faults on the Go container: each is injected, shown, healed and judged; and healed by others when the harness is killed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use soak_tests::{
    Ended, Judged, Running, binary, docker, events, every_fault, http, image, is_alive, is_root, root, scenario,
    signal, turn, until,
};

use crate::left_behind::children;

/// Kinds of the faults that a run says took place.
fn took_place(run: &Judged) -> Vec<String> {
    let shown = run.events("fault_shown");
    let id = |event: &Value| event["id"].as_u64().unwrap();
    let took = |fault: &&Value| shown.iter().any(|shown| id(shown) == id(fault) && shown["took_place"] == true);
    run.events("fault_applied")
        .into_iter()
        .filter(took)
        .map(|fault| fault["kind"].as_str().unwrap().to_owned())
        .collect()
}

fn assert_all_shown(run: &Judged, count: usize) {
    let told = |kind| run.events(kind).into_iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let skipped = told("fault_skipped");
    assert_eq!(took_place(run).len(), count, "{}\n{skipped}", told("fault_shown"));
    assert!(skipped.is_empty(), "{skipped}");
    assert!(run.events("fault_healed").iter().all(|healed| healed["error"].is_null()), "{}", told("fault_healed"));
    for criterion in ["fault_shown", "acknowledged_data", "fault_residue"] {
        assert_eq!(run.finding(0, criterion)["verdict"], "pass", "{}", run.finding(0, criterion));
    }
}

#[test]
fn every_fault_of_the_environment_is_shown_and_healed() {
    let Some(image) = image() else { return };
    if !is_root() {
        return;
    }
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = scenario(&every_fault(), &out, &[]);
    command.args(["--target", &format!("container:{image}")]);
    let run = Judged::of(command, &out);
    assert_all_shown(&run, 18);
    assert!(run.finding(0, "acknowledged_data")["reason"].as_str().unwrap().contains("1000 acknowledged rows"));
    assert!(!out.join("data-000").exists(), "the target's data goes with the target");
}

#[test]
fn every_abuse_of_the_protocol_is_shown_and_healed() {
    let Some(image) = image() else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    // A page of a Go program costs it memory: it is read less often than the embedded store's.
    let edits = ["workload.vectors_per_cycle=1000", "sampling.metrics=200ms", "cycle.idle=2s"];
    let mut command = scenario("chaos-protocol", &out, &edits);
    command.args(["--target", &format!("container:{image}")]);
    let run = Judged::of(command, &out);
    assert_all_shown(&run, 11);
}

/// A container of the Go store that no run started.
struct Bystander {
    id: String,
    ports: [u16; 3],
}

impl Bystander {
    fn start(image: &str) -> Self {
        let publish = ["127.0.0.1:0:3000", "127.0.0.1:0:3001", "127.0.0.1:0:9090"];
        let mut arguments = vec!["run", "--detach", "--memory", "384m", "--memory-swap", "384m"];
        arguments.extend(publish.iter().flat_map(|port| ["--publish", port]));
        let addresses = ["--data-addr", "0.0.0.0:3000", "--meta-addr", "0.0.0.0:3001", "--http-addr", "0.0.0.0:9090"];
        arguments.extend([image, "target"]);
        arguments.extend(addresses);
        let id = docker(&arguments);
        let port = |inside: &str| {
            let bound = docker(&["port", &id, inside]);
            bound.lines().next().unwrap().rsplit_once(':').unwrap().1.parse().unwrap()
        };
        let ports = ["3000/tcp", "3001/tcp", "9090/tcp"].map(port);
        until("it answers", || docker(&["logs", &id]).contains("http").then_some(()));
        Self { id, ports }
    }

    fn pid(&self) -> u32 {
        docker(&["inspect", "--format", "{{.State.Pid}}", &self.id]).parse().unwrap()
    }

    fn target(&self) -> String {
        let [data, meta, http] = self.ports;
        format!("attach:container={},data=127.0.0.1:{data},meta=127.0.0.1:{meta},http=127.0.0.1:{http}", self.id)
    }

    /// Everything that a fault may have changed of it.
    fn state(&self) -> String {
        let pid = self.pid();
        let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let path = |controller: &str| {
            let line = groups.lines().find(|line| {
                line.split(':').nth(1).is_some_and(|names| names.split(',').any(|name| name == controller))
            });
            line.map(|line| format!("/sys/fs/cgroup/{controller}{}", line.splitn(3, ':').nth(2).unwrap()))
        };
        let read = |file: String| std::fs::read_to_string(file).unwrap_or_default().trim().to_owned();
        let memory =
            path("memory").unwrap_or_else(|| format!("/sys/fs/cgroup{}", groups.trim().rsplit_once(':').unwrap().1));
        let cpu = path("cpu").unwrap_or_else(|| memory.clone());
        let stopped = read(format!("/proc/{pid}/stat")).rsplit_once(')').unwrap().1.trim().starts_with('T');
        // Of a process that stands still nobody reads a page.
        let page =
            if stopped { String::new() } else { http(&format!("127.0.0.1:{}", self.ports[2]), "GET", "/metrics").1 };
        let leaked =
            page.lines().find(|line| line.starts_with("longbow_test_leaked_bytes ")).unwrap_or_default().to_owned();
        let datasets = page.lines().filter(|line| line.contains("soak-fault-")).count().to_string();
        [
            read(format!("{memory}/memory.limit_in_bytes")),
            read(format!("{memory}/memory.max")),
            read(format!("{cpu}/cpu.cfs_quota_us")),
            read(format!("{cpu}/cpu.max")),
            read(format!("{memory}/cgroup.procs")).lines().count().to_string(),
            read(format!("/proc/{pid}/oom_score_adj")),
            stopped.to_string(),
            leaked,
            datasets,
        ]
        .join(" | ")
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.id]);
    }
}

/// Begins a run against what runs already, and waits until the fault is on.
fn fault_on(out: &Path, bystander: &Bystander, inject: &str) -> Running {
    let one_fault = root().join("tests/scenarios/one-fault.toml").display().to_string();
    let mut command = scenario(&one_fault, out, &[&format!("faults.one.inject={inject}")]);
    let run = Running::start(command.args(["--target", &bystander.target()]).stderr(Stdio::null()));
    until("the fault is on", || events(out).iter().any(|event| event["event"] == "fault_applied").then_some(()));
    run
}

const FAMILIES: [&str; 8] = [
    "{limit_shrink={to=\"60%\"}}",
    "{balloon={keep=\"64MiB\"}}",
    "{tmpfs={size=\"32MiB\"}}",
    "{page_cache={size=\"32MiB\"}}",
    "{cpu_throttle={to=\"20%\"}}",
    "\"pause\"",
    "{leak_memory={rate=\"256MiB/min\"}}",
    "{abandoned_datasets={count=5,rows=10}}",
];

#[test]
fn what_a_killed_harness_had_changed_is_put_back_within_seconds() {
    let Some(image) = image() else { return };
    if !is_root() {
        return;
    }
    let _turn = turn();
    let bystander = Bystander::start(&image);
    for inject in FAMILIES {
        let before = bystander.state();
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let mut run = fault_on(&out, &bystander, inject);
        run.signal("KILL");
        run.wait();
        let killed = Instant::now();
        let state = out.with_extension("state");
        until("the watchdog has ended", || (std::fs::read_dir(&state).map_or(0, Iterator::count) == 0).then_some(()));
        assert!(killed.elapsed() < Duration::from_secs(10), "{inject}: {:?}", killed.elapsed());
        until(&format!("all is as before {inject}: {before}"), || (bystander.state() == before).then_some(()));
    }
}

#[test]
fn what_even_the_watchdog_did_not_put_back_is_healed() {
    let Some(image) = image() else { return };
    if !is_root() {
        return;
    }
    let _turn = turn();
    let bystander = Bystander::start(&image);
    for inject in [FAMILIES[0], FAMILIES[4], FAMILIES[5], FAMILIES[6]] {
        let before = bystander.state();
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let mut run = fault_on(&out, &bystander, inject);
        let watchdog = children(run.pid(), "watchdog");
        signal(watchdog[0], "KILL");
        run.signal("KILL");
        run.wait();
        until("both are gone", || (!is_alive(watchdog[0])).then_some(()));
        let mut soak = Command::new(binary());
        soak.arg("heal").env("SOAK_STATE_DIR", out.with_extension("state"));
        let healed = Ended::from(soak.output().unwrap());
        assert!(healed.code == 0 && healed.stdout.contains("removed"), "{inject}: {}{}", healed.stdout, healed.stderr);
        until(&format!("all is as before {inject}: {before}"), || (bystander.state() == before).then_some(()));
    }
}
