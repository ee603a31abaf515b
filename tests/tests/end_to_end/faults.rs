//! Each scenario of the runbook: a healthy store passes it, its own misbehaviour fails it by the criterion that asks for the symptom and by no other, and the guidance
//! names the case. What only looks like the symptom does not fail. One after the other: two at once would disturb each other.

use serde_json::Value;
use soak_tests::{Judged, scenario, turn};

use crate::small;

/// The scenarios' questions at a size that takes some ten seconds.
const SMALL: [&str; 3] = ["matrix.ef_construction=[40]", "matrix.hnsw_m=[8]", "workload.query.duration=200ms"];

/// A run of a scenario with these edits.
fn run(name: &str, edits: &[&str]) -> Judged {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    if name == "scenario2" {
        return small::run(&out, edits);
    }
    let mut command = scenario(name, &out, &[&SMALL, edits].concat());
    match name {
        "scenario1" => drop(command.args(["--only", "*gogc75"])),
        "gate" => drop(command.args(["--pace", "quick", "--only", "dim128*"])),
        _ => {}
    }
    Judged::of(command, &out)
}

/// What fails, that the exit code says so, and the case of the runbook that it looks like.
fn fails(name: &str, edits: &[&str], expected: &[&str], case: &str) -> Judged {
    let judged = run(name, edits);
    assert_eq!(judged.with("fail"), expected, "{name} {edits:?}: {:#}", judged.verdict);
    assert_eq!(judged.cases(), [case], "{name} {edits:?}: {:#}", judged.verdict);
    assert_eq!(judged.ended.code, 1, "{}", judged.ended.stderr);
    for criterion in expected {
        let finding = judged.finding(0, criterion);
        let command = finding["reproduce"].as_str().unwrap();
        assert!(
            command.starts_with(&format!("soak run {name} ")) && command.contains(edits[0]),
            "it says how to see it again: {command}"
        );
    }
    judged
}

/// A healthy run that was shown, on purpose, what it is there to see: each criterion saw its misbehaviour, and nothing is held against the target.
fn sees(name: &str, seen_by: &[&str]) {
    let judged = run(name, &["control=true"]);
    assert_eq!((judged.ended.code, judged.with("fail")), (0, Vec::new()), "{name}: {:#}", judged.verdict);
    let variants = judged.verdict["variants"].as_array().unwrap();
    let own = variants.iter().find_map(|variant| variant["control"]["answers"].as_object()).unwrap();
    let saw: Vec<&str> = own.iter().filter(|(_, answer)| *answer == "fail").map(|(id, _)| id.as_str()).collect();
    assert_eq!(saw, seen_by, "{name}: {:#}", judged.verdict);
    assert_eq!(judged.cases(), [""; 0], "{name}: what was put in on purpose is no case");
}

/// A healthy run: nothing fails, and no case is named.
fn passes(name: &str, edits: &[&str]) -> Judged {
    let judged = run(name, edits);
    assert_eq!((judged.ended.code, judged.with("fail")), (0, Vec::new()), "{name} {edits:?}: {:#}", judged.verdict);
    assert_eq!(judged.cases(), [""; 0], "{name}: nothing failed");
    judged
}

fn reason(judged: &Judged, criterion: &str) -> String {
    judged.finding(0, criterion)["reason"].as_str().unwrap().to_owned()
}

#[test]
fn growth_is_told_from_plateaus_and_from_labels() {
    let _turn = turn();
    passes("scenario1", &[]);
    let leak = fails("scenario1", &["target.misbehave.heap_leak=4KiB/op"], &["rss_floor", "heap_floor"], "growth");
    assert!(leak.ended.stdout.contains("looks like Scenario 1: Memory Usage Keeps Growing"), "{}", leak.ended.stdout);
    let series = ["target.misbehave.series_leak=600/min"];
    let series = fails("scenario1", &series, &["metrics_cardinality"], "growth");
    let reason = reason(&series, "metrics_cardinality");
    assert!(reason.contains("longbow_requests_by_client_total") && reason.contains("label `client`"), "{reason}");
}

#[test]
fn spikes_come_down_and_small_leaks_are_held_against_what_could_be_seen() {
    let _turn = turn();
    let healthy = passes("scenario2", &[]);
    assert!(healthy.verdict["complete"].as_bool().unwrap());
    let attested = healthy.verdict["variants"][0]["attested"].as_object().unwrap();
    for knob in ["dim", "batch_rows", "gogc", "hnsw_m", "ef_construction", "compaction_interval"] {
        let Some(Value::Object(read)) = attested.get(knob) else { panic!("{knob} was not read back: {attested:?}") };
        assert_eq!((&read["holds"], &read["requested"]), (&true.into(), &read["effective"]), "{knob}");
    }
    let recall = healthy.events("recall")[0];
    assert!(recall["recall"].as_f64().unwrap() > 0.9, "{recall}");
    // Sooner than the scenario's five seconds, so that the test need not wait for twice as many in each cycle.
    let slow = ["target.misbehave.slow_release=8MiB/s", "criteria.time_to_baseline.at_most=1s"];
    fails("scenario2", &slow, &["time_to_baseline"], "spikes");
    let small = run("scenario2", &["target.misbehave.heap_leak=1MiB/min"]);
    assert_eq!(small.ended.code, 0, "{:#}", small.verdict);
    let finding = small.finding(0, "rss_floor");
    let detectable = finding["detectable"].as_f64().unwrap();
    assert!(detectable > 1_048_576.0 && finding["reason"].as_str().unwrap().contains("could have seen"), "{finding:#}");
}

#[test]
fn memory_that_vectors_do_not_justify_is_told_apart() {
    let _turn = turn();
    passes("scenario3", &[]);
    let mapped = ["target.misbehave.mapped_file=256MiB"];
    let mapped = fails("scenario3", &mapped, &["resident_per_vector"], "high_rss");
    let told = reason(&mapped, "resident_per_vector");
    assert!(told.contains(": mapped files 2"), "the largest part first: {told}");
    let notes = mapped.verdict["variants"][0]["notes"].to_string();
    assert!(notes.contains("mapped files"), "{notes}");
    fails("scenario3", &["target.misbehave.fragment=true"], &["compaction_reclaim"], "high_rss");
    let beside = run("scenario3", &["target.misbehave.offheap_leak=90MiB/min"]);
    assert_eq!(beside.cases(), ["high_rss"], "{:#}", beside.verdict);
    assert!(beside.with("fail").contains(&"rss_floor".to_owned()), "{:#}", beside.verdict);
    let kept = run("scenario3", &["target.misbehave.retain_batches=60%"]);
    let told = reason(&kept, "resident_per_vector");
    assert!(told.contains("heap that is neither slab nor graph"), "{told}");
    assert_eq!(kept.cases(), ["growth"], "{:#}", kept.verdict);
}

#[test]
fn tasks_and_connections_are_told_apart() {
    let _turn = turn();
    sees("scenario4", &["connection_baseline", "goroutine_baseline"]);
    let tasks = ["target.misbehave.task_leak=90/min"];
    let tasks = fails("scenario4", &tasks, &["goroutine_baseline"], "goroutines");
    let told = reason(&tasks, "goroutine_baseline");
    assert!(told.contains("repair.waitForPeer") && told.contains("the oldest is"), "{told}");
    fails("scenario4", &["target.misbehave.connection_leak=5%"], &["connection_baseline"], "goroutines");
}

#[test]
fn a_compaction_that_fails_is_no_leak() {
    let _turn = turn();
    passes("scenario5", &[]);
    let failing = ["target.misbehave.compaction=fails"];
    let failing = fails("scenario5", &failing, &["compaction_reclaim"], "failed_compaction");
    assert!(failing.events("compacted").iter().all(|event| event["error"].is_string()));
    for bad in ["noop", "weak"] {
        let edit = format!("target.misbehave.compaction={bad}");
        fails("scenario5", &[&edit], &["compaction_reclaim"], "failed_compaction");
    }
}

#[test]
fn the_gate_asks_everything() {
    let _turn = turn();
    let asked = passes("gate", &[]).with("pass");
    for criterion in [
        "rss_floor",
        "compaction_reclaim",
        "goroutine_baseline",
        "connection_baseline",
        "metrics_cardinality",
        "log_errors",
        "latency_rise",
    ] {
        assert!(asked.contains(&criterion.to_owned()), "{criterion} is not among {asked:?}");
    }
}
