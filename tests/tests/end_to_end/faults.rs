//! Each misbehaviour, at a rate that the pace can see, fails by the right criterion and by no other, and looks like the right case of the runbook. One after the other: two at once would disturb each other.

use serde_json::Value;
use soak_tests::{Judged, turn};

use crate::small::run;

fn judged(edits: &[&str]) -> Judged {
    let folder = tempfile::tempdir().unwrap();
    run(&folder.path().join("run"), edits)
}

/// What fails, that the exit code says so, and the case of the runbook that it looks like.
fn fails(edits: &[&str], expected: &[&str], case: &str) -> Judged {
    let judged = judged(edits);
    assert_eq!(judged.cases(), [case], "{edits:?}: {:#}", judged.verdict);
    assert_eq!(judged.with("fail"), expected, "{edits:?}: {:#}", judged.verdict);
    assert_eq!(judged.ended.code, 1, "{}", judged.ended.stderr);
    for criterion in expected {
        let finding = judged.finding(0, criterion);
        let command = finding["reproduce"].as_str().unwrap();
        assert!(
            command.starts_with("soak run scenario2 ") && command.contains(edits[0]),
            "it says how to see it again: {command}"
        );
    }
    judged
}

#[test]
fn each_misbehaviour_fails_by_its_criterion_and_by_no_other() {
    let _turn = turn();
    healthy_passes();
    let leak = fails(&["target.misbehave.heap_leak=90MiB/min"], &["rss_floor", "heap_floor"], "growth");
    assert!(leak.ended.stdout.contains("looks like Scenario 1: Memory Usage Keeps Growing"), "{}", leak.ended.stdout);
    let slope = leak.finding(0, "rss_floor")["value"].as_f64().unwrap();
    assert!(slope > 1_048_576.0, "{slope} bytes a cycle");
    fails(&["target.misbehave.retain_batches=25%"], &["rss_floor", "heap_floor"], "growth");
    fails(&["target.misbehave.offheap_leak=90MiB/min"], &["rss_floor"], "high_rss");
    let tasks = fails(&["target.misbehave.task_leak=90/min"], &["goroutine_baseline"], "goroutines");
    let reason = tasks.finding(0, "goroutine_baseline")["reason"].as_str().unwrap();
    assert!(reason.contains("repair.waitForPeer"), "the stack that leaks is named: {reason}");
    let failing = fails(&["target.misbehave.compaction=fails"], &["compaction_reclaim"], "failed_compaction");
    assert!(failing.events("compacted").iter().all(|event| event["error"].is_string()));
    fails(&["target.misbehave.compaction=noop"], &["compaction_reclaim"], "failed_compaction");
    fails(&["target.misbehave.compaction=weak"], &["compaction_reclaim"], "failed_compaction");
    fails(&["target.misbehave.fragment=true"], &["compaction_reclaim"], "high_rss");
    // Sooner than the scenario's five seconds, so that the test need not wait for twice as many in each cycle.
    let slow = ["target.misbehave.slow_release=8MiB/s", "criteria.time_to_baseline.at_most=1s"];
    fails(&slow, &["time_to_baseline"], "spikes");
    mapped_file_is_named();
    a_leak_too_small_to_see_is_measured_against_what_could_be_seen();
}

fn healthy_passes() {
    let judged = judged(&[]);
    assert_eq!((judged.ended.code, &judged.verdict["verdict"]), (0, &"pass".into()), "{:#}", judged.verdict);
    assert!(judged.verdict["complete"].as_bool().unwrap());
    assert_eq!(judged.cases(), [""; 0], "nothing failed");
    let attested = judged.verdict["variants"][0]["attested"].as_object().unwrap();
    for knob in ["dim", "batch_rows", "gogc", "hnsw_m", "ef_construction", "compaction_interval"] {
        let Some(Value::Object(read)) = attested.get(knob) else { panic!("{knob} was not read back: {attested:?}") };
        assert_eq!((&read["holds"], &read["requested"]), (&true.into(), &read["effective"]), "{knob}");
    }
    let recall = judged.events("recall")[0];
    assert!(recall["recall"].as_f64().unwrap() > 0.9, "{recall}");
}

fn mapped_file_is_named() {
    let judged = judged(&["target.misbehave.mapped_file=256MiB"]);
    assert_eq!((judged.ended.code, judged.with("fail").len()), (0, 0), "{:#}", judged.verdict);
    let notes = judged.verdict["variants"][0]["notes"].to_string();
    assert!(notes.contains("mapped files"), "{notes}");
    assert_eq!(judged.cases(), ["high_rss"], "{:#}", judged.verdict);
    assert_eq!(judged.verdict["variants"][0]["guidance"][0]["cause"], "mapped files");
}

fn a_leak_too_small_to_see_is_measured_against_what_could_be_seen() {
    let judged = judged(&["target.misbehave.heap_leak=1MiB/min"]);
    assert_eq!(judged.ended.code, 0, "{:#}", judged.verdict);
    let finding = judged.finding(0, "rss_floor");
    let detectable = finding["detectable"].as_f64().unwrap();
    assert!(detectable > 1_048_576.0 && finding["reason"].as_str().unwrap().contains("could have seen"), "{finding:#}");
}
