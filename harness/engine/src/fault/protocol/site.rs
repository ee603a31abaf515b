//! Where an abuse takes place: the target's planes, the load's dataset, and datasets of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use serde_json::json;

use crate::client::{DataSpec, FlightClient, Planes};
use crate::load::Progress;
use crate::target::{Batch, CallError, Client as _, within};

/// How long it may take to drop all datasets.
const DROP_AT_MOST: Duration = Duration::from_secs(10);

/// How long a plain question may take.
const QUESTION_AT_MOST: Duration = Duration::from_secs(5);

/// Datasets dropped at once.
const DROPS_IN_FLIGHT: usize = 8;

/// How often datasets are asked for that may have come again, and how long after.
const ROUNDS_AT_MOST: usize = 3;
const BETWEEN_ROUNDS: Duration = Duration::from_millis(200);

/// How often silence is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// The target, as an abuse sees it.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) at: Planes,
    pub(super) spec: DataSpec,
    /// Of each call.
    pub(super) deadline: Duration,
}

impl Site {
    /// The name of a dataset that no load uses.
    pub(super) fn name(what: &str) -> String {
        format!("soak-fault-{what}")
    }

    /// A client of the load's dataset.
    pub(super) fn client(&self) -> FlightClient {
        FlightClient::new(self.at, self.spec.clone(), self.deadline)
    }

    /// A client of another dataset, of the shape of the load's.
    pub(super) fn own(&self, what: &str) -> FlightClient {
        self.own_of(what, self.spec.dim)
    }

    /// The same with vectors of another dimension.
    pub(super) fn own_of(&self, what: &str, dim: u32) -> FlightClient {
        let spec = DataSpec { dataset: Self::name(what), dim, ..self.spec.clone() };
        FlightClient::new(self.at, spec, self.deadline)
    }

    /// Whether the target answers at all, with whatever.
    pub(super) async fn answers(&self) -> bool {
        let client = self.own("question");
        let answer = within(self.deadline.min(QUESTION_AT_MOST), client.is_indexed()).await;
        matches!(answer, Ok(_) | Err(CallError::Refused(_)))
    }

    /// Drops datasets; one that is not there is as good as dropped. The error says what is left.
    pub(super) async fn drop_datasets(&self, datasets: &[String]) -> Result<(), String> {
        let mut left: BTreeSet<String> = datasets.iter().cloned().collect();
        let mut why = format!("no answer within {} s", DROP_AT_MOST.as_secs());
        let rounds = async {
            // A put that was under way when it was broken off may make its dataset again.
            for _ in 0..ROUNDS_AT_MOST {
                if self.drop_round(datasets, &mut left, &mut why).await == 0 {
                    break;
                }
                tokio::time::sleep(BETWEEN_ROUNDS).await;
            }
        };
        // What it did not come to is in `left`.
        let _ = tokio::time::timeout(DROP_AT_MOST, rounds).await;
        match left.first() {
            None => Ok(()),
            Some(first) => Err(format!(
                "{} datasets of the fault could not be dropped, {first:?} among them: {why}; where the target still lives, drop them with its action `delete-dataset`",
                left.len()
            )),
        }
    }

    /// Asks for each to be dropped; how many were there. Those that are gone are taken from `left`.
    async fn drop_round(&self, datasets: &[String], left: &mut BTreeSet<String>, why: &mut String) -> usize {
        let client = self.client();
        let drops = stream::iter(datasets.to_vec()).map(|dataset| {
            let body = json!({ "dataset": dataset }).to_string();
            let call = within(self.deadline, client.act("delete-dataset", body.into()));
            async move { (dataset, call.await) }
        });
        let mut drops = std::pin::pin!(drops.buffer_unordered(DROPS_IN_FLIGHT));
        let mut dropped = 0;
        while let Some((dataset, answer)) = drops.next().await {
            match answer {
                Err(error) if !error.is_not_found() => {
                    *why = error.to_string();
                    continue;
                }
                Err(_) => {}
                Ok(_) => dropped += 1,
            }
            left.remove(&dataset);
        }
        dropped
    }
}

/// Rows 0 to `rows`, in batches of `size`.
pub(super) fn batches(rows: u32, size: u32) -> impl Iterator<Item = Batch> + Send {
    (0..rows).step_by(size as usize).map(move |first| Batch {
        first: u64::from(first),
        rows: size.min(rows - first),
        version: 0,
    })
}

/// Puts batches through a stream of their own, and waits for its good end. A target that neither takes nor answers anything for `silence_at_most` is given up.
pub(super) async fn put(
    client: &FlightClient,
    batches: impl IntoIterator<Item = Batch, IntoIter: Send>,
    progress: &Progress,
    silence_at_most: Duration,
) -> Result<(), CallError> {
    let stream = put_all(client, batches.into_iter(), progress);
    progress.ask(true);
    let silence = async {
        while progress.silence() < silence_at_most {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        ended = stream => ended,
        () = silence => Err(CallError::TimedOut(silence_at_most)),
    }
}

async fn put_all(
    client: &FlightClient,
    batches: impl Iterator<Item = Batch> + Send,
    progress: &Progress,
) -> Result<(), CallError> {
    let (mut sender, mut acks) = client.open_put(progress.clone()).await?;
    for batch in batches {
        if let Err(closed) = sender.send(batch).await {
            // Why it was closed is in the answers.
            return Err(acks.next().await.err().unwrap_or(closed));
        }
    }
    sender.finish();
    while acks.next().await?.is_some() {
        progress.touch();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::call_error;
    use tonic::Status;

    #[test]
    fn batches_hold_every_row_once() {
        for rows in [0, 1, 1024, 2500] {
            let ids: Vec<u64> = batches(rows, 1024).flat_map(|batch| batch.ids()).collect();
            assert_eq!(ids, (0..u64::from(rows)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_not_there_is_told_from_other_refusals() {
        for status in [Status::not_found("x"), Status::unknown("Dataset Not Found: x"), Status::internal("x not found")]
        {
            assert!(call_error(&status).is_not_found(), "{status}");
        }
        for status in [Status::invalid_argument("k of 100000"), Status::resource_exhausted("x"), Status::unknown("x")] {
            assert!(!call_error(&status).is_not_found(), "{status}");
        }
        let broken = CallError::broken("connection reset, entity not found");
        assert!(!broken.is_not_found() && !CallError::TimedOut(LOOK).is_not_found());
    }
}
