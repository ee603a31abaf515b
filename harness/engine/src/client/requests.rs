//! The client of targets that speak HTTP: a row of the load is a thing that a request makes and another removes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use http_body_util::Full;
use hyper::{Method, Request, StatusCode, header};
use soak_scenario::{RequestTemplate, Requests};
use soak_workload::Vectors;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::DataSpec;
use super::pool::{Answer, Pool};
use crate::load::Progress;
use crate::target::{Ack, Batch, CallError, Client, PutAcks, PutSender, within};

/// Requests of one batch that are under way at once.
const IN_FLIGHT: usize = 8;

/// The first pause after an answer that asks for patience; it doubles with each further one.
const PAUSE_LEAST: Duration = Duration::from_millis(50);
const PAUSE_MOST: Duration = Duration::from_secs(1);

/// How much of an answer that refuses is told.
const REASON_CHARS_MAX: usize = 200;

/// The client.
#[derive(Debug, Clone)]
pub struct HttpClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    requests: Requests,
    spec: DataSpec,
    vectors: Vectors,
    deadline: Duration,
    pool: Pool,
    /// Things that were made, and those among them that may still be there.
    made: Mutex<Made>,
}

#[derive(Debug, Default)]
struct Made {
    all: BTreeSet<u64>,
    live: BTreeSet<u64>,
}

impl HttpClient {
    /// A client that is not yet connected. `deadline` bounds each call.
    pub fn new(
        addr: SocketAddr,
        requests: Requests,
        spec: DataSpec,
        (connections, keep_alive): (u32, bool),
        deadline: Duration,
    ) -> Self {
        let vectors = Vectors::new(spec.distribution, spec.dim, spec.seed, crate::VECTOR_STREAM);
        let pool = Pool::new(addr, connections, keep_alive);
        Self(Arc::new(Inner { requests, spec, vectors, deadline, pool, made: Mutex::default() }))
    }
}

impl Inner {
    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what stands for an operation on a row; an answer other than 2xx is a refusal.
    async fn ask(&self, template: Option<&RequestTemplate>, id: u64, row: u64) -> Result<Answer, CallError> {
        let template =
            template.ok_or_else(|| CallError::Refused("the profile has no request for this operation".to_owned()))?;
        let answer = within(self.deadline, self.pool.send(self.request(template, id, row)?)).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(refused(template, &answer)) }
    }

    fn request(&self, template: &RequestTemplate, id: u64, row: u64) -> Result<Request<Full<Bytes>>, CallError> {
        let unfit = |error: &dyn std::fmt::Display| CallError::Refused(format!("{}: {error}", template.call));
        let (method, path) = template.call.split_once(' ').unwrap_or(("GET", &template.call));
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| unfit(&error))?;
        let request = Request::builder().method(method).uri(self.fill(path, id, row)).header(header::HOST, "localhost");
        let (request, body) = match &template.body {
            Some(body) => (request.header(header::CONTENT_TYPE, "application/json"), self.fill(body, id, row)),
            None => (request, String::new()),
        };
        request.body(Full::new(body.into())).map_err(|error| unfit(&error))
    }

    /// Fills in the variables. The payload is made only where it is asked for.
    fn fill(&self, text: &str, id: u64, row: u64) -> String {
        let mut text = text
            .replace("{id}", &id.to_string())
            .replace("{name}", &format!("{}-{id}", self.spec.dataset))
            .replace("{dataset}", &self.spec.dataset);
        if text.contains("{vector}") {
            let components: Vec<String> = self.vectors.vector(row).iter().map(f32::to_string).collect();
            text = text.replace("{vector}", &format!("[{}]", components.join(",")));
        }
        if text.contains("{text}") {
            text = text.replace("{text}", &words(&self.vectors.vector(row)));
        }
        text
    }

    /// Makes one thing. Where the target asks for patience it is asked again, and the answer says so.
    async fn make(&self, id: u64, row: u64) -> Result<bool, CallError> {
        let mut asked_for_patience = false;
        let mut pause = PAUSE_LEAST;
        let began = Instant::now();
        loop {
            let Some(template) = &self.requests.create else {
                return Err(CallError::Refused("the profile has no request that creates".to_owned()));
            };
            let answer = within(self.deadline, self.pool.send(self.request(template, id, row)?)).await;
            if answer.as_ref().is_err_and(|error| matches!(error, CallError::Refused(_))) {
                return answer.map(|_| asked_for_patience);
            }
            {
                let mut made = self.made();
                if made.live.is_empty() {
                    // What was removed before is of an earlier cycle.
                    made.all.clear();
                }
                made.all.insert(id);
                made.live.insert(id);
            }
            let answer = answer?;
            if answer.status.is_success() {
                return Ok(asked_for_patience);
            }
            self.made().live.remove(&id);
            let patience = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&answer.status);
            if !patience || began.elapsed() + pause > self.deadline {
                return Err(refused(template, &answer));
            }
            asked_for_patience = true;
            tokio::time::sleep(answer.retry_after.unwrap_or(pause).min(PAUSE_MOST)).await;
            pause = (pause * 2).min(PAUSE_MOST);
        }
    }
}

/// Text that goes with a vector: four characters for each component.
fn words(vector: &[f32]) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";
    let letters = vector.iter().flat_map(|component| {
        let bits = component.to_bits();
        (0..4).map(move |part| char::from(LETTERS[(bits >> (3 + 5 * part)) as usize & 31]))
    });
    letters.collect()
}

fn refused(template: &RequestTemplate, answer: &Answer) -> CallError {
    let reason: String = String::from_utf8_lossy(&answer.body).trim().chars().take(REASON_CHARS_MAX).collect();
    CallError::Refused(format!("{} answered {}: {reason}", template.call, answer.status))
}

#[async_trait]
impl Client for HttpClient {
    async fn open_put(&self, progress: Progress) -> Result<(Box<dyn PutSender>, Box<dyn PutAcks>), CallError> {
        let (tell, told) = mpsc::channel(1024);
        Ok((Box::new(Sender { client: Arc::clone(&self.0), progress, tell: Some(tell) }), Box::new(Acks(told))))
    }

    /// Reads something that is there; a store of things has no neighbours.
    async fn search(&self, row: u64, _k: u32) -> Result<Vec<u64>, CallError> {
        let id = {
            let made = self.0.made();
            let (Some(first), Some(last)) = (made.live.first().copied(), made.live.last().copied()) else {
                return Err(CallError::Refused("nothing is there that could be read".to_owned()));
            };
            // Rows of queries are drawn evenly; so are the things that they read.
            let from = first + row % (last - first + 1);
            made.live.range(from..).next().copied().unwrap_or(first)
        };
        self.0.ask(self.0.requests.read.as_ref(), id, id).await.map(|_| vec![id])
    }

    async fn upsert(&self, id: u64) -> Result<(), CallError> {
        self.0.ask(self.0.requests.update.as_ref(), id, id + soak_workload::SECOND_VERSION).await.map(|_| ())
    }

    async fn delete(&self, id: u64) -> Result<(), CallError> {
        let answer = self.0.ask(self.0.requests.delete.as_ref(), id, id).await;
        if answer.is_ok() {
            self.0.made().live.remove(&id);
        }
        answer.map(|_| ())
    }

    async fn is_indexed(&self) -> Result<bool, CallError> {
        Ok(true)
    }

    fn finds_neighbours(&self) -> bool {
        false
    }

    /// Whatever was made since the store was last empty is asked for.
    async fn ids(&self) -> Result<Vec<u64>, CallError> {
        let read = self.0.requests.read.as_ref();
        if read.is_none_or(|read| !["{id}", "{name}"].iter().any(|variable| read.call.contains(variable))) {
            return Err(CallError::Refused(
                "no request of the profile reads one thing by its name (requests.read), so that nothing tells which are there".to_owned(),
            ));
        }
        let all: Vec<u64> = self.0.made().all.iter().copied().collect();
        let there = stream::iter(all).map(|id| async move {
            match self.0.ask(read, id, id).await {
                Ok(_) => Ok(Some(id)),
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(error),
            }
        });
        there.buffer_unordered(IN_FLIGHT).try_filter_map(|id| async move { Ok(id) }).try_collect().await
    }

    async fn drop_dataset(&self) -> Result<(), CallError> {
        Err(CallError::Refused("a target that speaks HTTP has no dataset to drop".to_owned()))
    }

    fn disconnect(&self) {
        self.0.pool.close();
    }
}

/// Makes the rows of batches, a few at once.
struct Sender {
    client: Arc<Inner>,
    progress: Progress,
    tell: Option<mpsc::Sender<Result<Ack, CallError>>>,
}

#[async_trait]
impl PutSender for Sender {
    async fn send(&mut self, batch: Batch) -> Result<(), CallError> {
        let (client, progress) = (&self.client, &self.progress);
        let rows = stream::iter(batch.ids()).map(|id| async move {
            let answer = client.make(id, id + batch.version).await;
            progress.take(client.spec.dim as usize * 4);
            answer
        });
        let mut answers = rows.buffer_unordered(IN_FLIGHT);
        let (mut made, mut slow_down, mut failed) = (0_u32, false, None);
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(patience) => {
                    made += 1;
                    slow_down |= patience;
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        drop(answers);
        let told = match failed {
            None => Ok(Ack { slow_down }),
            // A batch is refused when all of it is.
            Some(CallError::Refused(why)) if made > 0 => {
                Err(CallError::Broken(format!("{made} of {} were made, then: {why}", batch.rows)))
            }
            Some(error) => Err(error),
        };
        let closed = || CallError::Broken("nobody takes the answers of this stream any more".to_owned());
        self.tell.as_ref().ok_or_else(closed)?.send(told).await.map_err(|_| closed())
    }

    fn finish(&mut self) {
        self.tell = None;
    }
}

/// The answers, one for each batch.
struct Acks(mpsc::Receiver<Result<Ack, CallError>>);

#[async_trait]
impl PutAcks for Acks {
    async fn next(&mut self) -> Result<Option<Ack>, CallError> {
        self.0.recv().await.transpose()
    }
}
