//! The client of targets that speak HTTP: what the load asks, a profile's requests say.

mod ask;
mod fill;
mod inner;
mod outgoing;
mod pointer;
mod put;
mod row_ids;
mod scan;
mod secrets;
mod template;
mod things;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use soak_scenario::Requests;
use tokio::sync::mpsc;

use super::DataSpec;
use super::pool::Pool;
use crate::load::Progress;
use crate::side::Side;
use crate::target::{Batch, CallError, Client, Knob, PutAcks, PutSender};

use ask::{Asks, Reads};
pub use fill::IndexSpec;
use fill::{Filler, Page, Subject};
use inner::{Inner, ask_value};
pub(super) use outgoing::Outgoing;
pub(super) use pointer::Pointer;
use put::{Acks, Sender};
pub(super) use scan::{Found, Scanner};
pub use secrets::{HeaderError, Headers};
use template::Variable;

/// Requests of one batch that are under way at once.
const IN_FLIGHT: usize = 8;

/// Pages of a list, at most.
const PAGES_MAX: u32 = 1_000_000;

/// How a target that speaks HTTP is reached.
#[derive(Debug, Clone)]
pub struct HttpAccess {
    /// Where it listens, and what it wants to be asked with.
    pub side: Side,
    /// Connections at once, at most.
    pub connections: u32,
    /// Whether a connection serves more than one request.
    pub keep_alive: bool,
    /// Bounds each call.
    pub deadline: Duration,
    /// Bounds calls that wait for the index: a batch, and creating and dropping a collection.
    pub index_deadline: Duration,
}

/// The client.
#[derive(Debug, Clone)]
pub struct HttpClient(Arc<Inner>);

impl HttpClient {
    /// A client that is not yet connected.
    pub fn new(access: HttpAccess, requests: &Requests, spec: DataSpec, index: IndexSpec) -> Self {
        let filler = Arc::new(Filler::new(spec, requests.ids, index));
        let headers = access.side.headers().clone();
        let inner = Inner {
            asks: Asks::new(requests, &filler),
            filler,
            pool: Pool::new(access.side, access.connections, access.keep_alive),
            headers,
            deadline: access.deadline,
            index_deadline: access.index_deadline.max(access.deadline),
            things: things::Things::default(),
            ours: tokio::sync::Mutex::new(false),
            acked_rows_max: 0.into(),
        };
        Self(Arc::new(inner))
    }

    /// A number at a place in an answer in JSON: `GET /path /pointer`; of a list, its length.
    pub(crate) async fn read_number(&self, endpoint: &str) -> Result<Option<f64>, CallError> {
        let value = self.0.read_json(endpoint).await?;
        Ok(value.as_ref().and_then(number))
    }

    /// Settings that the target tells in JSON (knob → endpoint and place), and those that its answers to the load show.
    pub(crate) async fn settings(&self, told: &BTreeMap<String, String>) -> BTreeMap<String, Knob> {
        let mut knobs = BTreeMap::new();
        for (knob, endpoint) in told {
            // One that cannot be read yet, such as a collection's before there is one, is not verified.
            let value = self.read_number(endpoint).await.ok().flatten();
            knobs.insert(knob.clone(), Knob { value, source: endpoint.clone() });
        }
        let rows = self.0.acked_rows_max.load(Ordering::Relaxed);
        let Some(create) = self.0.asks.create.as_ref().filter(|_| rows > 0) else { return knobs };
        if create.is_batch {
            let source = "rows of the largest request that was acknowledged".to_owned();
            knobs.insert("batch_rows".to_owned(), Knob { value: Some(f64::from(rows)), source });
        }
        let carries = [Variable::Text, Variable::Vector, Variable::Vectors, Variable::Rows];
        let is_told = knobs.get("dim").is_some_and(|dim| dim.value.is_some());
        if !is_told && carries.into_iter().any(|one| create.holds(one)) {
            // Text is as long as the vector in bytes.
            let source = "payload of the rows that were acknowledged".to_owned();
            knobs.insert("dim".to_owned(), Knob { value: Some(self.0.filler.vectors.dim() as f64), source });
        }
        knobs
    }

    /// What is searched for by a vector; nearest first.
    async fn neighbours(&self, row: u64, k: u32) -> Result<Vec<u64>, CallError> {
        let about = Subject { row: Some((row, row)), k, ..Subject::default() };
        let ask = self.0.asks.search.as_ref();
        let answer = self.0.ask(ask, &about).await?;
        let (Some(ask), Ok(found)) = (ask, answer.found) else { return Ok(Vec::new()) };
        let ids = self.rows(ask, &found)?;
        let distances: Vec<f64> =
            ask.found(Reads::Distances, &found).iter().flatten().filter_map(Value::as_f64).collect();
        if !ask.reads(Reads::Distances) {
            return Ok(ids);
        }
        if distances.len() != ids.len() {
            let (ids, distances) = (ids.len(), distances.len());
            return Err(CallError::refused(format!("{} found {ids} ids and {distances} distances", ask.call)));
        }
        let mut nearest: Vec<(f64, u64)> = distances.into_iter().zip(ids).collect();
        nearest.sort_by(|a, b| a.0.total_cmp(&b.0));
        Ok(nearest.into_iter().map(|(_, id)| id).collect())
    }

    /// The rows whose ids an answer holds.
    fn rows(&self, ask: &ask::Ask, found: &[Found]) -> Result<Vec<u64>, CallError> {
        let ids = ask.found(Reads::Ids, found).iter().flatten();
        let row = |id: &Value| {
            row_ids::read(self.0.filler.ids, id).ok_or_else(|| {
                CallError::refused(format!("{} answered with the id {id}, which is of no row of this run", ask.call))
            })
        };
        ids.map(row).collect()
    }

    /// Every id of a list, a page at a time.
    async fn listed(&self) -> Result<Vec<u64>, CallError> {
        let Some(list) = &self.0.asks.list else { return Ok(Vec::new()) };
        let (mut all, mut next) = (Vec::new(), "null".to_owned());
        let is_paged = [Variable::Offset, Variable::After, Variable::Next].into_iter().any(|one| list.holds(one));
        for _ in 0..PAGES_MAX {
            let page = Page { limit: list.limit, offset: all.len() as u64, after: all.last().copied(), next: &next };
            let about = Subject { page: Some(page), ..Subject::default() };
            let found = self.0.send(list, &about).await?.found.unwrap_or_default();
            let rows = self.rows(list, &found)?;
            let is_empty = rows.is_empty();
            all.extend(rows);
            let more = ask_next(list, &found);
            if is_empty || !is_paged || (list.reads(Reads::Next) && more.is_none()) {
                return Ok(all);
            }
            next = more.unwrap_or_default();
        }
        Err(CallError::refused(format!("{} gave more than {PAGES_MAX} pages", list.call)))
    }

    /// Which of the things that were made since the store was last empty are there, by reading each.
    async fn read_each(&self) -> Result<Vec<u64>, CallError> {
        let read = self.0.asks.read.as_ref();
        let by_name = |read: &Arc<ask::Ask>| [Variable::Id, Variable::Name].into_iter().any(|one| read.path.holds(one));
        if !read.is_some_and(by_name) {
            return Err(CallError::refused(
                "the profile has neither a request that lists ids (requests.list) nor one that reads a row by its name (requests.read), so that nothing tells which are there",
            ));
        }
        let there = stream::iter(self.0.things.all()).map(|id| async move {
            match self.0.ask(read, &Subject::row(id, id)).await {
                Ok(_) => Ok(Some(id)),
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(error),
            }
        });
        there.buffer_unordered(IN_FLIGHT).try_filter_map(|id| async move { Ok(id) }).try_collect().await
    }

    /// Whether the run has made the collection, where the profile has one.
    async fn has_collection(&self) -> bool {
        self.0.asks.create_collection.is_none() || *self.0.ours.lock().await
    }
}

/// What asks for the next page, as JSON.
fn ask_next(list: &ask::Ask, found: &[Found]) -> Option<String> {
    list.found(Reads::Next, found).first().and_then(Option::as_ref).map(Value::to_string)
}

/// A number, also where it is written as a text; of a list, its length.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Array(list) => Some(list.len() as f64),
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    }
}

#[async_trait]
impl Client for HttpClient {
    async fn open_put(&self, progress: Progress) -> Result<(Box<dyn PutSender>, Box<dyn PutAcks>), CallError> {
        self.0.ensure_collection().await?;
        let (tell, told) = mpsc::channel(1024);
        Ok((Box::new(Sender::new(Arc::clone(&self.0), progress, tell)), Box::new(Acks::new(told))))
    }

    /// Neighbours where the target has them; else something that is there is read.
    async fn search(&self, row: u64, k: u32) -> Result<Vec<u64>, CallError> {
        if self.finds_neighbours() {
            return self.neighbours(row, k).await;
        }
        let nothing = || CallError::refused("nothing is there that could be read");
        let id = self.0.things.any(row).ok_or_else(nothing)?;
        self.0.ask(self.0.asks.read.as_ref(), &Subject::row(id, id)).await.map(|_| vec![id])
    }

    async fn upsert(&self, id: u64) -> Result<(), CallError> {
        let rewrite = self.0.asks.rewrite.as_ref();
        if let Some(ask) = rewrite.filter(|ask| ask.is_batch) {
            let batch = Batch { first: id, rows: 1, version: soak_workload::SECOND_VERSION };
            return self.0.put(ask, batch, &Progress::default()).await.map(|_| ());
        }
        self.0.ask(rewrite, &Subject::row(id, id + soak_workload::SECOND_VERSION)).await.map(|_| ())
    }

    async fn delete(&self, id: u64) -> Result<(), CallError> {
        let Some(delete) = &self.0.asks.delete else { return self.delete_many(&[id]).await };
        let about = Subject { row: Some((id, id)), ids: &[id], ..Subject::default() };
        self.0.send(delete, &about).await?;
        self.0.things.remove(id);
        Ok(())
    }

    async fn delete_many(&self, ids: &[u64]) -> Result<(), CallError> {
        self.0.ask(self.0.asks.delete_many.as_ref(), &Subject { ids, ..Subject::default() }).await?;
        for id in ids {
            self.0.things.remove(*id);
        }
        Ok(())
    }

    fn deletes_at_once(&self) -> usize {
        self.0.asks.delete_many.as_ref().map_or(1, |many| many.limit as usize)
    }

    async fn is_indexed(&self) -> Result<bool, CallError> {
        if !self.has_collection().await {
            return Err(CallError::not_found("there is no such dataset"));
        }
        let Some(indexed) = &self.0.asks.indexed else { return Ok(true) };
        let found = self.0.send(indexed, &Subject::default()).await?.found.unwrap_or_default();
        let state =
            ask_value(indexed, &found).map(|state| state.as_str().map_or_else(|| state.to_string(), str::to_owned));
        Ok(state.is_some() && state == indexed.is)
    }

    fn finds_neighbours(&self) -> bool {
        self.0.asks.search.is_some()
    }

    async fn ids(&self) -> Result<Vec<u64>, CallError> {
        if !self.has_collection().await {
            return Ok(Vec::new());
        }
        if self.0.asks.list.is_some() { self.listed().await } else { self.read_each().await }
    }

    async fn count(&self) -> Result<u64, CallError> {
        let count = self.0.asks.count.as_ref();
        let answer = self.0.ask(count, &Subject::default()).await?;
        let rows = count.and_then(|ask| ask_value(ask, answer.found.as_deref().unwrap_or_default()).and_then(number));
        rows.map(|rows| rows as u64).ok_or_else(|| CallError::refused("the answer holds no number of rows"))
    }

    async fn drop_dataset(&self) -> Result<(), CallError> {
        self.0.drop_collection().await
    }

    fn disconnect(&self) {
        self.0.pool.close();
    }
}
