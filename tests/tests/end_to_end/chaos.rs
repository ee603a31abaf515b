//! Faults on the embedded store: each shown and healed; a known leak seen at its rate; what cannot be is refused before anything is touched.

use soak_tests::{Ended, Judged, alone, every_fault, is_root, scenario, soak, turn};

fn run(name: &str, edits: &[&str]) -> Judged {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    Judged::of(scenario(name, &out, edits), &out)
}

#[test]
fn every_fault_is_shown_and_healed() {
    if !is_root() {
        return;
    }
    let _turn = alone();
    let run = run(&every_fault(), &[]);
    for criterion in ["fault_shown", "acknowledged_data", "fault_residue"] {
        assert_eq!(run.finding(0, criterion)["verdict"], "pass", "{}", run.finding(0, criterion));
    }
    assert_eq!(run.events("fault_applied").len(), 18);
    assert_eq!(run.ended.code, 0, "{}", run.ended.stdout);
}

#[test]
fn a_known_leak_is_seen_at_its_rate_and_given_back() {
    let _turn = turn();
    let run = run("chaos-leak", &["workload.vectors_per_cycle=1024", "cycle.count=5"]);
    run.assert_rate_found(512.0 * 1_048_576.0 / 60.0);
    assert_eq!(run.with("fail"), Vec::<String>::new(), "{}", run.ended.stdout);
}

#[test]
fn a_store_that_keeps_nothing_has_lost_what_it_acknowledged() {
    let _turn = turn();
    let edits = [
        "target.durable=false",
        "cycle.count=2",
        "workload.vectors_per_cycle=1024",
        // In ingest it might come before anything was acknowledged that could be lost.
        "faults.kill-in-ingest.phase=query",
        "faults.kill-in-ingest.after=16s",
    ];
    let run = run("chaos-kill", &edits);
    let found = run.finding(0, "acknowledged_data");
    assert_eq!(found["verdict"], "fail", "{found}");
    assert_eq!(run.ended.code, 1, "{}", run.ended.stdout);
    let told = run.events("integrity")[0];
    // What was under way when it was killed is indeterminate, and not lost.
    assert!(told["lost"].as_u64().unwrap() > 0 && told["lost"] == told["expected"], "{told}");
}

#[test]
fn pressure_that_never_was_makes_a_run_inconclusive() {
    let _turn = turn();
    // Nothing ever takes so much.
    let edits = ["faults.memory.when=rss > 512GiB", "cycle.count=2", "workload.vectors_per_cycle=1024"];
    let run = run("chaos-leak", &edits);
    assert_eq!(run.ended.code, 3, "{}", run.ended.stdout);
    let skipped = run.events("fault_skipped");
    assert!(skipped[0]["reason"].as_str().unwrap().contains("never held"), "{}", skipped[0]);
    assert!(run.with("inconclusive").contains(&"fault_shown".to_owned()));
    let reasons: Vec<String> =
        run.with("inconclusive").iter().map(|id| run.finding(0, id)["reason"].as_str().unwrap().to_owned()).collect();
    let would_pass =
        |reason: &String| reason.contains("That would pass, but 1 of 2 faults did not demonstrably take place.");
    assert!(reasons.iter().any(would_pass), "{reasons:#?}");
}

#[test]
fn a_stop_condition_ends_a_run_safely() {
    let _turn = turn();
    let run = run("chaos-pause", &["stop.after=3s", "workload.vectors_per_cycle=1024"]);
    assert_eq!(run.ended.code, 3, "{}", run.ended.stdout);
    let ended = run.events("variant_ended");
    assert_eq!(ended[0]["outcome"]["how"], "stopped", "{}", ended[0]);
    let notes = run.verdict["variants"][0]["notes"].to_string();
    assert!(notes.contains("stop.after"), "{notes}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_touched() {
    let refused = |arguments: &[&str], words: &[&str]| {
        let ended: Ended = soak(&[&["check"], arguments].concat());
        assert_eq!(ended.code, 2, "{arguments:?}: {}{}", ended.stdout, ended.stderr);
        for word in words {
            assert!(ended.stderr.contains(word), "{word:?} is not in\n{}", ended.stderr);
        }
    };
    refused(&["chaos-limit-shrink", "--set", "matrix.memory_limit=[\"off\"]"], &["no memory limit to work on"]);
    let size = "matrix.memory_limit=[\"256MiB\"]";
    refused(
        &["chaos-limit-shrink", "--set", size, "--set", "faults.squeeze.inject={limit_shrink={to=\"5%\"}}"],
        &["less than any target lives under"],
    );
    refused(
        &["chaos-limit-shrink", "--set", "faults.squeeze.inject={limit_shrink={to=\"100%\"}}"],
        &["takes nothing from a limit of 300% of peak"],
    );
    refused(&["chaos-pause", "--target", "attach:pid=1"], &["was running already", "permit_faults"]);
    refused(&["chaos-pause", "--set", "faults.second.inject=kill"], &["contradict each other"]);
    refused(
        &["chaos-network", "--target", "attach:pid=1", "--set", "target.permit_faults=true"],
        &["cannot be injected"],
    );
    refused(&["chaos-random", "--set", "chaos.draw=50"], &["cannot be drawn"]);
    refused(&["chaos-kill", "--set", "faults.kill.inject=disk_full"], &["would fill a disk of this machine"]);
}

#[test]
fn the_same_seed_gives_the_same_timetable() {
    let plan = |seed: &str| soak(&["plan", "chaos-random", "--seed", seed]).stdout;
    assert_eq!(plan("7"), plan("7"));
    assert_ne!(plan("7"), plan("8"));
    assert!(plan("7").contains("cycle 1, query +"), "{}", plan("7"));
}
