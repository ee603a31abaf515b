//! From a record to a verdict: statistics, criteria, findings. Pure functions of what was recorded; nothing here reads, writes or prints.

pub mod accuracy;
pub mod baselines;
mod coverage;
mod criteria;
mod ending;
mod evidence;
mod growth;
pub mod human;
mod judge;
mod observed;
mod outcome;
pub mod simulated;
pub mod stats;
pub mod trend;

#[cfg(test)]
mod simulation;

pub use judge::{ALPHA, judge};
pub use observed::{Floor, floors};
pub use outcome::*;
