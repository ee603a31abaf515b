//! One GET with a deadline and a bound: the page, or the exact way in which there is none.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, LOCATION};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use crate::side::{Link, Side};
use crate::target::{CallError, Cause, Misfit};

/// How long one call may take, and how much of its answer is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connecting, asking and reading together.
    pub deadline: Duration,
    /// A longer answer is refused. Nothing beyond it is held.
    pub bytes_max: usize,
}

/// An answer with a status of 200 to 299.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// All of the body.
    pub body: Bytes,
}

impl Page {
    /// The body as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// No connection was made.
    #[error("{0}")]
    Unreachable(String),
    /// TLS could not be agreed on.
    #[error("{0}")]
    Tls(String),
    /// The server did not answer in HTTP/1.1.
    #[error("{addr} does not answer in HTTP/1.1: {why}")]
    NotHttp {
        /// Who answered.
        addr: SocketAddr,
        /// What came instead.
        why: String,
    },
    /// The path is no path.
    #[error("`{0}` is not a path")]
    NoPath(String),
    /// The answer did not end in time.
    #[error("no answer within {:.0} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The server sends the client elsewhere. Redirects are not followed: they may lead off this machine.
    #[error("it answered {status}, a redirect to {to}")]
    Redirect {
        /// 300 to 399.
        status: StatusCode,
        /// The header `Location`.
        to: String,
    },
    /// The server wants to know who asks.
    #[error("it answered {0}: it wants a login or a key")]
    Unauthorised(StatusCode),
    /// Any other status that is not 200 to 299.
    #[error("it answered {0}")]
    Status(StatusCode),
    /// The answer is longer than is read.
    #[error("the answer is longer than {} MiB", .0 >> 20)]
    TooLong(usize),
    /// The connection ended before the answer did.
    #[error("the answer ended early: {0}")]
    CutOff(hyper::Error),
}

impl PageError {
    /// Whether a server answered at all, in whatever way.
    pub fn is_answered(&self) -> bool {
        !matches!(self, Self::Unreachable(_) | Self::TimedOut(_) | Self::NoPath(_))
    }
}

/// Asks for a page.
///
/// # Errors
///
/// See [`PageError`].
pub async fn get(side: &Side, path: &str, limits: Limits) -> Result<Page, PageError> {
    let asked = tokio::time::timeout(limits.deadline, ask(side, path, limits.bytes_max)).await;
    asked.unwrap_or(Err(PageError::TimedOut(limits.deadline)))
}

async fn ask(side: &Side, path: &str, bytes_max: usize) -> Result<Page, PageError> {
    let addr = side.addr();
    let request = Request::get(path).header(HOST, addr.to_string()).header(CONNECTION, "close");
    let request = side.headers().add_to(request);
    let request = request.body(Empty::<Bytes>::new()).map_err(|_| PageError::NoPath(path.to_owned()))?;
    let Link { stream, first } = side.connect().await.map_err(|error| no_connection(&error))?;
    let not_http = |error: hyper::Error| PageError::NotHttp { addr, why: side.explain(&error, &first).to_string() };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(not_http)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(not_http)?;
        refuse(&response)?;
        read(response.into_body(), bytes_max).await
    };
    // The connection is driven here and ends with the call: no task is left behind.
    let mut answer = std::pin::pin!(answer);
    let mut connection = std::pin::pin!(connection);
    let mut ended = None;
    loop {
        tokio::select! {
            answer = &mut answer => return match (answer, ended) {
                // The connection knows what was wrong; the request only that it was cancelled.
                (Err(PageError::NotHttp { .. }), Some(Err(source))) => Err(not_http(source)),
                (answer, _) => answer,
            },
            end = &mut connection, if ended.is_none() => ended = Some(end),
        }
    }
}

fn no_connection(error: &CallError) -> PageError {
    match error.cause() {
        Cause::Unfit(Misfit::Tls) => PageError::Tls(error.to_string()),
        _ => PageError::Unreachable(error.to_string()),
    }
}

/// Refuses a status that is not 200 to 299.
fn refuse<T>(response: &Response<T>) -> Result<(), PageError> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    if status.is_redirection() {
        let to = response.headers().get(LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
        return Err(PageError::Redirect { status, to: to.unwrap_or_else(|| "nowhere".to_owned()) });
    }
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(PageError::Unauthorised(status)),
        _ => Err(PageError::Status(status)),
    }
}

async fn read(mut body: hyper::body::Incoming, bytes_max: usize) -> Result<Page, PageError> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(PageError::CutOff)?;
        let Some(data) = frame.data_ref() else { continue };
        if read.len() + data.len() > bytes_max {
            return Err(PageError::TooLong(bytes_max));
        }
        read.extend_from_slice(data);
    }
    Ok(Page { body: read.into() })
}
