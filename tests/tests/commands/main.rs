//! The commands that run nothing, as a person meets them: what they print, what they say of a mistake, how they end.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as a test does")]

mod baselines;
mod capacity;
mod compare;
mod damaged;
mod diag;
mod guidance;
mod history;
mod init;
mod mistakes;
mod pipes;
mod prometheus;
mod recordings;
mod records;
mod results;
mod smoke;
mod tables;
