//! What a record shows that tells the cases of the runbooks apart: rises from floor to floor, levels around a compaction, what grows while nothing is asked for.

use soak_record::{EventKind, OomScope, Phase};

use crate::injected::injected;
use crate::observed::Observed;
use crate::stats::location::median;
use crate::stats::theil_sen::theil_sen;

/// Levels that are compared from floor to floor.
const FLOORS: [&str; 8] = [
    "rss_anon_bytes",
    "heap_bytes",
    "slab_bytes",
    "graph_bytes",
    "heap_free_bytes",
    "datasets",
    "goroutines",
    "connections",
];

/// A level at the ends of the counted cycles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rise {
    pub(super) first: f64,
    pub(super) last: f64,
    /// Theil and Sen's slope.
    pub(super) per_cycle: f64,
    /// How many there are.
    pub(super) count: usize,
    /// Whether each is above the one before, by much the same.
    pub(super) is_steady: bool,
}

/// Fewer levels show no rise by their order alone, and fewer are no sign that there is none.
const ORDERED: usize = 3;
const TELLING: usize = 4;
/// A rise in so few levels is told where it is at least this share of the first.
const RISEN: f64 = 0.05;

impl Rise {
    /// Whether the levels rise one by one, by more than levels vary. It is no verdict: there may be too few for that.
    pub(super) fn rises(&self) -> bool {
        self.is_steady && self.count >= ORDERED && self.last - self.first >= RISEN * self.first
    }

    /// Whether there are enough levels, and they do not rise.
    pub(super) fn is_level(&self) -> bool {
        self.count >= TELLING && !self.is_steady && self.last <= 1.5 * self.first
    }
}

/// Medians over the counted cycles of the levels before and after a compaction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Around {
    pub(super) before: f64,
    pub(super) after: f64,
}

impl Around {
    /// The share that went.
    pub(super) fn gone(self) -> f64 {
        if self.before > 0.0 { 1.0 - self.after / self.before } else { 0.0 }
    }
}

/// The compactions that the run asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Compactions {
    pub(super) asked: usize,
    pub(super) failed: usize,
    /// What the first that failed said.
    pub(super) error: Option<String>,
    /// How many the target counted itself, and how many of them it says found nothing that could go; from the first sample to the last.
    pub(super) counted: Option<f64>,
    pub(super) skipped: Option<f64>,
    pub(super) dataset: Option<Around>,
    pub(super) tombstones: Option<Around>,
    pub(super) slabs: Option<Around>,
    pub(super) anon: Option<Around>,
    /// Dead share of the slabs afterwards.
    pub(super) fragmentation: Option<f64>,
}

/// All of it, of one variant.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Facts {
    rises: Vec<(&'static str, Rise)>,
    pub(super) cycles: usize,
    /// Bytes of vectors that a cycle puts.
    pub(super) ingested: f64,
    /// The part of a cycle's growth that comes about at the pace at which memory grows while nothing is asked for.
    pub(super) at_rest: Option<f64>,
    /// Mapped files and all of resident memory, at the end.
    pub(super) mapped: Option<[f64; 2]>,
    pub(super) compactions: Compactions,
    /// Of what is retired and not yet released, the most that was seen once the data was gone.
    pub(super) retired: Option<f64>,
    /// The greatest anonymous memory, or charge of the cgroup.
    pub(super) peak: Option<f64>,
    /// The phase in which the kernel killed the target for memory.
    pub(super) killed_in: Option<Phase>,
    /// Faults of the run itself that are not over, or could not be healed.
    pub(super) own_faults: Vec<String>,
}

impl Facts {
    pub(crate) fn of(observed: &Observed<'_>) -> Self {
        let rises: Vec<_> = FLOORS.iter().filter_map(|name| Some((*name, rise(observed, name)?))).collect();
        let growth = rises.iter().find(|(name, _)| *name == "rss_anon_bytes").map(|(_, rise)| rise.per_cycle);
        let level = |name: &str| {
            let level = observed.level(name, Phase::Settle, None).or_else(|| observed.level(name, Phase::Idle, None));
            level.map(|level| level.median)
        };
        let most = |name: &str| observed.series(name)?.values.iter().copied().reduce(f64::max);
        Self {
            cycles: observed.counted_cycles().len(),
            ingested: observed.bytes_per_cycle(),
            at_rest: growth.and_then(|growth| at_rest(observed, growth)),
            mapped: level("rss_file_bytes").zip(level("rss_bytes")).map(|(file, rss)| [file, rss]),
            compactions: compactions(observed),
            retired: retired(observed),
            // Page cache is charged too, and is no reason for a greater limit.
            peak: most("rss_anon_bytes"),
            killed_in: observed.events().find_map(|event| match event {
                EventKind::Oom { scope: OomScope::Target | OomScope::Child, phase, .. } => *phase,
                _ => None,
            }),
            own_faults: own_faults(observed),
            rises,
        }
    }

    pub(super) fn rise(&self, name: &str) -> Option<Rise> {
        self.rises.iter().find(|(one, _)| *one == name).map(|(_, rise)| *rise)
    }

    /// How much of the growth of anonymous memory another series has a part in.
    pub(super) fn part_of_growth(&self, name: &str) -> Option<f64> {
        let anon = self.rise("rss_anon_bytes")?.per_cycle;
        (anon > 0.0).then_some(())?;
        Some(self.rise(name)?.per_cycle / anon)
    }
}

fn rise(observed: &Observed<'_>, name: &str) -> Option<Rise> {
    let floors: Vec<_> = observed.floors(name).into_iter().filter(|floor| floor.counted).collect();
    let x: Vec<f64> = floors.iter().map(|floor| f64::from(floor.cycle)).collect();
    let y: Vec<f64> = floors.iter().map(|floor| floor.value).collect();
    let per_cycle = theil_sen(&x, &y, 0.95)?.slope;
    let is_steady = y.windows(2).all(|pair| pair[1] - pair[0] >= 0.5 * per_cycle) && per_cycle > 0.0;
    Some(Rise { first: *y.first()?, last: *y.last()?, per_cycle, count: y.len(), is_steady })
}

/// What would come of a cycle if memory grew all the time as it does in the windows of rest, over what really came of it. Of heap and anonymous memory that which tells more.
fn at_rest(observed: &Observed<'_>, growth: f64) -> Option<f64> {
    let cycle_s = observed.cycle_seconds("rss_anon_bytes")?;
    let part = |name: &str| {
        let series = observed.series(name)?;
        let (mut grown, mut seconds) = (0.0, 0.0);
        for event in observed.events() {
            let EventKind::Window { from_s, to_s, settled: true, .. } = event else { continue };
            let (times, values) = series.within(*from_s, *to_s);
            if let ([first_s, .., last_s], [first, .., last]) = (times, values) {
                grown += last - first;
                seconds += last_s - first_s;
            }
        }
        (seconds > 0.0).then(|| grown / seconds * cycle_s / growth)
    };
    let parts = [part("heap_bytes"), part("rss_anon_bytes")];
    if growth > 0.0 { parts.into_iter().flatten().reduce(f64::max) } else { None }
}

fn compactions(observed: &Observed<'_>) -> Compactions {
    let ended: Vec<Option<String>> = observed
        .events()
        .filter_map(|event| match event {
            EventKind::Compacted { error, .. } => Some(error.clone()),
            _ => None,
        })
        .collect();
    let rise = |name: &str| {
        let values = &observed.series(name)?.values;
        Some(values.last()? - values.first()?)
    };
    let around = |name: &str| {
        let levels = |phase| -> Vec<f64> {
            let levels = observed.counted_cycles().filter_map(|cycle| observed.level(name, phase, Some(cycle)));
            levels.map(|level| level.median).collect()
        };
        Some(Around { before: median(&levels(Phase::BeforeCompact))?, after: median(&levels(Phase::AfterCompact))? })
    };
    Compactions {
        asked: ended.len(),
        failed: ended.iter().flatten().count(),
        error: ended.into_iter().flatten().next(),
        counted: rise("compactions_total"),
        skipped: rise("compactions_skipped_total"),
        dataset: around("dataset_bytes"),
        tombstones: around("tombstone_bytes"),
        slabs: around("slab_bytes"),
        anon: around("rss_anon_bytes"),
        fragmentation: around("slab_fragmentation_share").map(|around| around.after),
    }
}

/// Median over the counted cycles of the most that was retired and not released while memory settled.
fn retired(observed: &Observed<'_>) -> Option<f64> {
    let series = observed.series("retired_bytes")?;
    let most: Vec<f64> = observed
        .counted_cycles()
        .filter_map(|cycle| {
            let [from_s, to_s] = observed.phase(Phase::Settle, cycle)?;
            series.within(from_s, to_s).1.iter().copied().reduce(f64::max)
        })
        .collect();
    median(&most)
}

/// What the run itself does to the target and has not taken back: none of it is the target's. What the target keeps of a fault that was healed, is.
fn own_faults(observed: &Observed<'_>) -> Vec<String> {
    let mut names: Vec<String> = injected(&observed.record.events)
        .into_iter()
        .filter(|one| one.heal_error.is_some() || one.healed_s.is_none())
        .map(|one| one.title())
        .collect();
    names.dedup();
    names
}
