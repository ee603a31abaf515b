//! `soak judge --csv`: series that the harness did not record.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use soak_tests::soak;
use soak_verdict::simulated::Family;

/// Half an hour of a series that leaks so many MiB a minute, in bytes, with an empty cell here and there.
fn table(folder: &Path, family: Family, leak: f64) -> PathBuf {
    let (times, values) = family.series(11, 1800.0, 10.0, leak);
    let mut text = "time_s,host,rss\n".to_owned();
    for (i, (time, value)) in times.iter().zip(values).enumerate() {
        let cell = if i % 37 == 5 { String::new() } else { format!("{:.0}", value * 1_048_576.0) };
        let _ = writeln!(text, "{},a,{cell}", 1_000_000.0 + time);
    }
    let path = folder.join("table.csv");
    std::fs::write(&path, text).unwrap();
    path
}

fn judge(path: &Path, more: &[&str]) -> soak_tests::Ended {
    let path = path.to_str().unwrap();
    soak(&[&["judge", "--csv", path, "--series", "rss", "--tolerance", "1MiB/min"], more].concat())
}

#[test]
fn a_leak_fails_with_its_size_and_the_time_of_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path(), Family::WarmUp, 4.0);
    let ended = judge(&path, &["--limit", "1GiB", "--format", "json"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let found = ended.json();
    assert_eq!((&found["verdict"], &found["series"], &found["missing"]), (&"fail".into(), &"rss".into(), &5.into()));
    assert_eq!(found["model"], "leak and plateau");
    let ends = |value: &serde_json::Value| [0, 1].map(|end| value["interval"][end].as_f64().unwrap());
    let a_minute = 1_048_576.0 / 60.0;
    let [low, high] = ends(&found["slope"]);
    assert!(low < 4.0 * a_minute && 4.0 * a_minute < high && high < 5.0 * a_minute, "{found:#}");
    // Some 400 MiB are left at the end, which is 1,800 s after the first sample.
    let [early, late] = ends(&found["forecast"]);
    assert!(1_001_790.0 + 60.0 * 60.0 < early && late < 1_001_790.0 + 130.0 * 60.0, "{found:#}");
    assert!(found["detectable"].as_f64().unwrap() < 2.0 * a_minute, "{found:#}");
    assert_eq!(found["baselines"]["mann_kendall"]["alarm"], true);
    let words = judge(&path, &["--limit", "1GiB"]).stdout;
    for part in [
        "FAIL — rss: it grows",
        "leak and plateau",
        "limit       1.00 GiB is reached in",
        "missing     5 samples",
        "alarm by Mann–Kendall",
    ] {
        assert!(words.contains(part), "{part} is not in\n{words}");
    }
}

#[test]
fn a_warm_up_passes_where_the_usual_tests_raise_alarms() {
    let folder = tempfile::tempdir().unwrap();
    let ended = judge(&table(folder.path(), Family::WarmUp, 0.0), &["--limit", "1GiB", "--format", "json"]);
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    let found = ended.json();
    assert_eq!(
        (&found["verdict"], &found["model"], &found["forecast"]),
        (&"pass".into(), &"plateau".into(), &serde_json::Value::Null)
    );
    assert_eq!(found["baselines"]["mann_kendall"]["alarm"], true, "{found:#}");
}

#[test]
fn a_series_that_is_too_short_is_inconclusive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("short.csv");
    std::fs::write(&path, "time_s,rss\n0,100000000\n10,200000000\n20,300000000\n").unwrap();
    let ended = judge(&path, &["--format", "json"]);
    assert_eq!((ended.code, &ended.json()["verdict"]), (3, &"inconclusive".into()), "{}", ended.stdout);
    assert!(ended.json()["reason"].as_str().unwrap().contains("only 3 samples"), "{}", ended.stdout);
}

#[test]
fn wrong_tables_and_questions_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.csv");
    for (text, words) in [
        ("time_s,heap\n0,1\n", "there is no column `rss`"),
        ("time_s,rss\n10,1\n10,2\n", "line 3: time_s is 10, which is not after 10"),
        ("time_s,rss\n0,inf\n", "line 2: rss is inf"),
        ("", "the file is empty"),
        ("x,rss\n0,1\n", "there is no column `time_s`"),
    ] {
        std::fs::write(&path, text).unwrap();
        let ended = judge(&path, &[]);
        assert_eq!(ended.code, 2, "{text:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{text:?}: {}", ended.stderr);
    }
    let path = path.to_str().unwrap();
    for arguments in [
        &["judge", "--csv", path][..],
        &["judge", "--csv", path, "--series", "rss", "--tolerance", "1MiB/op"],
        &["judge", "--csv", path, "--series", "rss", "--tolerance", "lots"],
        &["judge", "--csv", "/nowhere.csv", "--series", "rss", "--tolerance", "1MiB/min"],
        &["judge", "runs/x", "--csv", path, "--series", "rss", "--tolerance", "1MiB/min"],
        &["judge"],
        &["judge", "runs/x", "--series", "rss"],
        &["judge", "runs/x", "--seed", "5"],
        &["judge", "--simulate", "--limit", "1GiB"],
        &["judge", "--simulate", "--format", "github"],
        &["judge", "--csv", path, "--series", "rss", "--tolerance", "1MiB/min", "--series-each", "3"],
    ] {
        let ended = soak(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn simulated_series_are_judged_by_family() {
    let ended = soak(&["judge", "--simulate", "--series-each", "1", "--format", "json"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let document = ended.json();
    let rows = document["families"].as_array().unwrap();
    assert_eq!(rows.len(), Family::ALL.len() + Family::HELD_OUT.len());
    let failed = |cell: usize| rows.iter().filter(|row| row["cells"][cell]["fail"] == 1).count();
    assert!(failed(0) == 0 && failed(4) >= 20, "{rows:#?}");
}
