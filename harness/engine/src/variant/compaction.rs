//! Compaction: asked for where the target can be asked, else waited for where it compacts by itself.

use std::time::Duration;

use soak_record::EventKind;
use soak_scenario::units::Interval;
use tokio::time::{Instant, sleep};

use super::{ASK_EVERY, DEATH_WITHIN, Performer, StepError};
use crate::target::{CallError, within};

/// A compaction by itself begins within so many of its intervals.
const INTERVALS: u32 = 2;

/// A smoke run shows that everything is connected; it does not wait for an interval.
const SMOKE_WAIT_MOST: Duration = Duration::from_secs(5);

impl Performer<'_> {
    /// A compaction that fails is a finding, not the end of the run.
    pub(super) async fn compact(&mut self, cycle: u32) -> Result<(), StepError> {
        let began = Instant::now();
        let error = if self.plan.target.profile.endpoints.compacts() {
            let done = within(self.plan.deadlines.index.0, self.target.control().compact()).await;
            if let Err(CallError::Broken(_)) = &done {
                // If it died of it, that is found out meanwhile.
                sleep(DEATH_WITHIN).await;
            }
            done.err().map(|error| error.to_string())
        } else if let Some(interval) = self.own_interval() {
            let waited = self.wait_for_its_own(interval).await;
            // What did not come once is not waited for again: every further cycle would only take longer.
            self.never_compacts = waited.is_some();
            waited
        } else {
            return Ok(());
        };
        let seconds = began.elapsed().as_secs_f64();
        self.journal.event(EventKind::Compacted { cycle, seconds, error });
        Ok(())
    }

    /// The interval at which the target compacts by itself. `None` if none is set, if it compacts nothing that could be seen, or if it has compacted nothing so far.
    fn own_interval(&self) -> Option<Duration> {
        let compacts = self.plan.not_applicable("compaction_time").is_none();
        match self.variant.knobs.compaction_interval {
            Interval::Every(interval) if compacts && !self.never_compacts => Some(interval.0),
            _ => None,
        }
    }

    /// Compactions that the target has counted so far, where it counts them.
    pub(super) fn compactions(&self) -> Option<f64> {
        self.samplers.latest.read("compactions_total")
    }

    /// Waits until one more is counted than when the deletes began: its interval may end before the step that waits for it. Why not, where none was.
    async fn wait_for_its_own(&self, interval: Duration) -> Option<String> {
        let Some(before) = self.compactions_before else {
            return Some("the server cannot be asked to compact, and does not count its compactions".to_owned());
        };
        let most = (interval * INTERVALS).min(self.plan.deadlines.index.0);
        let most = if self.plan.is_smoke { most.min(SMOKE_WAIT_MOST) } else { most };
        let began = Instant::now();
        while began.elapsed() < most {
            if self.compactions().is_some_and(|count| count > before) {
                return None;
            }
            sleep(ASK_EVERY).await;
        }
        let seconds = most.as_secs_f64();
        Some(format!(
            "the server cannot be asked to compact, and counted no compaction of its own within {seconds:.0} s; later cycles do not wait for one"
        ))
    }
}
