//! Drivers: what starts and owns a target. One file for each kind.

mod cgroup;
mod control;
mod logs;
mod probe;
mod process;

pub use process::{ProcessDriver, Program};
