//! `compaction_reclaim`: which share of the memory above the empty store a compaction gives back.
//!
//! For each counted cycle L = ln(after / before) of the medians of the two rest windows, each above the local baseline
//! ([`Observed::baseline`]), so that a leak does not look like bad compaction. The share is 1 − exp(mean L), with Student's interval over the
//! cycles. A pair of which one window was still falling is left out: what compaction freed may still be on its way back, which
//! `time_to_baseline` judges. So is a cycle in which the target compacted by itself before the window of before: that window shows what it left.

use soak_record::{EventKind, Phase};
use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::observed::Observed;
use crate::outcome::Verdict;
use crate::stats::location::median;
use crate::stats::student::{mean_interval, p_mean_above};

const RSS: &str = "rss_anon_bytes";
const HEAP: &str = "heap_bytes";
const ACCOUNTED: &str = "dataset_bytes";
const LEAST: usize = 5;
/// Memory above the floor must be this many times the idle process, or RSS is mostly not data. The share is taken above the neighbouring floors, not of all of RSS,
/// so that twice is enough: what the idle process does between two floors is in the interval.
const CLEAR_OF_IDLE: f64 = 2.0;
const NEXT: &str = "Runbook “High Memory Usage Troubleshooting”, “Scenario 5: Failed Compaction”: read the compaction worker's log, then “Step 2: Check \
     Compaction Status”; for memory freed and not returned, “SlabArena Memory Management”.";

/// Memory above the baseline before and after one compaction.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pair {
    before: f64,
    after: f64,
}

impl Pair {
    fn log_ratio(self) -> f64 {
        (self.after / self.before).ln()
    }
}

/// Why there is no compaction to judge; `None` where there is one. One that was asked for and failed is judged by its memory.
fn none_took_place(observed: &Observed<'_>) -> Option<String> {
    let compactions = || {
        observed.events().filter_map(|event| match event {
            EventKind::Compacted { error, .. } => Some(error.as_deref()),
            _ => None,
        })
    };
    let Some(first) = compactions().next() else {
        return Some(
            "No compaction: the profile names no endpoint that compacts (endpoints.compact), and no interval of its own is set (matrix.compaction_interval)."
                .to_owned(),
        );
    };
    let can_be_asked = observed.plan.target.profile.endpoints.compacts();
    let took_place = can_be_asked || compactions().any(|error| error.is_none());
    let why = first.unwrap_or("no reason was recorded");
    (!took_place).then(|| format!("No compaction took place: {why}."))
}

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    if let Some(why) = none_took_place(observed) {
        return Evidence::absent(why);
    }
    let (rss, moving) = pairs(observed, RSS);
    let before: Vec<f64> = rss.iter().map(|pair| pair.before).collect();
    let idle = observed.level(RSS, Phase::Idle, None).map(|level| level.median);
    let above = median(&before);
    let hidden = matches!((above, idle), (Some(above), Some(idle)) if above < CLEAR_OF_IDLE * idle);
    let accounted = if hidden { pairs(observed, ACCOUNTED).0 } else { Vec::new() };
    // Where the data hardly shows above the process, the target's own account is the better witness, if it keeps one.
    let (judged, by) =
        if accounted.len() >= LEAST { (&accounted, ACCOUNTED) } else { (&rss, "anonymous resident memory") };
    if judged.len() < LEAST {
        let why = observed.unusable(RSS).unwrap_or_else(|| {
            format!(
                "Only {} with memory at rest before and after compaction, {LEAST} are needed; memory was still falling in {moving}.",
                human::plural(judged.len(), "counted cycle")
            )
        });
        return Evidence::absent(why);
    }
    let logs: Vec<f64> = judged.iter().map(|pair| pair.log_ratio()).collect();
    let Some((mean, [low, high])) = mean_interval(&logs, 0.95) else { return Evidence::absent("Too few compactions.") };
    let share = |log: f64| 1.0 - log.exp();
    let interval = [share(high), share(low)];
    let value = share(mean);
    let mut summary = format!(
        "Compaction gives back {} of the memory above the empty store by {by} ({} to {}, 95 % sure, {}).",
        human::percent(value),
        human::percent(interval[0]),
        human::percent(interval[1]),
        human::plural(judged.len(), "compaction"),
    );
    summary.push(' ');
    summary.push_str(&beside(observed, value, &rss, hidden));
    let notes = unreturned(observed, value).into_iter().collect();
    let p = threshold.at_least.map_or(1.0, |least| p_mean_above(&logs, (1.0 - least).max(f64::MIN_POSITIVE).ln()));
    Evidence {
        value: Some(value),
        interval: Some(interval),
        threshold: threshold.at_least,
        summary,
        notes,
        band: None,
        working: working(judged, by, mean, [low, high]),
        p: vec![p],
        rule: Box::new(move |shared| {
            let least = threshold.at_least.unwrap_or(0.0);
            let wanted = human::percent(least);
            let ruling = if interval[0] > least {
                let much = threshold.at_most.filter(|most| interval[0] > *most);
                let more = much.map_or_else(String::new, |most| {
                    format!(" It is more than the {} expected.", human::percent(most))
                });
                Ruling::new(Verdict::Pass, format!("At least {wanted} is asked for.{more}"))
            } else if interval[1] < least && shared.rejects(0) {
                Ruling::new(Verdict::Fail, format!("At least {wanted} is asked for.")).next(NEXT)
            } else {
                Ruling::new(
                    Verdict::Inconclusive,
                    format!("{wanted} is asked for, which cannot be told from what was measured."),
                )
            };
            ruling.detectable(Some((least - (interval[1] - value)).max(0.0)))
        }),
    }
}

/// What the compaction of a cycle left of the memory above the floor, a share; nothing where it did not begin and end at rest.
pub(crate) fn left(observed: &Observed<'_>, name: &str, cycle: u32) -> Option<f64> {
    let pair = pair(observed, name, cycle)?.ok()?;
    Some(pair.after / pair.before)
}

/// The pairs, and what was computed of them.
fn working(pairs: &[Pair], by: &str, mean: f64, [low, high]: [f64; 2]) -> Vec<String> {
    let mut lines = vec![format!("Above the level of the neighbouring floors, by {by}:")];
    lines.extend(pairs.iter().map(|pair| {
        let [before, after] = [pair.before, pair.after].map(human::bytes);
        format!("  {before} before, {after} after: ln(after / before) = {:.4}", pair.log_ratio())
    }));
    lines.push(format!("Mean of the logarithms: {mean:.4}, 95 % interval {low:.4} to {high:.4} (Student's t, {} − 1 degrees of freedom).", pairs.len()));
    lines.push("Share given back: 1 − exp(mean).".to_owned());
    lines
}

/// Before and after of every counted cycle above the local baseline, and how many cycles were left out because memory was still falling.
fn pairs(observed: &Observed<'_>, name: &str) -> (Vec<Pair>, usize) {
    let mut moving = 0;
    let mut pairs = Vec::new();
    for cycle in observed.counted_cycles() {
        match pair(observed, name, cycle) {
            Some(Ok(pair)) => pairs.push(pair),
            Some(Err(Moving)) => moving += 1,
            None => {}
        }
    }
    (pairs, moving)
}

/// Whether the target counted a compaction between the beginning of the cycle's deletes and the end of the window of before.
fn compacted_early(observed: &Observed<'_>, cycle: u32) -> bool {
    let span = observed.phase(Phase::Delete, cycle).zip(observed.phase(Phase::BeforeCompact, cycle));
    let (Some(([from_s, _], [_, to_s])), Some(counted)) = (span, observed.series("compactions_total")) else {
        return false;
    };
    let at = |moment_s: f64| counted.times_s.partition_point(|time_s| *time_s <= moment_s);
    let (before, after) = (at(from_s), at(to_s));
    before > 0 && after > before && counted.values[after - 1] > counted.values[before - 1]
}

/// Memory was still falling before a compaction, or after it.
struct Moving;

/// Before and after one compaction above the local baseline; `None` where either was not read, nothing was above it, or the target had compacted by itself.
fn pair(observed: &Observed<'_>, name: &str, cycle: u32) -> Option<Result<Pair, Moving>> {
    if compacted_early(observed, cycle) {
        return None;
    }
    let before = observed.level(name, Phase::BeforeCompact, Some(cycle))?;
    let after = observed.level(name, Phase::AfterCompact, Some(cycle))?;
    if !before.at_rest || !after.at_rest {
        return Some(Err(Moving));
    }
    let above = |level: crate::observed::Level| {
        Some(level.median - observed.baseline(name, cycle, 0.5 * (level.from_s + level.to_s))?)
    };
    let (before, after) = (above(before)?, above(after)?);
    // Nothing left above the baseline is all given back; the logarithm needs a little to stand on.
    (before > 0.0).then(|| Ok(Pair { before, after: after.max(1e-3 * before) }))
}

/// What stands beside the share: what could have been reclaimed, the efficiency, errors, RSS where it was not judged.
fn beside(observed: &Observed<'_>, value: f64, rss: &[Pair], hidden: bool) -> String {
    let mut sentences = Vec::new();
    if let Some(deleted) = share_deleted(observed).filter(|deleted| *deleted > 0.0) {
        let efficiency = human::percent(value / deleted);
        sentences.push(format!(
            "{} of the rows were deleted before, so it reclaimed {efficiency} of what it could.",
            human::percent(deleted)
        ));
    }
    let dead: Vec<f64> = observed
        .counted_cycles()
        .filter_map(|cycle| observed.level("tombstone_bytes", Phase::BeforeCompact, Some(cycle)))
        .map(|level| level.median)
        .collect();
    if let Some(dead) = median(&dead).filter(|dead| *dead > 0.0) {
        sentences.push(format!("The target itself counted {} of deleted rows.", human::bytes(dead)));
    }
    if hidden {
        let logs: Vec<f64> = rss.iter().map(|pair| pair.log_ratio()).collect();
        let by_rss = mean_interval(&logs, 0.95)
            .map_or_else(String::new, |(mean, _)| format!("; by RSS it is {}", human::percent(1.0 - mean.exp())));
        sentences.push(format!("The data is less than {CLEAR_OF_IDLE} times the idle process{by_rss}."));
    }
    let errors: Vec<&str> = observed
        .events()
        .filter_map(|event| match event {
            EventKind::Compacted { cycle, error: Some(error), .. } if observed.is_counted(*cycle) => {
                Some(error.as_str())
            }
            _ => None,
        })
        .collect();
    if let Some(first) = errors.first() {
        sentences.push(format!("{} failed: {first}.", human::plural(errors.len(), "compaction")));
    }
    sentences.join(" ")
}

/// Share of the acknowledged rows that were deleted, over the counted cycles.
fn share_deleted(observed: &Observed<'_>) -> Option<f64> {
    let ingests = observed.ingests();
    let rows: u64 = ingests.iter().filter(|i| observed.is_counted(i.cycle)).map(|i| i.acked_rows).sum();
    let deleted: u64 = observed
        .events()
        .filter_map(|event| match event {
            EventKind::Deleted { cycle, rows, .. } if observed.is_counted(*cycle) => Some(*rows),
            _ => None,
        })
        .sum();
    (rows > 0).then(|| deleted as f64 / rows as f64)
}

/// The finding of its own: the heap fell and the system did not get the memory.
fn unreturned(observed: &Observed<'_>, value: f64) -> Option<String> {
    let (heap, _) = pairs(observed, HEAP);
    let logs: Vec<f64> = heap.iter().map(|pair| pair.log_ratio()).collect();
    let (mean, _) = mean_interval(&logs, 0.95)?;
    let freed = 1.0 - mean.exp();
    (freed > 0.05 && value < 0.5 * freed).then(|| {
        format!(
            "Freed in the heap but not returned to the system: compaction frees {} of the heap and {} of resident memory. Look for slabs held by a \
             little live data (“SlabArena Memory Management”, “When Memory is Not Released”).",
            human::percent(freed),
            human::percent(value)
        )
    })
}
