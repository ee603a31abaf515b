//! A put stream: orders go into the request's body, answers come out of the response, each at its own pace.

use async_trait::async_trait;
use bytes::Buf as _;
use futures::future::BoxFuture;
use prost::Message as _;
use tokio::sync::{mpsc, oneshot};
use tonic::codec::{DecodeBuf, Decoder, Streaming};
use tonic::{Status, body::Body};
use tower::Service as _;

use super::flight::call_error;
use super::put_body::{Order, PutBody};
use crate::target::{Ack, Batch, CallError, Cause, Misfit, PutAcks, PutSender};

const PATH: &str = "/arrow.flight.protocol.FlightService/DoPut";

/// Answers are small.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Opens a stream on a connected channel.
pub(super) async fn open(
    mut channel: tonic::transport::Channel,
    body: impl FnOnce(mpsc::Receiver<Order>) -> PutBody,
) -> Result<(Sender, Acks), CallError> {
    let broken = |error: &dyn std::fmt::Display| CallError::broken(error.to_string());
    // One order at a time: the next is taken when the one before is on its way.
    let (orders, taken) = mpsc::channel(1);
    let request = http::Request::post(PATH)
        .header(http::header::CONTENT_TYPE, "application/grpc")
        .header(http::header::TE, "trailers")
        .body(Body::new(body(taken)))
        .map_err(|error| broken(&error))?;
    std::future::poll_fn(|cx| channel.poll_ready(cx)).await.map_err(|error| broken(&error))?;
    let response = channel.call(request);
    let response = Box::pin(async move { response.await.map_err(|error| broken(&error)) });
    Ok((Sender(Some(orders)), Acks::Waiting(response)))
}

/// The sending half.
pub(super) struct Sender(Option<mpsc::Sender<Order>>);

#[async_trait]
impl PutSender for Sender {
    async fn send(&mut self, batch: Batch) -> Result<(), CallError> {
        let closed = || CallError::broken("the target closed the stream");
        let (tell, taken) = oneshot::channel();
        let orders = self.0.as_ref().ok_or_else(closed)?;
        orders.send((batch, tell)).await.map_err(|_| closed())?;
        taken.await.map_err(|_| closed())
    }

    fn finish(&mut self) {
        self.0 = None;
    }
}

type Response = http::Response<Body>;

/// The receiving half. Many servers send the response's head only with their first answer.
pub(super) enum Acks {
    Waiting(BoxFuture<'static, Result<Response, CallError>>),
    Streaming(Box<Streaming<Ack>>),
    Over,
}

#[async_trait]
impl PutAcks for Acks {
    async fn next(&mut self) -> Result<Option<Ack>, CallError> {
        loop {
            match self {
                Self::Waiting(response) => *self = begin(response.await?)?,
                Self::Streaming(answers) => {
                    let answer = answers.message().await.map_err(|status| call_error(&status))?;
                    if answer.is_none() {
                        *self = Self::Over;
                    }
                    return Ok(answer);
                }
                Self::Over => return Ok(None),
            }
        }
    }
}

fn begin(response: Response) -> Result<Acks, CallError> {
    let status = response.status();
    if let Some(status) = Status::from_header_map(response.headers()) {
        // A response of trailers alone: the stream was over before it began.
        return if status.code() == tonic::Code::Ok { Ok(Acks::Over) } else { Err(call_error(&status)) };
    }
    if status != http::StatusCode::OK {
        return Err(
            CallError::refused(format!("not a Flight server: HTTP {status}")).because(Cause::Unfit(Misfit::Protocol))
        );
    }
    let answers = Streaming::new_response(AckDecoder, response.into_body(), status, None, Some(ANSWER_BYTES_MAX));
    Ok(Acks::Streaming(Box::new(answers)))
}

/// Reads a `PutResult`.
struct AckDecoder;

impl Decoder for AckDecoder {
    type Item = Ack;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Ack>, Status> {
        let bytes = message.copy_to_bytes(message.remaining());
        let result = arrow_flight::PutResult::decode(bytes).map_err(|error| Status::internal(error.to_string()))?;
        Ok(Some(Ack { slow_down: is_slow_down(&result.app_metadata), refused: None }))
    }
}

/// Longbow says `{"status":"slow_down","reason":…}`.
fn is_slow_down(metadata: &[u8]) -> bool {
    let value: Option<serde_json::Value> = serde_json::from_slice(metadata).ok();
    value.is_some_and(|value| value.get("status").and_then(serde_json::Value::as_str) == Some("slow_down"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_down_is_longbows() {
        assert!(is_slow_down(br#"{"status":"slow_down","reason":"index_backlog"}"#));
        assert!(!is_slow_down(b""));
        assert!(!is_slow_down(br#"{"status":"ok"}"#));
        assert!(!is_slow_down(b"slow_down"));
    }
}
