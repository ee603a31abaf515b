//! The lives that a target leads, one after the other: a fault may end one and begin the next, and only an end that nobody wanted is a death.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// A life, from a start to an end.
pub(super) trait Life: Send + Sync {
    /// How it ended.
    type End: Send;
    /// Waits for its end.
    fn ended(&self) -> impl Future<Output = Self::End> + Send;
}

/// The life that a target leads now, and those to come.
#[derive(Debug)]
pub(super) struct Lives<L>(watch::Sender<Now<L>>);

#[derive(Debug)]
struct Now<L> {
    life: Arc<L>,
    end_is_wanted: Arc<AtomicBool>,
}

impl<L> Now<L> {
    fn begun(life: L) -> Self {
        Self { life: Arc::new(life), end_is_wanted: Arc::default() }
    }
}

impl<L: Life> Lives<L> {
    /// The first.
    pub(super) fn begun(life: L) -> Self {
        Self(watch::Sender::new(Now::begun(life)))
    }

    /// The one that is led now.
    pub(super) fn now(&self) -> Arc<L> {
        Arc::clone(&self.0.borrow().life)
    }

    /// From now on the end of the one that is led now is wanted, so that it is no death.
    pub(super) fn want_end(&self) -> Arc<L> {
        let now = self.0.borrow();
        now.end_is_wanted.store(true, Ordering::SeqCst);
        Arc::clone(&now.life)
    }

    /// The next.
    pub(super) fn begin(&self, life: L) {
        self.0.send_replace(Now::begun(life));
    }

    /// Waits for an end that is not wanted: whose, and how.
    pub(super) async fn death(&self) -> (Arc<L>, L::End) {
        let mut lives = self.0.subscribe();
        loop {
            let (life, end_is_wanted) = {
                let now = lives.borrow_and_update();
                (Arc::clone(&now.life), Arc::clone(&now.end_is_wanted))
            };
            let how = life.ended().await;
            if !end_is_wanted.load(Ordering::SeqCst) {
                return (life, how);
            }
            // Who wanted it begins the next.
            if lives.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Told(watch::Sender<Option<u32>>);

    impl Told {
        fn new() -> (Self, watch::Sender<Option<u32>>) {
            let end = watch::Sender::new(None);
            (Self(end.clone()), end)
        }
    }

    impl Life for Told {
        type End = u32;

        async fn ended(&self) -> u32 {
            let mut end = self.0.subscribe();
            let how = end.wait_for(Option::is_some).await.unwrap();
            how.unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_end_that_nobody_wanted_is_a_death() {
        let ((first, end_first), (second, end_second)) = (Told::new(), Told::new());
        let lives = Lives::begun(first);
        let mut death = std::pin::pin!(lives.death());
        lives.want_end();
        end_first.send_replace(Some(1));
        let waited = tokio::time::timeout(Duration::from_secs(60), &mut death).await;
        assert!(waited.is_err(), "the first was to end");
        lives.begin(second);
        end_second.send_replace(Some(2));
        assert_eq!(death.await.1, 2);
        assert_eq!(lives.now().ended().await, 2);
    }
}
