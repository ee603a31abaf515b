//! An HTTP side of a target: its address, the headers of every request, and TLS where it speaks HTTPS.

mod first_bytes;
mod tls;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use soak_scenario::{Profile, TlsSettings};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::client::{HeaderError, Headers};
use crate::target::{CallError, Cause, Misfit};

pub(crate) use first_bytes::FirstBytes;
use first_bytes::Noting;
use tls::Tls;
pub use tls::TlsError;

/// An HTTP side.
#[derive(Clone)]
pub struct Side {
    addr: SocketAddr,
    headers: Headers,
    tls: Option<Tls>,
}

/// The HTTP sides of a target. One without an address of its own is the same as `http`.
#[derive(Debug, Clone)]
pub struct Sides {
    /// Admin, and what the load asks of a target that speaks HTTP.
    pub http: Side,
    /// The metrics page.
    pub metrics: Side,
    /// Profiles and dumps.
    pub profile: Side,
}

/// Why a side cannot be asked as its profile says.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    /// A header has no value.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// There are no certificates to trust.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A connection, whatever it runs over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open connection, and what the server sent first on it.
pub(crate) struct Link {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) first: FirstBytes,
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side").field("addr", &self.addr).field("is_https", &self.tls.is_some()).finish_non_exhaustive()
    }
}

impl Side {
    /// A side that speaks HTTP and wants no headers.
    pub fn plain(addr: SocketAddr) -> Self {
        Self { addr, headers: Headers::default(), tls: None }
    }

    /// A side that wants these headers, of which secrets are read now.
    pub(crate) fn with_headers(addr: SocketAddr, headers: &BTreeMap<String, String>) -> Result<Self, HeaderError> {
        Ok(Self { addr, headers: Headers::read(headers)?, tls: None })
    }

    /// The side of this name (`http`, `metrics` or `profile`) of a target, by its profile.
    pub fn of(profile: &Profile, name: &str, addr: SocketAddr) -> Result<Self, SideError> {
        let headers = Headers::read(&profile.requests.headers)?;
        let is_own = name == "http" || profile.has_own(name);
        let settings = profile.tls.as_ref().filter(|tls| covers(tls, if is_own { name } else { "http" }));
        let tls = settings.map(|settings| Tls::read(settings, addr)).transpose()?;
        Ok(Self { addr, headers, tls })
    }

    /// The same side with HTTPS.
    pub fn with_tls(self, settings: &TlsSettings) -> Result<Self, TlsError> {
        Ok(Self { tls: Some(Tls::read(settings, self.addr)?), ..self })
    }

    /// The same side, reached at another address: a proxy stands before it.
    pub(crate) fn through(&self, addr: SocketAddr) -> Self {
        Self { addr, ..self.clone() }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Whether it speaks HTTPS.
    pub fn is_https(&self) -> bool {
        self.tls.is_some()
    }

    /// The headers of every request.
    pub(crate) fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Opens a connection. The caller bounds it in time.
    pub(crate) async fn connect(&self) -> Result<Link, CallError> {
        let addr = self.addr;
        let unreachable = |error: std::io::Error| {
            CallError::broken(format!("cannot connect to {addr}: {error}")).because(Cause::Unreachable)
        };
        let stream = TcpStream::connect(addr).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let Some(tls) = &self.tls else {
            let (stream, first) = Noting::new(stream);
            return Ok(Link { stream: Box::new(stream), first });
        };
        let stream = tls.handshake(stream, addr).await?;
        Ok(Link { stream: Box::new(stream), first: FirstBytes::default() })
    }

    /// What it means that HTTP failed on a connection: what came instead, where that can be told.
    pub(crate) fn explain(&self, error: &hyper::Error, first: &FirstBytes) -> CallError {
        let addr = self.addr;
        if let Some((came, next)) = first.foreign() {
            let words = format!("expected HTTP/1.1 from {addr}, but {came} came; {next}");
            return CallError::broken(words).because(Cause::Unfit(Misfit::Protocol));
        }
        let cause = if error.is_parse() {
            Cause::Unfit(Misfit::Protocol)
        } else if error.is_incomplete_message() {
            Cause::CutOff
        } else {
            Cause::Other
        };
        CallError::broken(in_full(error)).because(cause)
    }
}

/// Whether HTTPS is spoken on the side of this name.
pub(crate) fn covers(tls: &TlsSettings, name: &str) -> bool {
    tls.sides.iter().any(|side| side == name)
}

/// An error with the reasons behind it.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

impl Sides {
    /// The sides of a target, by its profile.
    pub fn of(profile: &Profile, addrs: [SocketAddr; 3]) -> Result<Self, SideError> {
        let [http, metrics, pprof] = addrs;
        Ok(Self {
            http: Side::of(profile, "http", http)?,
            metrics: Side::of(profile, "metrics", metrics)?,
            profile: Side::of(profile, "profile", pprof)?,
        })
    }
}
