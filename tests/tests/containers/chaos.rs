//! Faults on the Go container: each is injected, shown, healed and judged.

use serde_json::Value;
use soak_tests::{Judged, alone, every_fault, image, is_root, scenario, turn};

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

#[test]
fn a_known_leak_is_seen_at_its_rate_under_a_real_collector() {
    let Some(image) = image() else { return };
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let edits = ["workload.vectors_per_cycle=1024", "cycle.count=4", "sampling.metrics=200ms", "cycle.idle=2s"];
    let mut command = scenario("chaos-leak", &out, &edits);
    command.args(["--target", &format!("container:{image}")]);
    let run = Judged::of(command, &out);
    run.assert_rate_found(512.0 * 1_048_576.0 / 60.0);
    assert_all_shown(&run, 6);
}
