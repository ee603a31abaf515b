//! The delete phase: many single deletes, several in flight.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use soak_record::LatencySummary;
use soak_workload::RowState;
use tokio::time::Instant;

use crate::load::{Books, Latencies};
use crate::target::{CallError, Client, within};

/// The account of a delete phase.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deleted {
    pub(crate) rows: u64,
    pub(crate) failed: u64,
    pub(crate) latency: LatencySummary,
    /// Why the last of those failed, for people.
    pub(crate) last_error: Option<String>,
}

/// Deletes these rows, `at_once` with one request, at most `in_flight` requests at once.
pub(crate) async fn delete(
    client: &Arc<dyn Client>,
    ids: Vec<u64>,
    (in_flight, at_once): (u32, usize),
    deadline: Duration,
    books: &Books,
) -> Deleted {
    let mut latencies = Latencies::default();
    let (mut rows, mut failed, mut last_error) = (0, 0, None);
    let groups: Vec<Vec<u64>> = ids.chunks(at_once.max(1)).map(<[u64]>::to_vec).collect();
    let calls = stream::iter(groups).map(|ids| async move {
        let started = Instant::now();
        books.enter();
        let answer = match ids.as_slice() {
            [id] => within(deadline, client.delete(*id)).await,
            ids => within(deadline, client.delete_many(ids)).await,
        };
        books.leave();
        (ids, started, Instant::now(), answer)
    });
    let mut calls = calls.buffer_unordered(in_flight.max(1) as usize);
    loop {
        let next = tokio::select! {
            next = calls.next() => next,
            () = books.given_up() => None,
        };
        let Some((ids, started, ended, answer)) = next else { break };
        match answer {
            Ok(()) => {
                rows += ids.len() as u64;
                latencies.record(started, started, ended);
                let mut ledger = books.ledger();
                for id in &ids {
                    ledger.set(*id, RowState::Deleted);
                }
            }
            Err(error) => {
                failed += ids.len() as u64;
                latencies.error();
                // Of many, some may be gone whatever the answer says.
                if ids.len() > 1 || !matches!(error, CallError::Refused(_)) {
                    let mut ledger = books.ledger();
                    for id in &ids {
                        ledger.set(*id, RowState::PerhapsDeleted);
                    }
                }
                last_error = Some(error.to_string());
            }
        }
    }
    Deleted { rows, failed, latency: latencies.summary(), last_error }
}
