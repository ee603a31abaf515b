//! A small run on containers: one dimension, some twenty seconds a variant.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use soak_tests::{Ended, binary};

/// A page of a Go program costs it memory: at quick pace it is read less often than the embedded store's.
const SMALL: [&str; 6] = [
    "matrix.dim=[1536]",
    "matrix.batch_rows=[500]",
    "workload.vectors_per_cycle={default=4096}",
    "sampling.metrics=200ms",
    "cycle.idle=3s",
    "workload.query.duration=1s",
];

/// Held by whoever needs the machine for itself.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The command of a small run of this target with these edits, into `out`.
pub(crate) fn command(out: &Path, target: &str, edits: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(["run", "scenario2", "--target", target, "--out"]).arg(out);
    // One state folder for each run: what one leaves is not another's.
    command.env("SOAK_STATE_DIR", out.with_extension("state"));
    SMALL.iter().chain(edits).for_each(|edit| {
        command.args(["--set", edit]);
    });
    command
}

/// A run, and its verdict.
pub(crate) struct Judged {
    pub(crate) ended: Ended,
    pub(crate) verdict: Value,
    events: Vec<Value>,
}

/// Runs it to its end.
pub(crate) fn run(target: &str, edits: &[&str]) -> Judged {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let ended = Ended::from(command(&out, target, edits).output().unwrap());
    let text = std::fs::read_to_string(out.join("verdict.json"));
    let text = text.unwrap_or_else(|error| panic!("{error}\n{}\n{}", ended.stdout, ended.stderr));
    Judged { ended, verdict: serde_json::from_str(&text).unwrap(), events: events(&out) }
}

impl Judged {
    /// Criteria of all findings with this verdict.
    pub(crate) fn with(&self, verdict: &str) -> Vec<String> {
        let variants = self.verdict["variants"].as_array().unwrap();
        let findings = variants.iter().flat_map(|variant| variant["findings"].as_array().unwrap());
        let found = findings.filter(|finding| finding["verdict"] == verdict);
        found.map(|finding| finding["criterion"].as_str().unwrap().to_owned()).collect()
    }

    /// The finding of this criterion in a variant.
    pub(crate) fn finding(&self, variant: usize, criterion: &str) -> &Value {
        let findings = self.verdict["variants"][variant]["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["criterion"] == criterion).unwrap()
    }

    /// The run's events of this kind.
    pub(crate) fn events(&self, kind: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event"] == kind).collect()
    }
}

/// The events of a run folder, as far as they are written.
pub(crate) fn events(out: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(out.join("events.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The container of a run, once its load has begun.
pub(crate) fn container_in(out: &Path, phase: &str) -> String {
    soak_tests::until("the phase begins", || {
        events(out).iter().find(|event| event["event"] == "phase_started" && event["phase"] == phase).map(drop)
    });
    let run = events(out).iter().find_map(|event| event["run"].as_str().map(str::to_owned)).unwrap();
    containers_of(&run).pop().unwrap()
}

/// The containers that carry a run's id.
pub(crate) fn containers_of(run: &str) -> Vec<String> {
    let found =
        soak_tests::docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &format!("label=soak.run={run}")]);
    found.lines().map(str::to_owned).collect()
}
