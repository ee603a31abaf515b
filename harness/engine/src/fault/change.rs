//! Changes to the machine that outlive the harness: each is written down before it is made, and taken back in reverse order.

use std::path::Path;
use std::sync::Arc;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::residue::Residue;
use crate::sampler::proc;

/// What a change works on: the kernel, or a model of it in which a test can stop at any step.
pub(crate) trait World: Send + Sync {
    /// Reads a kernel's file, without its line end.
    fn read(&self, path: &Path) -> Result<String, String>;
    /// Writes one.
    fn write(&self, path: &Path, value: &str) -> Result<(), String>;
    /// Stops a process, or lets it go on. One that is gone, or another by now, is left alone.
    fn stop(&self, pid: u32, started_ticks: u64, stop: bool) -> Result<(), String>;
    /// Writes down what is about to be changed.
    fn note(&self, residue: &Residue) -> Result<(), String>;
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
        let before = self.world.read(path)?;
        let undo = Residue::Setting { path: path.to_owned(), value: before };
        self.world.note(&undo)?;
        self.undo.push(undo);
        self.world.write(path, value)
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
            if let Err(why) = take_back(self.world.as_ref(), &undo) {
                failed.push(why);
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
        Residue::Setting { path, value } => match world.read(path) {
            Ok(now) if now == *value => Ok(()),
            Ok(_) => world.write(path, value),
            Err(_) => Ok(()),
        },
        Residue::Stopped { pid, started_ticks } => world.stop(*pid, *started_ticks, false),
        _ => Ok(()),
    }
}

/// Whether a change is still there.
pub(crate) fn is_there(world: &dyn World, residue: &Residue) -> bool {
    match residue {
        Residue::Setting { path, value } => world.read(path).is_ok_and(|now| now != *value),
        Residue::Stopped { pid, started_ticks } => {
            proc::started_ticks(*pid) == Some(*started_ticks) && proc::state(*pid) == Some('T')
        }
        _ => false,
    }
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

    fn write(&self, path: &Path, value: &str) -> Result<(), String> {
        std::fs::write(path, value).map_err(|error| format!("cannot write {value} to {}: {error}", path.display()))
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
}

#[cfg(test)]
mod tests;
