//! `fault_growth`: how fast does memory in use grow while a leak is on that the target was asked for? The ground truth is known, so this shows what the
//! harness sees of it.
//!
//! Asked is the heap that the target says is in use. Resident memory grows by more than leaks where garbage waits for a collection (under GOGC 100 by up to
//! twice as much), so it is told beside it, and asked only where the target says nothing of its heap.
//!
//! Each hold gives one slope: least squares over the samples at which the series changed, because a live heap is counted by each collection and stands still
//! between two. The rate is their mean, with the interval of Student's t over the holds, n − 1 degrees of freedom. Neighbouring samples of one hold are far
//! from independent; holds are. Holds that agree with one another may still be wrong together: the moment of a change is known to within the sampler's
//! period, so the interval is wider on both sides by that period's part of the time between the first and the last.

use soak_record::Series;
use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::injected::{Injected, injected};
use crate::observed::Observed;
use crate::outcome::Verdict;
use crate::stats::rise::line;
use crate::stats::student::mean_interval;

/// The part of a hold at its start that is left out: the first steps of a leak come in pieces.
const SETTLING: f64 = 0.1;

const LEVEL: f64 = 0.95;

/// Fewer changes than this have no slope that could be told from a step.
const LEAST_CHANGES: usize = 3;

/// The growth of one hold.
struct Slope {
    title: String,
    bytes_per_s: f64,
    /// From the first change to the last.
    over_s: f64,
}

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let faults = injected(&observed.record.events);
    let leaks: Vec<&Injected> = faults.iter().filter(|fault| fault.kind == "leak_memory").collect();
    let (series, what) = asked_of(observed);
    let slopes = slopes(observed, &leaks, series);
    let Some(first) = slopes.first() else {
        return Evidence::absent(format!(
            "No leak of memory was on for long enough to have a slope: {what} has to change {LEAST_CHANGES} times meanwhile."
        ));
    };
    let values: Vec<f64> = slopes.iter().map(|slope| slope.bytes_per_s).collect();
    let mean = mean_of(&slopes);
    let known_to = mean * resolution(observed, series, &slopes);
    let interval = mean_interval(&values, LEVEL).map(|(_, [low, high])| [low - known_to, high + known_to]);
    let between = interval.map_or_else(
        || "one hold has no interval".to_owned(),
        |[low, high]| format!("between {} and {}", minute(low), minute(high)),
    );
    let resident = slopes_of_resident(observed, &leaks, series);
    let limit = threshold.at_most.unwrap_or(f64::INFINITY);
    Evidence {
        value: Some(mean),
        interval,
        threshold: threshold.at_most,
        summary: format!(
            "With {} {what} grew by {} ({between}, {}).",
            first.title,
            minute(mean),
            human::plural(values.len(), "hold")
        ),
        notes: resident.into_iter().collect(),
        band: None,
        working: slopes.iter().map(|slope| format!("{}: {}", slope.title, minute(slope.bytes_per_s))).collect(),
        p: Vec::new(),
        rule: Box::new(move |_| match interval {
            Some([low, _]) if low > limit => {
                Ruling::new(Verdict::Fail, format!("At most {} is allowed.", minute(limit)))
            }
            Some([_, high]) if high <= limit => {
                Ruling::new(Verdict::Pass, format!("Up to {} is allowed.", minute(limit)))
            }
            _ => Ruling::new(
                Verdict::Inconclusive,
                format!("It may be above the {} that are allowed, or not.", minute(limit)),
            ),
        }),
    }
}

fn minute(rate: f64) -> String {
    human::in_unit(rate, "bytes/s")
}

/// The series that is asked, and what it is in words.
fn asked_of(observed: &Observed<'_>) -> (&'static str, &'static str) {
    if observed.unusable("heap_bytes").is_none() {
        ("heap_bytes", "the heap in use")
    } else {
        ("rss_anon_bytes", "resident memory")
    }
}

/// What resident memory did, where something else is asked.
fn slopes_of_resident(observed: &Observed<'_>, leaks: &[&Injected], asked: &str) -> Option<String> {
    let slopes = (asked != "rss_anon_bytes").then(|| slopes(observed, leaks, "rss_anon_bytes"))?;
    (!slopes.is_empty()).then(|| {
        format!(
            "Resident memory grew by {} meanwhile, with garbage that waits for a collection.",
            minute(mean_of(&slopes))
        )
    })
}

fn mean_of(slopes: &[Slope]) -> f64 {
    slopes.iter().map(|slope| slope.bytes_per_s).sum::<f64>() / slopes.len() as f64
}

/// The part of a slope that the moments of two changes leave open.
fn resolution(observed: &Observed<'_>, series: &str, slopes: &[Slope]) -> f64 {
    let sampling = &observed.plan.sampling;
    let period = if series == "rss_anon_bytes" { sampling.process } else { sampling.metrics };
    let shortest_s = slopes.iter().map(|slope| slope.over_s).fold(f64::INFINITY, f64::min);
    period.as_secs_f64() / shortest_s.max(f64::MIN_POSITIVE)
}

/// The slope of a series in each hold that has one.
fn slopes(observed: &Observed<'_>, leaks: &[&Injected], series: &str) -> Vec<Slope> {
    let Some(series) = observed.series(series) else { return Vec::new() };
    leaks.iter().filter_map(|fault| slope(series, fault)).collect()
}

/// The slope of a series while a fault is on.
fn slope(series: &Series, fault: &Injected) -> Option<Slope> {
    let seconds = held_s(fault)?;
    let (times, values) = series.within(fault.applied_s + SETTLING * seconds, fault.applied_s + seconds);
    let changed = (1..times.len()).filter(|at| (values[*at] - values[at - 1]).abs() > 0.0);
    let (times, values): (Vec<f64>, Vec<f64>) = changed.map(|at| (times[at], values[at])).unzip();
    let over_s = times.last()? - times.first()?;
    let bytes_per_s = (times.len() >= LEAST_CHANGES).then(|| line(&times, &values))??.slope;
    Some(Slope { title: fault.title(), bytes_per_s, over_s })
}

/// How long a leak was on.
fn held_s(fault: &Injected) -> Option<f64> {
    let held_s = fault.healed_s? - fault.applied_s;
    // What is shown ends the leak, and is told just after.
    Some(fault.figures.get("leaked_seconds").copied().unwrap_or(held_s).min(held_s))
}
