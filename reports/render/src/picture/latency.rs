//! Latencies over the counted cycles: percentiles cannot be averaged, so the worst cycle and the median cycle stand side by side.

use std::collections::BTreeMap;

use soak_record::{EventKind, LatencySummary, Percentiles, Phase, VariantRecord};
use soak_scenario::Plan;
use soak_verdict::stats::location::median;

/// The latencies of one operation in one kind of phase.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OperationLatency {
    pub(crate) operation: String,
    /// The phase as a word.
    pub(crate) phase: &'static str,
    pub(crate) cycles: usize,
    pub(crate) count: u64,
    pub(crate) errors: u64,
    pub(crate) late_starts: u64,
    pub(crate) never_started: u64,
    pub(crate) corrected: Spread,
    pub(crate) uncorrected: Spread,
}

/// Each percentile over cycles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    /// The greatest of any cycle.
    pub(crate) worst: Percentiles,
    /// The median of the cycles.
    pub(crate) median: Percentiles,
}

/// The operations in the order in which a cycle runs them.
pub(super) fn aggregate(plan: &Plan, record: &VariantRecord) -> Vec<OperationLatency> {
    let mut by_operation: BTreeMap<(Phase, &str), Vec<&LatencySummary>> = BTreeMap::new();
    for event in &record.events {
        if let EventKind::Latency { cycle, phase, operation, summary } = &event.kind
            && *cycle >= plan.cycle.warm_up
        {
            by_operation.entry((*phase, operation)).or_default().push(summary);
        }
    }
    by_operation.into_iter().map(|((phase, operation), cycles)| over_cycles(phase, operation, &cycles)).collect()
}

fn over_cycles(phase: Phase, operation: &str, cycles: &[&LatencySummary]) -> OperationLatency {
    let sum = |of: fn(&LatencySummary) -> u64| cycles.iter().map(|summary| of(summary)).sum();
    let each = |of: fn(&LatencySummary) -> Percentiles| -> Vec<Percentiles> {
        cycles.iter().map(|summary| of(summary)).collect()
    };
    OperationLatency {
        operation: operation.to_owned(),
        phase: phase_name(phase),
        cycles: cycles.len(),
        count: sum(|summary| summary.count),
        errors: sum(|summary| summary.errors),
        late_starts: sum(|summary| summary.late_starts),
        never_started: sum(|summary| summary.never_started),
        corrected: spread(&each(|summary| summary.corrected)),
        uncorrected: spread(&each(|summary| summary.uncorrected)),
    }
}

fn spread(cycles: &[Percentiles]) -> Spread {
    let over = |fold: fn(&[f64]) -> f64| {
        let of = |percentile: fn(&Percentiles) -> f64| fold(&cycles.iter().map(percentile).collect::<Vec<f64>>());
        Percentiles {
            p50_ms: of(|p| p.p50_ms),
            p90_ms: of(|p| p.p90_ms),
            p99_ms: of(|p| p.p99_ms),
            p999_ms: of(|p| p.p999_ms),
            max_ms: of(|p| p.max_ms),
        }
    };
    Spread {
        worst: over(|values| values.iter().copied().fold(0.0, f64::max)),
        median: over(|values| median(values).unwrap_or(0.0)),
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Boot => "boot",
        Phase::Attest => "attest",
        Phase::ColdIdle | Phase::Idle => "idle",
        Phase::Ingest => "ingest",
        Phase::Index => "index",
        Phase::Query => "query",
        Phase::Delete => "delete",
        Phase::BeforeCompact => "before compaction",
        Phase::Compact => "compact",
        Phase::AfterCompact => "after compaction",
        Phase::Clear => "clear",
        Phase::Settle => "settle",
        Phase::Drain => "drain",
        Phase::Stop => "stop",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;
    use soak_record::Event;

    #[test]
    fn the_warm_up_is_left_out_and_the_worst_cycle_kept() {
        let mut record = synthetic::record(0, synthetic::Target::HEALTHY);
        let event = |cycle, p99_ms| {
            let corrected = Percentiles { p99_ms, ..Percentiles::default() };
            let summary = LatencySummary { count: 10, errors: 1, corrected, ..LatencySummary::default() };
            let kind = EventKind::Latency { cycle, phase: Phase::Ingest, operation: "put".to_owned(), summary };
            Event { at_s: 0.0, variant: None, kind }
        };
        record.events = vec![event(0, 900.0), event(1, 4.0), event(2, 90.0), event(3, 5.0)];
        let latencies = aggregate(&synthetic::plan(), &record);
        assert_eq!(latencies.len(), 1);
        assert_eq!((latencies[0].count, latencies[0].errors, latencies[0].cycles), (30, 3, 3));
        assert_eq!((latencies[0].corrected.worst.p99_ms, latencies[0].corrected.median.p99_ms), (90.0, 5.0));
    }
}
