//! Connections to a target that speaks HTTP: no more than so many at once, each kept for the next request or closed after one.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, StatusCode, body::Incoming, header};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;

use super::requests::{Found, Outgoing, Pointer, Scanner};
use crate::side::{FirstBytes, Link, Side};
use crate::target::{CallError, Cause, Misfit};

/// Answers of the load are small.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// But for those that are read while they come, and of which little is kept: a server may send a whole batch back.
const READ_BYTES_MAX: usize = 2 << 30;

/// What of an answer is kept as text, to be quoted.
const QUOTED_BYTES_MAX: usize = 2048;

/// An open connection, and what the server sent first on it.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<Outgoing>,
    first: FirstBytes,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Its beginning, to be quoted.
    pub(super) text: String,
    /// What the request's pointers name in it, or why it cannot be read.
    pub(super) found: Result<Vec<Found>, String>,
    /// What `Retry-After` asks for, in seconds.
    pub(super) retry_after: Option<Duration>,
}

/// The connections.
#[derive(Debug)]
pub(super) struct Pool {
    side: Side,
    keep_alive: bool,
    places: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    /// No connection is open yet.
    pub(super) fn new(side: Side, connections: u32, keep_alive: bool) -> Self {
        Self { side, keep_alive, places: Semaphore::new(connections.max(1) as usize), idle: Mutex::default() }
    }

    /// Where the connections lead.
    pub(super) fn side(&self) -> &Side {
        &self.side
    }

    /// Sends a request and reads all of its answer, of which it keeps what the pointers name. The caller bounds it in time.
    pub(super) async fn send(&self, request: Request<Outgoing>, pointers: &[Pointer]) -> Result<Answer, CallError> {
        let broken = |error: &dyn std::fmt::Display| CallError::broken(error.to_string());
        let _place = self.places.acquire().await.map_err(|error| broken(&error))?;
        let mut request = request;
        loop {
            let (mut connection, kept) = self.connection().await?;
            let response = match connection.sender.try_send_request(request).await {
                Ok(response) => response,
                Err(mut error) => match error.take_message() {
                    // The other side had closed a kept connection before any of this went out.
                    Some(unsent) if kept => {
                        request = unsent;
                        continue;
                    }
                    _ => return Err(self.side.explain(&error.into_error(), &connection.first)),
                },
            };
            let answer = read(response, pointers).await?;
            if self.keep_alive && connection.sender.ready().await.is_ok() {
                self.idle().push(connection);
            }
            return Ok(answer);
        }
    }

    /// Closes every connection that is not in use.
    pub(super) fn close(&self) {
        self.idle().clear();
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection, and whether it was kept from an earlier request.
    async fn connection(&self) -> Result<(Connection, bool), CallError> {
        while let Some(kept) = { self.idle().pop() } {
            if !kept.sender.is_closed() {
                return Ok((kept, true));
            }
        }
        let Link { stream, first } = self.side.connect().await?;
        let agreed = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = agreed.map_err(|error| self.side.explain(&error, &first))?;
        // It ends when its sender is dropped; what breaks it, the request that is under way is told.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok((Connection { sender, first }, false))
    }
}

/// Reads an answer as it comes.
async fn read(response: Response<Incoming>, pointers: &[Pointer]) -> Result<Answer, CallError> {
    let status = response.status();
    let seconds = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut scanner = Scanner::new(pointers);
    let is_read = status.is_success() && !pointers.is_empty();
    let (mut text, mut bytes, mut unreadable) = (Vec::new(), 0_usize, None);
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| CallError::broken(format!("the answer broke off: {error}")).because(Cause::CutOff))?;
        let Ok(mut data) = frame.into_data() else { continue };
        bytes += data.len();
        let most = if is_read { READ_BYTES_MAX } else { ANSWER_BYTES_MAX };
        if bytes > most {
            let words = format!("the answer is larger than {} MiB", most >> 20);
            return Err(CallError::broken(words).because(Cause::Unfit(Misfit::TooLarge)));
        }
        let room = QUOTED_BYTES_MAX - text.len();
        text.extend_from_slice(&data[..room.min(data.len())]);
        if is_read && unreadable.is_none() {
            unreadable = scanner.feed(&data).err();
        }
        data.advance(data.len());
    }
    let found = match unreadable {
        Some(why) => Err(why.to_string()),
        None if is_read => scanner.end().map_err(|why| why.to_string()),
        None => Ok(Vec::new()),
    };
    let text = String::from_utf8_lossy(&Bytes::from(text)).trim().to_owned();
    Ok(Answer { status, text, found, retry_after: seconds.map(Duration::from_secs) })
}
