//! What black-box tests stand on: the built binary, the repository, and records made up for a test.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "what a test stands on may fail as a test does")]

mod program;
mod recorded;
mod repository;

pub use program::{Ended, binary, soak, soak_in};
pub use recorded::{Made, Story, record};
pub use repository::{Text, root, texts};
