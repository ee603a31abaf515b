//! HTTP calls to a target's admin side: one connection a call, a deadline, a bound on the answer.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::client::Headers;
use crate::target::{CallError, within};

/// A metrics page or a task dump larger than this is itself a finding.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Calls `"GET /path"` or `"POST /path"`; the answer's text. An answer other than 2xx is a refusal, with its text.
pub async fn call(addr: SocketAddr, endpoint: &str, deadline: Duration) -> Result<String, CallError> {
    call_with(addr, &Headers::default(), endpoint, deadline).await
}

/// The same with headers.
pub(crate) async fn call_with(
    addr: SocketAddr,
    headers: &Headers,
    endpoint: &str,
    deadline: Duration,
) -> Result<String, CallError> {
    let body = within(deadline, send(addr, headers, endpoint)).await?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// The same for an answer that is no text.
pub async fn fetch(addr: SocketAddr, endpoint: &str, deadline: Duration) -> Result<Bytes, CallError> {
    within(deadline, send(addr, &Headers::default(), endpoint)).await
}

async fn send(addr: SocketAddr, headers: &Headers, endpoint: &str) -> Result<Bytes, CallError> {
    let broken = |error: &dyn std::fmt::Display| CallError::Broken(format!("{endpoint}: {error}"));
    let (method, path) = endpoint.split_once(' ').unwrap_or(("GET", endpoint));
    let method = Method::from_bytes(method.as_bytes()).map_err(|error| broken(&error))?;
    let stream =
        TcpStream::connect(addr).await.map_err(|error| broken(&format!("cannot connect to {addr}: {error}")))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(hyper::header::HOST, addr.to_string())
        .header(hyper::header::CONNECTION, "close");
    let request = headers.add_to(request).body(Empty::<Bytes>::new()).map_err(|error| broken(&error))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => {
                broken(&format!("the answer is larger than {} MiB, and is read no further", ANSWER_BYTES_MAX >> 20))
            }
            None => broken(&error),
        });
        let body = body?.to_bytes();
        Ok((status, body))
    };
    // The connection is driven here and ends with the call: no task is left behind.
    tokio::pin!(answer);
    let mut connection = std::pin::pin!(connection);
    let mut open = true;
    let (status, body) = loop {
        tokio::select! {
            answer = &mut answer => break answer?,
            _ = &mut connection, if open => open = false,
        }
    };
    if status.is_success() {
        return Ok(body);
    }
    let text: String = String::from_utf8_lossy(&body).trim().chars().take(300).collect();
    Err(CallError::Refused(headers.redact(format!("{endpoint} answered {status}: {text}"))))
}

/// Percent-encodes what stands in a query.
pub fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encoded =
        text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    encoded.collect()
}
