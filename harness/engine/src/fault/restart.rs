//! The target ended and started again on the same data: by SIGKILL, or in good order.

use std::sync::Arc;

use async_trait::async_trait;

use super::{EndBy, Evidence, Guard, Levers};

/// Ends the target.
pub(super) async fn inject(levers: &Arc<dyn Levers>, by: EndBy) -> Result<Box<dyn Guard>, String> {
    let pid = levers.main_pid();
    let how = levers.end(by).await?;
    Ok(Box::new(Restart { levers: Arc::clone(levers), by, pid, how }))
}

struct Restart {
    levers: Arc<dyn Levers>,
    by: EndBy,
    pid: Option<u32>,
    how: String,
}

#[async_trait]
impl Guard for Restart {
    async fn evidence(&mut self) -> Evidence {
        let gone = self.pid.is_none_or(|pid| !crate::sampler::proc::is_running(pid));
        // Docker says 137 of a SIGKILL.
        let by_kill = self.how == "signal 9" || self.how == "exit 137";
        let took_place = gone && (self.by == EndBy::Asking || by_kill);
        let asked = match self.by {
            EndBy::Kill => "killed",
            EndBy::Asking => "asked to end",
        };
        let pid = self.pid.map_or_else(String::new, |pid| format!(", process {pid},"));
        let words = format!("the target{pid} was {asked} and ended: {}", self.how);
        Evidence { took_place, words, figures: vec![("ended_processes", f64::from(u8::from(gone)))] }
    }

    async fn heal(self: Box<Self>) -> Result<(), String> {
        self.levers.begin_again().await
    }
}
