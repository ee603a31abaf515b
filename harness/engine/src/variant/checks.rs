//! What the target holds against what it acknowledged, and what it finds against what is nearest.

use soak_record::EventKind;
use soak_workload::{QUERY_ROWS, Reconciled, Vectors, oracle};

use super::{Performer, StepError};
use crate::target::{CallError, within};

/// Searches compared with exact neighbours, in the warm-up.
const RECALL_SEARCHES: u64 = 16;

/// Query rows of the recall check lie here, apart from those of the load.
const RECALL_ROWS: u64 = QUERY_ROWS + (1 << 39);

impl Performer<'_> {
    /// Holds what the target has, row by row, against what it acknowledged, and sets the ledger right.
    pub(super) async fn check_rows(&self, cycle: u32) -> Result<(), StepError> {
        // What came back after a restart may still be on its way into the index.
        let indexed = self.index(cycle).await;
        let rows = within(self.plan.deadlines.index.0, self.target.client().ids()).await;
        let (held, error) = match (indexed, rows) {
            (Ok(()), Ok(ids)) => (self.books.ledger().reconcile(ids), None),
            (Err(StepError::Failed(why)), _) => (Reconciled::default(), Some(why)),
            (Err(other), _) => return Err(other),
            (_, Err(error)) => self.counted(error).await,
        };
        let Reconciled { expected, lost, doubled, resurrected, indeterminate } = held;
        self.journal.event(EventKind::Integrity { cycle, expected, lost, doubled, resurrected, indeterminate, error });
        self.check_recall(cycle).await;
        Ok(())
    }

    /// The number of rows against what was acknowledged, where their ids cannot be read: what is lost and what came back may hide each other.
    async fn counted(&self, unreadable: CallError) -> (Reconciled, Option<String>) {
        let counted = within(self.plan.deadlines.index.0, self.target.client().count()).await;
        let Ok(rows) = counted else {
            return (Reconciled::default(), Some(format!("its rows could not be read: {unreadable}")));
        };
        let (expected, most) = {
            let ledger = self.books.ledger();
            (ledger.live(), ledger.perhaps_there().len() as u64)
        };
        let (lost, resurrected) = (expected.saturating_sub(rows), rows.saturating_sub(most));
        (Reconciled { expected, lost, doubled: 0, resurrected, indeterminate: most - expected }, None)
    }

    /// Compares some searches with exact neighbours, recomputed from the seed.
    pub(super) async fn check_recall(&self, cycle: u32) {
        let k = self.plan.workload.query.k;
        let client = self.target.client();
        if !client.finds_neighbours() {
            return;
        }
        let rows: Vec<u64> =
            (0..RECALL_SEARCHES).map(|n| RECALL_ROWS + u64::from(cycle) * RECALL_SEARCHES + n).collect();
        let mut found = Vec::new();
        for row in &rows {
            // A search that fails finds nothing; what that means for the target, the latencies of the load tell.
            found.push(within(self.call(), client.search(*row, k)).await.unwrap_or_default());
        }
        let (workload, knobs) = (&self.plan.workload, &self.variant.knobs);
        let vectors = Vectors::new(workload.distribution, knobs.dim, self.variant.seed, crate::VECTOR_STREAM);
        let ledger = self.books.ledger().clone();
        let exact = move || oracle::exact_neighbours(vectors, &ledger, &rows, k as usize);
        let Ok(exact) = tokio::task::spawn_blocking(exact).await else { return };
        let recalls: Vec<f64> =
            exact.iter().zip(&found).filter_map(|(exact, found)| oracle::recall(exact, found)).collect();
        if !recalls.is_empty() {
            let recall = recalls.iter().sum::<f64>() / recalls.len() as f64;
            self.journal.event(EventKind::Recall { cycle, searches: recalls.len() as u32, recall });
        }
    }
}
