//! The main job: scenario 2 at quick pace, all of it, and what it leaves.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::Value;
use soak_tests::{Ended, alone, soak_in, until};

#[test]
fn scenario_2_passes_and_leaves_its_reports() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    // A bare name, from any folder.
    let ended = soak_in(folder.path(), &["run", "scenario2.toml", "--format", "json"]);
    println!("scenario 2 took {:?}", began.elapsed());
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout.lines().last().unwrap_or_default(), ended.stderr);
    let mut lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdict = lines.pop().unwrap();
    assert!(lines.iter().all(|line| line["event"].is_string()), "events, a line each, then the verdict");
    assert_eq!(
        (&verdict["schema"], &verdict["verdict"], &verdict["pace"]),
        (&1.into(), &"pass".into(), &"quick".into())
    );
    let variants = verdict["variants"].as_array().unwrap();
    let ids: BTreeSet<&str> = variants.iter().map(|variant| variant["id"].as_str().unwrap()).collect();
    let expected =
        ["128", "1536", "3072"].iter().flat_map(|dim| [500, 4096].map(|rows| format!("dim{dim}-rows{rows}")));
    assert_eq!(ids, expected.collect::<BTreeSet<_>>().iter().map(String::as_str).collect());
    for variant in variants {
        every_finding_is_there(variant);
    }
    same_vectors_for_both_batch_sizes(&lines);
    let run = only_entry(&folder.path().join("runs"));
    for file in
        ["plan.json", "events.jsonl", "verdict.json", "report.html", "report.md", "junit.xml", "samples", "artifacts"]
    {
        assert!(run.join(file).exists(), "{file}");
    }
    let html = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(html.contains("PASS") && html.contains("<svg") && !html.contains("<script src"), "one file");
    seen_in_a_browser(&run.join("report.html"));
    let again = soak_in(folder.path(), &["judge", run.to_str().unwrap(), "--format", "json"]);
    assert_eq!(again.json(), verdict, "the record gives the same verdict again");
}

fn every_finding_is_there(variant: &Value) {
    let findings = variant["findings"].as_array().unwrap();
    let criteria: Vec<&str> = findings.iter().map(|finding| finding["criterion"].as_str().unwrap()).collect();
    let expected = [
        "rss_floor",
        "heap_floor",
        "compaction_reclaim",
        "compaction_time",
        "compaction_overdue",
        "goroutine_baseline",
        "connection_baseline",
        "dataset_baseline",
        "metrics_cardinality",
        "peak_per_ingested",
        "node_overhead",
        "resident_per_vector",
        "time_to_baseline",
        "unresponsive_time",
        "operation_errors",
        "log_errors",
        "latency_rise",
        "unverified_settings",
    ];
    assert_eq!(criteria, expected);
    let judged: Vec<&Value> = findings.iter().filter(|finding| finding["informational"] == false).collect();
    let expected = [
        "rss_floor",
        "heap_floor",
        "compaction_reclaim",
        "goroutine_baseline",
        "peak_per_ingested",
        "time_to_baseline",
        "unresponsive_time",
        "operation_errors",
        "unverified_settings",
    ];
    let names: Vec<&str> = judged.iter().map(|finding| finding["criterion"].as_str().unwrap()).collect();
    assert_eq!(names, expected, "the criteria that have a threshold");
    for finding in judged {
        assert_eq!(finding["verdict"], "pass", "{finding:#}");
        assert!(finding["value"].is_number() && finding["threshold"].is_number(), "{finding:#}");
    }
    for criterion in ["rss_floor", "heap_floor", "compaction_reclaim", "peak_per_ingested"] {
        let finding = findings.iter().find(|finding| finding["criterion"] == criterion).unwrap();
        assert!(finding["interval"][0].is_number() && finding["detectable"].is_number(), "{finding:#}");
    }
}

fn same_vectors_for_both_batch_sizes(events: &[Value]) {
    for dim in ["128", "1536", "3072"] {
        let ingested = |rows: u32| -> Vec<(u64, u64)> {
            let id = format!("dim{dim}-rows{rows}");
            let all = events.iter().filter(|event| event["event"] == "ingested" && event["variant"] == id.as_str());
            all.map(|event| (event["acked_rows"].as_u64().unwrap(), event["bytes"].as_u64().unwrap())).collect()
        };
        assert_eq!(ingested(500), ingested(4096));
        assert_eq!(ingested(500).len(), 7);
    }
}

fn only_entry(folder: &std::path::Path) -> std::path::PathBuf {
    let entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries[0].clone()
}

/// How bright a picture is, 0 to 1.
fn brightness(picture: &[u8]) -> f64 {
    let mut reader = png::Decoder::new(std::io::Cursor::new(picture)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    let colours = &pixels[..frame.buffer_size()];
    colours.iter().map(|part| f64::from(*part) / 255.0).sum::<f64>() / colours.len() as f64
}

/// A real browser renders it, as on a desk by day and by night, on a phone, and on paper.
fn seen_in_a_browser(report: &std::path::Path) {
    let Some(browser) = std::env::var_os("SOAK_TEST_CHROMIUM") else {
        println!("no browser: set SOAK_TEST_CHROMIUM to look at the report (ci/test does)");
        return;
    };
    let desk = (["--window-size=1200,1600", "--screenshot"], "desk.png", 40_000);
    // Blink's number of the dark scheme.
    let night = (["--blink-settings=preferredColorScheme=0", "--screenshot"], "night.png", 20_000);
    let phone = (["--window-size=500,900", "--screenshot"], "phone.png", 20_000);
    let paper = (["--no-pdf-header-footer", "--print-to-pdf"], "paper.pdf", 40_000);
    for ([first, into], name, least) in [desk, night, phone, paper] {
        let (profile, seen) = (tempfile::tempdir().unwrap(), report.with_file_name(name));
        let mut command = std::process::Command::new(&browser);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync", first]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.arg(format!("{into}={}", seen.display()));
        command.arg(format!("file://{}", report.display()));
        let ended = Ended::from(command.output().unwrap());
        let bytes = until("what the browser shows", || std::fs::read(&seen).ok());
        assert!(bytes.len() > least, "{name}: a blank page is small: {} bytes\n{}", bytes.len(), ended.stderr);
        match name {
            "night.png" => assert!(brightness(&bytes) < 0.35, "{name}: {}", brightness(&bytes)),
            "desk.png" => assert!(brightness(&bytes) > 0.75, "{name}: {}", brightness(&bytes)),
            _ => {}
        }
    }
}
