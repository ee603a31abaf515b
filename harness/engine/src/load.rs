//! Load: batches, operations and deletes, in an open model, through whatever client there is.

mod delete;
mod ingest;
mod latency;
mod operation_log;
mod progress;
mod query;
mod stages;

use std::sync::{Mutex, MutexGuard, PoisonError};

use soak_workload::{Ledger, RowState};

use crate::target::Batch;

use stages::Stages;

pub(crate) use delete::delete;
pub use ingest::{Fate, IngestJob, Ingested, ingest};
pub use latency::Latencies;
pub use operation_log::{InFlight, OnFirst, OpenStream, OperationLog, Waiting};
pub use progress::Progress;
pub use query::{Around, QueryJob, query};

/// The ledger of the cycle under way, and what the harness's own samples tell of it.
#[derive(Debug)]
pub struct Books {
    ledger: Mutex<Ledger>,
    acked_total: std::sync::atomic::AtomicU64,
    in_flight: std::sync::atomic::AtomicU64,
    /// Figures around faults.
    pub(crate) stages: Stages,
    /// Errors and waits of every kind of operation.
    pub(crate) log: std::sync::Arc<OperationLog>,
    /// Whether the load is to end now, because the target is unresponsive.
    given_up: tokio::sync::watch::Sender<bool>,
}

impl Default for Books {
    fn default() -> Self {
        Self {
            ledger: Mutex::new(Ledger::new(0, 0)),
            acked_total: 0.into(),
            in_flight: 0.into(),
            stages: Stages::default(),
            log: std::sync::Arc::default(),
            given_up: tokio::sync::watch::Sender::new(false),
        }
    }
}

impl Books {
    /// Books that tell of the first error of each kind of operation and reason.
    pub(crate) fn telling(on_first: OnFirst) -> Self {
        Self { log: std::sync::Arc::new(OperationLog::telling(on_first)), ..Self::default() }
    }

    /// The load ends now: nobody waits for the target any longer.
    pub(crate) fn give_up(&self) {
        self.given_up.send_replace(true);
    }

    /// Waits until the load is to end.
    pub(crate) async fn given_up(&self) {
        let mut given_up = self.given_up.subscribe();
        // The sender lives as long as the books: this ends only by giving up.
        let _ = given_up.wait_for(|over| *over).await;
    }

    /// Whether the load is to end.
    pub(crate) fn is_given_up(&self) -> bool {
        *self.given_up.borrow()
    }

    /// The ledger.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes down what became of a batch.
    pub(crate) fn book(&self, batch: Batch, fate: Fate) {
        let second = batch.version > 0;
        let state = match fate {
            Fate::Acknowledged if second => RowState::Replaced,
            Fate::Acknowledged => RowState::Live,
            // A refused second version leaves the first where it is, and one without an answer one of the two.
            Fate::Refused if second => return,
            Fate::Indeterminate if second => RowState::PerhapsReplaced,
            Fate::Indeterminate => RowState::Indeterminate,
            Fate::Refused => RowState::Absent,
        };
        self.ledger().set_all(batch.ids(), state);
        if fate == Fate::Acknowledged {
            self.add_acked(u64::from(batch.rows));
        }
    }

    pub(crate) fn add_acked(&self, rows: u64) {
        self.acked_total.fetch_add(rows, std::sync::atomic::Ordering::Relaxed);
    }

    /// Rows acknowledged since the variant began.
    pub(crate) fn acked_total(&self) -> u64 {
        self.acked_total.load(std::sync::atomic::Ordering::Relaxed)
    }

    pub(crate) fn enter(&self) {
        self.in_flight.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.in_flight.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }

    /// Operations of query and delete phases that wait for their answer.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(std::sync::atomic::Ordering::Relaxed)
    }
}
