//! Finding and removing what a run left. Only what carries the run's id is touched.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{AdminKey, Process, RUN_VARIABLE, Registered, Residue};
use crate::driver::{cgroup_remove, docker, is_mounted, remove_data_folder};
use crate::fault::{Kernel, drop_at, listens, still_changed, still_there, take_back};
use crate::http;
use crate::sampler::proc;

/// No call to Docker may hold up a clean-up for longer.
const DOCKER_WITHIN: Duration = Duration::from_secs(3);

/// A target that is there answers within this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// The kernel takes a process down that was killed in this time, or it waits for a disk.
const DOWN_WITHIN: Duration = Duration::from_secs(1);
const DOWN_EVERY: Duration = Duration::from_millis(5);

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
    /// A change that a fault made to something that lives on.
    Change(Residue),
    /// A leak that a target may still be asked for.
    Leak {
        /// Its admin side.
        addr: SocketAddr,
        /// What ends it.
        endpoint: String,
        /// Who may end it.
        key: AdminKey,
        /// The target's process, where it is known.
        of: Option<Process>,
    },
    /// A dataset that a fault made.
    Dataset {
        /// The target's meta plane.
        meta: SocketAddr,
        /// Its name.
        name: String,
        /// The target's process, where it is known.
        of: Option<Process>,
    },
    /// A folder of a target's data, and whether a volume is mounted there.
    Data {
        /// The folder.
        path: PathBuf,
        /// Whether it is a volume.
        volume: bool,
    },
    /// Something that could not be looked at: it may be there or not.
    Unclear {
        /// What was written down.
        residue: Residue,
        /// By whom.
        run: Box<Registered>,
        /// Why it could not be looked at.
        why: String,
    },
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { pid, name, .. } => write!(f, "process {pid} ({name})"),
            Self::Container { id, .. } => write!(f, "container {}", id.chars().take(12).collect::<String>()),
            Self::Cgroup(path) => write!(f, "cgroup {}", path.display()),
            Self::Change(Residue::Setting { path, value, .. }) => write!(f, "setting {} (was {value})", path.display()),
            Self::Change(Residue::Stopped { pid, .. }) => write!(f, "stopped process {pid}"),
            Self::Change(other) => write!(f, "{other:?}"),
            Self::Leak { addr, .. } => write!(f, "leak of the target at {addr}"),
            Self::Dataset { meta, name, .. } => write!(f, "dataset {name} of the target at {meta}"),
            Self::Data { path, volume: true } => write!(f, "volume {}", path.display()),
            Self::Data { path, volume: false } => write!(f, "folder {}", path.display()),
            Self::Unclear { residue, why, .. } => {
                let what = match residue {
                    Residue::Containers(_) => "containers",
                    Residue::Leak { .. } => "a leak",
                    Residue::Datasets { .. } => "datasets",
                    _ => "something else",
                };
                write!(f, "{what}, as far as there are any ({why})")
            }
        }
    }
}

/// What a run has left, in the order in which it has to go: changes first, the newest of them first, so that what was pressed on can end and answer; then
/// what holds groups and folders, and those last. What cannot be looked at holds up nothing else: it is told as [`Left::Unclear`], and is never an error.
pub async fn left_by(run: &Registered) -> Vec<Left> {
    let mut left = changes(run);
    for residue in in_order(run) {
        match look(run, residue).await {
            Ok(found) => left.extend(found),
            Err(why) => left.push(Left::Unclear { residue: residue.clone(), run: Box::new(run.clone()), why }),
        }
    }
    left
}

/// Changes that are still there, the newest first. The machine forgets them when it is started anew.
pub fn changes(run: &Registered) -> Vec<Left> {
    if run.owner.has_booted_since() {
        return Vec::new();
    }
    still_changed(&Kernel(None), &run.residues).into_iter().map(Left::Change).collect()
}

/// What is in the register, in the order in which it has to go. Changes go before all of it.
pub(super) fn in_order(run: &Registered) -> Vec<&Residue> {
    let mut residues: Vec<&Residue> = run.residues.iter().rev().collect();
    residues.sort_by_key(|residue| match residue {
        Residue::Setting { .. } | Residue::Stopped { .. } => 0,
        Residue::Processes | Residue::Containers(_) => 1,
        Residue::Leak { .. } | Residue::Datasets { .. } => 2,
        Residue::Cgroup(_) => 3,
        Residue::Mount(_) => 4,
        Residue::Folder(_) => 5,
    });
    residues
}

/// Whether somebody else has to answer before it is gone, who may take long.
pub(super) fn is_asked_for(residue: &Residue) -> bool {
    matches!(residue, Residue::Containers(_) | Residue::Leak { .. } | Residue::Datasets { .. })
}

/// What is left of one thing. An error says why that cannot be told.
pub(super) async fn look(run: &Registered, residue: &Residue) -> Result<Vec<Left>, String> {
    let one = |there: bool, left: Left| Ok(there.then_some(left).into_iter().collect());
    match residue {
        Residue::Processes => Ok(processes(&run.owner.run)),
        Residue::Containers(address) => {
            let found = tokio::time::timeout(DOCKER_WITHIN, docker::of_run(address, &run.owner.run)).await;
            let found = found.unwrap_or_else(|_| Err(format!("Docker at {address} does not answer")))?;
            Ok(found.into_iter().map(|id| Left::Container { id, docker: address.clone() }).collect())
        }
        Residue::Cgroup(path) => one(path.is_dir(), Left::Cgroup(path.clone())),
        // These are looked at together.
        Residue::Setting { .. } | Residue::Stopped { .. } => Ok(Vec::new()),
        Residue::Leak { of, .. } | Residue::Datasets { of, .. } if has_ended(run, *of) => Ok(Vec::new()),
        // One that nobody answers for has ended with its target.
        Residue::Leak { addr, endpoint, key, of } => {
            let left = Left::Leak { addr: *addr, endpoint: endpoint.clone(), key: key.clone(), of: *of };
            one(listens(*addr).await?, left)
        }
        Residue::Datasets { meta, names, of } => {
            let there = still_there(*meta, names).await?;
            Ok(there.into_iter().map(|name| Left::Dataset { meta: *meta, name, of: *of }).collect())
        }
        Residue::Mount(path) => one(is_mounted(path), Left::Data { path: path.clone(), volume: true }),
        Residue::Folder(path) => one(path.is_dir(), Left::Data { path: path.clone(), volume: false }),
    }
}

/// Whether a target is known to be gone, with all that it was asked for: who listens at its address now is another.
fn has_ended(run: &Registered, of: Option<Process>) -> bool {
    of.is_some_and(|process| run.owner.has_booted_since() || !process.is_alive())
}

/// Removes one thing. What could not be looked at is looked at again: what had to go before it may have been in its way.
pub async fn remove(left: &Left) -> Result<(), String> {
    let Left::Unclear { residue, run, .. } = left else { return remove_one(left).await };
    let mut failed = Vec::new();
    for one in look(run, residue).await? {
        failed.extend(remove_one(&one).await.err());
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

async fn remove_one(left: &Left) -> Result<(), String> {
    match left {
        Left::Process { pid, run, .. } => {
            kill(*pid, run).await;
            Ok(())
        }
        Left::Container { id, docker } => {
            let removed = tokio::time::timeout(DOCKER_WITHIN, docker::remove(docker, id)).await;
            removed.unwrap_or_else(|_| Err(format!("Docker at {docker} does not answer")))
        }
        Left::Change(change) => take_back(&Kernel(None), change),
        Left::Leak { of: Some(process), .. } | Left::Dataset { of: Some(process), .. } if !process.is_alive() => Ok(()),
        Left::Leak { addr, endpoint, key, .. } => {
            if !listens(*addr).await? {
                return Ok(());
            }
            let side = key.side(*addr).map_err(|error| format!("the leak of the target at {addr}: {error}"))?;
            let ended = http::call(&side, endpoint, ANSWER_WITHIN).await;
            ended.map(|_| ()).map_err(|error| format!("the leak of the target at {addr} could not be ended: {error}"))
        }
        Left::Dataset { meta, name, .. } => drop_at(*meta, name).await,
        Left::Data { path, volume } => remove_data_folder(path, *volume),
        Left::Cgroup(path) => {
            cgroup_remove(path);
            if path.is_dir() { Err(format!("{} is still in use", path.display())) } else { Ok(()) }
        }
        Left::Unclear { why, .. } => Err(why.clone()),
    }
}

/// Kills a process if it still is the run's: its number may have become another's since it was listed, but what is held by a pidfd stays the same.
async fn kill(pid: u32, run: &str) {
    let Some(id) = Pid::from_raw(pid.cast_signed()) else { return };
    let Ok(process) = pidfd_open(id, PidfdFlags::empty()) else { return };
    if carries(pid, run) {
        // One that has just ended is gone as well.
        let _ = pidfd_send_signal(&process, Signal::KILL);
        // It still listens, and is still in its group, until the kernel has taken it down.
        let killed = Instant::now();
        while carries(pid, run) && proc::is_running(pid) && killed.elapsed() < DOWN_WITHIN {
            tokio::time::sleep(DOWN_EVERY).await;
        }
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
