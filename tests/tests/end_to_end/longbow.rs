//! The public build of Longbow, by a stand-in that answers as the real server was seen to answer.

use std::process::Command;

use serde_json::Value;
use soak_tests::{Judged, scenario, turn};

use crate::http::on_stand_in;

/// A short run of a scenario on the stand-in. No criterion is overridden.
fn run(name: &str, edits: &[&str], change: impl FnOnce(&mut Command)) -> (Judged, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut all = vec!["target.profile=longbow", "workload.vectors_per_cycle=1024", "cycle.count=6"];
    all.extend(edits);
    let mut command = scenario(name, &out, &all);
    on_stand_in(&mut command);
    change(&mut command);
    (Judged::of(command, &out), folder)
}

fn one_size(knobs: &str) -> String {
    format!("matrix={{dim=[128],batch_rows=[256],{knobs}}}")
}

#[test]
fn every_setting_is_verified_or_ignored_by_name() {
    let _turn = turn();
    let matrix = one_size("gogc=[75,10],hnsw_m=[16,32],ef_construction=[64,128],compaction_interval=[\"off\",\"30s\"]");
    let (judged, _folder) = run("scenario2", &[&matrix], |_| {});
    let variants = judged.verdict["variants"].as_array().unwrap();
    let own: Vec<&Value> = variants.iter().filter(|variant| variant["dose"].is_null()).collect();
    assert_eq!(own.len(), 2, "variants that differ in ignored knobs alone are one: {:#}", judged.verdict);
    for (index, gogc) in [(0, "75"), (1, "10")] {
        assert_eq!(judged.finding(index, "unverified_settings")["verdict"], "pass", "{:#}", judged.verdict);
        let settings = &own[index]["attested"];
        assert_eq!(settings["gogc"]["effective"], gogc);
        assert_eq!(settings["dim"]["source"], "a row read back");
        assert_eq!(settings["batch_rows"]["source"], "messages that the target acknowledged");
        assert!(settings["hnsw_m"].is_null(), "the server ignores it: {settings}");
    }
}

#[test]
fn ids_of_searches_may_have_another_type_than_those_that_were_put() {
    let _turn = turn();
    let (judged, _folder) = run("scenario2", &[&one_size("gogc=[75]")], |_| {});
    let recall = judged.events("recall");
    assert!(recall[0]["recall"].as_f64().unwrap() > 0.5, "{recall:?}");
    assert_eq!(judged.finding(0, "operation_errors")["value"], 0.0, "{:#}", judged.verdict);
    let errors = judged.events("operation_errors");
    assert!(errors.iter().all(|event| event["operation"] != "search"), "{errors:?}");
}

#[test]
fn a_compaction_that_never_comes_is_not_waited_for() {
    let _turn = turn();
    let (judged, _folder) = run("scenario2", &[&one_size("compaction_interval=[\"30s\"]")], |_| {});
    assert!(judged.events("compacted").is_empty(), "the profile says that the server ignores the interval");
}

#[test]
fn a_lock_that_never_opens_ends_the_variant_and_is_named() {
    let _turn = turn();
    let edits = [&one_size("gogc=[75]"), "deadlines.call=2s"];
    let (judged, folder) = run("scenario2", &edits, |command| {
        command.env("STAND_IN_HELD_LOCK", "search");
    });
    let target = judged.finding(0, "target");
    assert_eq!((&target["verdict"], &target["cause"]), (&"fail".into(), &"unresponsive".into()), "{target}");
    let wait = judged.finding(0, "unresponsive_time");
    assert_eq!(wait["verdict"], "fail");
    let reason = wait["reason"].as_str().unwrap();
    assert!(reason.contains("sync.(*RWMutex).RLock, called by store.Search"), "{reason}");
    let seen = judged.events("unresponsive");
    let seconds = seen[0]["seconds"].as_f64().unwrap();
    assert!((2.0..=8.0).contains(&seconds), "within two deadlines of 2 s, on a machine that may be busy: {seen:?}");
    let artifacts = folder.path().join("run/artifacts");
    let dumps = std::fs::read_dir(&artifacts)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().join("unresponsive/tasks.txt").is_file());
    assert_eq!(dumps.count(), 1, "the task dump of that moment is kept");
}
