//! Latencies of one kind of operation: corrected (from the moment an operation was due) and uncorrected (from when it started).

use std::time::Duration;

use hdrhistogram::Histogram;
use soak_record::{LatencySummary, Percentiles};
use tokio::time::Instant;

/// A day, in microseconds: longer than any deadline.
const MOST_US: u64 = 86_400_000_000;

/// Latencies and counts.
#[derive(Debug, Clone)]
pub struct Latencies {
    corrected: Histogram<u64>,
    uncorrected: Histogram<u64>,
    errors: u64,
    late_starts: u64,
    never_started: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "the bounds are constants that the histogram takes")]
        let histogram = Histogram::new_with_bounds(1, MOST_US, 3).expect("valid bounds");
        Self { corrected: histogram.clone(), uncorrected: histogram, errors: 0, late_starts: 0, never_started: 0 }
    }
}

impl Latencies {
    /// An operation that was due, started and ended well at these moments.
    pub fn record(&mut self, due: Instant, started: Instant, ended: Instant) {
        self.corrected.saturating_record(micros(ended.saturating_duration_since(due)));
        self.uncorrected.saturating_record(micros(ended.saturating_duration_since(started)));
    }

    /// An operation that ended with an error.
    pub fn error(&mut self) {
        self.errors += 1;
    }

    /// An operation that was due and found every place taken.
    pub fn late_start(&mut self) {
        self.late_starts += 1;
    }

    /// Operations that were due and were never started.
    pub fn never_started(&mut self, count: u64) {
        self.never_started += count;
    }

    /// Adds what another has recorded.
    pub fn add(&mut self, other: &Self) {
        // Same bounds on both sides: it cannot fail.
        let _ = self.corrected.add(&other.corrected);
        let _ = self.uncorrected.add(&other.uncorrected);
        self.errors += other.errors;
        self.late_starts += other.late_starts;
        self.never_started += other.never_started;
    }

    /// The figures.
    pub fn summary(&self) -> LatencySummary {
        LatencySummary {
            count: self.corrected.len(),
            errors: self.errors,
            late_starts: self.late_starts,
            never_started: self.never_started,
            corrected: percentiles(&self.corrected),
            uncorrected: percentiles(&self.uncorrected),
        }
    }
}

fn micros(latency: Duration) -> u64 {
    u64::try_from(latency.as_micros()).unwrap_or(MOST_US).max(1)
}

fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    if histogram.is_empty() {
        return Percentiles::default();
    }
    let ms = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
    Percentiles {
        p50_ms: ms(0.5),
        p90_ms: ms(0.9),
        p99_ms: ms(0.99),
        p999_ms: ms(0.999),
        max_ms: histogram.max() as f64 / 1e3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_start_shows_in_the_corrected_figures_only() {
        let due = Instant::now();
        let mut latencies = Latencies::default();
        latencies.record(due, due + Duration::from_secs(5), due + Duration::from_millis(5010));
        let summary = latencies.summary();
        assert!((5.0..5.02).contains(&(summary.corrected.max_ms / 1e3)));
        assert!((9.9..10.1).contains(&summary.uncorrected.max_ms));
    }

    #[test]
    fn an_hour_is_not_cut_short() {
        let due = Instant::now();
        let mut latencies = Latencies::default();
        let after = due + Duration::from_secs(3600);
        latencies.record(due, due, after);
        latencies.error();
        let mut sum = Latencies::default();
        sum.add(&latencies);
        assert!(sum.summary().corrected.max_ms >= 3_599_000.0);
        assert_eq!((sum.summary().count, sum.summary().errors), (1, 1));
    }
}
