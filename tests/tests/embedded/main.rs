//! The embedded target from outside: memory as the kernel sees it, misbehaviours against their ground truth, pyarrow as client and server.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as a test does")]

mod admin;
mod calibration;
mod memory;
mod pyarrow;
mod store;
