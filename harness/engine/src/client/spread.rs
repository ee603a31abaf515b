//! One load over several replicas: each batch goes to one of them, searches go to all, and what is dead is passed over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::mpsc;

use super::FlightClient;
use crate::load::Progress;
use crate::target::{Ack, Batch, CallError, Client, PutAcks, PutSender};

/// A replica, as the load sees it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) client: Arc<FlightClient>,
    /// Whether it is known to have ended.
    pub(crate) dead: Arc<AtomicBool>,
    /// Whether it was put anything since the dataset was dropped: without, it does not know the dataset.
    pub(crate) has_data: Arc<AtomicBool>,
}

impl Member {
    fn lives(&self) -> bool {
        !self.dead.load(Ordering::Relaxed)
    }
}

/// The client of all replicas.
#[derive(Debug)]
pub(crate) struct SpreadClient {
    members: Vec<Member>,
    /// Rows of a cycle, and of a batch: they tell which replica a row is on.
    rows_per_cycle: u64,
    batch_rows: u64,
}

impl SpreadClient {
    /// A client over these replicas.
    pub(crate) fn new(members: Vec<Member>, rows_per_cycle: u64, batch_rows: u32) -> Self {
        Self { members, rows_per_cycle: rows_per_cycle.max(1), batch_rows: u64::from(batch_rows.max(1)) }
    }

    /// The replica that a row is put to: batches take turns.
    fn home(&self, id: u64) -> usize {
        let batch = id % self.rows_per_cycle / self.batch_rows;
        (batch % self.members.len() as u64) as usize
    }

    /// The living that hold a part of the dataset. With few batches not every replica does.
    fn holding(&self) -> Result<Vec<&Member>, CallError> {
        if !self.members.iter().any(Member::lives) {
            return Err(CallError::broken("every replica has ended"));
        }
        let holds = |member: &&Member| member.lives() && member.has_data.load(Ordering::Relaxed);
        Ok(self.members.iter().filter(holds).collect())
    }
}

#[async_trait]
impl Client for SpreadClient {
    async fn open_put(&self, progress: Progress) -> Result<(Box<dyn PutSender>, Box<dyn PutAcks>), CallError> {
        let mut senders = Vec::new();
        let mut acks = Vec::new();
        for member in &self.members {
            if !member.lives() {
                senders.push(None);
                acks.push(Answers::None);
                continue;
            }
            // One that just died is found out about when it is sent to.
            let opened = member.client.open_put(progress.clone()).await.ok();
            let (sender, answers) =
                opened.map_or((None, Answers::None), |(sender, answers)| (Some(sender), Answers::Open(answers)));
            senders.push(sender);
            acks.push(answers);
        }
        if senders.iter().all(Option::is_none) {
            return Err(CallError::broken("no replica takes a stream"));
        }
        let (tell, told) = mpsc::unbounded_channel();
        let (rows_per_cycle, batch_rows) = (self.rows_per_cycle, self.batch_rows);
        let has_data = self.members.iter().map(|member| Arc::clone(&member.has_data)).collect();
        let sender = SpreadSender { senders, has_data, order: Some(tell), rows_per_cycle, batch_rows };
        Ok((Box::new(sender), Box::new(SpreadAcks { acks, order: told })))
    }

    async fn search(&self, row: u64, k: u32) -> Result<Vec<u64>, CallError> {
        let holding = self.holding()?;
        let answers = join_all(holding.iter().map(|member| member.client.search_scored(row, k))).await;
        let lists: Vec<Vec<(u64, f32)>> = answers.into_iter().collect::<Result<_, _>>()?;
        Ok(merge(lists, k as usize))
    }

    async fn upsert(&self, id: u64) -> Result<(), CallError> {
        self.members[self.home(id)].client.upsert(id).await
    }

    async fn delete(&self, id: u64) -> Result<(), CallError> {
        self.members[self.home(id)].client.delete(id).await
    }

    async fn is_indexed(&self) -> Result<bool, CallError> {
        for member in self.holding()? {
            match member.client.is_indexed().await {
                Ok(true) => {}
                other => return other,
            }
        }
        Ok(true)
    }

    async fn ids(&self) -> Result<Vec<u64>, CallError> {
        let holding = self.holding()?;
        let lists = join_all(holding.iter().map(|member| member.client.ids())).await;
        Ok(lists.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    async fn drop_dataset(&self) -> Result<(), CallError> {
        for member in self.holding()? {
            member.client.drop_dataset().await?;
            member.has_data.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    fn disconnect(&self) {
        self.members.iter().for_each(|member| member.client.disconnect());
    }
}

/// The best `k` of several lists, each best first. Whether a good score is low or high is seen from the lists themselves.
fn merge(lists: Vec<Vec<(u64, f32)>>, k: usize) -> Vec<u64> {
    let falls = |list: &Vec<(u64, f32)>| list.first().zip(list.last()).is_some_and(|(first, last)| first.1 > last.1);
    let high_is_good = lists.iter().any(falls);
    let mut all: Vec<(u64, f32)> = lists.into_iter().flatten().collect();
    all.sort_by(|a, b| if high_is_good { b.1.total_cmp(&a.1) } else { a.1.total_cmp(&b.1) });
    all.into_iter().take(k).map(|(id, _)| id).collect()
}

/// The sending halves of all replicas.
struct SpreadSender {
    senders: Vec<Option<Box<dyn PutSender>>>,
    /// As in [`Member`].
    has_data: Vec<Arc<AtomicBool>>,
    /// Tells the receiving half whose answer comes next. As many as there are batches under way, which the load bounds.
    order: Option<mpsc::UnboundedSender<usize>>,
    rows_per_cycle: u64,
    batch_rows: u64,
}

#[async_trait]
impl PutSender for SpreadSender {
    async fn send(&mut self, batch: Batch) -> Result<(), CallError> {
        let count = self.senders.len();
        let home = (batch.first % self.rows_per_cycle / self.batch_rows % count as u64) as usize;
        // What a dead replica cannot take, the others do: that is how one death brings on the next.
        for member in (0..count).map(|step| (home + step) % count) {
            let Some(sender) = &mut self.senders[member] else { continue };
            // Also what is sent in part may bring the dataset into being.
            self.has_data[member].store(true, Ordering::Relaxed);
            match sender.send(batch).await {
                Ok(()) => {
                    if let Some(order) = &self.order {
                        // Nobody waits for answers any more: then none is wanted.
                        let _ = order.send(member);
                    }
                    return Ok(());
                }
                Err(_) => self.senders[member] = None,
            }
        }
        Err(CallError::broken("no replica takes a batch"))
    }

    fn finish(&mut self) {
        self.senders.iter_mut().flatten().for_each(|sender| sender.finish());
        self.order = None;
    }
}

/// The receiving halves of all replicas.
struct SpreadAcks {
    acks: Vec<Answers>,
    order: mpsc::UnboundedReceiver<usize>,
}

/// What comes back from one replica.
enum Answers {
    /// It answers batch by batch, or will end its stream.
    Open(Box<dyn PutAcks>),
    /// It has ended its stream well: all that it was sent is acknowledged.
    EndedWell,
    /// It took no stream.
    None,
}

#[async_trait]
impl PutAcks for SpreadAcks {
    async fn next(&mut self) -> Result<Option<Ack>, CallError> {
        while let Some(member) = self.order.recv().await {
            match &mut self.acks[member] {
                Answers::Open(acks) => match acks.next().await? {
                    Some(ack) => return Ok(Some(ack)),
                    None => self.acks[member] = Answers::EndedWell,
                },
                Answers::EndedWell => {}
                Answers::None => return Err(CallError::broken("the replica of this batch has ended")),
            }
        }
        // Nothing more is sent: the end of all streams acknowledges what was not answered batch by batch.
        for answers in &mut self.acks {
            if let Answers::Open(acks) = answers {
                while acks.next().await?.is_some() {}
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_merged_by_their_own_order() {
        let low = vec![vec![(1, 0.1), (2, 0.4)], vec![(3, 0.2), (4, 0.3)]];
        assert_eq!(merge(low, 3), [1, 3, 4]);
        let high = vec![vec![(1, 0.9), (2, 0.4)], vec![(3, 0.7)]];
        assert_eq!(merge(high, 3), [1, 3, 2]);
        assert!(merge(vec![Vec::new(), Vec::new()], 3).is_empty());
    }
}
