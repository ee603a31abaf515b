//! Every process of the target stopped, as a hypervisor or a debugger would stop it.

use async_trait::async_trait;

use super::{Changes, Evidence, Guard, Levers};
use crate::sampler::proc;

/// Stops every process of the target.
pub(super) fn inject(levers: &dyn Levers) -> Result<Box<dyn Guard>, String> {
    let mut changes = Changes::new(levers.reach().world.clone());
    let mut stopped: Vec<(u32, u64)> = Vec::new();
    // One that is started while the others are being stopped is found in the next round.
    loop {
        let family = levers.processes();
        let running = family.into_iter().filter(|pid| !stopped.iter().any(|(known, _)| known == pid));
        let new: Vec<(u32, u64)> = running.filter_map(|pid| Some((pid, proc::started_ticks(pid)?))).collect();
        if new.is_empty() {
            break;
        }
        for (pid, started_ticks) in new {
            changes.stop(pid, started_ticks)?;
            stopped.push((pid, started_ticks));
        }
    }
    if stopped.is_empty() {
        return Err("the target has no process that is known here".to_owned());
    }
    let cpu_before_s = stopped.iter().filter_map(|(pid, _)| proc::cpu_seconds(&pid.to_string())).sum();
    Ok(Box::new(Pause { changes, stopped, cpu_before_s }))
}

struct Pause {
    changes: Changes,
    stopped: Vec<(u32, u64)>,
    cpu_before_s: f64,
}

#[async_trait]
impl Guard for Pause {
    async fn evidence(&mut self) -> Evidence {
        let still = self.stopped.iter().filter(|(pid, _)| proc::state(*pid) == Some('T')).count();
        let cpu_s: f64 = self.stopped.iter().filter_map(|(pid, _)| proc::cpu_seconds(&pid.to_string())).sum();
        let spent = (cpu_s - self.cpu_before_s).max(0.0);
        let words = format!(
            "{still} of {} processes are stopped, as the kernel has it, and used {spent:.2} s of processor time meanwhile",
            self.stopped.len()
        );
        let figures = vec![("stopped_processes", still as f64), ("spent_seconds", spent)];
        Evidence { took_place: still == self.stopped.len(), words, figures }
    }

    async fn heal(mut self: Box<Self>) -> Result<(), String> {
        self.changes.heal()
    }
}
