//! Changes to the machine that outlive the harness: each is written down before it is made, and taken back in reverse order.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::residue::{Process, Residue};
use crate::sampler::proc;

/// What a change works on: the kernel, or a model of it in which a test can stop at any step.
pub(crate) trait World: Send + Sync {
    /// Reads a kernel's file, without its line end.
    fn read(&self, path: &Path) -> Result<String, String>;
    /// Writes one; one of a process that is gone, or another by now, is left alone.
    fn write(&self, path: &Path, of: Option<Process>, value: &str) -> Result<(), String>;
    /// Whether a process is still there.
    fn is_alive(&self, process: Process) -> bool;
    /// Whether a process stands still.
    fn is_stopped(&self, process: Process) -> bool;
    /// Stops a process, or lets it go on. One that is gone, or another by now, is left alone.
    fn stop(&self, pid: u32, started_ticks: u64, stop: bool) -> Result<(), String>;
    /// Writes down what is about to be changed.
    fn note(&self, residue: &Residue) -> Result<(), String>;
    /// Strikes off what was taken back.
    fn strike(&self, residue: &Residue);
}

/// The changes of one fault, newest last. Dropped, they are taken back.
pub(crate) struct Changes {
    world: Arc<dyn World>,
    undo: Vec<Residue>,
}

impl Changes {
    /// No change yet.
    pub(crate) fn new(world: Arc<dyn World>) -> Self {
        Self { world, undo: Vec::new() }
    }

    /// Writes a kernel's file, after what it held was written down.
    pub(crate) fn set(&mut self, path: &Path, value: &str) -> Result<(), String> {
        self.set_of(None, path, value)
    }

    /// Writes a kernel's file that is of a process.
    pub(crate) fn set_of(&mut self, of: Option<Process>, path: &Path, value: &str) -> Result<(), String> {
        let before = self.world.read(path)?;
        if before == value {
            return Ok(());
        }
        let undo = Residue::Setting { path: path.to_owned(), value: before, wrote: Some(value.to_owned()), of };
        self.world.note(&undo)?;
        self.undo.push(undo);
        self.world.write(path, of, value)
    }

    /// Stops a process.
    pub(crate) fn stop(&mut self, pid: u32, started_ticks: u64) -> Result<(), String> {
        let undo = Residue::Stopped { pid, started_ticks };
        self.world.note(&undo)?;
        self.undo.push(undo);
        self.world.stop(pid, started_ticks, true)
    }

    /// Takes all of it back, the newest first. What fails is told, and the rest is taken back all the same.
    pub(crate) fn heal(&mut self) -> Result<(), String> {
        let mut failed = Vec::new();
        while let Some(undo) = self.undo.pop() {
            match take_back(self.world.as_ref(), &undo) {
                Ok(()) => self.world.strike(&undo),
                Err(why) => failed.push(why),
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(format!("{}; `soak heal` tries again", failed.join("; "))) }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        // What cannot be taken back is in the register.
        let _ = self.heal();
    }
}

/// Takes one change back; what is not a change of this kind is another's to remove.
pub(crate) fn take_back(world: &dyn World, residue: &Residue) -> Result<(), String> {
    match residue {
        // A group that is gone has taken its settings with it.
        Residue::Setting { path, of, .. } => match world.read(path) {
            Ok(now) => undone(world, residue, &now).map_or(Ok(()), |before| world.write(path, *of, before)),
            Err(_) => Ok(()),
        },
        Residue::Stopped { pid, started_ticks } => world.stop(*pid, *started_ticks, false),
        _ => Ok(()),
    }
}

/// Changes that are still there, the newest first. Several of one file are one: it has to hold again what it held before the first of them.
pub(crate) fn still_changed(world: &dyn World, noted: &[Residue]) -> Vec<Residue> {
    let mut left: Vec<Residue> = Vec::new();
    let mut seen: Vec<&Path> = Vec::new();
    for residue in noted.iter().rev() {
        match residue {
            Residue::Stopped { pid, started_ticks } => {
                let process = Process { pid: *pid, started_ticks: *started_ticks };
                left.extend(world.is_stopped(process).then(|| residue.clone()));
            }
            Residue::Setting { path, .. } if !seen.contains(&path.as_path()) => {
                seen.push(path);
                left.extend(still_set(world, path, noted));
            }
            _ => {}
        }
    }
    left
}

/// What takes back every change of a file that is still there.
fn still_set(world: &dyn World, file: &Path, noted: &[Residue]) -> Option<Residue> {
    let now = world.read(file).ok()?;
    let (mut before, mut process) = (now.as_str(), None);
    for residue in noted.iter().rev() {
        let Residue::Setting { path, of, .. } = residue else { continue };
        if path == file
            && let Some(earlier) = undone(world, residue, before)
        {
            (before, process) = (earlier, *of);
        }
    }
    let undo =
        Residue::Setting { path: file.to_owned(), value: before.to_owned(), wrote: Some(now.clone()), of: process };
    (before != now).then_some(undo)
}

/// What a file that holds `now` held before a fault changed it. `None` where it is as before, is of a process that is gone, or was changed by somebody
/// else since: that is not the fault's to take back.
fn undone<'a>(world: &dyn World, setting: &'a Residue, now: &str) -> Option<&'a str> {
    let Residue::Setting { path, value, wrote, of } = setting else { return None };
    let is_the_faults = wrote.as_ref().is_none_or(|wrote| is_about(path, wrote, now));
    let is_there = now != value && is_the_faults && of.is_none_or(|process| world.is_alive(process));
    is_there.then_some(value.as_str())
}

/// Whether a file that was written holds that now. The kernel rounds limits of memory to pages, of 64 KiB at most.
fn is_about(path: &Path, wrote: &str, now: &str) -> bool {
    const PAGE_BYTES_MAX: u64 = 64 << 10;
    let is_memory = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("memory."));
    let near = |wrote: u64, now: u64| wrote.abs_diff(now) < PAGE_BYTES_MAX;
    wrote == now || (is_memory && wrote.parse().is_ok_and(|wrote| now.parse().is_ok_and(|now| near(wrote, now))))
}

/// The kernel, with a register in which changes are written down.
pub(crate) fn kernel(register: crate::residue::Register) -> Arc<dyn World> {
    Arc::new(Kernel(Some(register)))
}

/// The kernel of this machine. Without a register it only takes back.
pub(crate) struct Kernel(pub(crate) Option<crate::residue::Register>);

impl World for Kernel {
    fn read(&self, path: &Path) -> Result<String, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Ok(text.trim().to_owned())
    }

    fn write(&self, path: &Path, of: Option<Process>, value: &str) -> Result<(), String> {
        let cannot = |error| format!("cannot write {value} to {}: {error}", path.display());
        let opened = std::fs::File::options().write(true).open(path);
        // What is open stays the same process's, so that its number cannot become another's after this look.
        if of.is_some_and(|process| !process.is_alive()) {
            return Ok(());
        }
        opened.map_err(cannot)?.write_all(value.as_bytes()).map_err(cannot)
    }

    fn is_alive(&self, process: Process) -> bool {
        process.is_alive()
    }

    fn is_stopped(&self, process: Process) -> bool {
        Process::of(process.pid) == Some(process) && proc::state(process.pid) == Some('T')
    }

    fn stop(&self, pid: u32, started_ticks: u64, stop: bool) -> Result<(), String> {
        let Some(id) = Pid::from_raw(pid.cast_signed()) else { return Ok(()) };
        let Ok(process) = pidfd_open(id, PidfdFlags::empty()) else { return Ok(()) };
        // What is held by a pidfd stays the same process, so that the number cannot become another's after this look.
        if proc::started_ticks(pid) != Some(started_ticks) {
            return Ok(());
        }
        let signal = if stop { Signal::STOP } else { Signal::CONT };
        pidfd_send_signal(&process, signal).map_err(|error| format!("cannot signal process {pid}: {error}"))
    }

    fn note(&self, residue: &Residue) -> Result<(), String> {
        match &self.0 {
            Some(register) => register.note(residue),
            None => Ok(()),
        }
    }

    fn strike(&self, residue: &Residue) {
        if let Some(register) = &self.0 {
            register.strike(residue);
        }
    }
}

#[cfg(test)]
mod tests;
