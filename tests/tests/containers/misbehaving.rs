//! The quickest two misbehaviours of the Go store, and two look-alikes that are none. `ci/gate` has them all.

use soak_tests::{image, turn};

use crate::run::run;

fn failed(setting: &str) -> Vec<String> {
    let target = format!("container:{}", image().unwrap());
    let judged = run(&target, &[setting, "criteria.heap_goal={}"]);
    let failed = judged.with("fail");
    assert_eq!(judged.ended.code == 1, !failed.is_empty(), "{}\n{}", judged.ended.stdout, judged.ended.stderr);
    failed
}

#[test]
fn leaks_in_go_memory_are_found() {
    if image().is_none() {
        return;
    }
    let _turn = turn();
    assert_eq!(failed("target.misbehave.task_leak=90/min"), ["goroutine_baseline"]);
    assert_eq!(failed("target.misbehave.heap_leak=2KiB/op"), ["rss_floor", "heap_floor"]);
}

#[test]
fn a_step_and_a_plateau_are_no_leaks() {
    if image().is_none() {
        return;
    }
    let _turn = turn();
    assert!(failed("target.misbehave.step=24MiB").is_empty());
    assert!(failed("target.misbehave.cache_fill=6MiB").is_empty());
}
