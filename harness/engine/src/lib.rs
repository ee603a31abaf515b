//! The engine: boots targets, loads them, samples them, and tells one stream of events of it. It judges nothing and prints nothing.
//!
//! [`run`] goes through a plan's variants; `machine` decides the order of a variant's steps and `variant` performs them; what stands behind them
//! (driver, client, control, probe) are the traits of [`target`], so that the whole also runs against a simulated target under a simulated clock.

mod affinity;
mod attest;
mod bounds;
mod client;
mod conductor;
pub mod diagnosis;
pub mod discovery;
pub mod doctor;
mod driver;
pub mod fault;
mod host;
pub mod http;
mod journal;
pub mod load;
mod losses;
pub mod machine;
mod oom;
mod operator;
mod patience;
mod ports;
pub mod residue;
mod rest;
mod run;
mod sampler;
mod side;
mod stop;
pub mod target;
mod variant;

pub use affinity::keep_off;
pub use attest::{When, verified};
pub use bounds::longest as longest_duration;
pub use client::{DataSpec, FlightClient, HeaderError, Headers, HttpAccess, HttpClient, IndexSpec, Planes};
pub use driver::{AttachDriver, ContainerDriver, Image, ImageError, ProcessDriver, Program};
pub use journal::{Journal, Listener};
pub use oom::OutOfMemory;
pub use operator::{Operator, PAUSE_AT_MOST, Wishes};
pub use patience::MoreCycles;
pub use ports::FreePort;
pub use run::{RunEnd, run};
pub use side::{Side, SideError, Sides, TlsError};

/// Resident memory of the harness itself, in bytes.
pub fn own_rss_bytes() -> Option<f64> {
    sampler::proc::rss_bytes("self")
}

/// Names the stream of generated vectors: the same seed gives the same bytes, whatever the dataset is called.
pub const VECTOR_STREAM: &str = "soak";

/// The name of a run's dataset. It is the run's own, so that a run never meets, and never drops, a dataset of somebody else.
pub fn dataset_of(run: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("soak_{}", run.chars().map(plain).collect::<String>())
}

/// Processor time of the harness itself so far, in seconds.
pub fn own_cpu_seconds() -> Option<f64> {
    sampler::proc::cpu_seconds("self")
}
