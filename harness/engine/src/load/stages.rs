//! Figures of the load around faults: what ended before, during and after each, several at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use soak_record::LatencySummary;
use tokio::time::Instant;

use crate::load::Latencies;

/// The stages that are under way, by number.
#[derive(Debug, Default)]
pub(crate) struct Stages(Mutex<(u64, BTreeMap<u64, Stage>)>);

#[derive(Debug)]
struct Stage {
    began: Instant,
    latencies: Latencies,
    /// Whether its fault has yet to begin.
    waits: bool,
}

impl Stages {
    /// Begins a stage; `waits` where its fault has yet to begin.
    pub(crate) fn begin(&self, waits: bool) -> u64 {
        let (next, stages) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *next += 1;
        stages.insert(*next, Stage { began: Instant::now(), latencies: Latencies::default(), waits });
        *next
    }

    /// Ends it: how long it was, and what ended in it.
    pub(crate) fn end(&self, number: u64) -> (f64, LatencySummary) {
        let stage = self.0.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&number);
        stage.map_or_else(Default::default, |stage| (stage.began.elapsed().as_secs_f64(), stage.latencies.summary()))
    }

    /// A fault is over: those that have yet to begin are compared with what comes from now on.
    pub(crate) fn restart_waiting(&self) {
        let (_, stages) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for stage in stages.values_mut().filter(|stage| stage.waits) {
            (stage.began, stage.latencies) = (Instant::now(), Latencies::default());
        }
    }

    /// Notes an operation's figures in every stage.
    pub(crate) fn note(&self, change: impl Fn(&mut Latencies)) {
        let (_, stages) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for stage in stages.values_mut() {
            change(&mut stage.latencies);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stages_overlap_and_those_that_wait_begin_anew() {
        let stages = Stages::default();
        let (on, waiting) = (stages.begin(false), stages.begin(true));
        stages.note(Latencies::error);
        tokio::time::sleep(Duration::from_secs(2)).await;
        stages.restart_waiting();
        tokio::time::sleep(Duration::from_secs(1)).await;
        stages.note(Latencies::error);
        let ((long, both), (short, one)) = (stages.end(on), stages.end(waiting));
        assert_eq!((long, both.errors, short, one.errors), (3.0, 2, 1.0, 1));
        assert_eq!(stages.end(on).1, LatencySummary::default(), "it has ended");
    }
}
