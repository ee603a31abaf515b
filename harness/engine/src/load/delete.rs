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

/// Deletes these rows, at most `in_flight` at once.
pub(crate) async fn delete(
    client: &Arc<dyn Client>,
    ids: Vec<u64>,
    in_flight: u32,
    deadline: Duration,
    books: &Books,
) -> Deleted {
    let mut latencies = Latencies::default();
    let (mut rows, mut failed, mut last_error) = (0, 0, None);
    let calls = stream::iter(ids).map(|id| async move {
        let started = Instant::now();
        books.enter();
        let answer = within(deadline, client.delete(id)).await;
        books.leave();
        (id, started, Instant::now(), answer)
    });
    let mut calls = calls.buffer_unordered(in_flight.max(1) as usize);
    loop {
        let next = tokio::select! {
            next = calls.next() => next,
            () = books.given_up() => None,
        };
        let Some((id, started, ended, answer)) = next else { break };
        match answer {
            Ok(()) => {
                rows += 1;
                latencies.record(started, started, ended);
                books.ledger().set(id, RowState::Deleted);
            }
            Err(error) => {
                failed += 1;
                latencies.error();
                if !matches!(error, CallError::Refused(_)) {
                    books.ledger().set(id, RowState::PerhapsDeleted);
                }
                last_error = Some(error.to_string());
            }
        }
    }
    Deleted { rows, failed, latency: latencies.summary(), last_error }
}
