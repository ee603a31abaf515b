//! The embedded target: a small real vector store with Longbow's contract.
//!
//! Arrow Flight in front, vectors in a slab arena, an HNSW index, tombstones, compaction, and reclamation paced as Go paces its collector. It can
//! misbehave on command by a known amount, which makes it the ground truth of the harness's own tests. What is real: the data, the index, the memory and
//! its way back to the system. What is modelled: *when* garbage is collected, and the pauses.

mod arena;
mod batch;
mod collector;
mod config;
mod connections;
mod dataset;
mod flight;
mod graph;
mod heap;
mod http;
mod metrics;
mod misbehave;
mod server;
mod store;
mod switched_leak;
mod tasks;
mod wal;

pub use collector::Pacing;
pub use config::{Config, ConfigError, Dialect, parse_misbehave};
pub use heap::{CountingAllocator, prepare};
pub use server::{ServeError, Server};
