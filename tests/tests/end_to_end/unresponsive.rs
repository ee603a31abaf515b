//! A server that goes on accepting and answers nothing: the Go store with a lock that never opens, in each operation.

use soak_tests::{Judged, binary, go_target, scenario, turn};

use crate::stores::{COLUMNS, KEY, KEY_OF};

/// A run of the Go store in which operations of this kind wait for ever, with a deadline of two seconds a call.
fn run(operation: &str) -> Option<(Judged, tempfile::TempDir)> {
    let program = go_target()?;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let defect = format!("target.misbehave.held_lock={operation}");
    let edits = [
        "target.profile=go",
        "matrix={dim=[128],batch_rows=[16],gogc=[75],hnsw_m=[16],ef_construction=[40]}",
        "workload.vectors_per_cycle=1024",
        "workload.query.duration=1s",
        "deadlines.call=2s",
        &defect,
    ];
    let mut command = scenario("scenario2", &out, &edits);
    command.arg("--target").arg(format!("process:{}", program.display()));
    Some((Judged::of(command, &out), folder))
}

/// The variant ends as unresponsive, within a bound that only a fault could reach, and the blocked stack is named.
fn ends_as_unresponsive(operation: &str) {
    let Some((judged, _folder)) = run(operation) else { return };
    let target = judged.finding(0, "target");
    assert_eq!(target["cause"], "unresponsive", "{operation}: {target}");
    let wait = judged.finding(0, "unresponsive_time");
    assert_eq!(wait["verdict"], "fail", "{operation}: {wait}");
    let reason = wait["reason"].as_str().unwrap();
    assert!(reason.contains("main.(*heldLock).pass"), "{operation}: {reason}");
    let seconds = wait["value"].as_f64().unwrap();
    assert!(
        (3.5..20.0).contains(&seconds),
        "{operation}: twice the deadline of 2 s, on a machine that may be busy: {seconds} s"
    );
}

#[test]
fn a_put_that_never_returns_ends_the_variant() {
    let _turn = turn();
    ends_as_unresponsive("put");
}

#[test]
fn a_search_that_never_returns_ends_the_variant() {
    let _turn = turn();
    ends_as_unresponsive("search");
}

#[test]
fn a_delete_that_never_returns_ends_the_variant() {
    let _turn = turn();
    ends_as_unresponsive("delete");
}

#[test]
fn a_metrics_page_that_never_comes_ends_the_variant() {
    let _turn = turn();
    ends_as_unresponsive("metrics");
}

#[test]
fn a_batch_over_http_that_is_never_answered_ends_the_variant() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("columns.toml"), folder.path().join("run"));
    let holds = "\"--hold-puts-after\", \"3\", \"--api-key-of\"";
    std::fs::write(&file, COLUMNS.replace("\"--api-key-of\"", holds)).unwrap();
    let profile = format!("target.profile={}", file.display());
    let edits = [
        profile.as_str(),
        "matrix={dim=[128],batch_rows=[16],gogc=[75]}",
        "workload.vectors_per_cycle=1024",
        "cycle.count=6",
        "deadlines.call=2s",
        "deadlines.index=2min",
    ];
    let mut command = scenario("scenario1", &out, &edits);
    let program = binary().with_file_name("soak-stand-in");
    command.args(["--target", &format!("process:{}", program.display())]).env(KEY_OF, KEY);
    let judged = Judged::of(command, &out);
    assert_eq!(judged.finding(0, "target")["cause"], "unresponsive", "{:#}", judged.verdict);
    let seen = judged.events("unresponsive");
    let seconds = seen[0]["seconds"].as_f64().unwrap();
    assert!((3.5..20.0).contains(&seconds), "twice the deadline of a call, and not that of an index: {seen:?}");
}
