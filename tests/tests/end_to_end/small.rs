//! A small run: one variant whose data still stands clear of the idle process, some twenty seconds.

use std::path::Path;
use std::process::Command;

use soak_tests::{Judged, scenario2};

/// 12 MiB of vectors a cycle.
const SMALL: [&str; 3] = ["matrix.dim=[3072]", "matrix.batch_rows=[256]", "workload.vectors_per_cycle={default=1024}"];

/// The command of a small run with these edits, into `out`.
pub(crate) fn command(out: &Path, edits: &[&str]) -> Command {
    scenario2(out, &[&SMALL, edits].concat())
}

/// Runs it to its end.
pub(crate) fn run(out: &Path, edits: &[&str]) -> Judged {
    Judged::of(command(out, edits), out)
}
