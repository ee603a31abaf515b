//! Finding and removing what a run left. Only what carries the run's id is touched.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{RUN_VARIABLE, Registered, Residue};
use crate::driver::{cgroup_remove, docker};

/// No call to Docker may hold up a clean-up for longer.
const DOCKER_WITHIN: Duration = Duration::from_secs(3);

/// Something that was left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// A process and what it is called.
    Process(u32, String),
    /// A container: its id.
    Container(String),
    /// A control group.
    Cgroup(PathBuf),
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(pid, name) => write!(f, "process {pid} ({name})"),
            Self::Container(id) => write!(f, "container {}", id.chars().take(12).collect::<String>()),
            Self::Cgroup(path) => write!(f, "cgroup {}", path.display()),
        }
    }
}

/// What a run has left. An error says what could not be looked at.
pub async fn left_by(run: &Registered) -> Result<Vec<Left>, String> {
    let mut left = Vec::new();
    for residue in &run.residues {
        match residue {
            Residue::Processes => left.extend(processes(&run.owner.run)),
            Residue::Containers => {
                let found = tokio::time::timeout(DOCKER_WITHIN, docker::of_run(&run.owner.run)).await;
                let found = found.unwrap_or_else(|_| Err("Docker does not answer".to_owned()))?;
                left.extend(found.into_iter().map(Left::Container));
            }
            Residue::Cgroup(path) => left.extend(path.is_dir().then(|| Left::Cgroup(path.clone()))),
        }
    }
    Ok(left)
}

/// Removes one thing.
pub async fn remove(left: &Left) -> Result<(), String> {
    match left {
        Left::Process(pid, _) => {
            if let Some(pid) = rustix::process::Pid::from_raw(pid.cast_signed()) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            Ok(())
        }
        Left::Container(id) => {
            let removed = tokio::time::timeout(DOCKER_WITHIN, docker::remove(id)).await;
            removed.unwrap_or_else(|_| Err("Docker does not answer".to_owned()))
        }
        Left::Cgroup(path) => {
            cgroup_remove(path);
            if path.is_dir() { Err(format!("{} is still in use", path.display())) } else { Ok(()) }
        }
    }
}

/// Processes whose environment carries the run's id.
fn processes(run: &str) -> Vec<Left> {
    let marker = format!("{RUN_VARIABLE}={run}");
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let carries = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == marker.as_bytes())
    };
    let name = |pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned();
    pids.filter(carries).map(|pid| Left::Process(pid, name(pid))).collect()
}
