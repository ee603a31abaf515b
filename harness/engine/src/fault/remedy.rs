//! First responses of the runbook, rehearsed while the load runs: what do they change?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Evidence, Guard, Levers};
use crate::target::CallError;

/// Lets the load pause.
#[expect(clippy::unnecessary_wraps, reason = "as every injection")]
pub(super) fn stop_load(levers: &dyn Levers) -> Result<Box<dyn Guard>, String> {
    let held = Arc::clone(&levers.reach().hold_load);
    held.store(true, Ordering::Relaxed);
    Ok(Box::new(StopLoad { held, began: Instant::now() }))
}

struct StopLoad {
    held: Arc<AtomicBool>,
    began: Instant,
}

#[async_trait]
impl Guard for StopLoad {
    async fn evidence(&mut self) -> Evidence {
        let seconds = self.began.elapsed().as_secs_f64();
        let words = format!("no operation was begun for {seconds:.1} s");
        Evidence { took_place: self.held.load(Ordering::Relaxed), words, figures: vec![("paused_seconds", seconds)] }
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

/// Asks for a compaction of everything.
#[expect(clippy::unnecessary_wraps, reason = "as every injection")]
pub(super) fn force_compaction(levers: &dyn Levers) -> Result<Box<dyn Guard>, String> {
    let control = Arc::clone(&levers.reach().control);
    let began = Instant::now();
    let answer = tokio::spawn(async move {
        let answer = control.compact().await;
        (answer, began.elapsed().as_secs_f64())
    });
    Ok(Box::new(Compaction { answer: Some(answer) }))
}

struct Compaction {
    answer: Option<JoinHandle<(Result<(), CallError>, f64)>>,
}

#[async_trait]
impl Guard for Compaction {
    async fn evidence(&mut self) -> Evidence {
        let Some(answer) = self.answer.take() else { return Evidence::default() };
        match answer.await {
            Ok((Ok(()), seconds)) => Evidence {
                took_place: true,
                words: format!("the target said after {seconds:.2} s that it has compacted"),
                figures: vec![("compaction_seconds", seconds)],
            },
            Ok((Err(error), _)) => {
                Evidence { words: format!("the target did not compact: {error}"), ..Evidence::default() }
            }
            Err(error) => Evidence { words: format!("the call failed: {error}"), ..Evidence::default() },
        }
    }

    async fn heal(self: Box<Self>) -> Result<(), String> {
        Ok(())
    }
}
