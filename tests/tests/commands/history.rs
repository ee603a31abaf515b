//! `history`: the runs of a folder over time.

use std::fs;

use soak_tests::{Story, record, soak};

#[test]
fn runs_stand_in_order_with_their_changes() {
    let folder = tempfile::tempdir().unwrap();
    for (name, story) in [("x", Story::Heavier), ("y", Story::Healthy), ("z", Story::Again)] {
        record(&folder.path().join(name), story);
    }
    fs::create_dir(folder.path().join("damaged")).unwrap();
    fs::write(folder.path().join("damaged/plan.json"), "{").unwrap();
    let (runs, page) = (folder.path().to_str().unwrap(), folder.path().join("history.html"));
    let ended = soak(&["history", runs, "--format", "json", "--html", page.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("warning: left out: ") && ended.stderr.contains("damaged/plan.json"),
        "{}",
        ended.stderr
    );
    let entries = ended.json();
    let names: Vec<&str> = entries.as_array().unwrap().iter().map(|entry| entry["run"].as_str().unwrap()).collect();
    assert_eq!(names, ["made-up", "made-up-again", "made-up-heavier"]);
    assert_eq!((&entries[0]["before"], &entries[2]["before"]), (&serde_json::Value::Null, &"made-up-again".into()));
    let change = entries[2]["changes"]["rss_settled"].as_f64().unwrap();
    assert!((change - 0.2).abs() < 0.01, "two of ten: {change}");
    let text = fs::read_to_string(page).unwrap();
    assert!(text.contains("<svg class=\"chart\"") && text.contains("+20.0 %") && !text.contains("<script"));
    let human = soak(&["history", runs]);
    assert!(human.stdout.contains("1970-01-01 02:00:00  scenario2  quick  embedded  pass"), "{}", human.stdout);
}

#[test]
fn a_folder_without_runs_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let ended = soak(&["history", path]);
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains("holds no run"), "{}", ended.stderr);
    let ended = soak(&["history", "no/such/folder"]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("cannot list no/such/folder"), "{}", ended.stderr);
}
