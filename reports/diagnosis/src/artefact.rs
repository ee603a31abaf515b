//! What was collected: each piece checked and without secrets, or the reason why it could not be had.

use serde::{Deserialize, Serialize};

use crate::metrics_page;
use crate::pprof::{self, Pprof, PprofError};
use crate::{secrets, sites};

/// Names of what is collected. They are file names in archives and run folders.
pub mod name {
    /// The metrics page.
    pub const METRICS: &str = "metrics.txt";
    /// The task dump.
    pub const TASKS: &str = "tasks.txt";
    /// The heap profile.
    pub const HEAP: &str = "heap.pprof";
    /// The profile of the processor.
    pub const CPU: &str = "cpu.pprof";
    /// `/proc/PID/smaps`.
    pub const SMAPS: &str = "smaps.txt";
    /// `/proc/PID/status`.
    pub const STATUS: &str = "status.txt";
    /// Open files of the process.
    pub const DESCRIPTORS: &str = "descriptors.txt";
    /// The charge and limit of the process's control group, as `series value`.
    pub const CGROUP: &str = "cgroup.txt";
    /// `/proc/meminfo`.
    pub const MACHINE: &str = "meminfo.txt";
    /// Kernel, cores and memory in one line.
    pub const HOST: &str = "host.txt";
    /// The processes that hold most, as `bytes pid name`.
    pub const PROCESSES: &str = "processes.txt";
    /// Settings, as `name=value`.
    pub const SETTINGS: &str = "settings.txt";
    /// Resident and available memory over the time of collecting, as CSV.
    pub const TREND: &str = "trend.csv";
    /// The target's log.
    pub const LOG: &str = "log.txt";
    /// What the kernel says of kills for memory.
    pub const KERNEL: &str = "kernel.txt";
    /// What a run tells of it, in words.
    pub const EVENTS: &str = "events.txt";
    /// The last commits of a repository.
    pub const COMMITS: &str = "commits.txt";
    /// Versions of Kubernetes.
    pub const KUBERNETES_VERSION: &str = "kubernetes-version.txt";
    /// Nodes, their types and resources.
    pub const KUBERNETES_NODES: &str = "kubernetes-nodes.txt";
    /// Replicas, images and limits of the deployment.
    pub const KUBERNETES_DEPLOYMENT: &str = "kubernetes-deployment.txt";
    /// Its revisions.
    pub const KUBERNETES_ROLLOUTS: &str = "kubernetes-rollouts.txt";
    /// What its pods use.
    pub const KUBERNETES_USAGE: &str = "kubernetes-usage.txt";
    /// What a page of the target's own is named by, before its name.
    pub const PAGE: &str = "page-";
    /// What a configuration file is named by, before its name.
    pub const CONFIG: &str = "config-";
    /// What a dump that was asked for by a signal is named by, before its name.
    pub const DUMP: &str = "dump-";
}

/// Why something could not be had, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// In one clause.
    pub why: String,
    /// In one clause.
    pub next: String,
}

impl Missing {
    /// Both, without secrets: a target's own words may stand in either.
    pub fn new(why: impl AsRef<str>, next: impl AsRef<str>) -> Self {
        Self { why: secrets::removed(why.as_ref().trim()), next: secrets::removed(next.as_ref()) }
    }
}

/// A piece that was collected, or was to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    /// Its file name, one of [`name`].
    pub name: String,
    /// Where it comes from: a path of `/proc`, a request, a command.
    pub from: String,
    /// Its bytes, which hold no secrets.
    pub got: Result<Vec<u8>, Missing>,
}

impl Artefact {
    /// What was read, checked by its name and freed of secrets.
    pub fn of(name: impl Into<String>, from: impl Into<String>, bytes: &[u8]) -> Self {
        let name = name.into();
        let got = match extension(&name) {
            "pprof" => profile(&name, bytes),
            _ => text(&name, &String::from_utf8_lossy(bytes)),
        };
        Self { name, from: secrets::removed(&from.into()), got }
    }

    /// What could not be read.
    pub fn missing(name: impl Into<String>, from: impl Into<String>, missing: Missing) -> Self {
        Self { name: name.into(), from: secrets::removed(&from.into()), got: Err(missing) }
    }
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// A profile, checked to be of what its name says.
fn profile(name: &str, bytes: &[u8]) -> Result<Vec<u8>, Missing> {
    let decoded = Pprof::decode(bytes).map_err(|error| of_profile(&error))?;
    let checked = match name {
        name::HEAP => sites::heap_sites(&decoded).map(|_| ()),
        name::CPU => sites::cpu_sites(&decoded).map(|_| ()),
        _ => Ok(()),
    };
    checked.map_err(|error| {
        let wanted = if name == name::CPU { "processor time" } else { "memory in use" };
        Missing::new(
            format!("what came does not tell of {wanted}: {error}"),
            "check the profile's endpoint: a heap with bytes in use is wanted, or a profile of the processor",
        )
    })?;
    pprof::without_labels(bytes).map_err(|error| of_profile(&error))
}

fn of_profile(error: &PprofError) -> Missing {
    let next = match error {
        PprofError::CutOff(_) | PprofError::Damaged(_) | PprofError::Empty => {
            "ask again; if it stays so, the target or what stands before it ends the answer early"
        }
        PprofError::TooLarge => "fetch it by hand and read it with `go tool pprof`",
        PprofError::Html => "check --http and the profile's endpoint",
        PprofError::Text(_) | PprofError::Foreign(_) => {
            "check the profile's endpoint: a pprof is asked for, as `profile.proto` describes it"
        }
    };
    Missing::new(format!("what came is no profile: {error}"), next)
}

fn text(name: &str, text: &str) -> Result<Vec<u8>, Missing> {
    let html = pprof::is_html(text);
    let wrong = |what: &str| {
        let came = if html { "it is HTML" } else { "nothing in it is one" };
        Err(Missing::new(format!("what came is no {what}: {came}"), "check --http and the profile's endpoint"))
    };
    match name {
        name::METRICS if html || metrics_page::parse(text).is_empty() => wrong("metrics page"),
        name::TASKS if html || crate::tasks::groups(text).is_empty() => wrong("task dump"),
        // The kernel's own words, of which some look like a name and a value.
        name::SMAPS | name::STATUS | name::MACHINE => Ok(text.into()),
        _ => Ok(secrets::removed(text).into_bytes()),
    }
}

/// Everything that was collected at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Artefacts(pub Vec<Artefact>);

impl Artefacts {
    /// The artefact of a name.
    pub fn find(&self, name: &str) -> Option<&Artefact> {
        self.0.iter().find(|one| one.name == name)
    }

    /// Its bytes, where they could be had.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.find(name)?.got.as_ref().ok().map(Vec::as_slice)
    }

    /// Its text, where it could be had.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.bytes(name)?).ok()
    }

    /// Those whose name begins so.
    pub fn named<'a>(&'a self, beginning: &'a str) -> impl Iterator<Item = &'a Artefact> {
        self.0.iter().filter(move |one| one.name.starts_with(beginning))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(name: &str, bytes: &[u8]) -> String {
        Artefact::of(name, "GET /x", bytes).got.unwrap_err().why
    }

    #[test]
    fn what_is_not_what_was_asked_for_says_what_it_is() {
        let html = b"<!DOCTYPE html><title>Log in</title>";
        assert_eq!(why(name::METRICS, html), "what came is no metrics page: it is HTML");
        assert_eq!(why(name::METRICS, b"# HELP a b\n"), "what came is no metrics page: nothing in it is one");
        assert!(why(name::TASKS, html).ends_with("it is HTML"));
        assert!(why(name::HEAP, html).contains("it is HTML and no profile"));
        assert!(why(name::HEAP, &[0x1f, 0x8b, 8]).contains("cut off after 3 bytes"));
        assert!(why(name::HEAP, b"heap in use: 1 bytes").contains("it is text and no profile"));
    }

    #[test]
    fn what_is_kept_has_no_secrets() {
        let log = Artefact::of(name::LOG, "http://u:hunter22@h/x", b"calling with token=hunter22\n");
        let all = format!("{}{}", log.from, String::from_utf8(log.got.unwrap()).unwrap());
        assert!(!all.contains("hunter22"), "{all}");
        assert!(!Missing::new("password=hunter22", "").why.contains("hunter22"));
    }
}
