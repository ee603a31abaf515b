//! Runs that are cut short: killed, interrupted, paused. Nothing is left behind and nothing that was measured is lost.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use soak_tests::{Running, binary, by_env, events, is_alive, signal, soak, turn, until};

use crate::small::command;

/// The target's process, once the run has come to this phase.
fn target_in(out: &Path, phase: &str) -> u32 {
    let pid = until("the phase begins", || {
        let events = events(out);
        events.iter().find(|event| event["event"] == "phase_started" && event["phase"] == phase)?;
        let started = events.iter().find(|event| event["event"] == "target_started")?;
        started["pid"].as_u64()
    });
    u32::try_from(pid).unwrap()
}

fn start(out: &Path, edits: &[&str]) -> Running {
    Running::start(command(out, edits).stderr(Stdio::null()))
}

fn report(out: &Path) -> (i32, Value) {
    let ended = soak(&["judge", out.to_str().unwrap(), "--format", "json"]);
    (ended.code, ended.json())
}

#[test]
fn a_killed_harness_leaves_no_target_and_a_readable_record() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut run = start(&out, &[]);
    let target = target_in(&out, "query");
    run.signal("KILL");
    run.wait();
    until("the target is gone", || (!is_alive(target)).then_some(()));
    assert!(!out.join("verdict.json").exists(), "no verdict of half a run");
    let (code, verdict) = report(&out);
    assert_eq!((code, &verdict["complete"]), (3, &false.into()), "{verdict:#}");
}

#[test]
fn an_interrupted_run_ends_in_good_order() {
    let _turn = turn();
    for name in ["INT", "TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let mut run = start(&out, &[]);
        let target = target_in(&out, "index");
        run.signal(name);
        assert_eq!(run.wait(), 130);
        assert!(!is_alive(target), "the target ended before the harness did");
        assert!(out.join("report.html").exists(), "what there is, is reported");
        let last = events(&out).pop().unwrap();
        assert_eq!((&last["event"], &last["complete"]), (&"run_ended".into(), &false.into()));
    }
}

#[test]
fn a_terminal_that_goes_away_ends_a_run_in_good_order_unless_it_is_to_outlive_it() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let [out, outliving] = ["run", "outliving"].map(|name| folder.path().join(name));
    let mut run = Running::start(by_env(&command(&out, &[]), "--default-signal=HUP").stderr(Stdio::null()));
    let target = target_in(&out, "index");
    run.signal("HUP");
    run.signal("HUP");
    assert_eq!(run.wait(), 130);
    assert!(!is_alive(target) && out.join("report.html").exists(), "what there is, is reported");
    let mut run = Running::start(by_env(&command(&outliving, &[]), "--ignore-signal=HUP").stderr(Stdio::null()));
    target_in(&outliving, "index");
    run.signal("HUP");
    target_in(&outliving, "settle");
    run.signal("INT");
    assert_eq!(run.wait(), 130);
}

#[test]
fn a_killed_target_is_a_failure_that_says_how() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut run = start(&out, &[]);
    signal(target_in(&out, "query"), "KILL");
    assert_eq!(run.wait(), 1);
    let (code, verdict) = report(&out);
    assert_eq!(code, 1);
    assert!(verdict.to_string().contains("signal 9"), "{verdict:#}");
}

#[test]
fn a_program_that_is_built_anew_while_the_run_goes_on_is_another_build() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let [out, program, next] = ["run", "store", "next"].map(|name| folder.path().join(name));
    std::fs::copy(binary(), &program).unwrap();
    std::fs::copy(binary(), &next).unwrap();
    // What follows a program's last section is not loaded.
    std::fs::OpenOptions::new().append(true).open(&next).unwrap().write_all(b"another").unwrap();
    let edits = ["matrix.dim=[16,24]", "workload.vectors_per_cycle={default=1024}"];
    let mut command = command(&out, &edits);
    command.args(["--target", &format!("process:{}", program.display())]).stderr(Stdio::null());
    let mut run = Running::start(&mut command);
    target_in(&out, "query");
    std::fs::rename(&next, &program).unwrap();
    assert_ne!(run.wait(), 0);
    let events = events(&out);
    let builds: Vec<&Value> =
        events.iter().filter(|event| event["event"] == "target_started").map(|event| &event["build"]).collect();
    assert!(builds.len() == 2 && builds[0] != builds[1], "{builds:?}");
    let (_, verdict) = report(&out);
    let doubt = "its target is build sha256:";
    let [first, second] = [0, 1].map(|variant| verdict["variants"][variant]["findings"].to_string());
    assert!(!first.contains(doubt) && second.contains(doubt), "{verdict:#}");
    assert!(!second.contains("\"verdict\":\"pass\""), "{verdict:#}");
}

#[test]
fn a_paused_target_shows_in_the_corrected_latencies() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut run = start(&out, &["workload.query.duration=30s", "workload.query.in_flight=16"]);
    let target = target_in(&out, "query");
    // Somewhere within the thirty seconds.
    std::thread::sleep(std::time::Duration::from_secs(2));
    signal(target, "STOP");
    std::thread::sleep(std::time::Duration::from_secs(5));
    signal(target, "CONT");
    let search = until("the figures of the query phase", || {
        events(&out).into_iter().find(|event| event["event"] == "latency" && event["operation"] == "search")
    });
    run.signal("INT");
    run.wait();
    let corrected = |name: &str| search["corrected"][name].as_f64().unwrap();
    assert!(corrected("max_ms") >= 4900.0 && corrected("p99_ms") >= 4000.0, "{search:#}");
    assert!(search["late_starts"].as_u64().unwrap() >= 500, "{search:#}");
    let in_all = ["count", "errors", "never_started"].map(|name| search[name].as_u64().unwrap()).iter().sum::<u64>();
    assert_eq!(in_all, 6000, "200 a second for 30 seconds, none forgotten: {search:#}");
}
