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
        let pid = self.pid.map_or_else(String::new, |pid| format!(", process {pid},"));
        let words = format!("the target{pid} {}: {}", in_words(self.by, &self.how), self.how);
        let took_place = gone && ended_as_wanted(self.by, &self.how);
        Evidence { took_place, words, figures: vec![("ended_processes", f64::from(u8::from(gone)))] }
    }

    async fn heal(self: Box<Self>) -> Result<(), String> {
        self.levers.begin_again().await
    }
}

/// Docker says 137 of a SIGKILL.
fn was_killed(how: &str) -> bool {
    how == "signal 9" || how == "exit 137"
}

/// One that was asked to end and had to be killed has not ended in good order.
fn ended_as_wanted(by: EndBy, how: &str) -> bool {
    was_killed(how) == (by == EndBy::Kill)
}

fn in_words(by: EndBy, how: &str) -> &'static str {
    match by {
        EndBy::Kill => "was killed and ended",
        EndBy::Asking if was_killed(how) => "was asked to end, did not, and had to be killed",
        EndBy::Asking => "was asked to end and ended",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_in_good_order_is_no_kill() {
        for how in ["exit 0", "exit 143", "signal 15"] {
            assert!(ended_as_wanted(EndBy::Asking, how) && !ended_as_wanted(EndBy::Kill, how), "{how}");
        }
        for how in ["signal 9", "exit 137"] {
            assert!(!ended_as_wanted(EndBy::Asking, how) && ended_as_wanted(EndBy::Kill, how), "{how}");
            assert!(in_words(EndBy::Asking, how).ends_with("had to be killed"));
        }
    }
}
