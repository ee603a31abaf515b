//! Nothing is left: after a run, after a kill of the harness, after `soak heal`. What is published is published on 127.0.0.1 alone.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use soak_tests::{Ended, Running, alone, binary, docker, events, image, is_alive, turn, until};

use crate::run::{command, container_in, containers_of, run_of};

fn start(out: &Path, target: &str) -> Running {
    Running::start(command(out, target, &[]).stderr(Stdio::null()))
}

fn volumes() -> Vec<String> {
    docker(&["volume", "ls", "--quiet"]).lines().map(str::to_owned).collect()
}

fn registers(out: &Path) -> usize {
    std::fs::read_dir(out.with_extension("state")).map_or(0, Iterator::count)
}

#[test]
fn ports_are_published_on_loopback_alone_and_a_run_leaves_nothing() {
    let Some(image) = image() else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    // The Go store keeps nothing on disk; a profile that gives it a volume shows that volumes go too.
    let profile = folder.path().join("with-volume.toml");
    let text = soak_tests::soak(&["export", "profile", "go"]).stdout;
    std::fs::write(&profile, text.replace("data_port = 3000", "data_port = 3000\nvolumes = [\"/data\"]")).unwrap();
    let edits = [format!("target.profile={}", profile.display())];
    let edits: Vec<&str> = edits.iter().map(String::as_str).collect();
    let mut run = Running::start(command(&out, &format!("container:{image}"), &edits).stderr(Stdio::null()));
    let container = container_in(&out, "query");
    let bindings = docker(&["inspect", "--format", "{{json .NetworkSettings.Ports}}", &container]);
    let ports: serde_json::Value = serde_json::from_str(&bindings).unwrap();
    let published: Vec<&serde_json::Value> =
        ports.as_object().unwrap().values().filter_map(|bound| bound.as_array()).flatten().collect();
    assert_eq!(published.len(), 3, "{bindings}");
    assert!(published.iter().all(|binding| binding["HostIp"] == "127.0.0.1"), "{bindings}");
    let volume = docker(&["inspect", "--format", "{{range .Mounts}}{{.Name}}{{end}}", &container]);
    assert!(volumes().contains(&volume), "{volume}");
    run.signal("INT");
    assert_eq!(run.wait(), 130);
    assert!(containers_of(&run_of(&out)).is_empty());
    assert!(!volumes().contains(&volume), "{volume}");
    assert_eq!(registers(&out), 0);
}

#[test]
fn a_harness_that_is_killed_leaves_nothing() {
    let Some(image) = image() else { return };
    let _turn = alone();
    // Before the container is there, while it starts, under load.
    for after in [Duration::from_millis(150), Duration::from_millis(700), Duration::from_secs(4)] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let mut run = start(&out, &format!("container:{image}"));
        until("the run begins", || events(&out).iter().any(|event| event["event"] == "run_started").then_some(()));
        // The moment is the point here, not something to wait for.
        std::thread::sleep(after);
        run.signal("KILL");
        run.wait();
        let killed = Instant::now();
        let id = run_of(&out);
        until("the watchdog has ended", || (registers(&out) == 0).then_some(()));
        assert!(killed.elapsed() < Duration::from_secs(30), "{:?}", killed.elapsed());
        assert!(containers_of(&id).is_empty(), "killed after {after:?}");
    }
}

#[test]
fn what_even_the_watchdog_left_is_healed() {
    let Some(image) = image() else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut run = start(&out, &format!("container:{image}"));
    container_in(&out, "query");
    let id = run_of(&out);
    let watchdogs = children(run.pid(), "watchdog");
    assert_eq!(watchdogs.len(), 1);
    soak_tests::signal(watchdogs[0], "KILL");
    run.signal("KILL");
    run.wait();
    until("both are gone", || (!is_alive(watchdogs[0])).then_some(()));
    assert_eq!(containers_of(&id).len(), 1, "nobody was there to remove it");
    let soak = |command: &str| {
        let mut soak = Command::new(binary());
        soak.arg(command).env("SOAK_STATE_DIR", out.with_extension("state"));
        Ended::from(soak.output().unwrap())
    };
    let doctor = soak("doctor");
    assert!(doctor.code == 4 && doctor.stdout.contains(&format!("{id}: container")), "{}", doctor.stdout);
    let healed = soak("heal");
    assert!(healed.code == 0 && healed.stdout.contains("removed container"), "{}{}", healed.stdout, healed.stderr);
    assert!(containers_of(&id).is_empty() && registers(&out) == 0);
    assert_eq!(soak("heal").stdout, "nothing was left behind\n");
}

/// Children of a process whose command line has this word.
pub(crate) fn children(pid: u32, word: &str) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let children =
        tasks.flatten().map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let pids: Vec<u32> =
        children.flat_map(|line| line.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()).collect();
    let has = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().contains(word);
    pids.into_iter().filter(has).collect()
}
