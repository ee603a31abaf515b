//! Two builds by turns, for real: a candidate that keeps a share of every batch is worse than one that does not.

use soak_tests::{Ended, Running, alone, soak, turn, until};

use crate::small::command;

#[test]
fn a_candidate_that_keeps_batches_is_worse_than_its_base() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = command(&out, &["target.misbehave.retain_batches=20%"]);
    command.args(["--against", "embedded", "--against-set", "target.misbehave.retain_batches=0%", "--rounds", "1"]);
    let ended = Ended::from(command.output().unwrap());
    assert_eq!(ended.code, 1, "{}\n{}", ended.stdout, ended.stderr);
    assert!(
        ended.stdout.contains("FAIL — scenario2 at quick pace: worse than the base in own criteria"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("The candidate by its own criteria: fail"), "{}", ended.stdout);
    let document: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("comparison.json")).unwrap()).unwrap();
    assert_eq!((&document["verdict"], &document["paired"]), (&"fail".into(), &true.into()));
    assert!(document["notes"].to_string().contains("target.misbehave.retain_batches"), "{document:#}");
    for name in ["comparison.md", "comparison.html", "base-1/report.html", "candidate-1/report.html"] {
        assert!(out.join(name).exists(), "{name}");
    }
    // Each turn is a run like any other.
    let again = soak(&["compare", out.join("base-1").to_str().unwrap(), out.join("candidate-1").to_str().unwrap()]);
    assert_eq!(again.code, 1, "{}", again.stderr);
}

#[test]
fn what_would_make_nothing_of_the_rounds_is_found_before_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().join("full");
    std::fs::create_dir_all(full.join("of something")).unwrap();
    let out = folder.path().join("run");
    let cases: [(&std::path::Path, &[&str], &str); 5] = [
        (&out, &["--against", "embedded", "--against-set", "seed=3"], "seed: 3 in the base, 1 in the candidate"),
        (&out, &["--against", "embedded", "--against-set", "matrix.dim=[32]"], "no variant is in both"),
        (
            &out,
            &["--against", "embedded", "--target", "process:/no/such"],
            "the candidate (--target): process:/no/such",
        ),
        (&out, &["--against", "process:/no/such"], "the base (--against): process:/no/such"),
        (&full, &["--against", "embedded"], "is not empty"),
    ];
    for (out, more, words) in cases {
        let ended = Ended::from(command(out, &[]).args(more).output().unwrap());
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{}", ended.stderr);
        assert!(ended.stderr.contains(words) && !ended.stderr.contains("round 1"), "{words}: {}", ended.stderr);
    }
    assert!(!out.exists(), "nothing was begun");
}

#[test]
fn what_is_interrupted_says_what_the_rounds_before_say() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = command(&out, &["cycle.count=5"]);
    command.args(["--against", "embedded", "--rounds", "3", "--format", "json"]);
    let mut running = Running::start(&mut command);
    // In the second round the candidate goes first.
    let second = out.join("candidate-2/events.jsonl");
    until("the second round begins", || {
        assert!(!running.line().is_empty(), "it ended before");
        second.exists().then_some(())
    });
    running.signal("INT");
    while !running.line().is_empty() {}
    assert_eq!(running.wait(), 130);
    let document: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("comparison.json")).unwrap()).unwrap();
    let runs = |side: &str| document[side]["runs"].as_array().unwrap().len();
    assert_eq!([runs("base"), runs("candidate")], [1, 1], "{document:#}");
    assert_eq!(document["rounds_of"], serde_json::json!([1, 3]));
    let page = std::fs::read_to_string(out.join("comparison.md")).unwrap();
    assert!(page.lines().next().unwrap().contains("interrupted after 1 of 3 rounds"), "{page}");
}
