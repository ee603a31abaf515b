//! What the kernel says of the process: status, mappings, open files, control group, and those variables of its environment that its profile names.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use soak_diagnosis::{Artefact, Missing, name, secrets};
use soak_scenario::Profile;

use super::file;
use crate::driver::Group;

/// Open files that are listed.
const FILES_MAX: usize = 4096;

/// A piece, and what reads it.
type Piece = (&'static str, fn(u32, &Profile) -> Artefact);

/// Status and mappings, for those who only need memory.
const OF_MEMORY: [(&str, &str); 2] = [(name::STATUS, "status"), (name::SMAPS, "smaps")];

const OTHERS: [Piece; 3] = [(name::DESCRIPTORS, descriptors), (name::CGROUP, cgroup), (name::SETTINGS, settings)];

/// Everything.
pub(super) async fn all(pid: Result<u32, Missing>, profile: &Profile, call: Duration) -> Vec<Artefact> {
    let profile = profile.clone();
    let mut found = of_memory(pid.clone(), call).await;
    let names = OTHERS.map(|(name, _)| name);
    found.extend(
        blocking(pid, &names, call, move |pid| OTHERS.iter().map(|(_, read)| read(pid, &profile)).collect()).await,
    );
    found
}

/// What tells of memory.
pub(super) async fn of_memory(pid: Result<u32, Missing>, call: Duration) -> Vec<Artefact> {
    let names = OF_MEMORY.map(|(name, _)| name);
    let read = |pid| OF_MEMORY.iter().map(|(name, of)| file(*name, Path::new(&format!("/proc/{pid}/{of}")))).collect();
    blocking(pid, &names, call, read).await
}

/// Walking the page tables of a large process takes long, and may take longer than anybody waits.
async fn blocking(
    pid: Result<u32, Missing>,
    names: &[&'static str],
    call: Duration,
    read: impl FnOnce(u32) -> Vec<Artefact> + Send + 'static,
) -> Vec<Artefact> {
    let none =
        |missing: &Missing| names.iter().map(|name| Artefact::missing(*name, "/proc", missing.clone())).collect();
    let pid = match pid {
        Ok(pid) => pid,
        Err(missing) => return none(&missing),
    };
    let reading = tokio::task::spawn_blocking(move || read(pid));
    match tokio::time::timeout(call, reading).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            none(&Missing::new(format!("reading it failed: {error}"), "this is a defect of soak: tell its makers"))
        }
        Err(_) => none(&Missing::new(
            format!("the kernel had not told it after {:.0} s", call.as_secs_f64()),
            "ask again with a longer --deadline",
        )),
    }
}

/// `ls -la /proc/PID/fd`.
fn descriptors(pid: u32, _profile: &Profile) -> Artefact {
    let path = format!("/proc/{pid}/fd");
    let entries = match std::fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) => {
            let next = "ask as the user of the process, or as root";
            return Artefact::missing(
                name::DESCRIPTORS,
                path,
                Missing::new(format!("they cannot be listed: {error}"), next),
            );
        }
    };
    let mut text = String::new();
    for entry in entries.flatten().take(FILES_MAX) {
        // One that was closed meanwhile leads nowhere.
        let Ok(target) = std::fs::read_link(entry.path()) else { continue };
        let _ = writeln!(text, "{} -> {}", entry.file_name().to_string_lossy(), target.display());
    }
    Artefact::of(name::DESCRIPTORS, path, text.as_bytes())
}

fn cgroup(pid: u32, _profile: &Profile) -> Artefact {
    let from = format!("the control group of process {pid}");
    let Some(group) = Group::of_process(pid) else {
        let why = "the process has no control group that can be read from here";
        return Artefact::missing(
            name::CGROUP,
            from,
            Missing::new(why, "ask on the machine itself, and not in another container"),
        );
    };
    let text = group.values().into_iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name} {value}");
        text
    });
    Artefact::of(name::CGROUP, from, text.as_bytes())
}

/// The variables that the profile names, and no other.
fn settings(pid: u32, profile: &Profile) -> Artefact {
    let path = format!("/proc/{pid}/environ");
    let wanted = &profile.diagnosis.settings;
    if wanted.is_empty() {
        let why = format!("the profile `{}` names no variables of settings", profile.name);
        return Artefact::missing(
            name::SETTINGS,
            path,
            Missing::new(why, "name them in [diagnosis.settings] of a profile of your own"),
        );
    }
    let environment = match std::fs::read(&path) {
        Ok(environment) => environment,
        Err(error) => {
            let next = "ask as the user of the process, or as root";
            return Artefact::missing(name::SETTINGS, path, Missing::new(format!("it cannot be read: {error}"), next));
        }
    };
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let value = |variable: &str| {
        let mut variables = environment.split('\0').filter_map(|one| one.split_once('='));
        variables.find(|(name, _)| *name == variable).map(|(_, value)| secrets::of_variable(variable, value))
    };
    let text = wanted.iter().fold(String::new(), |mut text, (setting, variable)| {
        let _ = writeln!(text, "{setting}={}", value(variable).as_deref().unwrap_or("(not set)"));
        text
    });
    Artefact::of(name::SETTINGS, path, text.as_bytes())
}
