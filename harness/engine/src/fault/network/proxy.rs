//! A proxy on 127.0.0.1 that load is sent through, so that the network between load and target can be made worse and well again.

use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::connection;
use super::counts::{Counts, Totals};

/// Connections carried at once. Each takes two descriptors and at most two buffers; those beyond wait with the system.
const CONNECTIONS_MAX: usize = 1024;

/// How long the listener rests when the system has no more descriptors.
const REST: Duration = Duration::from_millis(50);

/// What the network is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Conditions {
    /// Everything passes at once.
    Clear,
    /// Every byte, and every end, takes so much longer, each way.
    Latency(Duration),
    /// At most so many bytes a second, each way and connection.
    Bandwidth(f64),
    /// Nothing passes. Connections stay, and new ones are accepted and hang; what was sent passes when the cut is over.
    Cut,
    /// Every connection is reset, and so is every new one.
    Reset,
}

/// A proxy before one upstream. Clones are the same proxy; the last one to go takes every connection with it.
#[derive(Debug, Clone)]
pub(crate) struct Proxy(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    addr: SocketAddr,
    conditions: watch::Sender<Conditions>,
    totals: Arc<Totals>,
    accepting: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The task owns the connections' tasks.
        self.accepting.abort();
    }
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1. An upstream that is not of this machine is refused. The upstream need not be there yet, and may come and go.
    pub(crate) async fn start(upstream: SocketAddr) -> std::io::Result<Self> {
        if !upstream.ip().is_loopback() {
            let problem = format!("{upstream} is not an address of this machine: load is sent to loopback only");
            return Err(Error::new(ErrorKind::InvalidInput, problem));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let (conditions, watched) = watch::channel(Conditions::Clear);
        let totals = Arc::new(Totals::default());
        let accepting = tokio::spawn(accept(listener, upstream, watched, Arc::clone(&totals))).abort_handle();
        Ok(Self(Arc::new(Inner { addr, conditions, totals, accepting })))
    }

    /// Where load is sent instead of the upstream.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.0.addr
    }

    /// Changes the conditions, for open connections too.
    pub(crate) fn set(&self, conditions: Conditions) {
        self.0.conditions.send_replace(conditions);
    }

    /// Totals since the start.
    pub(crate) fn counts(&self) -> Counts {
        self.0.totals.counts()
    }
}

async fn accept(
    listener: TcpListener,
    upstream: SocketAddr,
    conditions: watch::Receiver<Conditions>,
    totals: Arc<Totals>,
) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if open.len() < CONNECTIONS_MAX => match accepted {
                Ok((client, _)) => {
                    totals.connections.add(1);
                    open.spawn(connection::carry(client, upstream, conditions.clone(), Arc::clone(&totals)));
                }
                Err(_) => tokio::time::sleep(REST).await,
            },
            Some(_) = open.join_next() => {}
        }
    }
}
