//! Drivers: what starts and owns a target. One file for each kind.

mod access;
mod attach;
mod build;
mod cgroup;
mod container;
mod control;
mod data_folder;
pub(crate) mod docker;
mod lives;
mod logs;
mod probe;
mod process;
mod reached;

pub use attach::AttachDriver;
pub(crate) use cgroup::{Controller, Group, place as cgroup_place, remove as cgroup_remove};
pub(crate) use container::is_of as is_of_container;
pub use container::{ContainerDriver, Image, ImageError};
pub(crate) use data_folder::{is_mounted, remove as remove_data_folder};
pub use process::{ProcessDriver, Program};
pub(crate) use process::{die_with_parent, enter};
