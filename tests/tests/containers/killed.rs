//! A harness that is killed while faults are on: the watchdog takes them back within seconds, and `soak heal` where the watchdog was killed too.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use soak_tests::{
    Ended, Running, binary, docker, events, http, image, is_alive, is_root, root, scenario, signal, turn, until,
};

use crate::left_behind::children;
use crate::run::{containers_of, run_of};

/// What the watchdog may take.
const BACK_WITHIN: Duration = Duration::from_secs(25);

/// Faults on what was running already. Those of a group are on together, and one killed harness leaves all of them behind.
const ON_A_BYSTANDER: [&[&str]; 4] = [
    &[
        "{leak_memory={rate=\"256MiB/min\"}}",
        "{unfinished_streams={count=5}}",
        "{slow_reader={count=1}}",
        "{half_open={count=5}}",
        "{connection_storm={rate=\"20/s\"}}",
        "{abandoned_datasets={count=5,rows=10}}",
        "{tombstones={rows=50}}",
        "{oversized_batches={size=\"4MiB\",count=1}}",
        "{wrong_schema={rate=\"5/s\"}}",
        "{wrong_dimension={rate=\"5/s\"}}",
        "{reused_ids={rate=\"5/s\"}}",
        "{huge_k={k=1000,rate=\"5/s\"}}",
    ],
    &[
        "{limit_shrink={to=\"60%\"}}",
        "{page_cache={size=\"32MiB\"}}",
        "{tmpfs={size=\"32MiB\"}}",
        "{cpu_throttle={to=\"20%\"}}",
        "{leak_tasks={rate=\"600/min\"}}",
        "\"stop_load\"",
    ],
    &["{balloon={keep=\"64MiB\"}}", "\"force_compaction\""],
    // What stands still does not answer, so the pause comes last.
    &["{raise_limit={by=\"64MiB\"}}", "\"pause\""],
];

/// Faults that need a target of the run's own.
const ON_ITS_OWN: [&[&str]; 2] = [&["{latency={delay=\"20ms\"}}", "\"disk_full\""], &["\"kill\""]];

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

    /// Connections of clients that are there, as the container's own kernel tables have them.
    fn connections(&self) -> usize {
        let table =
            |name: &str| std::fs::read_to_string(format!("/proc/{}/net/{name}", self.pid())).unwrap_or_default();
        let is_established = |line: &&str| line.split_whitespace().nth(3) == Some("01");
        ["tcp", "tcp6"].iter().map(|name| table(name).lines().filter(is_established).count()).sum()
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
            page.lines().filter(|line| line.starts_with("longbow_test_leaked_")).collect::<Vec<_>>().join(", ");
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
            self.connections().to_string(),
        ]
        .join(" | ")
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.id]);
    }
}

/// Begins a run with faults that are held for a minute, and waits until all of them are on.
fn faults_on(out: &Path, target: &str, faults: &[&str], edits: &[&str]) -> Running {
    let held = root().join("tests/scenarios/held-faults.toml").display().to_string();
    let entries = faults.iter().enumerate().flat_map(|(n, inject)| {
        let key = |key: &str| format!("faults.fault-{n:02}.{key}");
        [
            format!("{}={inject}", key("inject")),
            format!("{}={}ms", key("after"), n * 300),
            format!("{}=60s", key("hold")),
            format!("{}=1s", key("watch")),
        ]
    });
    let entries: Vec<String> = entries.collect();
    let edits: Vec<&str> = entries.iter().map(String::as_str).chain(edits.iter().copied()).collect();
    let mut command = scenario(&held, out, &edits);
    let run = Running::start(command.args(["--target", target]).stderr(Stdio::null()));
    until(&format!("all are on: {faults:?}"), || {
        let applied = events(out).iter().filter(|event| event["event"] == "fault_applied").count();
        (applied == faults.len()).then_some(())
    });
    run
}

/// Kills the harness, and its watchdog too where `heal` is to do the work; returns once all is said to be back.
fn killed(mut run: Running, out: &Path, by_heal: bool) {
    let state = out.with_extension("state");
    let watchdogs = children(run.pid(), "watchdog");
    if by_heal {
        signal(watchdogs[0], "KILL");
    }
    run.signal("KILL");
    run.wait();
    let killed = Instant::now();
    if by_heal {
        until("both are gone", || (!is_alive(watchdogs[0])).then_some(()));
        let mut soak = Command::new(binary());
        soak.arg("heal").env("SOAK_STATE_DIR", &state);
        let healed = Ended::from(soak.output().unwrap());
        assert!(healed.code == 0 && healed.stdout.contains("removed"), "{}{}", healed.stdout, healed.stderr);
    } else {
        until("the watchdog has ended", || (std::fs::read_dir(&state).map_or(0, Iterator::count) == 0).then_some(()));
        assert!(killed.elapsed() < BACK_WITHIN, "{:?}", killed.elapsed());
    }
}

fn a_bystander_is_as_before(by_heal: bool) {
    let Some(image) = image() else { return };
    if !is_root() {
        return;
    }
    let _turn = turn();
    let bystander = Bystander::start(&image);
    for faults in ON_A_BYSTANDER {
        // What still ends of the round before is no state to come back to.
        let before = until("it is at rest", || {
            let state = bystander.state();
            std::thread::sleep(Duration::from_millis(300));
            (bystander.state() == state).then_some(state)
        });
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let run = faults_on(&out, &bystander.target(), faults, &[]);
        assert_ne!(bystander.state(), before, "{faults:?}");
        killed(run, &out, by_heal);
        until(&format!("all is as before {faults:?}: {before}"), || (bystander.state() == before).then_some(()));
    }
}

fn nothing_of_its_own_is_left(by_heal: bool) {
    let Some(image) = image() else { return };
    if !is_root() {
        return;
    }
    let _turn = turn();
    for faults in ON_ITS_OWN {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let edits = ["target.durable=true", "target.data_volume=64MiB", "matrix.memory_limit=[\"384MiB\"]"];
        let run = faults_on(&out, &format!("container:{image}"), faults, &edits);
        killed(run, &out, by_heal);
        assert!(containers_of(&run_of(&out)).is_empty(), "{faults:?}");
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        assert!(!mounts.contains(&folder.path().display().to_string()), "{faults:?}: {mounts}");
        assert!(!out.join("data-000").exists(), "{faults:?}");
    }
}

#[test]
fn the_watchdog_puts_back_what_was_changed_of_a_bystander() {
    a_bystander_is_as_before(false);
}

#[test]
fn heal_puts_back_what_was_changed_of_a_bystander() {
    a_bystander_is_as_before(true);
}

#[test]
fn the_watchdog_leaves_nothing_of_the_runs_own() {
    nothing_of_its_own_is_left(false);
}

#[test]
fn heal_leaves_nothing_of_the_runs_own() {
    nothing_of_its_own_is_left(true);
}
