//! The `soak` binary: one subcommand a stage. `soak run` is plan, run, judge, report.

mod baselines;
mod calibration;
mod commands;
mod compared;
mod dumps;
mod execution;
mod failure;
mod going_on;
mod guard;
mod job_summary;
mod live;
mod mistakes;
mod output;
mod progress;
mod prometheus;
mod recording;
mod reports;
mod run_id;
mod scenario_args;
mod sides;
mod summary;
mod table;

use std::process::ExitCode;

use clap::Parser;

use commands::Command;

/// Counted, so that the embedded target can say how much of its heap is in use.
#[global_allocator]
static HEAP: soak_reference::CountingAllocator = soak_reference::CountingAllocator;

/// Memory soak tests and chaos for vector stores, with a verdict.
#[derive(Debug, Parser)]
#[command(name = "soak", version, max_term_width = 110, after_help = failure::EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.execute() {
        Ok(code) => code.into(),
        Err(failure) => failure.report(),
    }
}
