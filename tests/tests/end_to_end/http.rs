//! Targets that speak HTTP, and targets that answer like Longbow: what their profiles claim is found, and what they cannot is said.

use std::path::{Path, PathBuf};
use std::process::Command;

use soak_tests::{Judged, binary, scenario, soak, turn};

/// The scenario's questions at a size that takes some ten seconds.
const SMALL: [&str; 3] = ["workload.vectors_per_cycle=1024", "workload.query.duration=200ms", "cycle.idle=600ms"];

fn stand_in() -> PathBuf {
    binary().with_file_name("soak-stand-in")
}

/// The profile of Guts, for a node that can be told to misbehave, changed in one more place.
fn guts_profile(folder: &Path, change: [&str; 2]) -> String {
    let text = soak(&["export", "profile", "guts"]).stdout;
    let text = text
        .replace("needs_data_dir = true", "needs_data_dir = true\ncan_misbehave = true")
        .replace("\"{data_dir}\"]", "\"{data_dir}\", \"{misbehave}\"]");
    assert!(text.contains("{misbehave}") && text.contains(change[0]), "{text}");
    let file = folder.join("guts-like.toml");
    std::fs::write(&file, text.replace(change[0], change[1])).unwrap();
    file.display().to_string()
}

/// A run of a scenario for Guts against the stand-in.
fn guts(name: &str, edits: &[&str], change: [&str; 2]) -> Judged {
    let folder = tempfile::tempdir().unwrap();
    let profile = format!("target.profile={}", guts_profile(folder.path(), change));
    let out = folder.path().join("run");
    let mut command = scenario(name, &out, &[&[profile.as_str()], &SMALL[..], edits].concat());
    on_stand_in(&mut command);
    Judged::of(command, &out)
}

pub(crate) fn on_stand_in(command: &mut Command) {
    command.arg("--target").arg(format!("process:{}", stand_in().display()));
}

const AS_IT_IS: [&str; 2] = ["", ""];

/// Nearly twice the counted cycles, where a pass is asked for: the arenas that the stand-in's threads allocate from came and went by 0.9 MiB from floor to floor, which six floors cannot tell from
/// growth of 1 MiB a cycle, and eleven can.
const LONG: &str = "cycle.count=12";

#[test]
fn growth_is_told_from_what_comes_and_goes() {
    let _turn = turn();
    let healthy = guts("guts-growth", &[LONG], AS_IT_IS);
    assert_eq!((healthy.ended.code, healthy.with("fail")), (0, Vec::new()), "{:#}", healthy.verdict);
    for criterion in
        ["rss_floor", "connection_baseline", "metrics_cardinality", "pending_baseline", "peak_per_ingested"]
    {
        assert_eq!(healthy.finding(0, criterion)["verdict"], "pass", "{criterion}");
    }
    let rows: Vec<u64> = healthy.events("ingested").iter().map(|one| one["acked_rows"].as_u64().unwrap()).collect();
    assert!(rows.len() >= 7 && rows.iter().all(|one| *one == 1024), "{rows:?}");
    assert!(healthy.events("recall").is_empty(), "a node has no neighbours");
    let leak = guts("guts-growth", &["target.misbehave.heap_leak=4KiB/op"], AS_IT_IS);
    assert_eq!(leak.with("fail"), ["rss_floor"], "{:#}", leak.verdict);
}

#[test]
fn a_cache_that_keeps_what_was_removed_is_bounded_by_its_file_of_settings_or_emptied() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let stale = "target.misbehave.retain_batches=99%";
    let bounded = "[launch.settings]\n\"storage.cache.max_size\" = \"1048576\"\n\n[requests.create]";
    let held = guts("guts-growth", &[stale, LONG], ["[requests.create]", bounded]);
    assert_eq!(held.finding(0, "rss_floor")["verdict"], "pass", "{:#}", held.verdict);

    let clears = "[endpoints]\nclear_cache = \"POST /api/debug/cache/clear\"";
    let profile = format!("target.profile={}", guts_profile(folder.path(), ["[endpoints]", clears]));
    let out = folder.path().join("run");
    let mut command = scenario("guts-growth", &out, &[&[profile.as_str(), stale], &SMALL[..]].concat());
    on_stand_in(&mut command);
    command.args(["--try-remedies", "--remedy", "guts_cache_clear", "--format", "json"]);
    let judged = Judged::of(command, &out);
    assert_eq!(judged.with("fail"), ["rss_floor"], "{:#}", judged.verdict);
    let told: serde_json::Value = serde_json::from_str(judged.ended.stdout.lines().last().unwrap()).unwrap();
    let trial = |name: &str| {
        let found = told["remedies"].as_array().unwrap().iter().find(|one| one["remedy"] == name);
        found.unwrap_or_else(|| panic!("{name} is not in {told:#}"))["answer"].clone()
    };
    assert_eq!(["unchanged", "guts_cache_clear"].map(trial), ["does_not_help", "helps"], "{told:#}");
}

#[test]
fn connections_and_labels_that_are_kept_are_named() {
    let _turn = turn();
    let healthy = guts("guts-connections", &[], AS_IT_IS);
    assert_eq!((healthy.ended.code, healthy.with("fail")), (0, Vec::new()), "{:#}", healthy.verdict);
    let kept = guts("guts-connections", &["target.misbehave.connection_leak=5%"], AS_IT_IS);
    assert!(kept.with("fail").contains(&"connection_baseline".to_owned()), "{:#}", kept.verdict);
    // Under names that are never the same twice every path is a new value of a label; under the same names none is.
    let series = ["target.misbehave.series_leak=60/min"];
    let fresh = guts("guts-connections", &[&series[..], &["workload.same_names=false"]].concat(), AS_IT_IS);
    let reason = fresh.finding(0, "metrics_cardinality")["reason"].as_str().unwrap();
    assert!(reason.contains("guts_http_requests_total") && reason.contains("label `path`"), "{reason}");
    let same = guts("guts-connections", &series, AS_IT_IS);
    assert_eq!(same.finding(0, "metrics_cardinality")["verdict"], "pass", "{:#}", same.verdict);
}

#[test]
fn a_node_that_cannot_be_told_to_misbehave_is_left_something_by_the_load() {
    let _turn = turn();
    for (name, criterion) in [("guts-growth", "rss_floor"), ("guts-connections", "connection_baseline")] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        // Of 4 MiB a cycle, several times what is tolerated.
        let leaves = if name == "guts-growth" { &["positive_control.leave_rows=90%"][..] } else { &[] };
        let mut command = scenario(name, &out, &[&["control=true"], &SMALL[..], leaves].concat());
        on_stand_in(&mut command);
        let judged = Judged::of(command, &out);
        assert_eq!((judged.ended.code, judged.with("fail")), (0, Vec::new()), "{:#}", judged.verdict);
        assert_eq!(judged.verdict["variants"][1]["control"]["answers"][criterion], "fail", "{:#}", judged.verdict);
    }
}

#[test]
fn what_a_page_does_not_have_is_said_and_the_rest_goes_on() {
    let _turn = turn();
    let notes = |judged: &Judged| judged.verdict["variants"][0]["notes"].to_string();
    let few = ["cycle.count=5", "criteria.rss_floor.at_most=64MiB/cycle"];
    let missing = guts("guts-growth", &few, ["guts_http_active_connections", "guts_connections_open"]);
    assert!(notes(&missing).contains("connections (guts_connections_open)"), "{}", notes(&missing));
    assert_eq!(missing.finding(0, "connection_baseline")["verdict"], "inconclusive");
    // A page of something else, in HTML, and an answer that is no JSON.
    let html = guts("guts-growth", &few, ["GET /metrics\"", "GET /index.html\""]);
    assert!(notes(&html).contains("GET /index.html answered, but with no metric"), "{}", notes(&html));
    assert_eq!(html.events("ingested").len(), 5);
    let pending = &html.finding(0, "pending_baseline");
    assert!(pending["verdict"] == "pass" || pending["verdict"] == "inconclusive", "{pending}");
}

#[test]
fn a_store_by_the_runbook_has_every_series_of_that_profile() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let store = soak_tests::Target::start(soak_tests::Kind::Embedded, &[]).unwrap();
    let addr = |plane: &str| plane.trim_start_matches("grpc://").to_owned();
    let attach = format!(
        "attach:pid={},data={},meta={},http={}",
        store.pid(),
        addr(&store.data),
        addr(&store.meta),
        store.http()
    );
    let edits = [
        "target.profile=longbow-runbook",
        "matrix={dim=[128],batch_rows=[512],gogc=[100],ef_construction=[40],hnsw_m=[8]}",
        "workload.vectors_per_cycle=4096",
        "cycle.count=6",
    ];
    let mut command = scenario("scenario2", &out, &edits);
    command.args(["--target", &attach]);
    let judged = Judged::of(command, &out);
    let notes = judged.verdict["variants"][0]["notes"].to_string();
    // The embedded store models collections, and has no quantiles of their pauses.
    let never = "Never on the target's metrics page, although the profile names them: gc_pause_max_seconds";
    assert!(notes.contains(never), "{notes}");
    assert_eq!(judged.with("fail"), Vec::<String>::new(), "{:#}", judged.verdict);
    assert!(judged.events("compacted").iter().all(|event| event["error"].is_null()));
}
