//! A small run on containers: one dimension, some twenty seconds a variant.

use std::path::Path;
use std::process::Command;

use soak_tests::{Judged, docker, events, scenario2, until};

/// A page of a Go program costs it memory: at quick pace it is read less often than the embedded store's.
const SMALL: [&str; 7] = [
    "matrix.dim=[1536]",
    "matrix.batch_rows=[500]",
    "workload.vectors_per_cycle={default=4096}",
    "sampling.metrics=200ms",
    // Longer than that period, or cycles in step with it would have windows without a single page.
    "cycle.window=600ms",
    "cycle.idle=3s",
    "workload.query.duration=1s",
];

/// The command of a small run of this target with these edits, into `out`.
pub(crate) fn command(out: &Path, target: &str, edits: &[&str]) -> Command {
    let mut command = scenario2(out, &[&SMALL, edits].concat());
    command.args(["--target", target]);
    command
}

/// Runs it to its end.
pub(crate) fn run(target: &str, edits: &[&str]) -> Judged {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    Judged::of(command(&out, target, edits), &out)
}

/// The processors that a process may use, as the kernel lists them.
pub(crate) fn processors_of(pid: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.unwrap().trim().to_owned()
}

/// The container of a run, once its load has begun.
pub(crate) fn container_in(out: &Path, phase: &str) -> String {
    until("the phase begins", || {
        events(out).iter().find(|event| event["event"] == "phase_started" && event["phase"] == phase).map(drop)
    });
    containers_of(&run_of(out)).pop().unwrap()
}

/// The id of a run.
pub(crate) fn run_of(out: &Path) -> String {
    events(out).iter().find_map(|event| event["run"].as_str().map(str::to_owned)).unwrap()
}

/// The containers that carry a run's id.
pub(crate) fn containers_of(run: &str) -> Vec<String> {
    let found = docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &format!("label=soak.run={run}")]);
    found.lines().map(str::to_owned).collect()
}
