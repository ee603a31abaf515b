//! A failed variant is run again with the runbook's remedies: one that helps is told from what changes nothing, and the exit code stays the run's.

use soak_tests::{Judged, soak, turn};

use crate::small::command;

#[test]
fn a_restart_helps_against_a_leak_and_the_exit_code_stays() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = command(&out, &["target.misbehave.heap_leak=90MiB/min"]);
    command.args(["--try-remedies", "--remedy", "restart", "--remedy", "raise_limit", "--format", "json"]);
    let judged = Judged::of(command, &out);
    assert_eq!(judged.ended.code, 1, "{}", judged.ended.stderr);
    let last = judged.ended.stdout.lines().last().unwrap();
    let told: serde_json::Value = serde_json::from_str(last).unwrap();
    let trial = |name: &str| {
        let found = told["remedies"].as_array().unwrap().iter().find(|one| one["remedy"] == name);
        found.unwrap_or_else(|| panic!("{name} is not in {told:#}")).clone()
    };
    // The same again fails again, so that what passes is not chance.
    assert_eq!(trial("unchanged")["answer"], "does_not_help", "{told:#}");
    assert_eq!(trial("restart")["answer"], "helps", "{told:#}");
    assert_eq!(trial("restart")["criterion"], "rss_floor");
    assert_eq!(trial("raise_limit")["answer"], "not_tried", "there is no limit to raise");
    for name in ["unchanged", "restart"] {
        let folder = out.join("remedies").join(name);
        let again = Judged::recorded(&folder);
        assert_eq!(again.verdict["variants"].as_array().unwrap().len(), 1, "an ordinary run folder");
    }
    let list = soak(&["report", out.to_str().unwrap(), "--post-incident"]);
    assert_eq!(list.code, 1, "{}", list.stderr);
    assert!(list.stdout.contains("- [ ] Verify RSS is stable or decreasing"), "{}", list.stdout);
    assert!(list.stdout.contains("of the runbook's remedies these helped: restart"), "{}", list.stdout);
}

#[test]
fn remedies_that_find_no_time_are_told() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let edits = ["target.misbehave.compaction=fails", "cycle.count=6"];
    let mut command = command(&out, &edits);
    command.args(["--try-remedies", "--remedies-within", "1s"]);
    let judged = Judged::of(command, &out);
    assert_eq!(judged.ended.code, 1, "{}", judged.ended.stderr);
    let words = &judged.ended.stdout;
    assert!(words.contains("unchanged") && words.contains("--remedies-within"), "{words}");
    assert!(!out.join("remedies/restart").exists(), "{words}");
}
