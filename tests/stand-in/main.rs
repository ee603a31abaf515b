//! Servers that answer as others do, for the tests: their addresses, their requests, and pages with their names of metrics. They keep what they are given, and
//! misbehave by a known amount when they are told to.
//!
//! `soak-stand-in guts --api-addr … --metrics-addr … --data-dir … [--misbehave key=value]…` or `soak-stand-in`, with Longbow's or Qdrant's
//! variables, or `soak-stand-in columns --addr …`.

#![expect(clippy::print_stderr, reason = "it is a program, and says why it does not start")]

mod go_settings;
mod guts;
mod longbow;
mod serve;
mod vectors;

#[global_allocator]
static ALLOCATOR: soak_reference::CountingAllocator = soak_reference::CountingAllocator;

fn main() -> std::process::ExitCode {
    soak_reference::prepare();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let of_qdrant = std::env::var_os("QDRANT__SERVICE__HTTP_PORT").is_some();
    let ended = match arguments.first().map(String::as_str) {
        Some("columns") => vectors::run(&arguments[1..]),
        None if of_qdrant => vectors::run(&[]),
        None => longbow::run(),
        Some(_) => guts::run(&arguments),
    };
    match ended {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("soak-stand-in: {why}");
            std::process::ExitCode::FAILURE
        }
    }
}
