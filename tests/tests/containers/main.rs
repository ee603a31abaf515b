//! Containers of the Go store: a real collector under real limits, exact facts about kills for memory, and nothing left behind.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as a test does")]

mod attach;
mod chaos;
mod collector;
mod killed;
mod left_behind;
mod misbehaving;
mod out_of_memory;
mod pinning;
mod replicas;
mod run;
mod trouble;
