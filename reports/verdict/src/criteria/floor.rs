//! `rss_floor`, `heap_floor` and `cache_floor`: each cycle ends in the same logical state, so a floor that keeps rising is a leak.

use soak_record::VariantRecord;
use soak_scenario::{Plan, Threshold, Variant};

use crate::evidence::{Evidence, Ruling, Shared};
use crate::growth::{BOUND_LEVEL, Growth, LEAST_FLOORS, Trend, rise_in_words};
use crate::human;
use crate::judge::ALPHA;
use crate::observed::{Floor, Observed, floors};
use crate::outcome::Verdict;

const NEXT_RSS: &str = "Runbook “High Memory Usage Troubleshooting”, “Scenario 1: Memory Usage Keeps Growing”: look at heap_floor first. If the \
     heap grows too, take a heap profile as in “Step 1: Identify Memory Hotspots”; if it does not, memory is kept outside the heap or not returned.";
const NEXT_HEAP: &str = "Runbook “High Memory Usage Troubleshooting”, “Step 1: Identify Memory Hotspots”: compare two heap profiles several \
     cycles apart, the difference names the site; then “2. Check for Leaky Datasets”.";
const NEXT_CACHE: &str = "Runbook “High Memory Usage”, “Option B: Reduce Cache Size”: a cache that grows beyond its size is none; see what bounds it.";
const NEXT_FILLING: &str =
    "Run longer: `--pace gate` or more cycles (`--set cycle.count=…`); warm-up cycles are not judged.";

/// The floor of anonymous resident memory.
pub(super) fn rss(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    measure(observed, threshold, "rss_anon_bytes", "Anonymous resident memory", NEXT_RSS)
}

/// The floor of the heap in use.
pub(super) fn heap(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    measure(observed, threshold, "heap_bytes", "The heap in use", NEXT_HEAP)
}

/// The floor of a cache, where the target tells its size.
pub(super) fn cache(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    measure(observed, threshold, "cache_bytes", "The cache", NEXT_CACHE)
}

fn measure(observed: &Observed<'_>, threshold: Threshold, name: &str, what: &str, next: &'static str) -> Evidence {
    if let Some(why) = observed.unusable(name) {
        return Evidence::absent(why);
    }
    let floors: Vec<Floor> = observed.floors(name).into_iter().filter(|floor| floor.counted).collect();
    let tolerance = threshold.floor_tolerance(observed.bytes_per_cycle());
    let x: Vec<f64> = floors.iter().map(|floor| f64::from(floor.cycle)).collect();
    let y: Vec<f64> = floors.iter().map(|floor| floor.value).collect();
    let Some(growth) = Growth::measure(&x, &y, tolerance) else {
        let mut evidence = Evidence::absent(format!(
            "Only {} of {name}; at least {LEAST_FLOORS} are needed for an interval.",
            human::plural(floors.len(), "counted floor")
        ));
        evidence.threshold = Some(tolerance);
        return evidence;
    };
    let moving = floors.iter().filter(|floor| !floor.at_rest).count();
    let cycle_s = observed.cycle_seconds(name);
    let summary = format!(
        "{what} at the end of a cycle changes by {} a cycle{} over {} ({}).",
        human::bytes(growth.slope.slope),
        growth.slope.bounds.map_or_else(String::new, |[low, high]| format!(
            " ({} to {}, each end {:.0} % sure)",
            human::bytes(low),
            human::bytes(high),
            growth.slope.level * 100.0
        )),
        human::plural(floors.len(), "counted cycle"),
        from_to(&y),
    );
    Evidence {
        value: Some(growth.slope.slope),
        interval: growth.slope.bounds,
        threshold: Some(tolerance),
        summary,
        notes: Vec::new(),
        band: None,
        working: working(&floors, &growth, tolerance),
        p: growth.p.to_vec(),
        rule: Box::new(move |shared| rule(&growth, shared, tolerance, floors.len(), moving, cycle_s, next)),
    }
}

/// How many more cycles a variant needs until its floors of anonymous memory (cycle, bytes) have filled: 0 where they have, where they do not, or where they are not judged.
pub fn more_cycles(plan: &Plan, variant: &Variant, floors: &[(u32, f64)]) -> u32 {
    let Some(threshold) = plan.criteria.get("rss_floor") else { return 0 };
    let tolerance = threshold.floor_tolerance(plan.bytes_per_cycle(&variant.knobs));
    let counted = floors.iter().filter(|(cycle, _)| *cycle >= plan.cycle.warm_up);
    let (x, y): (Vec<f64>, Vec<f64>) = counted.map(|(cycle, bytes)| (f64::from(*cycle), *bytes)).unzip();
    let Some(growth) = Growth::measure(&x, &y, tolerance) else { return 0 };
    let alpha = ALPHA / plan.judged().count().max(1) as f64;
    match growth.trend(growth.p.map(|p| p <= alpha)) {
        Trend::StillFilling { more } => more,
        _ => 0,
    }
}

/// The model of the counted floors of a series: its value at each of their cycles. Empty with too few floors.
pub fn floor_model(plan: &Plan, record: &VariantRecord, series: &str) -> Vec<(u32, f64)> {
    let floors: Vec<Floor> = floors(plan, record, series).into_iter().filter(|floor| floor.counted).collect();
    let x: Vec<f64> = floors.iter().map(|floor| f64::from(floor.cycle)).collect();
    let y: Vec<f64> = floors.iter().map(|floor| floor.value).collect();
    let Some(growth) = Growth::measure(&x, &y, 0.0) else { return Vec::new() };
    floors.iter().map(|floor| (floor.cycle, growth.model(f64::from(floor.cycle)))).collect()
}

/// A rate a cycle as one a minute, in brackets; empty where the length of a cycle is not known.
fn per_minute(a_cycle: f64, cycle_s: Option<f64>) -> String {
    cycle_s.map_or_else(String::new, |s| format!(" ({}/min)", human::bytes(a_cycle / s * 60.0)))
}

fn rule(
    growth: &Growth,
    shared: &Shared,
    tolerance: f64,
    floors: usize,
    moving: usize,
    cycle_s: Option<f64>,
    next: &'static str,
) -> Ruling {
    let a_minute = |a_cycle: f64| per_minute(a_cycle, cycle_s);
    let detectable = growth.detectable(shared.alpha);
    let seen = match detectable {
        Some(leak) => {
            format!("This run could have seen a leak of {} a cycle{} or more.", human::bytes(leak), a_minute(leak))
        }
        None => format!("{floors} cycles are too few to see any leak across so many variants."),
    };
    let allowed = human::bytes(tolerance);
    let ruling = match growth.trend([shared.rejects(0), shared.rejects(1)]) {
        Trend::Grows { slope, .. } if 2 * moving > floors => Ruling::new(
            Verdict::Inconclusive,
            format!(
                "It rises by {} a cycle, but memory was still falling at the end of {moving} of {floors} cycles: what is on its way back cannot \
                 be told from a leak. See time_to_baseline.",
                human::bytes(slope)
            ),
        ),
        Trend::Grows { slope, bounds } => Ruling::new(
            Verdict::Fail,
            format!(
                "{}; the best estimate is {}{}, and {allowed} is tolerated.",
                kept(bounds[0], tolerance, a_minute),
                human::bytes(slope),
                a_minute(slope),
            ),
        )
        .next(next),
        Trend::Flat => Ruling::new(Verdict::Pass, format!("That is within the tolerance of {allowed}. {seen}")),
        Trend::FlatAfter(rise) => Ruling::new(
            Verdict::Pass,
            format!(
                "It {} by {}; without that it changes by {} a cycle, within the tolerance of {allowed}. {seen}",
                rise_in_words(rise.shape),
                human::bytes(rise.height),
                human::bytes(rise.slope),
            ),
        ),
        Trend::StillFilling { more } => Ruling::new(
            Verdict::Inconclusive,
            format!(
                "It is still filling, ever more slowly: {} more cycles are needed to see what is behind.",
                if more > 100 { "many".to_owned() } else { format!("about {more}") }
            ),
        )
        .next(NEXT_FILLING),
        Trend::Unclear => Ruling::new(
            Verdict::Inconclusive,
            format!(
                "The floors scatter by {} around a line: growth of {allowed} a cycle can neither be shown nor excluded at {:.0} %. {seen}",
                human::bytes(growth.noise),
                BOUND_LEVEL * 100.0
            ),
        )
        .next(NEXT_FILLING),
    };
    let ruling = match ruling.verdict {
        Verdict::Pass if 2 * moving > floors => Ruling::new(
            Verdict::Inconclusive,
            format!(
                "Memory was still falling at the end of {moving} of {floors} cycles: these are no floors. See time_to_baseline."
            ),
        ),
        _ => ruling,
    };
    ruling.detectable(detectable)
}

/// What is kept of every cycle. Growth that shows by its size comes in jumps, of which the lower bound of a typical step says nothing.
fn kept(least: f64, tolerance: f64, a_minute: impl Fn(f64) -> String) -> String {
    if least > tolerance {
        format!("It keeps at least {} of every cycle{}", human::bytes(least), a_minute(least))
    } else {
        "It grows in jumps, by more than is tolerated on average".to_owned()
    }
}

/// The floors, and all that was computed of them.
fn working(floors: &[Floor], growth: &Growth, tolerance: f64) -> Vec<String> {
    let mut lines = vec!["Floors (median of the window at the end of a cycle):".to_owned()];
    let first = floors.first().map_or(0.0, |floor| floor.value);
    lines.extend(floors.iter().map(|floor| {
        let moving = if floor.at_rest { "" } else { ", still falling" };
        let above = human::bytes(floor.value - first);
        format!("  cycle {}: {}, {above} above the first{moving}", floor.cycle, human::bytes(floor.value))
    }));
    lines.push(format!("Tolerance: {} a cycle.", human::bytes(tolerance)));
    lines.extend(growth.working(human::bytes));
    lines
}

/// `from 30.1 MiB to 36.4 MiB`.
fn from_to(y: &[f64]) -> String {
    match y {
        [first, .., last] => format!("from {} to {}", human::bytes(*first), human::bytes(*last)),
        _ => String::new(),
    }
}
