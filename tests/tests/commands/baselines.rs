//! `baseline`: runs that have a name and outlive their folders.

use std::fs;
use std::path::Path;

use soak_tests::{Ended, Story, record, soak, soak_in};

fn baseline(folder: &Path, args: &[&str]) -> Ended {
    soak(&[&["baseline", "--baselines", folder.to_str().unwrap()], args].concat())
}

/// Ends well.
#[track_caller]
fn well(ended: &Ended) {
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
}

/// Refuses, with these words.
#[track_caller]
fn refused(ended: &Ended, words: &str) {
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{}", ended.stderr);
    assert!(ended.stderr.contains(words), "{words} is not in\n{}", ended.stderr);
}

#[test]
fn a_baseline_outlives_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let [run, candidate, kept] = ["run", "candidate", "kept"].map(|name| folder.path().join(name));
    record(&run, Story::Healthy);
    record(&candidate, Story::Heavier);
    let [run_text, candidate_text, kept_text] = [&run, &candidate, &kept].map(|path| path.to_str().unwrap());
    let by_folder = soak(&["compare", run_text, candidate_text, "--format", "json"]);
    let saved = baseline(&kept, &["save", "main", run_text]);
    well(&saved);
    assert_eq!(saved.stdout, "main: made-up\n");
    fs::remove_dir_all(&run).unwrap();
    let by_name = soak(&["compare", "main", candidate_text, "--baselines", kept_text, "--format", "json"]);
    assert_eq!((by_name.code, by_name.stdout), (1, by_folder.stdout));
    let listed = baseline(&kept, &["list", "--format", "json"]).json();
    let one = &listed[0];
    assert_eq!(
        (&one["baseline"], &one["run"], &one["target"]),
        (&"main".into(), &"made-up".into(), &"embedded".into())
    );
    assert_eq!(
        (&one["scenario"], &one["pace"], &one["verdict"]),
        (&"scenario2".into(), &"quick".into(), &"pass".into())
    );
    assert!(baseline(&kept, &["list"]).stdout.contains("scenario2, quick, seed 1"));
    // What was not put there stays.
    fs::write(kept.join("main/notes.txt"), "mine").unwrap();
    well(&baseline(&kept, &["remove", "main"]));
    assert!(kept.join("main/notes.txt").exists());
    refused(&baseline(&kept, &["remove", "main"]), "there is no baseline main");
    assert_eq!(baseline(&kept, &["list", "--format", "json"]).json(), serde_json::json!([]));
}

#[test]
fn a_name_is_taken_once_and_may_hold_several_runs() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let made = |name: &str, story| {
        record(&folder.path().join(name), story);
        folder.path().join(name).display().to_string()
    };
    let (one, two, broken) = (made("a", Story::Healthy), made("b", Story::Again), made("c", Story::BrokeOff));
    well(&baseline(&kept, &["save", "main", &one]));
    refused(&baseline(&kept, &["save", "main", &two]), "--replace it, or --add to it");
    refused(&baseline(&kept, &["save", "main", &one, "--add"]), "made-up is given twice");
    well(&baseline(&kept, &["save", "main", &two, "--add"]));
    assert_eq!(baseline(&kept, &["list", "--format", "json"]).json().as_array().unwrap().len(), 2);
    well(&baseline(&kept, &["save", "main", &two, "--replace"]));
    assert_eq!(baseline(&kept, &["list", "--format", "json"]).json()[0]["run"], "made-up-again");
    refused(&baseline(&kept, &["save", "../main", &one]), "cannot name a baseline");
    refused(&baseline(&kept, &["save", "other", &broken]), "it did not come to its end");
    refused(&baseline(&kept, &["save", "other", "nowhere"]), "there is no run and no baseline nowhere; ");
    assert!(!folder.path().join("main").exists() && !kept.join("other").exists());
}

#[test]
fn an_id_that_is_a_path_writes_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let (run, kept) = (folder.path().join("run"), folder.path().join("a/kept"));
    record(&run, Story::Healthy);
    let events = run.join("events.jsonl");
    let text = fs::read_to_string(&events).unwrap();
    fs::write(&events, text.replace("\"run\":\"made-up\"", "\"run\":\"../../evil\"")).unwrap();
    refused(&baseline(&kept, &["save", "main", run.to_str().unwrap()]), "“../../evil” cannot be the id of a run");
    assert!(!folder.path().join("evil.json").exists() && !folder.path().join("a/evil.json").exists());
    fs::write(folder.path().join("file"), "").unwrap();
    fs::write(&events, text).unwrap();
    refused(&baseline(&folder.path().join("file"), &["save", "main", run.to_str().unwrap()]), "cannot make the folder");
}

#[test]
fn a_name_means_one_thing() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("runs/nightly");
    record(&run, Story::Healthy);
    record(&folder.path().join("other"), Story::Again);
    let taken = soak_in(folder.path(), &["baseline", "save", "nightly", "runs/nightly"]);
    refused(&taken, "runs/nightly is a run, and would be meant by nightly");
    well(&soak_in(folder.path(), &["baseline", "save", "main", "runs/nightly"]));
    fs::rename(&run, folder.path().join("runs/main")).unwrap();
    refused(&soak_in(folder.path(), &["compare", "main", "other"]), "main is a baseline and a run: write ./runs/main");
    well(&soak_in(folder.path(), &["compare", "./runs/main", "other"]));
}

#[test]
fn values_that_cannot_be_are_not_compared_and_hide_no_other_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let (run, kept) = (folder.path().join("run"), folder.path().join("kept"));
    record(&run, Story::Healthy);
    let run = run.to_str().unwrap();
    well(&baseline(&kept, &["save", "main", run]));
    well(&baseline(&kept, &["save", "other", run]));
    let file = kept.join("main/made-up.json");
    let mut digest: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    for wrong in [-1.0, 0.0, 1e308] {
        digest["variants"][0]["cycles"]["rss_settled"][1] = wrong.into();
        fs::write(&file, digest.to_string()).unwrap();
        let compared = soak(&["compare", "main", run, "--baselines", kept.to_str().unwrap()]);
        refused(&compared, "main/made-up.json: it has values that cannot be measured");
        let listed = baseline(&kept, &["list"]);
        assert!(
            listed.code == 0 && listed.stdout.contains("other") && !listed.stdout.contains("main"),
            "{}",
            listed.stdout
        );
        assert!(
            listed.stderr.contains("warning: left out: ") && listed.stderr.contains("main/made-up.json"),
            "{}",
            listed.stderr
        );
    }
}

#[test]
fn a_baseline_that_was_damaged_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let (run, kept) = (folder.path().join("run"), folder.path().join("kept"));
    record(&run, Story::Healthy);
    let run = run.to_str().unwrap();
    well(&baseline(&kept, &["save", "main", run]));
    let file = kept.join("main/made-up.json");
    let text = fs::read_to_string(&file).unwrap();
    let compared = || soak(&["compare", "main", run, "--baselines", kept.to_str().unwrap()]);
    fs::write(&file, &text[..text.len() / 2]).unwrap();
    refused(&compared(), "main/made-up.json: EOF while parsing");
    for (schema, words) in [("7", "use a newer soak"), ("1", "an older soak saved it")] {
        fs::write(&file, text.replacen("\"schema\": 2", &format!("\"schema\": {schema}"), 1)).unwrap();
        refused(&compared(), words);
    }
    fs::write(&file, "{}").unwrap();
    refused(&compared(), "it is no run of a baseline");
}
