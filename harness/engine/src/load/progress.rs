//! Whether a stream still moves: the moment at which the target last took a byte or answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Touched whenever the target takes or answers something. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    last: Instant,
    longest: Duration,
    /// Whether anything is asked of the target; if not, silence means nothing.
    asked: bool,
    taken_bytes: u64,
}

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            last: Instant::now(),
            longest: Duration::ZERO,
            asked: false,
            taken_bytes: 0,
        })))
    }
}

impl Progress {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The target took or answered something.
    pub fn touch(&self) {
        self.silence();
        self.state().last = Instant::now();
    }

    /// The target took so many bytes, as far as its connection tells.
    pub(crate) fn take(&self, bytes: usize) {
        self.touch();
        self.state().taken_bytes += bytes as u64;
    }

    /// Bytes taken so far.
    pub(crate) fn taken_bytes(&self) -> u64 {
        self.state().taken_bytes
    }

    /// From now on something is (or nothing is) asked of the target.
    pub(crate) fn ask(&self, asked: bool) {
        let mut state = self.state();
        if asked != state.asked {
            state.asked = asked;
            state.last = Instant::now();
        }
    }

    /// How long the target has been silent while it was asked.
    pub(crate) fn silence(&self) -> Duration {
        let mut state = self.state();
        let silent = if state.asked { state.last.elapsed() } else { Duration::ZERO };
        state.longest = state.longest.max(silent);
        silent
    }

    /// How long the target has been silent; `None` while it is asked nothing.
    pub(crate) fn waiting(&self) -> Option<Duration> {
        let asked = self.state().asked;
        asked.then(|| self.silence())
    }

    /// Whether both are of one stream.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The longest silence so far.
    pub(crate) fn longest(&self) -> Duration {
        self.silence();
        self.state().longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_silence_while_asked_counts() {
        let progress = Progress::default();
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(progress.silence(), Duration::ZERO);
        progress.ask(true);
        tokio::time::sleep(Duration::from_secs(3)).await;
        progress.touch();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(progress.silence(), Duration::from_secs(1));
        progress.ask(false);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!((progress.silence(), progress.longest()), (Duration::ZERO, Duration::from_secs(3)));
    }
}
