//! The queue of an ingest: which batch is next, and when it is due. Shared by all streams.

use std::time::Duration;

use soak_workload::Starts;
use tokio::time::Instant;

use crate::target::Batch;

/// A batch and the moment at which it is due; `None`: as soon as a stream is free.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) batch: Batch,
    pub(super) at: Option<Instant>,
}

/// The queue.
pub(super) struct Feed {
    batches: Box<dyn Iterator<Item = Batch> + Send>,
    starts: Option<Starts>,
    began: Instant,
    length: Option<Duration>,
    taken: u64,
    over: bool,
}

impl Feed {
    pub(super) fn new(
        batches: Box<dyn Iterator<Item = Batch> + Send>,
        starts: Option<Starts>,
        length: Option<Duration>,
    ) -> Self {
        Self { batches, starts, began: Instant::now(), length, taken: 0, over: false }
    }

    /// How many batches a schedule called for that were never started.
    pub(super) fn never_started(&self) -> u64 {
        self.starts.as_ref().map_or(0, |starts| starts.total().saturating_sub(self.taken))
    }
}

impl Iterator for Feed {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        if self.over || self.length.is_some_and(|length| self.began.elapsed() >= length) {
            return None;
        }
        let at = match &mut self.starts {
            Some(starts) => starts.next().map(|start| Some(self.began + start)),
            None => Some(None),
        };
        let due = at.and_then(|at| Some(Due { batch: self.batches.next()?, at }));
        self.over = due.is_none();
        self.taken += u64::from(due.is_some());
        due
    }
}
