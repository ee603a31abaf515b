//! A phase that takes longer than the plan allows ends its variant.

use std::time::Duration;

use soak_record::EventKind;
use tokio::time::{Instant, sleep};

use crate::journal::Journal;
use crate::machine::Step;
use crate::operator::Wishes;

/// How often the time is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Returns once a phase has taken this long. Time in which a person holds the load back is not counted.
pub(super) async fn after(limit: Duration, wishes: &Wishes) {
    let mut left = limit;
    while !left.is_zero() {
        let began = Instant::now();
        sleep(LOOK_EVERY.min(left)).await;
        if !wishes.load_is_held() {
            left = left.saturating_sub(began.elapsed());
        }
    }
}

/// Records it. The reason, for people.
pub(super) fn record(journal: &Journal, step: Step, limit: Duration) -> String {
    let limit_s = limit.as_secs_f64();
    journal.event(EventKind::PhaseOverdue { phase: step.phase, cycle: step.cycle, limit_s });
    format!(
        "{} was not over after {limit_s:.0} s, the most that the plan allows (deadlines.phase, deadlines.index, deadlines.call)",
        step.phase.words()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::watch;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn held_load_does_not_count() {
        let (_stop, stopped) = watch::channel(false);
        let (operator, wishes) = Wishes::of_operator(stopped);
        let limit = Duration::from_secs(5);
        let began = Instant::now();
        after(limit, &wishes).await;
        assert!(began.elapsed() >= limit && began.elapsed() < limit + LOOK_EVERY);
        operator.toggle_pause();
        assert!(timeout(2 * limit, after(limit, &wishes)).await.is_err());
    }
}
