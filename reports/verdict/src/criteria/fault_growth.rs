//! `fault_growth`: how fast does anonymous memory grow while a leak is on that the target was asked for? The ground truth is known, so this shows what
//! the harness sees of it.
//!
//! Each hold gives one slope (least squares over its samples); the rate is their mean, with the interval of Student's t over the holds, n − 1 degrees of
//! freedom. Neighbouring samples of one hold are far from independent; holds are. Holds that agree with one another may still be wrong together: the moment of
//! a sample is known to within the sampler's period, so the interval is wider on both sides by that period's part of a hold.

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

/// Fewer samples than this have no slope.
const LEAST_SAMPLES: usize = 8;

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let faults = injected(&observed.record.events);
    let leaks: Vec<&Injected> = faults.iter().filter(|fault| fault.kind == "leak_memory").collect();
    let slopes: Vec<(String, f64)> =
        leaks.iter().filter_map(|fault| Some((fault.title(), slope(observed, fault)?))).collect();
    let Some((title, _)) = slopes.first() else {
        return Evidence::absent("No leak of memory was on for long enough to have a slope.");
    };
    let values: Vec<f64> = slopes.iter().map(|(_, slope)| *slope).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let known_to = mean * resolution(observed, &leaks);
    let interval = mean_interval(&values, LEVEL).map(|(_, [low, high])| [low - known_to, high + known_to]);
    let minute = |rate: f64| human::in_unit(rate, "bytes/s");
    let between = interval.map_or_else(
        || "one hold has no interval".to_owned(),
        |[low, high]| format!("between {} and {}", minute(low), minute(high)),
    );
    let limit = threshold.at_most.unwrap_or(f64::INFINITY);
    Evidence {
        value: Some(mean),
        interval,
        threshold: threshold.at_most,
        summary: format!(
            "With {title} memory grew by {} ({between}, {}).",
            minute(mean),
            human::plural(values.len(), "hold")
        ),
        notes: Vec::new(),
        band: None,
        working: slopes.iter().map(|(title, slope)| format!("{title}: {}", minute(*slope))).collect(),
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

/// The part of a slope that the moments of two samples leave open: the sampler's period over the shortest hold.
fn resolution(observed: &Observed<'_>, leaks: &[&Injected]) -> f64 {
    let holds_s = leaks.iter().filter_map(|fault| held_s(fault));
    observed.plan.sampling.process.as_secs_f64() / holds_s.fold(f64::INFINITY, f64::min).max(f64::MIN_POSITIVE)
}

/// How long a leak was on.
fn held_s(fault: &Injected) -> Option<f64> {
    let held_s = fault.healed_s? - fault.applied_s;
    // What is shown ends the leak, and is told just after.
    Some(fault.figures.get("leaked_seconds").copied().unwrap_or(held_s).min(held_s))
}

/// The slope of anonymous memory while a fault is on, in bytes a second.
fn slope(observed: &Observed<'_>, fault: &Injected) -> Option<f64> {
    let series = observed.series("rss_anon_bytes")?;
    let seconds = held_s(fault)?;
    let (times, values) = series.within(fault.applied_s + SETTLING * seconds, fault.applied_s + seconds);
    if times.len() < LEAST_SAMPLES {
        return None;
    }
    line(times, values).map(|line| line.slope)
}
