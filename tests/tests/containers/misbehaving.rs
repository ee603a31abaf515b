//! The quickest two misbehaviours of the Go store, and two look-alikes that are none. `ci/gate` has them all.

use soak_tests::{image, turn};

use crate::run::run;

/// What failed, and the cases of the runbook that it looks like.
fn failed(setting: &str) -> (Vec<String>, Vec<String>) {
    let target = format!("container:{}", image().unwrap());
    let judged = run(&target, &[setting]);
    let failed = judged.with("fail");
    assert_eq!(judged.ended.code == 1, !failed.is_empty(), "{}\n{}", judged.ended.stdout, judged.ended.stderr);
    (failed, judged.cases())
}

fn of(failed: &[&str], cases: &[&str]) -> (Vec<String>, Vec<String>) {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    (owned(failed), owned(cases))
}

#[test]
fn leaks_in_go_memory_are_found() {
    if image().is_none() {
        return;
    }
    let _turn = turn();
    let tasks = failed("target.misbehave.task_leak=90/min");
    assert_eq!(tasks, of(&["goroutine_baseline"], &["goroutines"]));
    let heap = failed("target.misbehave.heap_leak=2KiB/op");
    assert_eq!(heap, of(&["rss_floor", "heap_floor"], &["growth"]));
}

#[test]
fn a_step_and_a_plateau_are_no_leaks() {
    if image().is_none() {
        return;
    }
    let _turn = turn();
    assert_eq!(failed("target.misbehave.step=24MiB"), of(&[], &[]));
    assert_eq!(failed("target.misbehave.cache_fill=6MiB"), of(&[], &[]));
}

#[test]
fn goroutines_that_can_never_run_again_are_proved_and_named() {
    let Some(image) = image() else { return };
    let _turn = turn();
    let target = format!("container:{image}");
    let leaking = run(&target, &["target.misbehave.leaked_goroutines=90/min"]);
    assert_eq!(leaking.with("fail"), ["goroutine_baseline", "leaked_goroutines"], "{:#}", leaking.verdict);
    let reason = leaking.finding(0, "leaked_goroutines")["reason"].to_string();
    assert!(reason.contains("can never run again") && reason.contains("main.waitForAnswer"), "{reason}");
    // A leak of tasks that something reachable could still wake is none that the collector can prove.
    let reachable = run(&target, &["target.misbehave.task_leak=90/min"]);
    assert_eq!(reachable.with("fail"), ["goroutine_baseline"], "{:#}", reachable.verdict);
    assert_eq!(reachable.finding(0, "leaked_goroutines")["value"], 0.0);
}
