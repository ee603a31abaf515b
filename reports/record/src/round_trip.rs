//! Tests of the whole record: what is written is read back, what a crash cut off is read as far as it goes, and what is no record is refused in words.

use std::fs;
use std::path::{Path, PathBuf};

use soak_scenario::series::Source;
use soak_scenario::{Pace, Plan, Request, load};

use crate::{
    Event, EventKind, LatencySummary, OomScope, Outcome, Percentiles, Phase, RecordError, Recorder, Run, RunFolder,
    Sample, TaskGroup, file,
};

fn plan() -> Plan {
    load(&Request { scenario: "scenario2", pace: Some(Pace::Quick), ..Request::default() }).unwrap().plan
}

fn sample(source: Source, at_s: f64, values: &[(&'static str, f64)]) -> Sample {
    Sample { source, at_s, values: values.to_vec() }
}

/// Events of every shape that is not trivial: options absent and present, nested lists, a flattened summary.
fn events(variant: &str) -> Vec<Event> {
    let percentiles = Percentiles { p50_ms: 0.5, p90_ms: 1.0, p99_ms: 2.25, p999_ms: 4.0, max_ms: 8.125 };
    let summary = LatencySummary {
        count: 9,
        errors: 1,
        late_starts: 2,
        never_started: 3,
        corrected: percentiles,
        uncorrected: percentiles,
    };
    let groups = vec![TaskGroup { signature: "a < \"b\"\n|".to_owned(), count: 3, oldest_minutes: 1 }];
    let run = "r1".to_owned();
    let kinds = vec![
        EventKind::RunStarted { run, harness: "0.1.0".to_owned(), unix_s: 1_767_225_600, host: "a host".to_owned() },
        EventKind::VariantStarted { index: 0, of: 6 },
        EventKind::PhaseStarted { phase: Phase::ColdIdle, cycle: None },
        EventKind::PhaseEnded { phase: Phase::BeforeCompact, cycle: Some(2), seconds: 0.25 },
        EventKind::Window { phase: Phase::Settle, cycle: Some(0), from_s: 1.5, to_s: 2.5, settled: false },
        EventKind::Latency { cycle: 1, phase: Phase::Ingest, operation: "put".to_owned(), summary },
        EventKind::Tasks { phase: Phase::Drain, cycle: None, groups },
        EventKind::Oom {
            scope: OomScope::Target,
            limit_bytes: Some(1 << 30),
            usage_bytes: Some(1 << 30),
            victim: Some("store (pid 7)".to_owned()),
            cgroup: Some("/docker/a".to_owned()),
            phase: Some(Phase::Index),
            evidence: vec!["kernel log: killed store (pid 7)".to_owned()],
        },
        EventKind::VariantEnded { outcome: Outcome::TargetFailed { reason: "killed".to_owned() } },
        EventKind::RunEnded { complete: true },
    ];
    let place = |kind: &EventKind| {
        (!matches!(kind, EventKind::RunStarted { .. } | EventKind::RunEnded { .. })).then(|| variant.to_owned())
    };
    let timed = kinds.into_iter().enumerate();
    timed.map(|(i, kind)| Event { at_s: 0.5 * i as f64, variant: place(&kind), kind }).collect()
}

/// A run folder with `rows` process samples, two metrics samples and the events above, for the plan's first variant.
fn written(root: &Path, rows: usize) -> PathBuf {
    let path = root.join("run");
    let plan = plan();
    let folder = RunFolder::create(&path, &plan).unwrap();
    let (recorder, thread) = Recorder::start(&folder).unwrap();
    recorder.variant(0);
    for event in events(&plan.variants[0].id) {
        recorder.event(event);
    }
    recorder.sample(sample(Source::Metrics, 1.0, &[("heap_bytes", 1e6), ("goroutines", 20.0)]));
    recorder.sample(sample(Source::Metrics, 2.0, &[("heap_bytes", 2e6)]));
    for row in 0..rows {
        // A sample never waits for room: the queue is given time instead, so that none is dropped here.
        if row % 1000 == 999 {
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
        recorder.sample(sample(Source::Process, 0.1 * row as f64, &[("rss_anon_bytes", 1000.0 + row as f64)]));
    }
    assert!(recorder.take_dropped().is_empty());
    drop(recorder);
    thread.finish().unwrap();
    path
}

fn process_file(run: &Path) -> PathBuf {
    run.join(file::SAMPLES).join("000-process-000.arrow")
}

#[test]
fn what_is_written_is_read_back() {
    let root = tempfile::tempdir().unwrap();
    let path = written(root.path(), 1500);
    let run = Run::open(&path).unwrap();
    let plan = plan();
    assert_eq!(run.id, "r1");
    assert_eq!(run.plan, plan);
    assert_eq!(run.events, events(&plan.variants[0].id));
    assert!(run.is_complete());
    let record = run.variant(0).unwrap();
    assert_eq!(record.events.len(), 8);
    let anon = &record.series["rss_anon_bytes"];
    assert_eq!(anon.len(), 1500);
    assert_eq!((anon.times_s[1499], anon.values[1499]), (0.1 * 1499.0, 2499.0));
    assert_eq!(record.series["heap_bytes"].values, [1e6, 2e6]);
    // What was not read is not there: no point for the goroutines of the second sample, no series for what nobody sent.
    assert_eq!(record.series["goroutines"].times_s, [1.0]);
    assert!(!record.series.contains_key("rss_bytes"));
    assert!(run.variant(1).unwrap().series.is_empty());
    assert!(run.variant(99).is_err());
}

#[test]
fn samples_cut_off_in_a_batch_are_read_up_to_the_last_whole_one() {
    let root = tempfile::tempdir().unwrap();
    let path = written(root.path(), 1500);
    let whole = fs::read(process_file(&path)).unwrap();
    let mut lengths = Vec::new();
    for tenths in 0..=10 {
        fs::write(process_file(&path), &whole[..whole.len() * tenths / 10]).unwrap();
        // Cut inside the schema there is no stream yet; later there are whole batches and a broken one.
        if let Ok(record) = Run::open(&path).unwrap().variant(0) {
            let values = record.series.get("rss_anon_bytes").map(|series| series.values.clone()).unwrap_or_default();
            let expected: Vec<f64> = (0..values.len()).map(|row| 1000.0 + row as f64).collect();
            assert_eq!(values, expected);
            lengths.push(values.len());
        }
    }
    assert!(lengths.is_sorted(), "{lengths:?}");
    assert!(lengths.iter().any(|length| (1..1500).contains(length)), "{lengths:?}");
    assert_eq!(lengths.last(), Some(&1500));
    // Another source's file is not touched by it.
    assert_eq!(Run::open(&path).unwrap().variant(0).unwrap().series["heap_bytes"].len(), 2);
}

#[test]
fn events_cut_off_in_the_last_line_are_read() {
    let root = tempfile::tempdir().unwrap();
    let path = written(root.path(), 1);
    let events = path.join(file::EVENTS);
    let whole = fs::read(&events).unwrap();
    fs::write(&events, &whole[..whole.len() - 9]).unwrap();
    let run = Run::open(&path).unwrap();
    assert_eq!(run.events.len(), 9);
    assert!(!run.is_complete());
    fs::write(&events, []).unwrap();
    let run = Run::open(&path).unwrap();
    assert_eq!((run.id.as_str(), run.events.len()), ("run", 0));
}

#[test]
fn a_spoiled_event_is_refused_with_its_line() {
    let root = tempfile::tempdir().unwrap();
    let path = written(root.path(), 1);
    let events = path.join(file::EVENTS);
    let text = fs::read_to_string(&events).unwrap();
    let spoiled = text.replacen("\"event\":\"variant_started\"", "\"event\":\"variant_strted\"", 1);
    fs::write(&events, spoiled).unwrap();
    let error = Run::open(&path).unwrap_err().to_string();
    assert!(error.contains("events.jsonl") && error.contains("line 2") && error.contains("variant_strted"), "{error}");
}

#[test]
fn what_is_no_samples_file_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = written(root.path(), 10);
    let refusal = |contents: &[u8]| {
        fs::write(process_file(&path), contents).unwrap();
        Run::open(&path).unwrap().variant(0).unwrap_err().to_string()
    };
    let garbage = refusal(b"this is not an Arrow stream at all, but it is long enough");
    assert!(garbage.contains("000-process-000.arrow") && garbage.contains("not an Arrow stream"), "{garbage}");

    let stream = |metadata: &[(&str, &str)]| {
        let field = arrow_schema::Field::new("x", arrow_schema::DataType::Int32, false);
        let metadata: std::collections::HashMap<_, _> =
            metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let schema = arrow_schema::Schema::new(vec![field]).with_metadata(metadata);
        let mut bytes = Vec::new();
        let mut writer = arrow_ipc::writer::StreamWriter::try_new(&mut bytes, &schema).unwrap();
        let column: arrow_array::ArrayRef = std::sync::Arc::new(arrow_array::Int32Array::from(vec![1, 2]));
        writer.write(&arrow_array::RecordBatch::try_new(std::sync::Arc::new(schema), vec![column]).unwrap()).unwrap();
        writer.finish().unwrap();
        drop(writer);
        bytes
    };
    let foreign = refusal(&stream(&[]));
    assert!(foreign.contains("not of samples"), "{foreign}");
    let newer = refusal(&stream(&[("soak.schema", "999")]));
    assert!(newer.contains("version 999") && newer.contains("newer soak"), "{newer}");
    let wrong = refusal(&stream(&[("soak.schema", "1")]));
    assert!(wrong.contains("columns are not the samples'"), "{wrong}");
}

#[test]
fn a_plan_of_a_newer_schema_or_none_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = written(root.path(), 1);
    let plan = path.join(file::PLAN);
    let text = fs::read_to_string(&plan).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["schema"] = 999.into();
    fs::write(&plan, value.to_string()).unwrap();
    assert!(Run::open(&path).unwrap_err().to_string().contains("use a newer soak"));
    fs::write(&plan, "{}").unwrap();
    assert!(Run::open(&path).unwrap_err().to_string().contains("not a plan"));
    fs::remove_file(&plan).unwrap();
    assert!(Run::open(&path).unwrap_err().to_string().contains("not a run folder"));
}

#[test]
fn a_folder_that_holds_something_is_refused() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a file"), "x").unwrap();
    let error = RunFolder::create(root.path(), &plan()).unwrap_err();
    assert!(matches!(error, RecordError::NotEmpty(_)));
    assert!(error.to_string().contains("--out") && error.to_string().contains(&root.path().display().to_string()));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "it was left as it was");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let root = tempfile::tempdir().unwrap();
    // Under a file, because permissions do not stop everyone.
    let path = root.path().join("file").join("run");
    fs::write(root.path().join("file"), "x").unwrap();
    let error = RunFolder::create(&path, &plan()).unwrap_err().to_string();
    assert!(error.contains("cannot make the run folder") && error.contains(&path.display().to_string()), "{error}");
}

#[test]
fn a_file_that_cannot_be_written_leaves_no_part() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(&root.path().join("run"), &plan()).unwrap();
    folder.write("verdict.json", b"{}").unwrap();
    assert_eq!(fs::read(folder.path("verdict.json")).unwrap(), b"{}");
    fs::create_dir(folder.path("report.md")).unwrap();
    let error = folder.write("report.md", b"x").unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains("report.md"), "{error}");
    assert!(!folder.path("report.md.part").exists());
}
