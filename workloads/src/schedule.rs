//! When operations start, in an open model: the times are fixed before the first answer comes, and a slow target does not move them.

use std::time::Duration;

use soak_scenario::Schedule;

/// Bisection steps: enough for nanoseconds in a day.
const BISECTIONS: u32 = 60;

/// No phase is longer than this.
const LONGEST_S: f64 = 86_400.0;

/// The intended starts of a phase, from its beginning, in order. [`Schedule::All`] has none: there the next operation starts when a place is free.
#[derive(Debug, Clone)]
pub struct Starts {
    schedule: Schedule,
    length_s: f64,
    total: u64,
    next: u64,
}

impl Starts {
    /// Starts of a phase of this length.
    pub fn new(schedule: Schedule, length: Duration) -> Self {
        let length_s = length.as_secs_f64();
        let total = operations_until(schedule, length_s, length_s).floor() as u64;
        Self { schedule, length_s, total, next: 0 }
    }

    /// Starts of a phase that is as long as `count` operations take.
    pub fn covering(schedule: Schedule, count: u64) -> Self {
        let wanted = count as f64;
        // A ramp's shape depends on its length, so the length is searched for. A schedule that never gets there ends at a day.
        let enough = |length: f64| operations_until(schedule, length, length) >= wanted;
        let (mut low, mut high) = (0.0, 1.0);
        while !enough(high) && high < LONGEST_S {
            high *= 2.0;
        }
        for _ in 0..BISECTIONS {
            let middle = f64::midpoint(low, high);
            if enough(middle) { high = middle } else { low = middle }
        }
        Self { schedule, length_s: high, total: count, next: 0 }
    }

    /// How many there are in all.
    pub fn total(&self) -> u64 {
        self.total
    }
}

impl Iterator for Starts {
    type Item = Duration;

    /// The n-th operation starts when the schedule has called for n of them (the first at once).
    fn next(&mut self) -> Option<Duration> {
        if self.next >= self.total {
            return None;
        }
        let wanted = self.next as f64;
        self.next += 1;
        let (mut low, mut high) = (0.0, self.length_s);
        for _ in 0..BISECTIONS {
            let middle = f64::midpoint(low, high);
            if operations_until(self.schedule, self.length_s, middle) < wanted {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(Duration::from_secs_f64(high))
    }
}

/// Operations that the schedule calls for in the first `t` seconds of a phase of `length` seconds: the integral of its rate.
fn operations_until(schedule: Schedule, length: f64, t: f64) -> f64 {
    match schedule {
        Schedule::All => 0.0,
        Schedule::Constant(rate) => rate.a_second() * t,
        Schedule::Ramp { from, to } => {
            let (from, to) = (from.a_second(), to.a_second());
            from * t + (to - from) * t * t / (2.0 * length)
        }
        Schedule::Step { from, to, at } => {
            let at = at.as_secs_f64();
            from.a_second() * t.min(at) + to.a_second() * (t - at).max(0.0)
        }
        Schedule::Burst { base, peak, every, length: burst } => {
            let (every, burst) = (every.as_secs_f64(), burst.as_secs_f64());
            let (whole, rest) = ((t / every).floor(), t % every);
            // A period begins with its burst.
            let in_bursts = whole * burst + rest.min(burst);
            peak.a_second() * in_bursts + base.a_second() * (t - in_bursts)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use soak_scenario::units::{Rate, Span};

    fn seconds(schedule: Schedule, length: u64) -> Vec<f64> {
        Starts::new(schedule, Duration::from_secs(length)).map(|start| start.as_secs_f64()).collect()
    }

    #[test]
    fn constant_is_even() {
        let starts = seconds(Schedule::Constant(Rate::per_second(4.0)), 2);
        let expected = [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75];
        assert!(starts.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{starts:?}");
        assert_eq!(starts.len(), 8);
    }

    #[test]
    fn a_ramp_ends_denser_than_it_began() {
        let starts = seconds(Schedule::Ramp { from: Rate::per_second(0.0), to: Rate::per_second(100.0) }, 10);
        assert_eq!(starts.len(), 500);
        let early = starts.iter().filter(|start| **start < 5.0).count();
        assert!((124..=126).contains(&early), "{early} in the first half");
    }

    #[test]
    fn steps_and_bursts_change_when_they_should() {
        let at = Span::seconds(3);
        let step = seconds(Schedule::Step { from: Rate::per_second(1.0), to: Rate::per_second(10.0), at }, 5);
        assert_eq!((step.iter().filter(|s| **s < 3.0 - 1e-6).count(), step.len()), (3, 23));
        let (every, length) = (Span::seconds(5), Span::seconds(1));
        let burst = Schedule::Burst { base: Rate::per_second(1.0), peak: Rate::per_second(50.0), every, length };
        let burst = seconds(burst, 10);
        assert_eq!(burst.len(), 108);
        assert_eq!(burst.iter().filter(|s| (5.0 - 1e-6..6.0 - 1e-6).contains(*s)).count(), 50);
    }

    #[test]
    fn a_phase_is_as_long_as_its_operations_take() {
        let ramp = Schedule::Ramp { from: Rate::per_second(0.0), to: Rate::per_second(10.0) };
        let starts: Vec<f64> = Starts::covering(ramp, 100).map(|start| start.as_secs_f64()).collect();
        assert_eq!(starts.len(), 100);
        assert!((19.0..20.0).contains(&starts[99]), "100 at a mean of 5 a second: {}", starts[99]);
        let constant = Schedule::Constant(Rate::per_second(10.0));
        assert!((Starts::covering(constant, 50).last().unwrap().as_secs_f64() - 4.9).abs() < 1e-6);
    }

    #[test]
    fn all_has_no_times() {
        assert!(seconds(Schedule::All, 10).is_empty());
    }
}
