//! Runs of scenario 2 that a test starts: the command, what came of it, what is written so far.

use std::path::Path;
use std::process::Command;
use std::sync::{Condvar, Mutex, PoisonError};

use serde_json::Value;

use crate::program::{Ended, binary};
use crate::repository::root;

/// Long runs that may be under way at once. A run rests most of its time: more than these would disturb each other.
const TURNS: usize = 3;

/// Turns that are taken.
static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

/// Held for as long as a run is under way.
#[derive(Debug)]
pub struct Turn(usize);

/// The turn of a long run, which goes on beside a few others.
pub fn turn() -> Turn {
    take(1)
}

/// The turn of a run that measures what others would disturb: nothing else is under way.
pub fn alone() -> Turn {
    take(TURNS)
}

fn take(turns: usize) -> Turn {
    let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut taken =
        GIVEN_BACK.wait_while(taken, |taken| *taken + turns > TURNS).unwrap_or_else(PoisonError::into_inner);
    *taken += turns;
    Turn(turns)
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        GIVEN_BACK.notify_all();
    }
}

/// The command of a run of scenario 2 with these edits, into `out`. It has a state folder of its own: what one run leaves is not another's.
pub fn scenario2(out: &Path, edits: &[&str]) -> Command {
    scenario("scenario2", out, edits)
}

/// The command of a run of any scenario with these edits, into `out`.
pub fn scenario(name: &str, out: &Path, edits: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(["run", name, "--out"]).arg(out);
    command.env("SOAK_STATE_DIR", out.with_extension("state"));
    for edit in edits {
        command.args(["--set", edit]);
    }
    command
}

/// The same command with another disposition of a signal, whatever these tests were started with: `--default-signal=HUP`.
pub fn by_env(command: &Command, option: &str) -> Command {
    let mut by_env = Command::new("env");
    by_env.arg(option).arg(command.get_program()).args(command.get_args());
    by_env.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    by_env
}

/// The scenario in which every fault comes once.
pub fn every_fault() -> String {
    root().join("tests/scenarios/every-fault.toml").display().to_string()
}

/// A run, and its verdict.
#[derive(Debug)]
pub struct Judged {
    /// How the command ended.
    pub ended: Ended,
    /// `verdict.json`.
    pub verdict: Value,
    events: Vec<Value>,
}

impl Judged {
    /// Runs a command that writes into `out` to its end.
    pub fn of(mut command: Command, out: &Path) -> Self {
        let ended = Ended::from(command.output().unwrap());
        assert!(out.join("verdict.json").exists(), "no verdict\n{}\n{}", ended.stdout, ended.stderr);
        Self { ended, ..Self::recorded(out) }
    }

    /// What a run wrote that has ended.
    pub fn recorded(out: &Path) -> Self {
        let text = std::fs::read_to_string(out.join("verdict.json")).unwrap();
        Self { ended: Ended::default(), verdict: serde_json::from_str(&text).unwrap(), events: events(out) }
    }

    /// Criteria of all findings with this verdict.
    pub fn with(&self, verdict: &str) -> Vec<String> {
        let variants = self.verdict["variants"].as_array().unwrap();
        let findings = variants.iter().flat_map(|variant| variant["findings"].as_array().unwrap());
        let found = findings.filter(|finding| finding["verdict"] == verdict);
        found.map(|finding| finding["criterion"].as_str().unwrap().to_owned()).collect()
    }

    /// Cases of the runbook that the failures look like, each once, the likeliest of the first variant first.
    pub fn cases(&self) -> Vec<String> {
        let variants = self.verdict["variants"].as_array().unwrap();
        let guidance = variants.iter().filter_map(|variant| variant["guidance"].as_array()).flatten();
        let mut cases: Vec<String> = guidance.map(|one| one["case"].as_str().unwrap().to_owned()).collect();
        cases.dedup();
        cases
    }

    /// The finding of this criterion in a variant.
    pub fn finding(&self, variant: usize, criterion: &str) -> &Value {
        let findings = self.verdict["variants"][variant]["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["criterion"] == criterion).unwrap()
    }

    /// Asserts that the interval of `fault_growth` holds the rate that was asked for, and is no wider than a quarter of it each way.
    #[track_caller]
    pub fn assert_rate_found(&self, asked_bytes_per_s: f64) {
        let found = self.finding(0, "fault_growth");
        let [low, high] = [0, 1].map(|side: usize| found["interval"][side].as_f64().unwrap());
        assert!(low <= asked_bytes_per_s && asked_bytes_per_s <= high, "{asked_bytes_per_s} is not in it: {found}");
        assert!(high - low <= 0.5 * asked_bytes_per_s, "it is wider than a quarter each way: {found}");
    }

    /// The run's events of this kind.
    pub fn events(&self, kind: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event"] == kind).collect()
    }
}

/// The events of a run folder, as far as they are written.
pub fn events(out: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(out.join("events.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
