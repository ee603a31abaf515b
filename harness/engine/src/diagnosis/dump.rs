//! Heap dumps that a target writes when it gets a signal. Sent only where a person asked for it, and never to a process that would die of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use soak_diagnosis::{Artefact, Missing, name};
use soak_scenario::{Profile, matches_glob};
use tokio::time::{Instant, sleep};

use super::Wishes;

/// A dump is whole when it has not grown for so long.
const STILL_FOR: Duration = Duration::from_millis(500);

/// A larger one is for tools of its own.
const DUMP_BYTES_MAX: u64 = 256 << 20;

/// When a file was written, and how long it is.
type Written = (SystemTime, u64);

/// Sends the signal and takes what is written; nothing where nobody asked.
pub(super) async fn heap(pid: Result<u32, Missing>, profile: &Profile, wishes: &Wishes) -> Option<Artefact> {
    if !wishes.dump_heap {
        return None;
    }
    let name = format!("{}heap.pprof", name::DUMP);
    let (from, dumped) = match pid {
        Ok(pid) => (
            format!("signal {} to process {pid}", profile.diagnosis.heap_dump_signal.as_deref().unwrap_or("?")),
            dump(pid, profile, wishes.call).await,
        ),
        Err(missing) => ("a signal".to_owned(), Err(missing)),
    };
    Some(match dumped {
        Ok((path, bytes)) => {
            let artefact = Artefact::of(&name, format!("{from}, which wrote {path}"), &bytes);
            // Some write text of their own.
            if artefact.got.is_err() && std::str::from_utf8(&bytes).is_ok() {
                Artefact::of(format!("{}heap.txt", name::DUMP), artefact.from, &bytes)
            } else {
                artefact
            }
        }
        Err(missing) => Artefact::missing(name, from, missing),
    })
}

async fn dump(pid: u32, profile: &Profile, call: Duration) -> Result<(String, Vec<u8>), Missing> {
    let (Some(signal), Some(files)) = (&profile.diagnosis.heap_dump_signal, &profile.diagnosis.heap_dump_files) else {
        return Err(Missing::new(
            format!(
                "the profile `{}` names no signal at which the target dumps its heap, or not where it writes that",
                profile.name
            ),
            "name diagnosis.heap_dump_signal and diagnosis.heap_dump_files in a profile of your own",
        ));
    };
    let signal = if signal == "USR2" { Signal::USR2 } else { Signal::USR1 };
    if !catches(pid, signal) {
        return Err(Missing::new(
            format!("process {pid} does not handle signal {}, which would end it: it was not sent", signal.as_raw()),
            "check --pid; the target may have to be started with heap dumps on",
        ));
    }
    let (folder, pattern) = place(pid, files).ok_or_else(|| {
        Missing::new(
            format!("`{files}` is no absolute path"),
            "name diagnosis.heap_dump_files from the root on, such as /var/lib/store/heap-*.prof",
        )
    })?;
    let before = matching(&folder, &pattern);
    let process =
        Pid::from_raw(pid.cast_signed()).ok_or_else(|| Missing::new("there is no such process", "check --pid"))?;
    kill_process(process, signal).map_err(|error| {
        Missing::new(format!("the signal could not be sent: {error}"), "ask as the user of the process, or as root")
    })?;
    let began = Instant::now();
    let mut last: Option<(PathBuf, Written, Instant)> = None;
    while began.elapsed() < call {
        sleep(STILL_FOR / 5).await;
        let fresh = matching(&folder, &pattern)
            .into_iter()
            .find(|(path, written)| before.get(path) != Some(written) && written.1 > 0);
        let Some((path, written)) = fresh else { continue };
        match &last {
            Some((known, same, since)) if *known == path && *same == written => {
                if since.elapsed() >= STILL_FOR {
                    return take(&path, written.1);
                }
            }
            _ => last = Some((path, written, Instant::now())),
        }
    }
    Err(Missing::new(
        format!("nothing new had been written to {files} after {:.0} s", call.as_secs_f64()),
        "look there by hand; a large heap takes longer (--deadline)",
    ))
}

fn take(path: &Path, bytes: u64) -> Result<(String, Vec<u8>), Missing> {
    if bytes > DUMP_BYTES_MAX {
        return Err(Missing::new(
            format!("{} has {bytes} bytes, too many to take along", path.display()),
            "fetch it by hand",
        ));
    }
    let read = fs::read(path).map_err(|error| {
        Missing::new(
            format!("{} cannot be read: {error}", path.display()),
            "ask as the user of the process, or as root",
        )
    });
    read.map(|bytes| (path.display().to_string(), bytes))
}

/// Whether a process has a handler for a signal, by the mask of `/proc/PID/status`.
fn catches(pid: u32, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
}

/// The folder as it is seen from here, and the pattern of the file's name.
fn place(pid: u32, files: &str) -> Option<(PathBuf, String)> {
    let (folder, pattern) = files.rsplit_once('/').filter(|_| files.starts_with('/'))?;
    // A container has a root of its own.
    let through = PathBuf::from(format!("/proc/{pid}/root{folder}"));
    let folder = if through.is_dir() { through } else { PathBuf::from(if folder.is_empty() { "/" } else { folder }) };
    Some((folder, pattern.to_owned()))
}

fn matching(folder: &Path, pattern: &str) -> BTreeMap<PathBuf, Written> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let matching = entries.filter(|entry| matches_glob(pattern, &entry.file_name().to_string_lossy()));
    let written = |entry: fs::DirEntry| {
        let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some((entry.path(), (metadata.modified().ok()?, metadata.len())))
    };
    matching.filter_map(written).collect()
}
