//! What black-box tests stand on: the built binary, the repository, records made up for a test, programs that a test starts.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "what a test stands on may fail as a test does")]

mod certificates;
mod child;
mod image;
mod program;
mod python;
mod recorded;
mod repository;
mod run;
mod target;
mod terminal;
mod tools;

pub use soak_engine::FreePort;

pub use certificates::{Authority, ServerFiles};
pub use child::{Running, is_alive, signal, until};
pub use image::stand_in_image;
pub use program::{Ended, binary, soak, soak_in};
pub use python::python;
pub use recorded::{BUILD, Made, Story, record};
pub use repository::{Text, root, texts};
pub use run::{Judged, Turn, alone, by_env, events, every_fault, scenario, scenario2, turn};
pub use target::{Kind, Target, http};
pub use terminal::OnTerminal;
pub use tools::{SmallDisk, chroma, docker, go_target, image, is_root, prometheus, weaviate};
