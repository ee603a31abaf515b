//! `soak run` as a person meets it: the main job, each misbehaviour, targets that die, kills, full disks.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as a test does")]
#![expect(clippy::print_stdout, reason = "how long the main job took is worth knowing")]

mod against;
mod bad_servers;
mod calibration;
mod capacity;
mod chaos;
mod faults;
mod http;
mod https;
mod lifecycle;
mod live;
mod longbow;
mod main_job;
mod proof;
mod remedies;
mod small;
mod stores;
mod trouble;
mod unresponsive;
