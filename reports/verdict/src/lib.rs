//! From a record to a verdict: statistics, criteria, findings. Pure functions of what was recorded; nothing here reads, writes or prints.

mod coverage;
mod criteria;
mod ending;
mod evidence;
mod growth;
pub mod human;
mod judge;
mod observed;
mod outcome;
pub mod stats;

#[cfg(test)]
mod simulation;

pub use judge::{ALPHA, judge};
pub use observed::{Floor, floors};
pub use outcome::*;
