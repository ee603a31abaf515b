//! HTTP calls to a target's admin side: one connection a call, a deadline, a bound on the answer.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;

use crate::side::{Link, Side};
use crate::target::{CallError, Cause, Misfit, within};

/// A metrics page or a task dump larger than this is itself a finding.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Calls `"GET /path"` or `"POST /path"`; the answer's text. An answer other than 2xx is a refusal, with its text.
pub async fn call(side: &Side, endpoint: &str, deadline: Duration) -> Result<String, CallError> {
    let body = fetch(side, endpoint, deadline).await?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// The same for an answer that is no text.
pub async fn fetch(side: &Side, endpoint: &str, deadline: Duration) -> Result<Bytes, CallError> {
    let redact = |words: String| side.headers().redact(words);
    let exchanged = within(deadline, exchange(side, endpoint)).await;
    let (status, body) = exchanged.map_err(|error| error.told(|words| redact(format!("{endpoint}: {words}"))))?;
    if status.is_success() {
        return Ok(body);
    }
    let text: String = String::from_utf8_lossy(&body).trim().chars().take(300).collect();
    let words = redact(format!("{endpoint} answered {status}: {text}"));
    Err(CallError::refused(words).because(Cause::Status(status.as_u16())))
}

/// One request and its answer, whatever its status.
async fn exchange(side: &Side, endpoint: &str) -> Result<(StatusCode, Bytes), CallError> {
    let unfit = |error: &dyn std::fmt::Display| CallError::broken(error.to_string());
    let (method, path) = endpoint.split_once(' ').unwrap_or(("GET", endpoint));
    let method = Method::from_bytes(method.as_bytes()).map_err(|error| unfit(&error))?;
    let Link { stream, first } = side.connect().await?;
    let broken = |error: hyper::Error| side.explain(&error, &first);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(hyper::header::HOST, side.addr().to_string())
        .header(hyper::header::CONNECTION, "close");
    let request = side.headers().add_to(request).body(Empty::<Bytes>::new()).map_err(|error| unfit(&error))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| {
            if error.downcast_ref::<LengthLimitError>().is_some() {
                let words = format!("the answer is larger than {} MiB, and is read no further", ANSWER_BYTES_MAX >> 20);
                return CallError::broken(words).because(Cause::Unfit(Misfit::TooLarge));
            }
            CallError::broken(format!("the answer ended early: {error}")).because(Cause::CutOff)
        });
        let body = body?.to_bytes();
        Ok((status, body))
    };
    // The connection is driven here and ends with the call: no task is left behind.
    tokio::pin!(answer);
    let mut connection = std::pin::pin!(connection);
    let mut open = true;
    loop {
        tokio::select! {
            answer = &mut answer => return answer,
            _ = &mut connection, if open => open = false,
        }
    }
}

/// Percent-encodes what stands in a query.
pub fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encoded =
        text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    encoded.collect()
}
