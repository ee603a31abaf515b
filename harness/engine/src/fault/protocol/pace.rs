//! Calls at a rate. Ticks that were missed are skipped, and so are calls that find every place taken: an abuse never piles up in the harness.

use std::time::Duration;

use soak_scenario::units::Rate;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// Timers are good to a millisecond; above this many a second several calls share a tick.
const TICK_LEAST: Duration = Duration::from_millis(10);

/// A rate may be less than one an hour.
const TICK_MOST: Duration = Duration::from_secs(3600);

/// Makes calls for ever, at most `in_flight` at once; each is told its number. They end with this future.
pub(super) async fn at_rate<C>(rate: Rate, in_flight: usize, mut call: impl FnMut(u64) -> C)
where
    C: Future<Output = ()> + Send + 'static,
{
    let a_second = rate.a_second();
    let tick = Duration::try_from_secs_f64(1.0 / a_second).unwrap_or(TICK_MOST).clamp(TICK_LEAST, TICK_MOST);
    let mut ticks = interval(tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut running = JoinSet::new();
    let mut number = 0;
    let mut due = 0.0;
    loop {
        ticks.tick().await;
        while running.try_join_next().is_some() {}
        due += a_second * tick.as_secs_f64();
        // A little less than one, or rounding would skip a call now and then.
        while due > 0.999_999 {
            due -= 1.0;
            if running.len() < in_flight {
                running.spawn(call(number));
                number += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use soak_scenario::units::Per;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Calls made in a minute.
    async fn in_a_minute(rate: Rate, in_flight: usize, each: Duration) -> u64 {
        let made = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&made);
        let calls = at_rate(rate, in_flight, move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(each)
        });
        let _ = tokio::time::timeout(Duration::from_secs(60), calls).await;
        made.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn rates_are_kept_and_places_bounded() {
        let (quick, slow) = (Duration::from_millis(1), Duration::from_secs(7));
        for (rate, calls) in [(2.0, 120), (1000.0, 60_000)] {
            let made = in_a_minute(Rate::per_second(rate), 100, quick).await;
            assert!(made.abs_diff(calls) <= calls / 50 + 1, "{made} at {rate}/s");
        }
        assert_eq!(in_a_minute(Rate { count: 1.0, per: Per::Hour }, 9, quick).await, 1, "the first at once");
        let made = in_a_minute(Rate::per_second(100.0), 3, slow).await;
        assert!((24..=27).contains(&made), "three at once, of seven seconds each: {made}");
    }
}
