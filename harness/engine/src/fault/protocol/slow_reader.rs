//! Results of the load's dataset that are asked for and not read. HTTP/2's flow control then makes the target keep what it has not sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::Ticket;
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Endpoint;
use tower::Service as _;

use super::site::Site;
use super::tally::{Counts, Tally, is_half};
use crate::client::{call_error, frame};
use crate::fault::{Evidence, Guard};
use crate::target::{CallError, within};

const PATH: &str = "/arrow.flight.protocol.FlightService/DoGet";

/// What the target may send of an answer that nobody reads.
const WINDOW_BYTES: u32 = 16 << 10;

/// How much is asked for, as vectors: enough not to fit anywhere on the way, and not enough to end the target by itself.
const ANSWER_BYTES: u64 = 16 << 20;

/// Rest before a result that was refused, of a dataset without rows, say, is asked for again.
const REST: Duration = Duration::from_millis(500);

/// How long an answer that waits may take to go on when it is looked at.
const LOOK_AT_MOST: Duration = Duration::from_secs(1);

/// An answer that is not read, once there is one.
type Slot = Arc<Mutex<Option<Body>>>;

/// Readers that do not read.
pub(super) struct SlowReader {
    tally: Arc<Tally>,
    slots: Vec<Slot>,
    tasks: JoinSet<()>,
}

pub(super) fn begin(site: &Site, tally: &Arc<Tally>, count: u32) -> SlowReader {
    let slots: Vec<Slot> = (0..count).map(|_| Slot::default()).collect();
    let mut tasks = JoinSet::new();
    for slot in &slots {
        tasks.spawn(ask_until_answered(site.clone(), Arc::clone(tally), Arc::clone(slot)));
    }
    SlowReader { tally: Arc::clone(tally), slots, tasks }
}

async fn ask_until_answered(site: Site, tally: Arc<Tally>, slot: Slot) {
    let row_bytes = u64::from(site.spec.dim) * size_of::<f32>() as u64;
    let limit = ANSWER_BYTES.div_ceil(row_bytes.max(1));
    let ticket = json!({ "name": site.spec.dataset, "limit": limit }).to_string();
    loop {
        let answer = within(site.deadline, ask(site.at.data, &ticket, site.deadline)).await;
        tally.record(&answer);
        if let Ok(answer) = answer {
            *slot.lock().await = Some(answer);
            return;
        }
        tokio::time::sleep(REST).await;
    }
}

/// The body of an answer, of which nothing has been read; a connection of its own, with small windows.
async fn ask(addr: SocketAddr, ticket: &str, deadline: Duration) -> Result<Body, CallError> {
    let broken = |error: &dyn std::fmt::Display| CallError::broken(error.to_string());
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).map_err(|error| broken(&error))?;
    let endpoint = endpoint.connect_timeout(deadline).initial_stream_window_size(WINDOW_BYTES);
    let mut channel = endpoint.connect().await.map_err(|error| broken(&error))?;
    let ticket = Ticket { ticket: ticket.to_owned().into() };
    let mut message = frame(ticket.encoded_len());
    message.extend_from_slice(&ticket.encode_to_vec());
    let request = http::Request::post(PATH)
        .header(http::header::CONTENT_TYPE, "application/grpc")
        .header(http::header::TE, "trailers")
        .body(Body::new(Full::new(Bytes::from(message))))
        .map_err(|error| broken(&error))?;
    std::future::poll_fn(|cx| channel.poll_ready(cx)).await.map_err(|error| broken(&error))?;
    let response = channel.call(request).await.map_err(|error| broken(&error))?;
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != tonic::Code::Ok => Err(call_error(&status)),
        _ => Ok(response.into_body()),
    }
}

/// Whether more of an answer comes than had been let through: then the rest has waited. Reads that much and no more.
async fn has_waited(slot: &Slot) -> bool {
    let mut slot = slot.lock().await;
    let Some(body) = slot.as_mut() else { return false };
    let more = async {
        let mut read_bytes = 0;
        while read_bytes <= WINDOW_BYTES as usize {
            match body.frame().await {
                Some(Ok(frame)) => read_bytes += frame.data_ref().map_or(0, Bytes::len),
                Some(Err(_)) | None => return false,
            }
        }
        true
    };
    tokio::time::timeout(LOOK_AT_MOST, more).await.unwrap_or(false)
}

#[async_trait]
impl Guard for SlowReader {
    async fn evidence(&mut self) -> Evidence {
        let waited = join_all(self.slots.iter().map(has_waited)).await;
        let waiting = waited.iter().filter(|waited| **waited).count() as u64;
        tell(self.slots.len() as u32, waiting, &self.tally.counts())
    }

    async fn heal(mut self: Box<Self>) -> Result<(), String> {
        self.tasks.shutdown().await;
        // The answers go with the slots, and their connections with them.
        Ok(())
    }
}

fn tell(asked: u32, waiting: u64, counts: &Counts) -> Evidence {
    let mut figures = vec![("asked_answers", f64::from(asked)), ("waiting_answers", waiting as f64)];
    figures.extend(counts.figures());
    Evidence {
        took_place: is_half(waiting, asked),
        words: format!(
            "{waiting} of {asked} answers waited unread at the end, {} begun in all; {}",
            counts.acknowledged,
            counts.failures()
        ),
        figures,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_waiting_answers_show_nothing() {
        let begun = Counts { acknowledged: 1000, ..Counts::default() };
        let few = tell(1000, 1, &begun);
        assert!(!few.took_place && few.words.starts_with("1 of 1000 answers"), "{few:?}");
        assert!(tell(1000, 500, &begun).took_place && tell(1, 1, &begun).took_place);
    }
}
