//! First responses of the runbook, rehearsed while the load runs: what do they change?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::{Evidence, Guard, Levers};
use crate::target::{CallError, Control};

/// Lets the load pause.
#[expect(clippy::unnecessary_wraps, reason = "as every injection")]
pub(super) fn stop_load(levers: &dyn Levers) -> Result<Box<dyn Guard>, String> {
    let reach = levers.reach();
    Ok(Box::new(StopLoad::begin(Arc::clone(&reach.hold_load), Arc::clone(&reach.held_back))))
}

struct StopLoad {
    held: Arc<AtomicBool>,
    /// Operations left out, ever, and how many it were before this.
    held_back: Arc<AtomicU64>,
    before: u64,
    began: Instant,
}

impl StopLoad {
    fn begin(held: Arc<AtomicBool>, held_back: Arc<AtomicU64>) -> Self {
        let before = held_back.load(Ordering::Relaxed);
        held.store(true, Ordering::Relaxed);
        Self { held, held_back, before, began: Instant::now() }
    }
}

#[async_trait]
impl Guard for StopLoad {
    async fn evidence(&mut self) -> Evidence {
        let seconds = self.began.elapsed().as_secs_f64();
        let count = self.held_back.load(Ordering::Relaxed) - self.before;
        Evidence {
            // A phase that does not ask whether it is held goes on as if nothing were.
            took_place: count > 0,
            words: format!("{count} operations held back in {seconds:.1} s"),
            figures: vec![("held_back_operations", count as f64), ("paused_seconds", seconds)],
        }
    }

    async fn heal(self: Box<Self>) -> Result<(), String> {
        self.held.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for StopLoad {
    fn drop(&mut self) {
        self.held.store(false, Ordering::Relaxed);
    }
}

/// How long an answer is waited for once the hold is over: less than whoever asks for evidence waits for that, or nothing would be said.
const ANSWER_WITHIN: Duration = Duration::from_secs(45);

/// Something that a target is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    /// What it does, and what it has done.
    words: [&'static str; 2],
    figure: &'static str,
    of: Of,
}

/// Which call that is.
#[derive(Debug, Clone, Copy)]
enum Of {
    Compaction,
    Vacuum,
    Cache,
}

/// A compaction of everything.
pub(super) const COMPACTION: Request =
    Request { words: ["compact", "compacted"], figure: "compaction_seconds", of: Of::Compaction };

/// What is retired, given back.
pub(super) const VACUUM: Request =
    Request { words: ["give memory back", "given memory back"], figure: "vacuum_seconds", of: Of::Vacuum };

/// Caches, emptied.
pub(super) const CACHE: Request =
    Request { words: ["empty its caches", "emptied its caches"], figure: "cache_seconds", of: Of::Cache };

/// Asks the target for it.
#[expect(clippy::unnecessary_wraps, reason = "as every injection")]
pub(super) fn ask(levers: &dyn Levers, request: Request) -> Result<Box<dyn Guard>, String> {
    Ok(Box::new(Asked::begin(Arc::clone(&levers.reach().control), request)))
}

struct Asked {
    request: Request,
    began: Instant,
    /// The call, which ends with this guard.
    call: JoinSet<(Result<(), CallError>, f64)>,
}

impl Asked {
    fn begin(control: Arc<dyn Control>, request: Request) -> Self {
        let began = Instant::now();
        let mut call = JoinSet::new();
        call.spawn(async move {
            let answer = match request.of {
                Of::Compaction => control.compact().await,
                Of::Vacuum => control.vacuum().await,
                Of::Cache => control.clear_cache().await,
            };
            (answer, began.elapsed().as_secs_f64())
        });
        Self { request, began, call }
    }
}

#[async_trait]
impl Guard for Asked {
    async fn evidence(&mut self) -> Evidence {
        let not_shown = |words: String| Evidence { words, ..Evidence::default() };
        let [does, done] = self.request.words;
        match timeout(ANSWER_WITHIN, self.call.join_next()).await {
            Ok(Some(Ok((Ok(()), seconds)))) => Evidence {
                took_place: true,
                words: format!("the target said after {seconds:.2} s that it has {done}"),
                figures: vec![(self.request.figure, seconds)],
            },
            Ok(Some(Ok((Err(error), _)))) => not_shown(format!("the target did not {does}: {error}")),
            Ok(Some(Err(error))) => not_shown(format!("the call of the harness failed: {error}")),
            Ok(None) => not_shown("the target's answer has been told before".to_owned()),
            Err(_) => {
                let seconds = self.began.elapsed().as_secs_f64();
                not_shown(format!(
                    "the target did not answer within {seconds:.1} s; a longer `hold` gives it more time to {does}"
                ))
            }
        }
    }

    async fn heal(mut self: Box<Self>) -> Result<(), String> {
        self.call.shutdown().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use soak_record::TaskGroup;

    use super::*;

    #[tokio::test]
    async fn a_pause_that_held_nothing_back_is_not_shown() {
        let (held, held_back) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(7)));
        let mut guard = StopLoad::begin(Arc::clone(&held), Arc::clone(&held_back));
        let nothing = guard.evidence().await;
        assert!(!nothing.took_place && nothing.words.starts_with("0 operations"), "{nothing:?}");
        held_back.fetch_add(3, Ordering::Relaxed);
        let some = guard.evidence().await;
        assert!(some.took_place && some.words.starts_with("3 operations"), "{some:?}");
        drop(guard);
        assert!(!held.load(Ordering::Relaxed), "the load goes on");
    }

    /// A target that compacts for so long; `None`: it says no.
    struct Compacts(Option<Duration>);

    #[async_trait]
    impl Control for Compacts {
        async fn ready(&self) -> Result<(), CallError> {
            Ok(())
        }

        async fn collect(&self) -> Result<(), CallError> {
            Ok(())
        }

        async fn compact(&self) -> Result<(), CallError> {
            let length = self.0.ok_or_else(|| CallError::refused("busy"))?;
            tokio::time::sleep(length).await;
            Ok(())
        }

        async fn vacuum(&self) -> Result<(), CallError> {
            Ok(())
        }

        async fn tasks(&self) -> Result<Option<Vec<TaskGroup>>, CallError> {
            Ok(None)
        }
    }

    async fn told(length: Option<Duration>) -> Evidence {
        let mut guard = Asked::begin(Arc::new(Compacts(length)), COMPACTION);
        // Whoever asks gives up after a minute.
        timeout(Duration::from_secs(60), guard.evidence()).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_compaction_is_told_whatever_became_of_it() {
        let done = told(Some(Duration::from_secs(7))).await;
        assert!(done.took_place && done.words.contains("7.00 s"), "{done:?}");
        let refused = told(None).await;
        assert!(!refused.took_place && refused.words.contains("busy"), "{refused:?}");
        let endless = told(Some(Duration::from_secs(120))).await;
        assert!(!endless.took_place && endless.words.contains("did not answer within 45.0 s"), "{endless:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_vacuum_is_another_call() {
        let mut guard = Asked::begin(Arc::new(Compacts(None)), VACUUM);
        let done = guard.evidence().await;
        assert!(done.took_place && done.words.contains("given memory back"), "{done:?}");
        assert_eq!(done.figures[0].0, "vacuum_seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn no_call_outlives_its_guard() {
        let control: Arc<dyn Control> = Arc::new(Compacts(Some(Duration::from_secs(120))));
        for heals in [true, false] {
            let mut guard = Asked::begin(Arc::clone(&control), COMPACTION);
            guard.evidence().await;
            assert_eq!(Arc::strong_count(&control), 2, "the call is under way");
            if heals {
                Box::new(guard).heal().await.unwrap();
            } else {
                drop(guard);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(Arc::strong_count(&control), 1, "healed: {heals}");
        }
    }
}
