//! Servers that answer as others do, for the tests: their addresses, their requests, and pages with their names of metrics. They keep what they are given, and
//! misbehave by a known amount when they are told to.
//!
//! `soak-stand-in guts --api-addr … --metrics-addr … --data-dir … [--misbehave key=value]…` or `soak-stand-in`, with Longbow's variables.

#![expect(clippy::print_stderr, reason = "it is a program, and says why it does not start")]

mod guts;
mod longbow;
mod serve;

#[global_allocator]
static ALLOCATOR: soak_reference::CountingAllocator = soak_reference::CountingAllocator;

fn main() -> std::process::ExitCode {
    soak_reference::prepare();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ended = if arguments.is_empty() { longbow::run() } else { guts::run(&arguments) };
    match ended {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("soak-stand-in: {why}");
            std::process::ExitCode::FAILURE
        }
    }
}
