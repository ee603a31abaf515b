//! How many bytes may pass now under a bandwidth: a token bucket with a small burst.

use std::time::Duration;

use tokio::time::Instant;

/// The bucket holds what comes in so long: timers are only good to a millisecond.
const BURST: Duration = Duration::from_millis(20);

/// Bytes go out in portions of so much time, or a slow line would cost a system call for each byte.
const PORTION: Duration = Duration::from_millis(10);

/// A rate may be so slow that the next byte is never due; it is looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// A token bucket. Rates are bytes a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    bytes: f64,
    since: Instant,
}

impl Allowance {
    /// An empty bucket.
    pub(super) fn none(now: Instant) -> Self {
        Self { bytes: 0.0, since: now }
    }

    /// When a portion of `waiting` bytes may go; `None` for a rate of nothing.
    pub(super) fn due(&self, rate: f64, waiting: usize) -> Option<Instant> {
        if rate <= 0.0 {
            return None;
        }
        let portion = (rate * PORTION.as_secs_f64()).max(1.0).min(waiting as f64);
        let missing_s = ((portion - self.bytes) / rate).clamp(0.0, LOOK_AGAIN.as_secs_f64());
        Some(self.since + Duration::from_secs_f64(missing_s))
    }

    /// How many bytes may go now.
    pub(super) fn at_most(&mut self, rate: f64, now: Instant) -> usize {
        let more = rate * now.duration_since(self.since).as_secs_f64();
        self.bytes = (self.bytes + more).min((rate * BURST.as_secs_f64()).max(1.0));
        self.since = now;
        // A sum of small parts may fall short of a whole byte by a rounding error, and the time has come.
        (self.bytes + 1e-6) as usize
    }

    /// So many went.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.bytes -= bytes as f64;
    }
}
