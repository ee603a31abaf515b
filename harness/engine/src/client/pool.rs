//! Connections to a target that speaks HTTP: no more than so many at once, each kept for the next request or closed after one.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::target::CallError;

/// Answers of the load are small.
const ANSWER_BYTES_MAX: usize = 16 << 20;

type Connection = SendRequest<Full<Bytes>>;

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    /// What `Retry-After` asks for, in seconds.
    pub(super) retry_after: Option<Duration>,
}

/// The connections.
#[derive(Debug)]
pub(super) struct Pool {
    addr: SocketAddr,
    keep_alive: bool,
    places: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    /// No connection is open yet.
    pub(super) fn new(addr: SocketAddr, connections: u32, keep_alive: bool) -> Self {
        Self { addr, keep_alive, places: Semaphore::new(connections.max(1) as usize), idle: Mutex::default() }
    }

    /// Sends a request and reads all of its answer. The caller bounds it in time.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, CallError> {
        let broken = |error: &dyn std::fmt::Display| CallError::Broken(error.to_string());
        let _place = self.places.acquire().await.map_err(|error| broken(&error))?;
        let mut request = request;
        loop {
            let (mut connection, kept) = self.connection().await?;
            let response = match connection.try_send_request(request).await {
                Ok(response) => response,
                Err(mut error) => match error.take_message() {
                    // The other side had closed a kept connection before any of this went out.
                    Some(unsent) if kept => {
                        request = unsent;
                        continue;
                    }
                    _ => return Err(broken(&error.into_error())),
                },
            };
            let status = response.status();
            let seconds =
                response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| broken(&error))?.to_bytes();
            if self.keep_alive && connection.ready().await.is_ok() {
                self.idle().push(connection);
            }
            return Ok(Answer { status, body, retry_after: seconds.map(Duration::from_secs) });
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
            if !kept.is_closed() {
                return Ok((kept, true));
            }
        }
        let broken =
            |error: &dyn std::fmt::Display| CallError::Broken(format!("cannot connect to {}: {error}", self.addr));
        let stream = TcpStream::connect(self.addr).await.map_err(|error| broken(&error))?;
        stream.set_nodelay(true).map_err(|error| broken(&error))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        // It ends when its sender is dropped; what breaks it, the request that is under way is told.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok((sender, false))
    }
}
