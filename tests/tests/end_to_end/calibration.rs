//! Scenarios that fit the server: limits, deadlines and rows that are measured before the run.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use soak_tests::{Ended, binary, soak, turn, until};

const PEAK: &str = r#"matrix.memory_limit=["250% of peak"]"#;

fn run(out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(["run", "scenario1", "--out"]).arg(out);
    for edit in
        ["matrix.dim=[128]", "matrix.gogc=[75]", "workload.vectors_per_cycle=2048", "cycle.count=6", "cycle.at_most=6"]
    {
        command.args(["--set", edit]);
    }
    command.args(more);
    command
}

fn plan(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("plan.json")).unwrap()).unwrap()
}

/// The entry of the plan's fitted numbers with this key.
fn fitted<'a>(plan: &'a Value, key: &str) -> &'a Value {
    let all = plan["fitted"].as_array().unwrap();
    all.iter().find(|entry| entry["key"] == key).unwrap_or_else(|| panic!("no {key} in {all:?}"))
}

#[test]
fn limits_deadlines_and_rows_are_measured_before_the_run_and_recorded() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let edits = ["--set", PEAK, "--set", "calibration.index_times=3", "--set", "calibration.cycle_at_most=100ms"];
    let more = ["--set", "calibration.rows_at_least=1000", "--set", "deadlines.call=2s"];
    let ended: Ended = run(&out, &[&edits[..], &more].concat()).output().unwrap().into();
    assert!(ended.code == 0 || ended.code == 3, "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("calibration: memory_limit of"), "{}", ended.stderr);
    let plan = plan(&out);
    let limit = &fitted(&plan, "memory_limit");
    assert_eq!(limit["asked"], "250% of peak");
    assert!(limit["from"]["peak"].is_string(), "{limit}");
    assert_eq!(plan["variants"][0]["knobs"]["memory_limit"], limit["value"]);
    assert_eq!(fitted(&plan, "workload.vectors_per_cycle")["value"], "1024", "halved once, down to its bound");
    assert_eq!(plan["deadlines"]["index"], "2s", "indexing is quick, and no deadline is shorter than that of a call");
    assert!(out.join("calibration/events.jsonl").is_file(), "the measurement is kept");
    assert!(out.join("calibration/with-fewer-rows/events.jsonl").is_file(), "fewer rows have another peak");
    // Read back by the kernel's word: the setting took effect.
    let events = std::fs::read_to_string(out.join("events.jsonl")).unwrap();
    let read_back = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut read_back = read_back.filter(|event| event["event"] == "attested" && event["knob"] == "memory_limit");
    assert_eq!(read_back.next().unwrap()["holds"], true);
    let report = std::fs::read_to_string(out.join("report.md")).unwrap();
    assert!(report.contains("250% of peak"), "a reader sees what the limit stands on");
}

#[test]
fn a_target_that_fails_while_it_is_measured_fails_its_run_and_says_why() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("target.sh");
    std::fs::write(&script, "#!/bin/sh\necho no license >&2\nexit 7\n").unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&script).status().unwrap().success());
    let target = format!("process:{}", script.display());
    let out = folder.path().join("run");
    let ended: Ended = run(&out, &["--target", &target, "--set", PEAK]).output().unwrap().into();
    assert_eq!(ended.code, 1, "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("not measured: ") && ended.stdout.contains("no license"), "{}", ended.stderr);
    assert_eq!(plan(&out)["variants"][0]["knobs"]["memory_limit"], "off");
}

#[test]
fn an_interrupted_measurement_ends_the_command_and_leaves_nothing() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let long = ["--set", "workload.query.duration=60s", "--set", PEAK, "--set", "workload.vectors_per_cycle=500000"];
    let mut child = run(&out, &long).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let events = out.join("calibration/events.jsonl");
    let has_load = || std::fs::read_to_string(&events).ok().filter(|text| text.contains("\"ingest\""));
    until("the calibration loads its target", has_load);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!out.join("plan.json").exists(), "the run itself was not begun");
}

#[test]
fn what_cannot_be_measured_is_refused_before_anything_starts() {
    let attached = "attach:endpoints,data=127.0.0.1:1,meta=127.0.0.1:1,http=127.0.0.1:1";
    let cases: [(&[&str], &str); 3] = [
        (&["run", "scenario1", "--target", attached, "--set", PEAK], "was running already"),
        (&["run", "scenario1", "--set", "matrix.memory_limit=[\"5% of peak\"]"], "of peak"),
        (&["prove", "--within", "1min", "--set", PEAK], "name sizes"),
    ];
    for (arguments, words) in cases {
        let ended = soak(arguments);
        assert_eq!(ended.code, 2, "{}\n{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.contains(words), "{words:?} is not in {}", ended.stderr);
    }
}

#[test]
fn a_plan_says_what_is_measured_and_how_long_it_takes_at_most() {
    let plan = soak(&["plan", "chaos-limit-shrink"]).stdout;
    for words in ["memory_limit (300% of peak)", "deadlines.index (20 times indexing", "The run takes", "at most"] {
        assert!(plan.contains(words), "{words:?} is not in\n{plan}");
    }
}
