//! A leak that is switched on and off over HTTP, at a known rate: the fault `leak` of a chaos run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use soak_scenario::units::{ByteRate, Rate};

use crate::misbehave::{LEAK_PIECE_BYTES, touched};
use crate::tasks::{Running, Tasks};

/// Tasks a second at most: more would be a burst.
const TASKS_PER_SECOND_MAX: f64 = 100_000.0;

/// The leak. It is off until it is started.
#[derive(Debug, Default)]
pub(crate) struct SwitchedLeak(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    rates: LeakRates,
    /// Up to when the leak is paid.
    paid: Option<Instant>,
    bytes_owed: f64,
    tasks_owed: f64,
    pieces: Vec<Vec<u8>>,
    tasks: Vec<Running>,
}

/// How fast it leaks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct LeakRates {
    pub bytes_per_second: f64,
    pub tasks_per_second: f64,
}

/// A rate that cannot be leaked at.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RateError {
    #[error("bytes_rate={0}: expected a size above 0 per s, min or h, such as 64MiB/min")]
    Bytes(String),
    #[error("tasks_rate={0}: expected a number above 0 per s, min or h, such as 600/min, up to 100000/s")]
    Tasks(String),
}

impl LeakRates {
    /// Rates as a request gives them; what is not given is not leaked.
    pub(crate) fn parse(bytes: Option<String>, tasks: Option<String>) -> Result<Self, RateError> {
        let bytes_per_second = bytes.map_or(Ok(0.0), |text| {
            let rate = text.parse().ok().and_then(ByteRate::bytes_per_second);
            rate.filter(|rate| *rate > 0.0).ok_or(RateError::Bytes(text))
        })?;
        let tasks_per_second = tasks.map_or(Ok(0.0), |text| {
            let rate = text.parse().ok().map(Rate::a_second);
            rate.filter(|rate| *rate > 0.0 && *rate <= TASKS_PER_SECOND_MAX).ok_or(RateError::Tasks(text))
        })?;
        Ok(Self { bytes_per_second, tasks_per_second })
    }
}

impl SwitchedLeak {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaks at these rates from now on, in place of those before. What is held stays.
    pub(crate) fn start(&self, rates: LeakRates) {
        let mut state = self.state();
        state.rates = rates;
        state.paid = Some(Instant::now());
    }

    /// Leaks what has come due.
    pub(crate) fn pay(&self, now: Instant, tasks: &Arc<Tasks>) {
        let mut state = self.state();
        let Some(paid) = state.paid else { return };
        let seconds = now.saturating_duration_since(paid).as_secs_f64();
        state.paid = Some(now.max(paid));
        state.bytes_owed += state.rates.bytes_per_second * seconds;
        while state.bytes_owed >= LEAK_PIECE_BYTES as f64 {
            state.bytes_owed -= LEAK_PIECE_BYTES as f64;
            state.pieces.push(touched(LEAK_PIECE_BYTES));
        }
        state.tasks_owed += state.rates.tasks_per_second * seconds;
        while state.tasks_owed >= 1.0 {
            state.tasks_owed -= 1.0;
            state.tasks.push(tasks.enter(&["repair.waitForPeer", "repair.start"], "chan receive"));
        }
    }

    /// Ends it and lets go of everything; how many bytes and tasks were held. The memory is free then, and goes back to the system with the next collection.
    pub(crate) fn stop(&self) -> (u64, u64) {
        let ended = std::mem::take(&mut *self.state());
        ended.held()
    }

    /// Bytes and tasks that it holds.
    pub(crate) fn held(&self) -> (u64, u64) {
        self.state().held()
    }
}

impl State {
    fn held(&self) -> (u64, u64) {
        ((self.pieces.len() * LEAK_PIECE_BYTES) as u64, self.tasks.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rates(bytes: Option<&str>, tasks: Option<&str>) -> Result<LeakRates, RateError> {
        LeakRates::parse(bytes.map(str::to_owned), tasks.map(str::to_owned))
    }

    #[test]
    fn it_leaks_what_time_owes_and_lets_go_of_all() {
        let (leak, tasks) = (SwitchedLeak::default(), Arc::new(Tasks::default()));
        leak.pay(Instant::now() + Duration::from_secs(100), &tasks);
        assert_eq!(leak.held(), (0, 0), "not before it is started");
        leak.start(rates(Some("60MiB/min"), Some("600/min")).unwrap());
        let began = Instant::now();
        (1..=80).for_each(|tick| leak.pay(began + tick * Duration::from_millis(50), &tasks));
        let (bytes, count) = leak.held();
        assert!((bytes as f64 / f64::from(4 << 20) - 1.0).abs() < 0.02, "{bytes} bytes in four seconds");
        assert!((39..=41).contains(&count) && tasks.count() as u64 == count, "{count} tasks");
        assert_eq!(leak.stop(), (bytes, count));
        leak.pay(began + Duration::from_secs(100), &tasks);
        assert_eq!((leak.held(), tasks.count()), ((0, 0), 0), "nor after it has ended");
    }

    #[test]
    fn a_second_start_replaces_the_rates_and_keeps_what_is_held() {
        let (leak, tasks) = (SwitchedLeak::default(), Arc::new(Tasks::default()));
        leak.start(rates(None, Some("10/s")).unwrap());
        leak.pay(Instant::now() + Duration::from_secs(2), &tasks);
        leak.start(rates(Some("1MiB/s"), None).unwrap());
        leak.pay(Instant::now() + Duration::from_secs(2), &tasks);
        let (bytes, count) = leak.held();
        assert!((19..=21).contains(&count) && bytes > 1 << 20, "{bytes} bytes, {count} tasks");
    }

    #[test]
    fn rates_that_mean_nothing_are_refused() {
        for bytes in ["", "64MiB", "1MiB/op", "0B/s", "-1MiB/s", "x/min"] {
            assert_eq!(rates(Some(bytes), None), Err(RateError::Bytes(bytes.to_owned())), "{bytes}");
        }
        for tasks in ["", "5", "0/s", "5/op", "100001/s", "5MiB/s"] {
            assert_eq!(rates(None, Some(tasks)), Err(RateError::Tasks(tasks.to_owned())), "{tasks}");
        }
        assert_eq!(rates(None, Some("60/min")), Ok(LeakRates { bytes_per_second: 0.0, tasks_per_second: 1.0 }));
    }
}
