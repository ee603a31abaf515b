//! `judge`, `report`, `export samples`: over whole records, broken-off ones, and folders that are none.

use std::fs;
use std::path::{Path, PathBuf};

use soak_tests::{Ended, Made, Story, record, soak};

/// A made-up run, and the folder that holds it until the test ends.
fn made(story: Story) -> (tempfile::TempDir, Made) {
    let folder = tempfile::tempdir().unwrap();
    let made = record(&folder.path().join("run"), story);
    (folder, made)
}

fn judge(folder: &Path, more: &[&str]) -> Ended {
    soak(&[&["judge", folder.to_str().unwrap()], more].concat())
}

fn samples(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder.join("samples")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn truncate(path: &Path, length: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

#[test]
fn a_healthy_record_passes_in_every_format() {
    let (_folder, made) = made(Story::Healthy);
    let human = judge(&made.folder, &[]);
    assert_eq!((human.code, human.stderr.as_str()), (0, ""), "{}", human.stdout);
    assert!(human.stdout.starts_with("PASS — scenario2, pace quick, seed 1, 2 variants\n"), "{}", human.stdout);
    assert!(human.stdout.lines().all(|line| line.chars().count() <= 110), "{}", human.stdout);
    let json = judge(&made.folder, &["--format", "json"]);
    assert_eq!((json.code, json.json()["verdict"].as_str()), (0, Some("pass")));
    let written: serde_json::Value =
        serde_json::from_slice(&fs::read(made.folder.join("verdict.json")).unwrap()).unwrap();
    assert_eq!(written, json.json());
    assert_eq!(judge(&made.folder, &["--format", "github"]).code, 0);
    // Judging is a function of the record.
    assert_eq!(judge(&made.folder, &[]), human);
}

#[test]
fn a_leak_fails_and_says_how_to_see_it_again() {
    let (_folder, made) = made(Story::Leaking);
    let human = judge(&made.folder, &[]);
    assert_eq!(human.code, 1, "{}\n{}", human.stdout, human.stderr);
    assert!(human.stdout.starts_with("FAIL — "), "{}", human.stdout);
    let line = human.stdout.lines().find_map(|line| line.trim_start().strip_prefix("Reproduce: soak "));
    let line = line.unwrap_or_else(|| panic!("{}", human.stdout)).replace('\'', "").replacen("run", "plan", 1);
    let again = soak(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(again.code, 0, "{line}: {}", again.stderr);
    assert!(again.stdout.contains("1 variant\n"), "{}", again.stdout);
    let github = judge(&made.folder, &["--format", "github"]);
    assert!(github.stdout.contains("::error"), "{}", github.stdout);
}

#[test]
fn a_run_that_broke_off_is_still_judged() {
    let (_folder, made) = made(Story::BrokeOff);
    let human = judge(&made.folder, &[]);
    assert_eq!(human.code, 3, "{}\n{}", human.stdout, human.stderr);
    assert!(human.stdout.starts_with("INCONCLUSIVE — "), "{}", human.stdout);
    assert!(human.stdout.contains("The run did not come to its end."), "{}", human.stdout);
}

#[test]
fn a_record_that_a_crash_cut_is_read_up_to_the_cut() {
    for cut in [2, 3, 10] {
        let (_folder, made) = made(Story::Healthy);
        for file in samples(&made.folder).into_iter().chain([made.folder.join("events.jsonl")]) {
            let length = fs::metadata(&file).unwrap().len();
            truncate(&file, length - length / cut);
        }
        let ended = judge(&made.folder, &["--format", "json"]);
        assert!([1, 3].contains(&ended.code), "cut {cut}: {} {}", ended.code, ended.stderr);
        assert_ne!(ended.json()["verdict"], "pass", "cut {cut}");
    }
}

#[test]
fn a_run_that_never_came_to_a_variant_says_so() {
    let (_folder, made) = made(Story::BrokeOff);
    let events = fs::read_to_string(made.folder.join("events.jsonl")).unwrap();
    let never = format!("\"variant\":\"{}\"", made.plan.variants[1].id);
    let kept: String = events.split_inclusive('\n').filter(|line| !line.contains(&never)).collect();
    fs::write(made.folder.join("events.jsonl"), kept).unwrap();
    let ended = judge(&made.folder, &["--format", "json"]);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    let notes = ended.json()["notes"].to_string();
    assert!(notes.contains(&format!("Never ran: {}", made.plan.variants[1].id)), "{notes}");
}

#[test]
fn what_is_no_record_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let refused = |words: &str| {
        for command in [&["judge"][..], &["report"], &["export", "samples"]] {
            let ended = soak(&[command, &[path.to_str().unwrap()]].concat());
            assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{command:?} {}", ended.stderr);
            assert!(ended.stderr.starts_with("error: ") && ended.stderr.contains(words), "{}", ended.stderr);
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        }
    };
    refused("not a run folder");
    fs::write(path.join("plan.json"), "{").unwrap();
    refused("plan.json");
    fs::write(path.join("plan.json"), "{\"schema\":99}").unwrap();
    refused("use a newer soak");
    assert_eq!(soak(&["judge", "no/such/folder"]).code, 2);
}

#[test]
fn a_line_of_events_that_is_not_one_is_refused_with_its_number() {
    let (_folder, made) = made(Story::Healthy);
    let events = fs::read_to_string(made.folder.join("events.jsonl")).unwrap();
    fs::write(made.folder.join("events.jsonl"), events.replacen('\n', "\nnonsense\n", 1)).unwrap();
    let ended = judge(&made.folder, &[]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("events.jsonl: line 2"), "{}", ended.stderr);
}

#[test]
fn reports_are_written_whole_where_they_were_wanted() {
    let (folder, made) = made(Story::Leaking);
    let elsewhere = folder.path().join("a/b");
    let run = made.folder.to_str().unwrap();
    let names = ["report.html", "report.md", "junit.xml", "verdict.json"];
    let ended = soak(&["report", run, "--out", elsewhere.to_str().unwrap()]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stdout.starts_with("FAIL — ") && ended.stderr.contains("report.html"), "{}", ended.stderr);
    for name in names {
        assert!(fs::metadata(elsewhere.join(name)).is_ok_and(|file| file.len() > 100), "{name}");
        assert!(!made.folder.join(name).exists(), "{name}");
    }
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), names.len());
    assert_eq!(soak(&["report", run]).code, 1);
    for name in names {
        // The same record gives the same bytes, wherever they go.
        assert_eq!(fs::read(made.folder.join(name)).unwrap(), fs::read(elsewhere.join(name)).unwrap(), "{name}");
    }
    let page = fs::read_to_string(elsewhere.join("report.html")).unwrap();
    assert!(page.contains("<svg") && made.plan.variants.iter().all(|variant| page.contains(&variant.id)));
}

#[test]
fn a_broken_off_run_has_reports_too() {
    let (_folder, made) = made(Story::BrokeOff);
    let ended = soak(&["report", made.folder.to_str().unwrap()]);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(made.folder.join("report.html").exists());
}

#[test]
fn samples_come_out_as_one_table() {
    let (_folder, made) = made(Story::Healthy);
    let run = made.folder.to_str().unwrap();
    let all = soak(&["export", "samples", run]);
    assert_eq!((all.code, all.stderr.as_str()), (0, ""));
    let mut lines = all.stdout.lines();
    let heading: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(heading[..3], ["variant", "time_s", "rss_bytes"]);
    let column = |name: &str| heading.iter().position(|one| *one == name).unwrap();
    let (anon, heap, threads) = (column("rss_anon_bytes"), column("heap_bytes"), column("threads"));
    let mut before = (String::new(), 0.0);
    let mut rows = 0;
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), heading.len(), "{line}");
        let now = (cells[0].to_owned(), cells[1].parse::<f64>().unwrap());
        assert!(now.0 != before.0 || now.1 > before.1, "{line}");
        // Read at the same moment, so in the same row.
        let (rss, heap) = (cells[anon].parse::<f64>().unwrap(), cells[heap].parse::<f64>().unwrap());
        assert!((rss - heap - 4.0 * 1_048_576.0).abs() < 1.0, "{line}");
        assert_eq!(cells[threads], "");
        before = now;
        rows += 1;
    }
    assert!(rows > 500, "{rows}");
    let second = soak(&["export", "samples", run, "--format", "csv", "--variant", &made.plan.variants[1].id]);
    let of_second = all.stdout.lines().filter(|line| line.starts_with(&made.plan.variants[1].id)).count();
    assert_eq!(second.stdout.lines().count(), of_second + 1);
    let none = soak(&["export", "samples", run, "--variant", "dim1"]);
    assert_eq!((none.code, none.stdout.as_str()), (2, ""));
    assert!(none.stderr.contains(&made.plan.variants[0].id), "{}", none.stderr);
}

#[test]
fn the_working_behind_an_answer_is_shown() {
    let (_folder, made) = made(Story::Leaking);
    let explained = judge(&made.folder, &["--explain", "rss_floor"]);
    assert_eq!(explained.code, 0, "{}", explained.stderr);
    for part in ["dim128-rows500: FAIL", "cycle 6: ", "Theil–Sen slope: 8.00 MiB a cycle", "Holm's procedure", "So: "]
    {
        assert!(explained.stdout.contains(part), "{part} is not in\n{}", explained.stdout);
    }
    assert!(explained.stdout.lines().all(|line| line.chars().count() <= 110), "{}", explained.stdout);
    assert!(judge(&made.folder, &["--explain", "compaction_reclaim"]).stdout.contains("ln(after / before)"));
    for (criterion, words) in [("rss_flor", "expected one of rss_floor"), ("oom_cascade", "cannot be asked")] {
        let refused = judge(&made.folder, &["--explain", criterion]);
        assert_eq!(refused.code, 2, "{}", refused.stdout);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
}
