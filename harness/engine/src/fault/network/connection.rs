//! One connection through the proxy: made, carried both ways, and ended as the two ends would have ended it between themselves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::counts::Totals;
use super::proxy::Conditions;
use super::pump::{Ended, Pump, Shared};

/// How long the upstream may take to accept; a stopped process with a full backlog never does.
const CONNECT_DEADLINE: Duration = Duration::from_secs(30);

/// Carries a connection to its end.
pub(super) async fn carry(
    mut client: TcpStream,
    upstream: SocketAddr,
    conditions: watch::Receiver<Conditions>,
    totals: Arc<Totals>,
) {
    let server = tokio::select! {
        biased;
        () = until(conditions.clone(), |now| now == Conditions::Reset) => Err(&totals.reset_connections),
        server = connect(upstream, conditions.clone(), &totals) => server.ok_or(&totals.refused_connections),
    };
    let mut server = match server {
        Ok(server) => server,
        Err(counted) => {
            counted.add(1);
            // Nearest to a refusal that an accepted connection can come.
            return reset(&client);
        }
    };
    // Without it small answers would wait for each other; where it cannot be set the connection is already broken.
    let _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
    let is_well = {
        let shared = Shared { totals: &totals, held: AtomicBool::new(false) };
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let there = Pump::new(from_client, to_server, conditions.clone(), &shared);
        let back = Pump::new(from_server, to_client, conditions.clone(), &shared);
        tokio::select! {
            biased;
            () = until(conditions, |now| now == Conditions::Reset) => {
                totals.reset_connections.add(1);
                false
            }
            ended = async { tokio::try_join!(there.run(), back.run()) } => ended == Ok((Ended::Well, Ended::Well)),
        }
    };
    if !is_well {
        reset(&client);
        reset(&server);
    }
}

/// Connects to the upstream as soon as the network lets it.
async fn connect(upstream: SocketAddr, conditions: watch::Receiver<Conditions>, totals: &Totals) -> Option<TcpStream> {
    let is_cut = *conditions.borrow() == Conditions::Cut;
    if is_cut {
        totals.held_connections.add(1);
        until(conditions, |now| now != Conditions::Cut).await;
    }
    tokio::time::timeout(CONNECT_DEADLINE, TcpStream::connect(upstream)).await.ok()?.ok()
}

/// Returns when the conditions are such, or when the proxy is gone.
async fn until(mut conditions: watch::Receiver<Conditions>, such: impl Fn(Conditions) -> bool) {
    // An error means that the proxy is gone, and this task goes with it.
    let _ = conditions.wait_for(|now| such(*now)).await;
}

/// Lets the connection end with a reset when it is dropped.
fn reset(stream: &TcpStream) {
    // Where that cannot be set the connection is already gone.
    let _ = stream.set_zero_linger();
}
