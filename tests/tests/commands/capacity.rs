//! `capacity` over made-up records: what it refuses to answer, and what it says of a mistake.

use std::fs;

use soak_tests::{Story, record, soak};

#[test]
fn runs_of_one_size_have_no_answer_and_say_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let run = record(&folder.path().join("run"), Story::Healthy).folder;
    let (run, out) = (run.to_str().unwrap(), folder.path().join("page"));
    let ask = ["capacity", run, "--vectors", "10M", "--dim", "128", "--out", out.to_str().unwrap()];
    let json = soak(&[&ask[..], &["--format", "json"]].concat());
    assert_eq!(json.code, 3, "{}", json.stderr);
    let answer = json.json();
    for nothing in ["settled", "peak", "limit"] {
        assert!(answer[nothing].is_null(), "{answer:#}");
    }
    assert_eq!(
        (&answer["missing"][0]["what"], &answer["extrapolated"]),
        (&"sizes".into(), &false.into()),
        "{answer:#}"
    );
    let human = soak(&ask);
    assert_eq!(human.code, 3);
    assert!(human.stdout.contains("no answer") && human.stdout.contains("Missing (sizes)"), "{}", human.stdout);
    assert!(human.stdout.lines().all(|line| line.chars().count() <= 110), "{}", human.stdout);
    for file in ["capacity.html", "capacity.md", "capacity.json"] {
        assert!(fs::read_to_string(out.join(file)).unwrap().contains("sizes"), "{file}");
    }
}

#[test]
fn a_run_that_broke_off_is_left_out_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let run = record(&folder.path().join("run"), Story::BrokeOff).folder;
    let json = soak(&["capacity", run.to_str().unwrap(), "--vectors", "1000", "--dim", "128", "--format", "json"]);
    assert_eq!(json.code, 3, "{}", json.stderr);
    // With a variant missing there is still but one size.
    assert_eq!(json.json()["missing"][0]["what"], "sizes", "{}", json.stdout);
}

#[test]
fn runs_of_two_targets_are_no_fit() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = [("one", Story::Healthy), ("other", Story::Again)]
        .map(|(name, story)| record(&folder.path().join(name), story).folder);
    let plan = fs::read_to_string(other.join("plan.json")).unwrap();
    let changed = plan.replacen("\"launch\": \"embedded\"", "\"launch\": { \"process\": \"another\" }", 1);
    assert_ne!(plan, changed);
    fs::write(other.join("plan.json"), changed).unwrap();
    let [one, other] = [&one, &other].map(|folder| folder.to_str().unwrap());
    let json = soak(&["capacity", one, other, "--vectors", "1000", "--dim", "128", "--format", "json"]);
    let missing = &json.json()["missing"];
    assert_eq!((json.code, &missing[0]["what"]), (3, &"target".into()), "{missing:#}");
    assert!(missing[0]["why"].as_str().unwrap().contains("process:another"), "{missing:#}");
}

#[test]
fn wrong_usage_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let run = record(&folder.path().join("run"), Story::Healthy).folder;
    let (run, none) = (run.to_str().unwrap(), folder.path().to_str().unwrap());
    let wrong: [(&[&str], &str); 13] = [
        (&["capacity"], "RUN"),
        (&["capacity", run, "--dim", "128"], "--vectors"),
        (&["capacity", run, "--vectors", "0", "--dim", "128"], "above 0"),
        (&["capacity", run, "--vectors", "1.5M", "--dim", "128"], "such as 1536"),
        (&["capacity", none, "--vectors", "1000", "--dim", "128"], "not a run folder"),
        (&["capacity", "search", "capacity"], "--only"),
        (&["capacity", run, run, "--vectors", "1000", "--dim", "128"], "named twice"),
        (&["capacity", run, "--against", run], "was fitted"),
        (&["capacity", "search", "--gomemlimit", "0%"], "share of the limit"),
        (&["capacity", "search", "--gogc", "0"], "at least 1"),
        (&["capacity", "search", "--step", "0%"], "above 0%"),
        (&["capacity", "search", "--within", "0s"], "above zero"),
        (&["capacity", "search", "--at-most", "15MiB"], "at least 16"),
    ];
    for (args, words) in wrong {
        let ended = soak(args);
        assert_eq!(ended.code, 2, "{args:?}: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.contains(words) && ended.stdout.is_empty(), "{args:?}: {}", ended.stderr);
    }
}
