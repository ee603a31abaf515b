//! A put stream over HTTP: one request for each batch, or, of a store of things, one for each row.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, StreamExt as _};
use tokio::sync::mpsc;

use super::IN_FLIGHT;
use super::ask::Ask;
use super::inner::Inner;
use crate::load::Progress;
use crate::target::{Ack, Batch, CallError, PutAcks, PutSender, RefusedRows};

/// Sends batches.
pub(super) struct Sender {
    client: Arc<Inner>,
    progress: Progress,
    tell: Option<mpsc::Sender<Result<Ack, CallError>>>,
}

impl Sender {
    pub(super) fn new(client: Arc<Inner>, progress: Progress, tell: mpsc::Sender<Result<Ack, CallError>>) -> Self {
        Self { client, progress, tell: Some(tell) }
    }

    async fn put(&self, batch: Batch) -> Result<Ack, CallError> {
        let asks = &self.client.asks;
        let ask = if batch.version > 0 { &asks.rewrite } else { &asks.create };
        let lacks = || CallError::refused("the profile has no request that writes rows");
        let ask = ask.as_ref().ok_or_else(lacks)?;
        if ask.is_batch { self.client.put(ask, batch, &self.progress).await } else { self.each(ask, batch).await }
    }

    /// The rows of a batch one by one, a few at once.
    async fn each(&self, ask: &Ask, batch: Batch) -> Result<Ack, CallError> {
        let (client, progress) = (&self.client, &self.progress);
        let rows = stream::iter(batch.ids()).map(|id| async move {
            let answer = client.make(ask, id, id + batch.version).await;
            progress.take(client.filler.vectors.dim() * 4);
            (id, answer)
        });
        let mut answers = rows.buffer_unordered(IN_FLIGHT);
        let (mut made, mut slow_down, mut refused, mut failed) = (0_u32, false, Vec::new(), None);
        while let Some((id, answer)) = answers.next().await {
            match answer {
                Ok(patience) => {
                    made += 1;
                    slow_down |= patience;
                }
                Err(CallError::Refused(why)) => refused.push((id, why.words)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        drop(answers);
        refused.sort();
        match (failed, refused.first()) {
            // Of a row without an answer nobody knows; so it is of the batch.
            (Some(error), _) => Err(error),
            (None, None) => Ok(Ack { slow_down, refused: None }),
            (None, Some((_, why))) if made == 0 => Err(CallError::refused(why.clone())),
            (None, Some((_, why))) => {
                let why = format!("{} of {} rows of a batch were refused: {why}", refused.len(), batch.rows);
                let ids = refused.into_iter().map(|(id, _)| id).collect();
                Ok(Ack { slow_down, refused: Some(RefusedRows { ids, why }) })
            }
        }
    }
}

#[async_trait]
impl PutSender for Sender {
    async fn send(&mut self, batch: Batch) -> Result<(), CallError> {
        let told = self.put(batch).await;
        let closed = || CallError::broken("nobody takes the answers of this stream any more");
        self.tell.as_ref().ok_or_else(closed)?.send(told).await.map_err(|_| closed())
    }

    fn finish(&mut self) {
        self.tell = None;
    }
}

/// The answers, one for each batch.
pub(super) struct Acks(mpsc::Receiver<Result<Ack, CallError>>);

impl Acks {
    pub(super) fn new(told: mpsc::Receiver<Result<Ack, CallError>>) -> Self {
        Self(told)
    }
}

#[async_trait]
impl PutAcks for Acks {
    async fn next(&mut self) -> Result<Option<Ack>, CallError> {
        self.0.recv().await.transpose()
    }
}
