//! Kills for memory: told exactly where they were, and not told where they were not.

use std::process::Stdio;
use std::time::{Duration, Instant};

use soak_tests::{Judged, Running, docker, events, image, soak, turn, until};

use crate::run::{command, container_in, containers_of, run_of};

#[test]
fn a_limit_below_need_is_told_within_seconds_with_victim_limit_usage_and_phase() {
    let Some(image) = image() else { return };
    let _turn = turn();
    let target = format!("container:{image}");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let edits = ["matrix.memory_limit=[\"48MiB\"]", "matrix.batch_rows=[4096]", "cycle.cold_idle=3s"];
    let mut harness = Running::start(command(&out, &target, &edits).stdout(Stdio::null()).stderr(Stdio::null()));
    let container = container_in(&out, "cold_idle");
    // The kernel's kill and the run's word of it, on one clock.
    let died = until("its container's end", || (!is_running(&container)).then(Instant::now));
    until("the run says so", || events(&out).iter().any(|event| event["event"] == "oom").then_some(()));
    // At once, and not at the end of the run.
    assert!(died.elapsed() < Duration::from_secs(15), "{:?}", died.elapsed());
    assert_eq!(harness.wait(), 1);
    let judged = Judged::recorded(&out);
    let oom = judged.events("oom")[0];
    assert_eq!((&oom["scope"], &oom["limit_bytes"]), (&"target".into(), &(48 << 20).into()), "{oom:#}");
    assert_eq!(oom["phase"], "ingest", "{oom:#}");
    // The kernel charges before it looks at the limit: a few pages more, or less where a larger charge was refused.
    let usage = oom["usage_bytes"].as_u64().unwrap();
    assert!(usage.abs_diff(48 << 20) <= 1 << 20, "{oom:#}");
    assert!(oom["victim"].as_str().unwrap().starts_with("soak-target-go (pid "), "{oom:#}");
    assert!(oom["cgroup"].as_str().unwrap().contains("docker"), "{oom:#}");
    let reason = judged.finding(0, "target")["reason"].as_str().unwrap();
    assert!(reason.contains("48.0 MiB") && reason.contains("soak-target-go"), "{reason}");
}

#[test]
fn a_kill_by_a_person_is_not_out_of_memory() {
    let Some(image) = image() else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut run =
        Running::start(&mut command(&out, &format!("container:{image}"), &["matrix.memory_limit=[\"1GiB\"]"]));
    let container = container_in(&out, "query");
    docker(&["kill", &container]);
    assert_eq!(run.wait(), 1);
    assert!(events(&out).iter().all(|event| event["event"] != "oom"), "{:#?}", events(&out));
    let died = events(&out).into_iter().find(|event| event["event"] == "target_died").unwrap();
    assert_eq!(died["how"], "exit 137");
}

#[test]
fn an_exit_137_of_its_own_is_not_out_of_memory() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let script = folder.path().join("store");
    std::fs::write(&script, "#!/bin/sh\nsleep 1\nexit 137\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let target = format!("process:{}", script.display());
    let ended = soak_tests::Ended::from(command(&out, &target, &[]).output().unwrap());
    assert_eq!(ended.code, 1, "{}\n{}", ended.stdout, ended.stderr);
    assert!(events(&out).iter().all(|event| event["event"] != "oom"), "{:#?}", events(&out));
    assert!(ended.stdout.contains("exit 137"), "{}", ended.stdout);
}

#[test]
fn a_ladder_of_limits_shows_where_it_starts() {
    let Some(image) = image() else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let edits = ["matrix.memory_limit=[\"32MiB\", \"512MiB\"]"];
    let ended = soak_tests::Ended::from(command(&out, &format!("container:{image}"), &edits).output().unwrap());
    let verdict = soak(&["judge", out.to_str().unwrap(), "--format", "json"]).json();
    let outcome = |variant: usize| verdict["variants"][variant]["verdict"].as_str().unwrap().to_owned();
    assert_eq!((outcome(0).as_str(), outcome(1).as_str()), ("fail", "pass"), "{}\n{}", ended.stdout, ended.stderr);
    assert!(containers_of(&run_of(&out)).is_empty());
}

/// Whether a container runs; one that is gone does not.
fn is_running(container: &str) -> bool {
    let found =
        std::process::Command::new("docker").args(["inspect", "--format", "{{.State.Running}}", container]).output();
    String::from_utf8_lossy(&found.unwrap().stdout).trim() == "true"
}
