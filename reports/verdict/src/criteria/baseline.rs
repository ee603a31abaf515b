//! A count that returns to what it was when idle, and stays there from cycle to cycle: tasks, connections, series of the metrics page.

use soak_record::Phase;
use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling, Shared};
use crate::growth::{Growth, Trend};
use crate::human;
use crate::observed::{Floor, Observed};
use crate::outcome::Verdict;

/// Samples of a count that moves by itself, such as tasks, without which its most is not known.
pub(super) const SAMPLES_OF_A_MOVING_COUNT: usize = 10;

/// What is counted.
pub(super) struct Counted {
    /// The canonical series.
    pub(super) series: &'static str,
    /// Samples that a baseline needs: one of an exact count, several of one that moves.
    pub(super) least_samples: usize,
    /// Several of it.
    pub(super) noun: &'static str,
    /// Where they should not have stayed: “left after the drain, … at the idle baseline”.
    pub(super) there_were: &'static str,
    /// What to do where there are more.
    pub(super) next: &'static str,
    /// Which of them grow, in a sentence.
    pub(super) culprit: fn(&Observed<'_>) -> Option<String>,
}

/// Measures one variant.
pub(super) fn measure(of: &'static Counted, observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    match observed.unusable(of.series) {
        Some(why) => Evidence::absent(why),
        None => measure_even_at_zero(of, observed, threshold),
    }
}

/// The same of a count that may well be 0 all the time.
pub(super) fn measure_even_at_zero(of: &'static Counted, observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let series = of.series;
    if observed.series(series).is_none() {
        return Evidence::absent(observed.unusable(series).unwrap_or_default());
    }
    let idle = observed.samples(series, Phase::Idle);
    if idle.len() < of.least_samples {
        return Evidence::absent(format!(
            "Only {} of {series} in the idle window after the warm-up; {} are needed for a baseline.",
            human::plural(idle.len(), "sample"),
            of.least_samples
        ));
    }
    let drained = observed.samples(series, Phase::Drain);
    let Some(left) = drained.iter().copied().min_by(f64::total_cmp) else {
        return Evidence::absent(format!("No sample of {series} after the drain."));
    };
    let baseline = idle.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let over = left - baseline;
    let limit = threshold.at_most;
    let floors: Vec<_> = observed.floors(series).into_iter().filter(|floor| floor.counted).collect();
    let x: Vec<f64> = floors.iter().map(|floor| f64::from(floor.cycle)).collect();
    let y: Vec<f64> = floors.iter().map(|floor| floor.value).collect();
    // A rate at which the whole run would pass the tolerance; at least one, because counts move in ones.
    let per_cycle = limit.unwrap_or(0.0).max(1.0) / x.len().max(1) as f64;
    let growth = Growth::measure(&x, &y, per_cycle);
    let summary = format!(
        "{} {} are left after the drain, {} at most {} at the idle baseline{}.",
        human::number(left),
        of.noun,
        of.there_were,
        human::number(baseline),
        cold(of, observed),
    );
    let culprit = (of.culprit)(observed);
    let minutes = observed.cycle_seconds(series).map(|seconds| seconds * x.len() as f64 / 60.0);
    Evidence {
        value: Some(over),
        interval: None,
        threshold: limit,
        summary,
        notes: Vec::new(),
        band: None,
        working: working(baseline, idle.len(), &floors, growth.as_ref().map(|growth| (growth, per_cycle))),
        p: growth.as_ref().map_or_else(Vec::new, |growth| growth.p.to_vec()),
        rule: Box::new(move |shared| {
            rule(of, (over, limit.unwrap_or(f64::INFINITY)), growth.as_ref(), shared, (culprit.as_deref(), minutes))
        }),
    }
}

/// The baseline, what was left at the end of each cycle, and what was computed of that.
fn working(baseline: f64, idle: usize, floors: &[Floor], growth: Option<(&Growth, f64)>) -> Vec<String> {
    let of = human::plural(idle, "sample");
    let mut lines =
        vec![format!("Baseline: {}, the most of {of} of the idle window after the warm-up.", human::number(baseline))];
    lines.push("Left at the end of a cycle (median of the window):".to_owned());
    lines.extend(floors.iter().map(|floor| format!("  cycle {}: {}", floor.cycle, human::number(floor.value))));
    if let Some((growth, per_cycle)) = growth {
        lines.push(format!("Tolerance: {} a cycle, which adds up to what is allowed.", human::number(per_cycle)));
        lines.extend(growth.working(human::number));
    }
    lines
}

fn rule(
    of: &Counted,
    (over, limit): (f64, f64),
    growth: Option<&Growth>,
    shared: &Shared,
    (culprit, minutes): (Option<&str>, Option<f64>),
) -> Ruling {
    let detectable = Some(limit + 1.0).filter(|value| value.is_finite());
    let trend = growth.map(|growth| growth.trend([shared.rejects(0), shared.rejects(1)]));
    let who = culprit.map_or_else(String::new, |culprit| format!(" {culprit}"));
    let allowed = human::number(limit);
    let ruling = if over > limit {
        Ruling::new(Verdict::Fail, format!("At most {allowed} more are allowed.{who}")).next(of.next)
    } else if let Some(Trend::Grows { slope, .. }) = trend {
        Ruling::new(Verdict::Fail, format!("They grow by {} from cycle to cycle.{who}", human::number(slope)))
            .next(of.next)
    } else {
        let rate = match (detectable, minutes) {
            (Some(count), Some(minutes)) if minutes > 0.0 => {
                let rate = human::number((count / minutes).ceil());
                format!(" This run could have seen a leak of {rate} {} a minute.", of.noun)
            }
            _ => String::new(),
        };
        Ruling::new(Verdict::Pass, format!("Up to {allowed} more are allowed.{rate}"))
    };
    ruling.detectable(detectable)
}

/// The cold idle count: lazy worker pools make it lower, and are no leak.
fn cold(of: &Counted, observed: &Observed<'_>) -> String {
    let cold = observed.samples(of.series, Phase::ColdIdle);
    let most = cold.into_iter().max_by(f64::total_cmp);
    most.map_or_else(String::new, |most| format!(" ({} when cold)", human::number(most)))
}
