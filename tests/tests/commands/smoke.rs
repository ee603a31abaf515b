//! `soak run --smoke`: what is wired up, what a target lacks, and what does not answer.

use soak_tests::{Ended, soak_in};

fn answers(ended: &Ended) -> Vec<(String, String)> {
    let last = ended.stdout.lines().last().unwrap();
    let told: serde_json::Value = serde_json::from_str(last).unwrap();
    let text = |one: &serde_json::Value, key: &str| one[key].as_str().unwrap().to_owned();
    told["smoke"].as_array().unwrap().iter().map(|one| (text(one, "name"), text(one, "answer"))).collect()
}

fn of(ended: &Ended, part: &str) -> String {
    answers(ended).into_iter().find(|(name, _)| name == part).unwrap().1
}

#[test]
fn a_healthy_target_is_wired_up() {
    let folder = tempfile::tempdir().unwrap();
    let ended = soak_in(folder.path(), &["run", "scenario2", "--smoke", "--out", "run"]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    for words in ["✓ target", "✓ settings", "✓ rows: 1024 of 1024", "✓ compaction", "Everything that this target has"]
    {
        assert!(ended.stdout.contains(words), "{words} is not in {}", ended.stdout);
    }
    assert!(folder.path().join("run/report.html").exists());
}

#[test]
fn what_does_not_answer_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = |edits: &[&str]| {
        let out = format!("run-{}", edits.len());
        let args = ["run", "scenario2", "--smoke", "--format", "json", "--out", &out];
        let edits: Vec<&str> = edits.iter().flat_map(|edit| ["--set", edit]).collect();
        soak_in(folder.path(), &[&args[..], &edits].concat())
    };
    let failing = run(&["target.misbehave.compaction=fails"]);
    assert_eq!((failing.code, of(&failing, "compaction").as_str()), (3, "silent"), "{}", failing.stdout);
    assert_eq!(of(&failing, "target"), "wired");
    let profile = soak_in(folder.path(), &["export", "profile", "reference"]).stdout;
    let profile = profile.replacen("heap_bytes = \"", "heap_bytes = \"no_such_", 1).replacen(
        "name = \"reference\"",
        "name = \"mine\"",
        1,
    );
    std::fs::write(folder.path().join("mine.toml"), profile).unwrap();
    let missing = run(&["target.profile=mine.toml", "cycle.window=200ms"]);
    assert_eq!(
        (missing.code, of(&missing, "metrics page").as_str()),
        (3, "silent"),
        "{}{}",
        missing.stdout,
        missing.stderr
    );
    assert_eq!(of(&missing, "rows"), "wired");
}

#[test]
fn completions_and_a_workflow_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let ended = soak_in(folder.path(), &["completions", shell]);
        assert!(ended.code == 0 && ended.stdout.contains("soak"), "{shell}");
        assert!(ended.stdout.contains("smoke"), "{shell} completes options");
    }
    let ended = soak_in(folder.path(), &["export", "workflow", "--scenario", "scenario2", "--image", "my/soak:1"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for words in ["pull_request", "soak run scenario2 --smoke", "docker create --name soak my/soak:1", "if: always()"] {
        assert!(ended.stdout.contains(words), "{words} is not in {}", ended.stdout);
    }
    assert!(!ended.stdout.contains("@SCENARIO@"));
    assert_eq!(soak_in(folder.path(), &["export", "workflow", "--image", "x; rm"]).code, 2);
    assert_eq!(soak_in(folder.path(), &["export", "workflow", "--scenario", "nothing", "--image", "x"]).code, 2);
    assert_eq!(soak_in(folder.path(), &["export", "workflow"]).code, 2, "a name that nobody has taken is anybody's");
}
