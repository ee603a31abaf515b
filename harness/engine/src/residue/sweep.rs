//! Finding and removing what a run left. Only what carries the run's id is touched.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{RUN_VARIABLE, Registered, Residue};
use crate::driver::{cgroup_remove, docker};

/// No call to Docker may hold up a clean-up for longer.
const DOCKER_WITHIN: Duration = Duration::from_secs(3);

/// Something that was left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// A process.
    Process {
        /// Its id.
        pid: u32,
        /// What it is called.
        name: String,
        /// The run that it carries in its environment.
        run: String,
    },
    /// A container.
    Container {
        /// Its id.
        id: String,
        /// The address of its Docker.
        docker: String,
    },
    /// A control group.
    Cgroup(PathBuf),
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { pid, name, .. } => write!(f, "process {pid} ({name})"),
            Self::Container { id, .. } => write!(f, "container {}", id.chars().take(12).collect::<String>()),
            Self::Cgroup(path) => write!(f, "cgroup {}", path.display()),
        }
    }
}

/// What a run has left, in the order in which it has to go. An error says what could not be looked at.
pub async fn left_by(run: &Registered) -> Result<Vec<Left>, String> {
    let mut left = Vec::new();
    for residue in &run.residues {
        match residue {
            Residue::Processes => left.extend(processes(&run.owner.run)),
            Residue::Containers(address) => {
                let found = tokio::time::timeout(DOCKER_WITHIN, docker::of_run(address, &run.owner.run)).await;
                let found = found.unwrap_or_else(|_| Err(format!("Docker at {address} does not answer")))?;
                left.extend(found.into_iter().map(|id| Left::Container { id, docker: address.clone() }));
            }
            Residue::Cgroup(path) => left.extend(path.is_dir().then(|| Left::Cgroup(path.clone()))),
        }
    }
    // A group goes once nothing is in it.
    left.sort_by_key(|one| matches!(one, Left::Cgroup(_)));
    Ok(left)
}

/// Removes one thing.
pub async fn remove(left: &Left) -> Result<(), String> {
    match left {
        Left::Process { pid, run, .. } => {
            kill(*pid, run);
            Ok(())
        }
        Left::Container { id, docker } => {
            let removed = tokio::time::timeout(DOCKER_WITHIN, docker::remove(docker, id)).await;
            removed.unwrap_or_else(|_| Err(format!("Docker at {docker} does not answer")))
        }
        Left::Cgroup(path) => {
            cgroup_remove(path);
            if path.is_dir() { Err(format!("{} is still in use", path.display())) } else { Ok(()) }
        }
    }
}

/// Kills a process if it still is the run's: its number may have become another's since it was listed, but what is held by a pidfd stays the same.
fn kill(pid: u32, run: &str) {
    let Some(id) = Pid::from_raw(pid.cast_signed()) else { return };
    let Ok(process) = pidfd_open(id, PidfdFlags::empty()) else { return };
    if carries(pid, run) {
        // One that has just ended is gone as well.
        let _ = pidfd_send_signal(&process, Signal::KILL);
    }
}

/// Whether a process carries a run's id in its environment.
fn carries(pid: u32, run: &str) -> bool {
    let marker = format!("{RUN_VARIABLE}={run}");
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == marker.as_bytes())
}

/// Processes whose environment carries the run's id.
fn processes(run: &str) -> Vec<Left> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let name = |pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned();
    pids.filter(|pid| carries(*pid, run))
        .map(|pid| Left::Process { pid, name: name(pid), run: run.to_owned() })
        .collect()
}
