//! Collecting what a diagnosis is made of. Every piece has a deadline of its own; one that cannot be had says why and what to do, and the rest goes on.
//!
//! Nothing is changed in the target, but for a signal that asks for a heap dump, which is sent only where a person wished it.

mod dump;
mod endpoints;
mod folder;
mod kubernetes;
mod machine;
mod process;
mod program;
mod written;

use std::path::PathBuf;
use std::time::Duration;

use soak_diagnosis::{Artefact, Artefacts, Missing};
use soak_scenario::Profile;

use crate::http;
use crate::sampler::proc;
use crate::side::Sides;
use crate::target::{CallError, Cause, within};

pub(crate) use folder::write as write_folder;
pub use folder::{ORIGINS_FILE, files, read as read_files};
pub use written::of_file as log_of_file;

/// Whom to examine.
#[derive(Debug, Clone)]
pub struct Patient {
    /// How it is read.
    pub profile: Profile,
    /// Where it is asked over HTTP, on this machine.
    pub sides: Sides,
    /// Its process, where it is known.
    pub pid: Option<u32>,
    /// Its container, by name or id.
    pub container: Option<String>,
}

/// What to ask beside the endpoints that its profile names.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// How long the processor is profiled.
    pub seconds: u32,
    /// How long any one answer may take beyond that.
    pub call: Duration,
    /// A log file.
    pub log: Option<PathBuf>,
    /// Configuration files.
    pub configs: Vec<PathBuf>,
    /// A deployment of Kubernetes; nobody asks `kubectl` without.
    pub deployment: Option<Deployment>,
    /// A repository whose last commits are told.
    pub repository: Option<PathBuf>,
    /// Send the signal that the profile names, and take what the target writes.
    pub dump_heap: bool,
}

/// A deployment of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its namespace; that of the context where none is named.
    pub namespace: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

/// Collects everything.
pub async fn collect(patient: &Patient, wishes: &Wishes) -> Artefacts {
    let (pid, container_said) = match (&patient.container, patient.pid) {
        (Some(container), None) => written::pid_of(container).await,
        (_, pid) => (pid, None),
    };
    // A script that starts the store is not what holds its memory.
    let pid = pid.and_then(largest_of).or(pid);
    let without_pid = || {
        container_said.clone().unwrap_or_else(|| {
            Missing::new("no process is named", "name it with --pid N, or its container with --container NAME")
        })
    };
    let profile = &patient.profile;
    let (pages, cpu, of_process, of_machine, kubernetes, log, trend, dumps) = tokio::join!(
        endpoints::pages(profile, &patient.sides, wishes.call),
        endpoints::processor(profile, &patient.sides.profile, wishes),
        process::all(pid.ok_or_else(without_pid), profile, wishes.call),
        machine::all(wishes),
        kubernetes::all(wishes.deployment.as_ref(), wishes.call),
        written::log(patient, wishes),
        machine::trend(pid.ok_or_else(without_pid), profile, wishes.seconds),
        dump::heap(pid.ok_or_else(without_pid), profile, wishes),
    );
    let files = wishes.configs.iter().flat_map(|path| written::config(path));
    let all = pages.into_iter().chain([cpu]).chain(of_process).chain(of_machine).chain(kubernetes);
    Artefacts(all.chain([log]).chain(trend).chain(dumps).chain(files).collect())
}

/// Whether the target can be asked as its profile says: an error where no address of it answers, or where another kind of server does. An
/// endpoint that is refused is no such error.
pub async fn reach(patient: &Patient, call: Duration) -> Result<(), CallError> {
    let endpoints = &patient.profile.endpoints;
    let asked = endpoints.ready.as_ref().map(|endpoint| (&patient.sides.http, endpoint));
    let asked = asked.or(endpoints.metrics.as_ref().map(|endpoint| (&patient.sides.metrics, endpoint)));
    let tried = match asked {
        Some((side, endpoint)) => http::fetch(side, endpoint, call).await.map(|_| ()),
        None => within(call, patient.sides.http.connect()).await.map(|_| ()),
    };
    match tried {
        Err(error) if error.is_unfit() || error.cause() == Cause::Unreachable => Err(error),
        _ => Ok(()),
    }
}

/// What a run keeps at the end of a phase: the pages that tell of memory, and the mappings.
pub(crate) async fn of_phase(profile: &Profile, sides: &Sides, pid: Option<u32>, call: Duration) -> Artefacts {
    let gone = || Missing::new("the process is not of this machine, or gone", "run the target where the harness is");
    let pid = pid.and_then(largest_of).ok_or_else(gone);
    let (pages, of_process) = tokio::join!(endpoints::of_memory(profile, sides, call), process::of_memory(pid, call));
    Artefacts(pages.into_iter().chain(of_process).collect())
}

/// The member of a process's family that holds most.
fn largest_of(pid: u32) -> Option<u32> {
    let resident = |pid: &u32| proc::rss_bytes(&pid.to_string());
    let family = proc::family(pid).into_iter().filter_map(|pid| Some((pid, resident(&pid)?)));
    family.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(pid, _)| pid)
}

/// A file, or why it cannot be read.
fn file(name: impl Into<String>, path: &std::path::Path) -> Artefact {
    match std::fs::read(path) {
        Ok(bytes) => Artefact::of(name, path.display().to_string(), &bytes),
        Err(error) => {
            let next = match error.kind() {
                std::io::ErrorKind::PermissionDenied => "ask as the user of the process, or as root",
                _ => "check that it is there, and that the process still runs",
            };
            Artefact::missing(
                name,
                path.display().to_string(),
                Missing::new(format!("it cannot be read: {error}"), next),
            )
        }
    }
}
