//! Each scenario of the runbook: a healthy store passes it, its own misbehaviour fails it by the criterion that asks for the symptom, and what only looks like the
//! symptom does not.

use soak_tests::{Judged, scenario, turn};

/// The scenarios' questions at a size that takes some fifteen seconds.
const SMALL: [&str; 3] = ["matrix.ef_construction=[40]", "matrix.hnsw_m=[8]", "workload.query.duration=200ms"];

/// A run of a scenario with these edits.
fn run(name: &str, edits: &[&str]) -> Judged {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = scenario(name, &out, &[&SMALL, edits].concat());
    if name == "scenario1" {
        command.args(["--only", "*gogc75"]);
    }
    if name == "gate" {
        command.args(["--pace", "quick", "--only", "dim128*"]);
    }
    Judged::of(command, &out)
}

/// A run that fails by these criteria alone.
fn fails(name: &str, edits: &[&str], expected: &[&str]) -> Judged {
    let judged = run(name, edits);
    assert_eq!(judged.with("fail"), expected, "{name} {edits:?}: {:#}", judged.verdict);
    judged
}

fn reason(judged: &Judged, criterion: &str) -> String {
    judged.finding(0, criterion)["reason"].as_str().unwrap().to_owned()
}

fn passes(name: &str, edits: &[&str]) {
    let judged = run(name, edits);
    assert_eq!((judged.ended.code, judged.with("fail")), (0, Vec::new()), "{name} {edits:?}: {:#}", judged.verdict);
}

#[test]
fn growth_is_no_plateau_and_no_step() {
    let _turn = turn();
    passes("scenario1", &[]);
    fails("scenario1", &["target.misbehave.heap_leak=4KiB/op"], &["rss_floor", "heap_floor"]);
    let series = fails("scenario1", &["target.misbehave.series_leak=600/min"], &["metrics_cardinality"]);
    let reason = reason(&series, "metrics_cardinality");
    assert!(reason.contains("longbow_requests_by_client_total") && reason.contains("label `client`"), "{reason}");
}

#[test]
fn memory_that_vectors_do_not_justify_is_told_apart() {
    let _turn = turn();
    passes("scenario3", &[]);
    let mapped = fails("scenario3", &["target.misbehave.mapped_file=256MiB"], &["resident_per_vector"]);
    let reason = reason(&mapped, "resident_per_vector");
    assert!(reason.contains(": mapped files 2"), "the largest part first: {reason}");
    fails("scenario3", &["target.misbehave.fragment=true"], &["compaction_reclaim"]);
    let kept = run("scenario3", &["target.misbehave.retain_batches=60%"]);
    let reason = self::reason(&kept, "resident_per_vector");
    assert!(reason.contains("heap that is neither slab nor graph"), "{reason}");
    assert!(kept.with("fail").contains(&"heap_floor".to_owned()), "{:#}", kept.verdict);
}

#[test]
fn tasks_connections_and_labels_are_told_apart() {
    let _turn = turn();
    passes("scenario4", &[]);
    let tasks = fails("scenario4", &["target.misbehave.task_leak=90/min"], &["goroutine_baseline"]);
    let reason = reason(&tasks, "goroutine_baseline");
    assert!(reason.contains("repair.waitForPeer") && reason.contains("the oldest is"), "{reason}");
    fails("scenario4", &["target.misbehave.connection_leak=5%"], &["connection_baseline"]);
}

#[test]
fn a_compaction_that_fails_is_no_leak() {
    let _turn = turn();
    passes("scenario5", &[]);
    for bad in ["fails", "noop", "weak"] {
        fails("scenario5", &[&format!("target.misbehave.compaction={bad}")], &["compaction_reclaim"]);
    }
}

#[test]
fn the_gate_asks_everything() {
    let _turn = turn();
    let judged = run("gate", &[]);
    assert_eq!((judged.ended.code, judged.with("fail")), (0, Vec::new()), "{:#}", judged.verdict);
    let asked = judged.with("pass");
    for criterion in [
        "rss_floor",
        "compaction_reclaim",
        "goroutine_baseline",
        "connection_baseline",
        "metrics_cardinality",
        "latency_rise",
    ] {
        assert!(asked.contains(&criterion.to_owned()), "{criterion} is not among {asked:?}");
    }
}
