//! The quantities that runs are compared by: one value a cycle each.

use soak_record::{EventKind, LatencySummary, Phase};

use crate::criteria::left_by_compaction;
use crate::observed::Observed;

/// A quantity that is compared.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    /// Its name.
    pub id: &'static str,
    /// What it is, in a few words.
    pub doc: &'static str,
    /// Its unit: `bytes`, `count`, `share`, `rows/s` or `ms`.
    pub unit: &'static str,
    /// Whether it has to be shown that it is no worse. Of the others one run a side tells too little; worse fails all the same.
    pub required: bool,
    /// Whether it is of time, which belongs to the machine as well.
    pub of_time: bool,
    /// Whether more of it is better.
    pub more_is_better: bool,
    /// A smaller difference than this is none, whatever its share.
    pub least: f64,
    /// What two processes of one build differ by that do the same.
    pub allowance: Allowance,
    /// The series that it stands on; one that is a model in a target is never judged.
    pub series: &'static [&'static str],
    measure: fn(&Observed<'_>, u32) -> Option<f64>,
}

/// A standard deviation that has a part of the value, and a part that is there however small the value is. Measured by `ci/bench compare`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    /// As a share of the value.
    pub share: f64,
    /// In the quantity's unit.
    pub fixed: f64,
}

impl Allowance {
    /// The standard deviation of the logarithm of a quantity that is about `value`.
    pub fn of(self, value: f64) -> f64 {
        self.share.hypot(self.fixed / value)
    }
}

const MIB: f64 = 1_048_576.0;
const ANON: &str = "rss_anon_bytes";
const HEAP: &str = "heap_bytes";
const TASKS: &str = "goroutines";

type Measure = fn(&Observed<'_>, u32) -> Option<f64>;

const fn memory(id: &'static str, doc: &'static str, series: &'static [&'static str], measure: Measure) -> Quantity {
    // What a leak may be in a cycle is no difference either.
    let (required, of_time, more_is_better, least) = (true, false, false, MIB);
    let allowance = Allowance { share: 0.005, fixed: 0.15 * MIB };
    Quantity { id, doc, unit: "bytes", required, of_time, more_is_better, least, allowance, series, measure }
}

const fn heap(id: &'static str, doc: &'static str, measure: Measure) -> Quantity {
    // Counted and not paged: it scatters less, and less of it matters.
    let allowance = Allowance { share: 0.005, fixed: 0.015 * MIB };
    Quantity { least: 0.25 * MIB, allowance, ..memory(id, doc, &[HEAP], measure) }
}

const fn time(id: &'static str, doc: &'static str, unit: &'static str, share: f64, measure: Measure) -> Quantity {
    let (required, of_time, more_is_better, least) = (false, true, false, 0.0);
    let allowance = Allowance { share, fixed: 0.0 };
    Quantity { id, doc, unit, required, of_time, more_is_better, least, allowance, series: &[], measure }
}

/// Every quantity, in the order of reports.
pub const QUANTITIES: &[Quantity] = &[
    memory("rss_settled", "anonymous memory at rest, empty", &[ANON], |o, cycle| {
        at_rest(o, ANON, Phase::Settle, cycle)
    }),
    memory("rss_loaded", "anonymous memory at rest with data, after compaction", &[ANON], |o, cycle| {
        at_rest(o, ANON, Phase::AfterCompact, cycle)
    }),
    Quantity {
        // A collector's moment decides how high a peak gets.
        allowance: Allowance { share: 0.012, fixed: 0.15 * MIB },
        required: false,
        ..memory("rss_peak", "highest anonymous memory of a cycle", &[ANON], peak)
    },
    heap("heap_settled", "heap in use at rest, empty", |o, cycle| at_rest(o, HEAP, Phase::Settle, cycle)),
    heap("heap_loaded", "heap in use at rest with data, after compaction", |o, cycle| {
        at_rest(o, HEAP, Phase::AfterCompact, cycle)
    }),
    Quantity {
        unit: "count",
        least: 2.0,
        allowance: Allowance { share: 0.0, fixed: 0.25 },
        ..memory("tasks", "goroutines or tasks at rest, empty", &[TASKS], |o, cycle| {
            at_rest(o, TASKS, Phase::Settle, cycle)
        })
    },
    Quantity {
        unit: "share",
        required: false,
        least: 0.0,
        allowance: Allowance { share: 0.01, fixed: 0.0 },
        ..memory(
            "compaction_left",
            "share of the memory above the floor that compaction leaves",
            &[ANON],
            |o, cycle| left_by_compaction(o, ANON, cycle),
        )
    },
    Quantity {
        more_is_better: true,
        ..time("throughput", "rows put and indexed a second", "rows/s", 0.15, throughput)
    },
    time("search_p50", "median of a search, from when it was due", "ms", 0.12, |o, cycle| {
        search(o, cycle, |summary| summary.corrected.p50_ms)
    }),
    time("search_p99", "99th percentile of a search, from when it was due", "ms", 0.20, |o, cycle| {
        search(o, cycle, |summary| summary.corrected.p99_ms)
    }),
];

/// The quantity of this name.
pub fn quantity(id: &str) -> Option<&'static Quantity> {
    QUANTITIES.iter().find(|quantity| quantity.id == id)
}

impl Quantity {
    /// Its value in a cycle, if a ratio can be taken of it.
    pub(super) fn measure(&self, observed: &Observed<'_>, cycle: u32) -> Option<f64> {
        (self.measure)(observed, cycle).filter(|value| value.is_finite() && *value > 0.0)
    }
}

/// The level of a series in the window of a phase, where it was at rest.
fn at_rest(observed: &Observed<'_>, series: &str, phase: Phase, cycle: u32) -> Option<f64> {
    observed.level(series, phase, Some(cycle)).filter(|level| level.at_rest).map(|level| level.median)
}

/// The highest sample from the first batch to the empty store.
fn peak(observed: &Observed<'_>, cycle: u32) -> Option<f64> {
    let [from_s, _] = observed.phase(Phase::Ingest, cycle)?;
    let [_, to_s] = observed.phase(Phase::Settle, cycle)?;
    observed.series(ANON)?.within(from_s, to_s).1.iter().copied().reduce(f64::max)
}

/// Rows that were acknowledged, over the time until all of them were indexed: a store that only accepts faster is no faster.
fn throughput(observed: &Observed<'_>, wanted: u32) -> Option<f64> {
    observed.events().find_map(|event| match event {
        EventKind::Ingested { cycle, acked_rows, seconds, .. } if *cycle == wanted => {
            let indexing = observed.phase(Phase::Index, wanted).map_or(0.0, |[from_s, to_s]| to_s - from_s);
            Some(*acked_rows as f64 / (seconds + indexing))
        }
        _ => None,
    })
}

fn search(observed: &Observed<'_>, wanted: u32, of: fn(&LatencySummary) -> f64) -> Option<f64> {
    observed.events().find_map(|event| match event {
        EventKind::Latency { cycle, phase: Phase::Query, operation, summary }
            if *cycle == wanted && operation == "search" && summary.count > 0 =>
        {
            Some(of(summary))
        }
        _ => None,
    })
}
