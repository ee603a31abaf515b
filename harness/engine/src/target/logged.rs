//! A target of which every call has a deadline and is in the operation log.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use soak_record::{EventKind, Operation, TaskGroup};
use soak_scenario::{Deadlines, Injection, Profile};

use super::{
    Ack, CallError, Client, Control, Ending, Families, Knob, LeakedTasks, Probe, PutAcks, PutSender, Reading, Target,
    Values, within,
};
use crate::fault::Guard;
use crate::load::{OpenStream, OperationLog, Progress};

/// How long calls may take, and where they are logged. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Calls {
    log: Arc<OperationLog>,
    /// An ordinary call.
    call: Duration,
    /// A call that works through all of the data: a compaction, a read of every row.
    whole: Duration,
    /// A put or a drop, which some servers answer once their index has caught up.
    indexed: Duration,
}

impl Calls {
    /// Calls with a plan's deadlines.
    pub fn new(log: &Arc<OperationLog>, deadlines: &Deadlines, profile: &Profile) -> Self {
        let (call, whole) = (deadlines.call.0, deadlines.index.0);
        let indexed = if profile.answers_when_indexed() { whole } else { call };
        Self { log: Arc::clone(log), call, whole, indexed }
    }

    /// Calls that all have the same deadline.
    pub fn within(log: &Arc<OperationLog>, deadline: Duration) -> Self {
        Self { log: Arc::clone(log), call: deadline, whole: deadline, indexed: deadline }
    }

    async fn make<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let (limit, deadline) = match operation {
            Operation::Compact | Operation::ReadRows => (self.whole, self.whole),
            // It may wait for an index, but then the target works.
            Operation::DropDataset => (self.call, self.indexed),
            _ => (self.call, self.call),
        };
        let flight = self.log.enter_within(operation, limit, deadline);
        let answer = within(deadline, call).await;
        flight.done(&answer);
        answer
    }
}

/// The target.
pub(crate) struct LoggedTarget {
    inner: Arc<dyn Target>,
    calls: Calls,
}

impl LoggedTarget {
    pub(crate) fn new(inner: Arc<dyn Target>, calls: Calls) -> Self {
        Self { inner, calls }
    }
}

#[async_trait]
impl Target for LoggedTarget {
    fn pid(&self) -> u32 {
        self.inner.pid()
    }

    fn build(&self) -> Option<String> {
        self.inner.build()
    }

    fn client(&self) -> Arc<dyn Client> {
        Arc::new(LoggedClient::new(self.inner.client(), self.calls.clone()))
    }

    fn addr(&self) -> Option<SocketAddr> {
        self.inner.addr()
    }

    fn control(&self) -> Arc<dyn Control> {
        Arc::new(LoggedControl { inner: self.inner.control(), calls: self.calls.clone() })
    }

    fn probe(&self) -> Arc<dyn Probe> {
        Arc::new(LoggedProbe { inner: self.inner.probe(), calls: self.calls.clone() })
    }

    async fn inject(&self, injection: &Injection) -> Result<Box<dyn Guard>, String> {
        self.inner.inject(injection).await
    }

    async fn condition(&self) -> Vec<Reading> {
        self.inner.condition().await
    }

    fn load_is_held(&self) -> bool {
        self.inner.load_is_held()
    }

    fn log(&self) -> Option<EventKind> {
        self.inner.log()
    }

    fn last_lines(&self) -> Vec<String> {
        self.inner.last_lines()
    }

    async fn keep_dumps(&self, phase: &str) {
        self.inner.keep_dumps(phase).await;
    }

    async fn ended(&self) -> Ending {
        self.inner.ended().await
    }

    async fn stop(&self) {
        self.inner.stop().await;
    }
}

/// The client of a target, logged.
pub struct LoggedClient {
    inner: Arc<dyn Client>,
    calls: Calls,
}

impl LoggedClient {
    /// A client whose calls are logged.
    pub fn new(inner: Arc<dyn Client>, calls: Calls) -> Self {
        Self { inner, calls }
    }
}

#[async_trait]
impl Client for LoggedClient {
    async fn open_put(&self, progress: Progress) -> Result<(Box<dyn PutSender>, Box<dyn PutAcks>), CallError> {
        let open = self.calls.log.open_stream(&progress, self.calls.call, self.calls.indexed);
        match self.inner.open_put(progress).await {
            Ok((sender, acks)) => {
                let log = Arc::clone(&self.calls.log);
                Ok((sender, Box::new(LoggedAcks { inner: acks, log, _open: open })))
            }
            Err(error) => {
                self.calls.log.failed(Operation::Put, &error);
                Err(error)
            }
        }
    }

    async fn search(&self, row: u64, k: u32) -> Result<Vec<u64>, CallError> {
        self.calls.make(Operation::Search, self.inner.search(row, k)).await
    }

    async fn upsert(&self, id: u64) -> Result<(), CallError> {
        self.calls.make(Operation::Upsert, self.inner.upsert(id)).await
    }

    async fn delete(&self, id: u64) -> Result<(), CallError> {
        self.calls.make(Operation::Delete, self.inner.delete(id)).await
    }

    async fn delete_many(&self, ids: &[u64]) -> Result<(), CallError> {
        self.calls.make(Operation::Delete, self.inner.delete_many(ids)).await
    }

    fn deletes_at_once(&self) -> usize {
        self.inner.deletes_at_once()
    }

    async fn is_indexed(&self) -> Result<bool, CallError> {
        self.calls.make(Operation::Readiness, self.inner.is_indexed()).await
    }

    fn finds_neighbours(&self) -> bool {
        self.inner.finds_neighbours()
    }

    async fn ids(&self) -> Result<Vec<u64>, CallError> {
        self.calls.make(Operation::ReadRows, self.inner.ids()).await
    }

    async fn count(&self) -> Result<u64, CallError> {
        self.calls.make(Operation::ReadRows, self.inner.count()).await
    }

    async fn dim_read_back(&self) -> Result<Option<u32>, CallError> {
        self.calls.make(Operation::ReadRows, self.inner.dim_read_back()).await
    }

    async fn drop_dataset(&self) -> Result<(), CallError> {
        self.calls.make(Operation::DropDataset, self.inner.drop_dataset()).await
    }

    fn disconnect(&self) {
        self.inner.disconnect();
    }
}

/// Answers to puts. The stream counts as open until they are over.
struct LoggedAcks {
    inner: Box<dyn PutAcks>,
    log: Arc<OperationLog>,
    _open: OpenStream,
}

#[async_trait]
impl PutAcks for LoggedAcks {
    async fn next(&mut self) -> Result<Option<Ack>, CallError> {
        let answer = self.inner.next().await;
        match &answer {
            Ok(_) => self.log.answered_well(Operation::Put),
            Err(error) => self.log.failed(Operation::Put, error),
        }
        answer
    }
}

struct LoggedControl {
    inner: Arc<dyn Control>,
    calls: Calls,
}

#[async_trait]
impl Control for LoggedControl {
    async fn ready(&self) -> Result<(), CallError> {
        // Asked before a target is up, and again and again: its errors are no errors of the target's.
        within(self.calls.call, self.inner.ready()).await
    }

    async fn collect(&self) -> Result<(), CallError> {
        self.calls.make(Operation::Collect, self.inner.collect()).await
    }

    async fn compact(&self) -> Result<(), CallError> {
        self.calls.make(Operation::Compact, self.inner.compact()).await
    }

    async fn vacuum(&self) -> Result<(), CallError> {
        self.calls.make(Operation::Collect, self.inner.vacuum()).await
    }

    async fn clear_cache(&self) -> Result<(), CallError> {
        self.calls.make(Operation::Collect, self.inner.clear_cache()).await
    }

    async fn tasks(&self) -> Result<Option<Vec<TaskGroup>>, CallError> {
        self.calls.make(Operation::Tasks, self.inner.tasks()).await
    }

    async fn leaked_tasks(&self) -> Result<Option<LeakedTasks>, CallError> {
        self.calls.make(Operation::Tasks, self.inner.leaked_tasks()).await
    }
}

struct LoggedProbe {
    inner: Arc<dyn Probe>,
    calls: Calls,
}

#[async_trait]
impl Probe for LoggedProbe {
    async fn process(&self) -> Values {
        self.inner.process().await
    }

    async fn smaps(&self) -> Values {
        self.inner.smaps().await
    }

    async fn metrics(&self) -> Result<Values, CallError> {
        self.calls.make(Operation::Metrics, self.inner.metrics()).await
    }

    async fn json(&self) -> Values {
        self.inner.json().await
    }

    async fn families(&self) -> Result<Families, CallError> {
        self.calls.make(Operation::Metrics, self.inner.families()).await
    }

    async fn knobs(&self) -> Result<BTreeMap<String, Knob>, CallError> {
        self.calls.make(Operation::Metrics, self.inner.knobs()).await
    }
}
