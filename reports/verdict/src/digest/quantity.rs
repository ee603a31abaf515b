//! The quantities that runs are compared by: one value a cycle each.

use soak_record::{EventKind, LatencySummary, Phase};

use super::at_rest;
use crate::criteria::compactions;
use crate::observed::Observed;

/// What a quantity is of, and so what it depends on beside the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Memory, counts and shares: it has to be shown that they are no worse.
    Memory,
    /// Work a second, and time: they belong to the machine as well, and what cannot be told of them is no doubt of the target's memory.
    Time,
}

/// A quantity that is compared.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    /// Its name.
    pub id: &'static str,
    /// What it is, in a few words.
    pub doc: &'static str,
    /// Its unit: `bytes`, `count`, `share`, `rows/s` or `ms`.
    pub unit: &'static str,
    /// What it is of.
    pub scale: Scale,
    /// Whether more of it is better.
    pub more_is_better: bool,
    /// A smaller difference than this is none, whatever its share.
    pub least: f64,
    /// The standard deviation of its logarithm between two processes of one build that do the same.
    pub allowance: f64,
    /// The series that it stands on; one that is a model in a target is never judged.
    pub series: &'static [&'static str],
    measure: fn(&Observed<'_>) -> Vec<f64>,
}

const MIB: f64 = 1_048_576.0;
const ANON: &str = "rss_anon_bytes";
const HEAP: &str = "heap_bytes";
const TASKS: &str = "goroutines";

const fn memory(id: &'static str, doc: &'static str, series: &'static [&'static str], measure: fn(&Observed<'_>) -> Vec<f64>) -> Quantity {
    Quantity { id, doc, unit: "bytes", scale: Scale::Memory, more_is_better: false, least: 0.25 * MIB, allowance: 0.01, series, measure }
}

const fn time(id: &'static str, doc: &'static str, unit: &'static str, allowance: f64, measure: fn(&Observed<'_>) -> Vec<f64>) -> Quantity {
    Quantity { id, doc, unit, scale: Scale::Time, more_is_better: false, least: 0.0, allowance, series: &[], measure }
}

/// Every quantity, in the order of reports.
pub const QUANTITIES: &[Quantity] = &[
    memory("rss_settled", "anonymous memory at rest, empty", &[ANON], |o| at_rest(o, ANON, Phase::Settle)),
    memory("rss_loaded", "anonymous memory at rest with data, compacted", &[ANON], |o| at_rest(o, ANON, Phase::AfterCompact)),
    memory("rss_peak", "highest anonymous memory of a cycle", &[ANON], peaks),
    memory("heap_settled", "heap in use at rest, empty", &[HEAP], |o| at_rest(o, HEAP, Phase::Settle)),
    memory("heap_loaded", "heap in use at rest with data, compacted", &[HEAP], |o| at_rest(o, HEAP, Phase::AfterCompact)),
    Quantity { unit: "count", least: 2.0, ..memory("tasks", "goroutines or tasks at rest, empty", &[TASKS], |o| at_rest(o, TASKS, Phase::Settle)) },
    Quantity { unit: "share", least: 0.01, ..memory("compaction_left", "share of the memory above the floor that a compaction leaves", &[ANON], compaction_left) },
    Quantity { more_is_better: true, ..time("throughput", "rows put and indexed a second", "rows/s", 0.05, throughputs) },
    time("search_p50", "median of a search, from when it was due", "ms", 0.05, |o| searches(o, |summary| summary.corrected.p50_ms)),
    time("search_p99", "99th percentile of a search, from when it was due", "ms", 0.10, |o| searches(o, |summary| summary.corrected.p99_ms)),
];

/// The quantity of this name.
pub fn quantity(id: &str) -> Option<&'static Quantity> {
    QUANTITIES.iter().find(|quantity| quantity.id == id)
}

impl Quantity {
    /// Its values, a counted cycle each; only such as a ratio can be taken of.
    pub(super) fn measure(&self, observed: &Observed<'_>) -> Vec<f64> {
        (self.measure)(observed).into_iter().filter(|value| value.is_finite() && *value > 0.0).collect()
    }
}

/// The highest sample from the first batch to the empty store.
fn peaks(observed: &Observed<'_>) -> Vec<f64> {
    let Some(series) = observed.series(ANON) else { return Vec::new() };
    let peak = |cycle: u32| {
        let [from_s, _] = observed.phase(Phase::Ingest, cycle)?;
        let [_, to_s] = observed.phase(Phase::Settle, cycle)?;
        series.within(from_s, to_s).1.iter().copied().reduce(f64::max)
    };
    observed.counted_cycles().filter_map(peak).collect()
}

/// Rows that were acknowledged, over the time until all of them were indexed: a store that only accepts faster is no faster.
fn throughputs(observed: &Observed<'_>) -> Vec<f64> {
    let accounts = observed.events().filter_map(|event| match event {
        EventKind::Ingested { cycle, acked_rows, seconds, .. } if observed.is_counted(*cycle) => {
            let indexing = observed.phase(Phase::Index, *cycle).map_or(0.0, |[from_s, to_s]| to_s - from_s);
            Some(*acked_rows as f64 / (seconds + indexing))
        }
        _ => None,
    });
    accounts.collect()
}

fn searches(observed: &Observed<'_>, of: fn(&LatencySummary) -> f64) -> Vec<f64> {
    let summaries = observed.events().filter_map(|event| match event {
        EventKind::Latency { cycle, phase: Phase::Query, operation, summary }
            if operation == "search" && observed.is_counted(*cycle) && summary.count > 0 =>
        {
            Some(of(summary))
        }
        _ => None,
    });
    summaries.collect()
}

/// After over before, both above the neighbouring floors, of the compactions that began and ended at rest.
fn compaction_left(observed: &Observed<'_>) -> Vec<f64> {
    compactions(observed, ANON)
}
