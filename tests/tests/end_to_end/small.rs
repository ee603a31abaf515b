//! A small run: one variant whose data still stands clear of the idle process, some twenty seconds.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use soak_tests::{Ended, binary};

/// 12 MiB of vectors a cycle.
const SMALL: [&str; 3] = ["matrix.dim=[3072]", "matrix.batch_rows=[256]", "workload.vectors_per_cycle={default=1024}"];

/// Held by whoever needs the machine for itself: two long runs at once would only disturb each other.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The command of a small run with these edits, into `out`.
pub(crate) fn command(out: &Path, edits: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(["run", "scenario2", "--out"]).arg(out);
    SMALL.iter().chain(edits).for_each(|edit| {
        command.args(["--set", edit]);
    });
    command
}

/// A small run, and its verdict.
pub(crate) struct Judged {
    pub(crate) ended: Ended,
    pub(crate) verdict: Value,
    events: Vec<Value>,
}

/// Runs it to its end.
pub(crate) fn run(out: &Path, edits: &[&str]) -> Judged {
    let ended = Ended::from(command(out, edits).output().unwrap());
    let text = std::fs::read_to_string(out.join("verdict.json"));
    let text = text.unwrap_or_else(|error| panic!("{error}\n{}\n{}", ended.stdout, ended.stderr));
    Judged { ended, verdict: serde_json::from_str(&text).unwrap(), events: events(out) }
}

impl Judged {
    /// Criteria of all findings with this verdict.
    pub(crate) fn with(&self, verdict: &str) -> Vec<String> {
        let variants = self.verdict["variants"].as_array().unwrap();
        let findings = variants.iter().flat_map(|variant| variant["findings"].as_array().unwrap());
        let found = findings.filter(|finding| finding["verdict"] == verdict);
        found.map(|finding| finding["criterion"].as_str().unwrap().to_owned()).collect()
    }

    /// The finding of this criterion in the first variant.
    pub(crate) fn finding(&self, criterion: &str) -> &Value {
        let findings = self.verdict["variants"][0]["findings"].as_array().unwrap();
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
