//! From a record to a verdict: statistics, criteria, findings. Pure functions of what was recorded; nothing here reads, writes or prints.

pub mod accuracy;
pub mod baselines;
mod claimed;
pub mod compare;
mod control;
mod coverage;
mod criteria;
mod digest;
mod ending;
mod evidence;
mod explain;
mod growth;
mod guidance;
mod history;
pub mod human;
mod indication;
pub mod injected;
mod judge;
mod observed;
mod oracle;
mod outcome;
pub mod proof;
mod reading;
pub mod recorded;
pub mod simulated;
mod so_far;
pub mod stats;
pub mod trend;
mod trial;

#[cfg(test)]
mod simulation;

pub use control::CONTROL;
pub use coverage::{departures, load_not_taken, untrue_settings};
pub use criteria::{floor_model, more_cycles};
pub use digest::*;
pub use explain::{Explained, explain};
pub use guidance::{Alternative, Guidance};
pub use history::{Entry, history};
pub use judge::{ALPHA, judge};
pub use observed::{Floor, floors};
pub use outcome::*;
pub use so_far::so_far;
pub use trial::{Answer, Trial, UNCHANGED, seen, to_remedy};
