//! Drivers: what starts and owns a target. One file for each kind.

mod access;
mod attach;
mod cgroup;
mod container;
mod control;
pub(crate) mod docker;
mod logs;
mod probe;
mod process;

pub use attach::AttachDriver;
pub(crate) use cgroup::{place as cgroup_place, remove as cgroup_remove};
pub use container::{ContainerDriver, Image, ImageError};
pub use process::{ProcessDriver, Program};
