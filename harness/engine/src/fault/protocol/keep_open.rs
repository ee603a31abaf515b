//! What is opened and kept open: when the target ends it, or does not take it, it is opened again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::tally::Tally;
use crate::target::{CallError, within};

/// Rest before it is opened again.
const REST: Duration = Duration::from_secs(1);

/// Keeps one open for ever: `open` opens it, within `deadline` and with one of `turns`, and `listen` counts what the target says to it, and returns when the target has ended it.
pub(super) async fn keep_open<T, O, L>(
    tally: Arc<Tally>,
    turns: Arc<Semaphore>,
    deadline: Duration,
    open: impl Fn() -> O,
    listen: impl Fn(T, Arc<Tally>) -> L,
) where
    O: Future<Output = Result<T, CallError>>,
    L: Future<Output = ()>,
{
    loop {
        let opened = {
            let _turn = turns.acquire().await;
            within(deadline, open()).await
        };
        match opened {
            Ok(kept) => {
                let _open = tally.open();
                listen(kept, Arc::clone(&tally)).await;
            }
            Err(error) => tally.record::<()>(&Err(error)),
        }
        sleep(REST).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::time::timeout;

    /// Counts after some seconds of one whose first opening fails and of which each lives for `life`.
    async fn after(seconds: u64, life: Duration) -> (u64, u64, u64) {
        let (tally, tried) = (Arc::new(Tally::default()), AtomicU64::new(0));
        let open = || {
            let first = tried.fetch_add(1, Ordering::Relaxed) == 0;
            async move { if first { Err(CallError::broken("no")) } else { Ok(()) } }
        };
        let keeping = keep_open(Arc::clone(&tally), Arc::new(Semaphore::new(1)), REST, open, |(), _| sleep(life));
        tokio::pin!(keeping);
        timeout(Duration::from_secs(seconds), &mut keeping).await.unwrap_err();
        let counts = tally.counts();
        (counts.errors, counts.opened, counts.open)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_ended_or_refused_is_opened_again() {
        let hour = Duration::from_secs(3600);
        assert_eq!(after(60, hour).await, (1, 1, 1), "it stays");
        assert_eq!(after(60, Duration::from_millis(500)).await.1, 40, "one every second and a half");
    }
}
