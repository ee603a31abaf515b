//! What a person is told to do: guidance over a record, the checklist after an incident, checks for a scheduler.

use serde_json::Value;
use soak_tests::{Story, record, soak};

fn made(story: Story) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let made = record(&folder.path().join("run"), story);
    let path = made.folder.display().to_string();
    (folder, path)
}

#[test]
fn a_leak_has_its_case_with_evidence_and_commands_in_every_report() {
    let (_folder, path) = made(Story::Leaking);
    let ended = soak(&["report", &path]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let line = "looks like Scenario 1: Memory Usage Keeps Growing";
    assert!(ended.stdout.contains(line), "{}", ended.stdout);
    let read = |name: &str| std::fs::read_to_string(format!("{path}/{name}")).unwrap();
    let verdict: Value = serde_json::from_str(&read("verdict.json")).unwrap();
    let guidance = &verdict["variants"][0]["guidance"][0];
    assert_eq!(guidance["case"], "growth", "{guidance:#}");
    for key in ["evidence_for", "alternatives", "remedies"] {
        assert!(!guidance[key].as_array().unwrap().is_empty(), "{key}: {guidance:#}");
    }
    let section = "Scenario 1: Memory Usage Keeps Growing";
    for report in ["report.html", "report.md"] {
        let text = read(report);
        assert!(text.contains(section) && text.contains("kubectl rollout restart deployment/reference"), "{report}");
        assert!(text.contains("Scenario 4: Goroutine Leaks"), "{report} has the alternatives");
    }
}

#[test]
fn a_healthy_run_has_none() {
    let (_folder, path) = made(Story::Healthy);
    let ended = soak(&["judge", &path, "--format", "json"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(!ended.stdout.contains("guidance"), "{}", ended.stdout);
}

#[test]
fn the_checklist_after_an_incident_is_ticked_by_what_the_run_shows() {
    let (_folder, path) = made(Story::Healthy);
    let healthy = soak(&["report", &path, "--post-incident"]);
    assert_eq!(healthy.code, 0, "{}", healthy.stderr);
    assert!(healthy.stdout.starts_with("# After the incident: scenario2"), "{}", healthy.stdout);
    for part in
        ["- [x] Verify RSS is stable or decreasing", "- [x] Document optimal configuration", "soak export alerts"]
    {
        assert!(healthy.stdout.contains(part), "{part} is not in\n{}", healthy.stdout);
    }
    let (_folder, path) = made(Story::Leaking);
    let leaking = soak(&["report", &path, "--post-incident"]);
    assert_eq!(leaking.code, 1, "{}", leaking.stderr);
    assert!(leaking.stdout.contains("- [ ] Verify RSS is stable or decreasing"), "{}", leaking.stdout);
}

#[test]
fn checks_are_written_for_every_scheduler() {
    for (format, parts) in [
        ("cron", &["0 3 * * * soak run scenario2 --pace gate", "soak diag --profile go"][..]),
        ("cronjob", &["kind: CronJob", "soak run scenario2", "schedule: \"0 3 * * *\""]),
        ("workflow", &["workflow_dispatch", "soak run scenario2", "cron: \"0 3 * * *\""]),
    ] {
        let ended = soak(&["export", "schedule", "--format", format, "--profile", "go", "--image", "mine/soak:1"]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        for part in parts {
            assert!(ended.stdout.contains(part), "{part} is not in\n{}", ended.stdout);
        }
    }
    let none = soak(&["export", "schedule", "--format", "cronjob"]);
    assert!(none.code == 2 && none.stderr.contains("needs --image"), "{}", none.stderr);
    let wrong = soak(&["export", "schedule", "--scenario", "scenari2"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stdout);
    assert!(wrong.stderr.contains("scenario2"), "{}", wrong.stderr);
}
