//! Connections: how many are open, and the share of them that is kept, on request, once their clients have closed them.

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::misbehave::touched;

/// What a kept connection holds beside its socket.
const CONNECTION_BYTES: usize = 16 << 10;

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    leaked_share: f64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: u64,
    owed: f64,
    kept: Vec<(std::os::fd::OwnedFd, Vec<u8>)>,
}

/// One that is open as long as this lives; or longer.
#[derive(Debug)]
pub(crate) struct Open {
    connections: Arc<Connections>,
    /// A second handle of its socket, where it may be kept.
    socket: Option<std::os::fd::OwnedFd>,
}

impl Connections {
    pub(crate) fn new(leaked_share: f64) -> Self {
        Self { leaked_share, state: Mutex::default() }
    }

    /// Counts a connection.
    pub(crate) fn open(self: &Arc<Self>, stream: &impl AsFd) -> Open {
        self.state().open += 1;
        // Without a second handle there is nothing that could be kept.
        let socket = (self.leaked_share > 0.0).then(|| stream.as_fd().try_clone_to_owned().ok()).flatten();
        Open { connections: Arc::clone(self), socket }
    }

    /// How many are open, or were never let go of.
    pub(crate) fn count(&self) -> u64 {
        self.state().open
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        state.owed += self.connections.leaked_share;
        match self.socket.take().filter(|_| state.owed >= 1.0) {
            Some(socket) => {
                state.owed -= 1.0;
                state.kept.push((socket, touched(CONNECTION_BYTES)));
            }
            None => state.open -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_closed_connections_is_kept() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        for (share, left) in [(0.25, 2), (0.0, 0)] {
            let connections = Arc::new(Connections::new(share));
            for _ in 0..8 {
                drop(connections.open(&listener));
            }
            assert_eq!(connections.count(), left);
        }
    }
}
