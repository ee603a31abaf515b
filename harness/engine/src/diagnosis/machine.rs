//! What the machine says: its memory, the processes that hold most, what the kernel killed, the last commits.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use soak_diagnosis::{Artefact, Missing, name};
use soak_scenario::Profile;

use super::{Wishes, file, program};
use crate::oom::kernel_log::KernelLog;
use crate::sampler::proc;

/// Processes that are listed.
const PROCESSES: usize = 10;

/// Without a profile of the processor to wait for, memory is watched for no longer.
const TREND_SECONDS: u32 = 10;

pub(super) async fn all(wishes: &Wishes) -> Vec<Artefact> {
    let host = Artefact::of(name::HOST, "uname and /proc/meminfo", crate::host::describe().as_bytes());
    vec![host, file(name::MACHINE, Path::new("/proc/meminfo")), processes(), kernel(), commits(wishes).await]
}

/// Names alone: an argument may be a password.
fn processes() -> Artefact {
    let mut found: Vec<(f64, u32, String)> = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Some(bytes) = proc::rss_bytes(&pid.to_string()) else { continue };
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        found.push((bytes, pid, name.trim().to_owned()));
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let text = found.iter().take(PROCESSES).fold(String::new(), |mut text, (bytes, pid, name)| {
        let _ = writeln!(text, "{bytes} {pid} {name}");
        text
    });
    Artefact::of(name::PROCESSES, "/proc/*/status", text.as_bytes())
}

fn kernel() -> Artefact {
    let from = "/dev/kmsg";
    match KernelLog::whole().kills() {
        Some([]) => Artefact::of(name::KERNEL, from, b"The kernel's log, as far back as it goes, tells of none.\n"),
        Some(kills) => {
            let lines: Vec<String> = kills.iter().map(ToString::to_string).collect();
            Artefact::of(name::KERNEL, from, lines.join("\n").as_bytes())
        }
        None => Artefact::missing(
            name::KERNEL,
            from,
            Missing::new(
                "the kernel's log cannot be read",
                "ask as root, or let `dmesg` be read (kernel.dmesg_restrict=0)",
            ),
        ),
    }
}

async fn commits(wishes: &Wishes) -> Artefact {
    let Some(folder) = &wishes.repository else {
        let next = "name a clone of what is deployed with --repo FOLDER";
        return Artefact::missing(name::COMMITS, "git log", Missing::new("no repository is named", next));
    };
    let folder = folder.display().to_string();
    // What is configured in there must not run anything.
    let arguments = ["-C", &folder, "--no-pager", "-c", "core.fsmonitor=false", "log", "--oneline", "-10"];
    program::artefact(name::COMMITS, "git", &arguments, wishes.call).await
}

/// Resident memory of the process and available memory of the machine, once a second.
pub(super) async fn trend(pid: Result<u32, Missing>, profile: &Profile, seconds: u32) -> Option<Artefact> {
    let pid = match pid {
        Ok(pid) => pid,
        Err(missing) => return Some(Artefact::missing(name::TREND, "/proc", missing)),
    };
    let seconds = if profile.endpoints.cpu_profile.is_some() { seconds } else { seconds.min(TREND_SECONDS) };
    let mut text = "time_s,rss_bytes,available_bytes\n".to_owned();
    for at in 0..=seconds {
        if at > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let resident = proc::rss_bytes(&pid.to_string()).map(|bytes| bytes.to_string()).unwrap_or_default();
        let available = available_bytes().map(|bytes| bytes.to_string()).unwrap_or_default();
        let _ = writeln!(text, "{at},{resident},{available}");
    }
    Some(Artefact::of(name::TREND, format!("/proc/{pid}/status and /proc/meminfo"), text.as_bytes()))
}

fn available_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
