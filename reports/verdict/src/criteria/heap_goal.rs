//! `heap_goal`: does the heap peak where GOGC and GOMEMLIMIT say it should? What shows that a collector setting does what it is set for.
//!
//! The goal, by Go's guide to the collector and `runtime/mgcpacer.go`: live + (live + stacks + globals) · GOGC / 100, at least 4 MiB · GOGC / 100; under a
//! memory limit at most limit − memory that is not heap − max(3 %, 1 MiB) of the limit. Live is what the last collection marked. A peak is the greatest ratio
//! of heap objects to the goal of the same moment, over the phases of a cycle in which single allocations are small against the heap: while batches
//! are decoded or rewritten, one of them may carry the heap past the goal before the collection that it sets off has ended.

use soak_record::Phase;
use soak_scenario::Threshold;
use soak_scenario::units::{Gogc, Limit};

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::observed::Observed;
use crate::outcome::Verdict;
use crate::stats::binomial::median_bounds;
use crate::stats::location::median;

const MIB: f64 = 1_048_576.0;
const LEAST: usize = 5;

/// Phases without bulk allocation in which there is data. Of an empty store one page of metrics is a good part of the heap, and what lies above the goal is that page.
const STEADY: [Phase; 4] = [Phase::Query, Phase::Delete, Phase::BeforeCompact, Phase::AfterCompact];

const NEXT: &str = "Runbook “High Memory Usage Troubleshooting”, “Step 3: Verify GC Behavior”: read the effective GOGC and GOMEMLIMIT back from the \
     process; a tuner inside it may rewrite both.";

/// The peak of one cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Peak {
    /// Heap objects over the goal of the same moment.
    of_goal: f64,
    /// Heap objects over live bytes at that moment.
    per_live: f64,
}

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    for series in ["heap_objects_bytes", "heap_bytes"] {
        if let Some(why) = observed.unusable(series) {
            return Evidence::absent(why);
        }
    }
    let knobs = &observed.record.variant.knobs;
    if knobs.gogc == Gogc::Off && knobs.gomemlimit == Limit::Off {
        return Evidence::absent("Without GOGC and without GOMEMLIMIT the heap has no goal.");
    }
    let peaks: Vec<Peak> = observed.counted_cycles().filter_map(|cycle| peak(observed, cycle)).collect();
    let of_goal: Vec<f64> = peaks.iter().map(|peak| peak.of_goal).collect();
    let per_live: Vec<f64> = peaks.iter().map(|peak| peak.per_live).collect();
    let (Some(middle), Some(live), true) = (median(&of_goal), median(&per_live), peaks.len() >= LEAST) else {
        return Evidence::absent(format!(
            "Only {} with samples of the heap and its goal; {LEAST} are needed.",
            human::plural(peaks.len(), "counted cycle")
        ));
    };
    let range = |values: &[f64]| in_words(extent(values));
    let limit = threshold.at_most;
    let band = extent(&per_live);
    let gogc = knobs.gogc;
    Evidence {
        value: Some((middle - 1.0).abs()),
        interval: median_bounds(&of_goal, 0.95).map(away_from_one),
        threshold: limit,
        summary: format!(
            "The heap peaks at {middle:.2} of its goal ({} over {}), which is {live:.2} bytes for each live byte ({}).",
            range(&of_goal),
            human::plural(peaks.len(), "counted cycle"),
            range(&per_live)
        ),
        notes: Vec::new(),
        band: Some(band),
        working: working(&peaks),
        p: Vec::new(),
        rule: Box::new(move |shared| {
            let limit = limit.unwrap_or(f64::INFINITY);
            let ruling = rule(middle, limit);
            match told_apart((gogc, band), &shared.bands, limit) {
                Some(Err(overlap)) if ruling.verdict == Verdict::Pass => {
                    Ruling::new(Verdict::Inconclusive, overlap).next(NEXT)
                }
                Some(Ok(apart)) => Ruling { because: format!("{} {apart}", ruling.because), ..ruling },
                _ => ruling,
            }
        }),
    }
}

/// The peak of every cycle.
fn working(peaks: &[Peak]) -> Vec<String> {
    let mut lines =
        vec!["The greatest ratio of heap objects to the goal of the same moment, outside of ingest, indexing and compaction, cycle by cycle:".to_owned()];
    lines.extend(
        peaks
            .iter()
            .map(|peak| format!("  {:.3} of the goal, {:.2} bytes for each live byte", peak.of_goal, peak.per_live)),
    );
    lines.push("The value is how far the median is from 1.".to_owned());
    lines
}

fn extent(values: &[f64]) -> [f64; 2] {
    values.iter().fold([f64::INFINITY, 0.0], |[low, high], value| [low.min(*value), high.max(*value)])
}

fn in_words([low, high]: [f64; 2]) -> String {
    format!("{low:.2} to {high:.2}")
}

/// Whether the bands of two settings are apart, where the formula says that they must be: a heap may stray from its goal by the tolerance, and goals
/// that are further apart than that leave no overlap. `None` where there is no such other setting.
fn told_apart(
    (gogc, band): (Gogc, [f64; 2]),
    others: &[(Gogc, [f64; 2])],
    tolerance: f64,
) -> Option<Result<String, String>> {
    let growth = |gogc: Gogc| match gogc {
        Gogc::Percent(percent) => Some(1.0 + f64::from(percent) / 100.0),
        Gogc::Off => None,
    };
    let own = growth(gogc)?;
    let must_differ = |other: Gogc| {
        growth(other).is_some_and(|other| own.max(other) * (1.0 - tolerance) > own.min(other) * (1.0 + tolerance))
    };
    let mut apart = Vec::new();
    for (other, [low, high]) in others.iter().filter(|(other, _)| must_differ(*other)) {
        let other_band = in_words([*low, *high]);
        if band[0] <= *high && *low <= band[1] {
            return Some(Err(format!(
                "The band overlaps that of GOGC {other}, {other_band}: the setting made no difference that shows."
            )));
        }
        apart.push(format!("GOGC {other} ({other_band})"));
    }
    (!apart.is_empty()).then(|| Ok(format!("The band is apart from that of {}.", apart.join(", "))))
}

/// A band around 1 as distances from it: the least, the greatest.
fn away_from_one([low, high]: [f64; 2]) -> [f64; 2] {
    let (below, above) = ((low - 1.0).abs(), (high - 1.0).abs());
    let least = if low <= 1.0 && high >= 1.0 { 0.0 } else { below.min(above) };
    [least, below.max(above)]
}

fn rule(middle: f64, limit: f64) -> Ruling {
    let allowed = human::percent(limit);
    if (middle - 1.0).abs() <= limit {
        Ruling::new(Verdict::Pass, format!("Within {allowed} of the goal is what the settings promise."))
    } else if middle < 1.0 {
        // A heap that was never filled up to its goal says nothing of where it would have stopped.
        let because = "The load allocated too little to bring the heap to its goal, or it was collected more often than the settings ask for.";
        Ruling::new(Verdict::Inconclusive, because)
            .next("Query longer, `--set workload.query.duration=…`, or run at `--pace gate`.")
    } else {
        Ruling::new(Verdict::Fail, format!("At most {allowed} above the goal is allowed.")).next(NEXT)
    }
}

/// The peak of a cycle; `None` without samples in its steady phases.
fn peak(observed: &Observed<'_>, cycle: u32) -> Option<Peak> {
    let objects = observed.series("heap_objects_bytes")?;
    let peaks = STEADY.iter().filter_map(|phase| observed.phase(*phase, cycle)).flat_map(|[from, to]| {
        let (times, values) = objects.within(from, to);
        times.iter().zip(values).filter_map(|(at_s, bytes)| {
            let live = at(observed, "heap_bytes", *at_s).filter(|live| *live > 0.0)?;
            Some(Peak { of_goal: bytes / goal(observed, live, *at_s)?, per_live: bytes / live })
        })
    });
    peaks.max_by(|a, b| a.of_goal.total_cmp(&b.of_goal))
}

/// What was read of a series in the same go.
fn at(observed: &Observed<'_>, name: &str, at_s: f64) -> Option<f64> {
    observed.series(name)?.within(at_s, at_s).1.first().copied()
}

/// The goal at a moment, in bytes.
fn goal(observed: &Observed<'_>, live: f64, at_s: f64) -> Option<f64> {
    let knobs = &observed.record.variant.knobs;
    let read = |name| at(observed, name, at_s);
    // The effective values where the target tells them: the plan's may not have taken effect.
    let percent = match (read("gogc_percent"), knobs.gogc) {
        (Some(percent), _) => Some(percent).filter(|percent| (0.0..1e6).contains(percent)),
        (None, Gogc::Percent(percent)) => Some(f64::from(percent)),
        (None, Gogc::Off) => None,
    };
    let roots = read("gc_roots_stack_bytes").unwrap_or(0.0) + read("gc_roots_globals_bytes").unwrap_or(0.0);
    let by_percent =
        percent.map(|percent| f64::max(live + (live + roots) * percent / 100.0, 4.0 * MIB * percent / 100.0));
    let limit = read("gomemlimit_bytes").filter(|limit| *limit < 9.2e18);
    let by_limit = limit.and_then(|limit| {
        let heap = read("heap_objects_bytes")? + read("heap_unused_bytes")? + read("heap_free_bytes")?;
        let not_heap = (read("runtime_bytes")? - read("released_bytes")? - heap).max(0.0);
        Some((limit - not_heap - f64::max(0.03 * limit, MIB)).max(live))
    });
    match (by_percent, by_limit) {
        (Some(percent), Some(limit)) => Some(percent.min(limit)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heap_at_its_goal_passes_and_one_beyond_fails() {
        assert_eq!(rule(0.93, 0.25).verdict, Verdict::Pass);
        assert_eq!(rule(1.24, 0.25).verdict, Verdict::Pass);
        assert_eq!(rule(1.3, 0.25).verdict, Verdict::Fail);
        assert_eq!(rule(0.5, 0.25).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn bands_are_held_apart_where_the_goals_are() {
        let ten = (Gogc::Percent(10), [1.05, 1.12]);
        let hundred = (Gogc::Percent(100), [1.5, 1.93]);
        assert!(told_apart(ten, &[hundred], 0.25).unwrap().unwrap().contains("GOGC 100 (1.50 to 1.93)"));
        assert!(told_apart(ten, &[(Gogc::Percent(100), [1.1, 1.9])], 0.25).unwrap().unwrap_err().contains("overlaps"));
        // 1.75 and 2 times the live heap: the tolerance lets these two meet.
        assert_eq!(told_apart((Gogc::Percent(75), [1.5, 1.8]), &[hundred], 0.25), None);
        assert_eq!(told_apart((Gogc::Off, [3.0, 4.0]), &[hundred], 0.25), None);
    }

    #[test]
    fn distances_from_the_goal_span_the_band() {
        let close = |[a, b]: [f64; 2], [c, d]: [f64; 2]| (a - c).abs() < 1e-9 && (b - d).abs() < 1e-9;
        assert!(close(away_from_one([0.9, 1.2]), [0.0, 0.2]));
        assert!(close(away_from_one([0.7, 0.9]), [0.1, 0.3]));
        assert!(close(away_from_one([1.1, 1.5]), [0.1, 0.5]));
    }
}
