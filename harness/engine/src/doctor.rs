//! What this machine can do for a run: Docker, cgroups, the kernel's log, Go. What is missing comes with the way to get it.

use std::path::Path;

use crate::driver::{cgroup_place, docker};
use crate::oom::kernel_log::KernelLog;

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// There, and works.
    Good,
    /// There in part: some runs can do less.
    Limited,
    /// Not there.
    Missing,
}

impl Health {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Limited => "limited",
            Self::Missing => "missing",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub what: &'static str,
    /// How it is.
    pub health: Health,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// Looks at everything.
pub async fn check_up() -> Vec<Check> {
    vec![docker_engine().await, cgroups(), memory_limits(), kernel_log(), memory(), go()]
}

fn good(what: &'static str, found: impl Into<String>) -> Check {
    Check { what, health: Health::Good, found: found.into(), remedy: None }
}

fn bad(what: &'static str, health: Health, found: impl Into<String>, remedy: impl Into<String>) -> Check {
    Check { what, health, found: found.into(), remedy: Some(remedy.into()) }
}

async fn docker_engine() -> Check {
    let what = "Docker Engine";
    let remedy = "install and start it (Debian: `ci/docker` as root), and join the group `docker` or run as root; without it, targets are processes";
    let docker = match docker::connect().await {
        Ok(docker) => docker,
        Err(why) => return bad(what, Health::Missing, why, remedy),
    };
    match docker.version().await {
        Ok(version) => {
            let word = |text: Option<String>| text.unwrap_or_else(|| "?".to_owned());
            good(what, format!("version {}, interface {}", word(version.version), word(version.api_version)))
        }
        Err(error) => bad(what, Health::Missing, docker::in_words(&error), remedy),
    }
}

fn cgroups() -> Check {
    let what = "cgroups";
    if Path::new("/sys/fs/cgroup/cgroup.controllers").is_file() {
        good(what, "version 2")
    } else if Path::new("/sys/fs/cgroup/memory").is_dir() {
        good(what, "version 1: pressure is the host's, kills are not counted in groups above")
    } else {
        bad(what, Health::Missing, "no memory controller", "mount cgroups, or run without memory limits")
    }
}

/// Whether a process of our own can be given a memory limit.
fn memory_limits() -> Check {
    let what = "memory limits of processes";
    let remedy = "run as root, or in a delegated cgroup; containers can be limited without it";
    let probed = cgroup_place(&format!("soak-doctor-{}", std::process::id())).and_then(|place| {
        std::fs::create_dir(&place).map_err(|error| format!("cannot make {}: {error}", place.display()))?;
        let _ = std::fs::remove_dir(&place);
        Ok(place)
    });
    match probed {
        Ok(place) => {
            let parent = place.parent().unwrap_or(&place);
            good(what, format!("groups can be made in {}", parent.display()))
        }
        Err(why) => bad(what, Health::Limited, why, remedy),
    }
}

fn kernel_log() -> Check {
    let what = "kernel log";
    match KernelLog::open().kills() {
        Some(_) => good(what, "can be read: kills for memory are told with victim, limit and usage"),
        None => bad(
            what,
            Health::Limited,
            "/dev/kmsg cannot be read",
            "run as root or with CAP_SYSLOG; without it a kill for memory is known only where all other sources agree",
        ),
    }
}

fn memory() -> Check {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let mib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib / 1024)
    };
    let available = mib("MemAvailable:").unwrap_or(0);
    let swap = mib("SwapTotal:").unwrap_or(0);
    let found = format!("{available} MiB available, {swap} MiB of swap");
    if swap > 0 {
        let remedy = "memory that is swapped out looks as if it had been given back: `swapoff -a` for a run";
        return bad("memory", Health::Limited, found, remedy);
    }
    good("memory", found)
}

fn go() -> Check {
    let what = "Go";
    let found = std::process::Command::new("go").arg("version").output();
    match found.ok().filter(|output| output.status.success()) {
        Some(output) => good(what, String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        None => bad(
            what,
            Health::Limited,
            "no `go` on the path",
            "install Go to build the target of tests/targets/go; nothing else needs it",
        ),
    }
}
