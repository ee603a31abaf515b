//! What a proxy has carried and done, counted since it started.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The running totals; every connection adds to them.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) connections: Total,
    pub(super) refused_connections: Total,
    pub(super) bytes: Total,
    pub(super) delayed_bytes: Total,
    pub(super) held_bytes: Total,
    pub(super) held_connections: Total,
    pub(super) reset_connections: Total,
    pub(super) waited_nanos: Total,
}

/// One total.
#[derive(Debug, Default)]
pub(super) struct Total(AtomicU64);

impl Total {
    pub(super) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Totals {
    pub(super) fn waited(&self, time: Duration) {
        self.waited_nanos.add(time.as_nanos() as usize);
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            connections: self.connections.now(),
            refused_connections: self.refused_connections.now(),
            bytes: self.bytes.now(),
            delayed_bytes: self.delayed_bytes.now(),
            held_bytes: self.held_bytes.now(),
            held_connections: self.held_connections.now(),
            reset_connections: self.reset_connections.now(),
            waited_seconds: self.waited_nanos.now() as f64 / 1e9,
        }
    }
}

/// The totals at one moment, or what came to them between two.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Counts {
    /// Connections that were accepted.
    pub(crate) connections: u64,
    /// Connections that the upstream did not take.
    pub(crate) refused_connections: u64,
    /// Bytes that were passed on, both ways.
    pub(crate) bytes: u64,
    /// Bytes that came in under latency.
    pub(crate) delayed_bytes: u64,
    /// Bytes that came in and were not passed on, under a cut: those that the proxy took, at most a buffer for each connection and way.
    pub(crate) held_bytes: u64,
    /// Connections under a cut that had bytes held back, or were not even made.
    pub(crate) held_connections: u64,
    /// Connections that were reset on purpose.
    pub(crate) reset_connections: u64,
    /// For how long bytes waited because no more were allowed, over all connections and ways.
    pub(crate) waited_seconds: f64,
}

impl Counts {
    /// What came since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            connections: self.connections - before.connections,
            refused_connections: self.refused_connections - before.refused_connections,
            bytes: self.bytes - before.bytes,
            delayed_bytes: self.delayed_bytes - before.delayed_bytes,
            held_bytes: self.held_bytes - before.held_bytes,
            held_connections: self.held_connections - before.held_connections,
            reset_connections: self.reset_connections - before.reset_connections,
            waited_seconds: self.waited_seconds - before.waited_seconds,
        }
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            connections: sum.connections + one.connections,
            refused_connections: sum.refused_connections + one.refused_connections,
            bytes: sum.bytes + one.bytes,
            delayed_bytes: sum.delayed_bytes + one.delayed_bytes,
            held_bytes: sum.held_bytes + one.held_bytes,
            held_connections: sum.held_connections + one.held_connections,
            reset_connections: sum.reset_connections + one.reset_connections,
            waited_seconds: sum.waited_seconds + one.waited_seconds,
        })
    }
}
