//! How long a series needs to come back after something happened to it, and how sure one may be that it does so in time.
//!
//! Recovered is the first moment from which the *median* of a hold window lies at or below the baseline's median + max(δ, 3 · 1.4826 · MAD): one-sided, because lower is
//! recovered too, and by the median, because no single sample decides. What had not recovered when the watch ended is right-censored: longer than what was watched.

use super::binomial::clopper_pearson;
use super::location::{mad, median};

/// What a normal standard deviation is in median absolute deviations.
const NORMAL: f64 = 1.4826;
/// Deviations of the baseline that are no change.
const DEVIATIONS: f64 = 3.0;

/// Samples whose distance is at most this share of an objective are close.
const CLOSE: f64 = 0.1;

/// A window of fewer samples says nothing.
const LEAST_SAMPLES: usize = 3;

/// What a series did before, and what counts as being back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// At or below this it is back.
    pub bound: f64,
}

impl Baseline {
    /// Of samples before; `delta` is the least that counts as a change, in their unit. `None` of none.
    pub fn of(samples: &[f64], delta: f64) -> Option<Self> {
        let scatter = DEVIATIONS * NORMAL * mad(samples)?;
        Some(Self { bound: median(samples)? + delta.max(scatter) })
    }
}

/// How long it took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Recovery {
    /// At a moment between two samples, so many seconds after it was healed: not yet at the first, back at the second.
    Between(f64, f64),
    /// Longer than so many seconds: the watch ended.
    LongerThan(f64),
}

impl Recovery {
    /// Whether it was within an objective. What was not watched for as long is not known: `None`.
    pub fn is_within(self, objective_s: f64) -> Option<bool> {
        match self {
            Self::Between(_, back_s) if back_s <= objective_s => Some(true),
            Self::Between(not_yet_s, _) if not_yet_s >= objective_s => Some(false),
            // The objective lies between two samples: where they are close, nobody would call it late.
            Self::Between(not_yet_s, back_s) => (back_s - not_yet_s <= CLOSE * objective_s).then_some(true),
            Self::LongerThan(seconds) if seconds >= objective_s => Some(false),
            Self::LongerThan(_) => None,
        }
    }
}

/// From `healed_s` to the first moment from which the median over `hold_s` is at or below the baseline's bound. Times ascend, in seconds; `None` with no sample after it was
/// healed.
pub fn recovery(times_s: &[f64], values: &[f64], healed_s: f64, hold_s: f64, baseline: Baseline) -> Option<Recovery> {
    let from = times_s.partition_point(|time| *time < healed_s);
    let last_s = *times_s.get(from..)?.last()?;
    let mut examined_s = 0.0;
    for start in from..times_s.len() {
        if times_s[start] + hold_s > last_s {
            break;
        }
        let end = times_s.partition_point(|time| *time <= times_s[start] + hold_s);
        let window = &values[start..end];
        if window.len() >= LEAST_SAMPLES && median(window).is_some_and(|middle| middle <= baseline.bound) {
            return Some(Recovery::Between(examined_s, times_s[start] - healed_s));
        }
        examined_s = times_s[start] - healed_s;
    }
    // What began later was not watched for as long as it has to hold.
    Some(Recovery::LongerThan(examined_s))
}

/// Of several faults, the interval (Clopper and Pearson) of the share that recovers within an objective; those of which it is not known are left out. `None` of none.
pub fn recovered_within(recoveries: &[Recovery], objective_s: f64, level: f64) -> Option<[f64; 2]> {
    let known: Vec<bool> = recoveries.iter().filter_map(|one| one.is_within(objective_s)).collect();
    let within = known.iter().filter(|within| **within).count() as u64;
    (!known.is_empty()).then(|| clopper_pearson(within, known.len() as u64, level))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Vec<f64> {
        (0..100).map(f64::from).collect()
    }

    #[test]
    fn it_is_back_when_a_hold_window_is() {
        let baseline = Baseline::of(&[10.0, 11.0, 9.0, 10.0, 10.0], 1.0).unwrap();
        assert!((baseline.bound - 11.0).abs() < 1e-12, "{baseline:?}");
        let falling: Vec<f64> = times().iter().map(|time| if *time < 40.0 { 30.0 } else { 10.5 }).collect();
        // From 38 on more than half of five seconds is low.
        assert_eq!(recovery(&times(), &falling, 20.0, 5.0, baseline), Some(Recovery::Between(17.0, 18.0)));
        let mut spiked = falling.clone();
        spiked[60] = 99.0;
        assert_eq!(
            recovery(&times(), &spiked, 55.0, 5.0, baseline),
            Some(Recovery::Between(0.0, 0.0)),
            "one sample decides nothing"
        );
        assert_eq!(recovery(&times(), &[30.0; 100], 20.0, 5.0, baseline), Some(Recovery::LongerThan(74.0)));
        assert_eq!(recovery(&times(), &[30.0; 100], 200.0, 5.0, baseline), None);
        assert_eq!(
            recovery(&times(), &[1.0; 100], 20.0, 5.0, baseline),
            Some(Recovery::Between(0.0, 0.0)),
            "lower is back too"
        );
    }

    #[test]
    fn what_was_not_watched_is_not_known() {
        let all = [
            Recovery::Between(2.0, 3.0),
            Recovery::Between(29.0, 30.0),
            Recovery::LongerThan(5.0),
            Recovery::LongerThan(60.0),
        ];
        assert_eq!(all.map(|one| one.is_within(10.0)), [Some(true), Some(false), None, Some(false)]);
        assert_eq!(
            Recovery::Between(1.95, 2.05).is_within(2.0),
            Some(true),
            "the samples are too far apart to call it late"
        );
        assert_eq!(Recovery::Between(0.0, 5.0).is_within(2.0), None, "they are too far apart to tell");
        assert_eq!(Recovery::Between(2.05, 2.15).is_within(2.0), Some(false));
        assert_eq!(recovered_within(&all, 10.0, 0.95), Some(clopper_pearson(1, 3, 0.95)));
        assert_eq!(recovered_within(&all[2..3], 10.0, 0.95), None);
    }
}
