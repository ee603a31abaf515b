//! `goroutine_baseline`: does the number of tasks return to what it was when idle, and stay there from cycle to cycle?

use soak_record::{EventKind, Phase, TaskGroup};
use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling, Shared};
use crate::growth::{Growth, Trend};
use crate::human;
use crate::judge::ALPHA;
use crate::observed::{Floor, Observed};
use crate::outcome::Verdict;
use crate::stats::holm;
use crate::stats::kendall::p_of_growth;

const SERIES: &str = "goroutines";
const LEAST_SAMPLES: usize = 10;
const NEXT: &str = "Runbook “High Memory Usage Troubleshooting”, “Scenario 4: Goroutine Leaks”: the dump /debug/pprof/goroutine?debug=2 shows where the \
     named stack waits; follow who should have ended it.";

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    if let Some(why) = observed.unusable(SERIES) {
        return Evidence::absent(why);
    }
    let idle = observed.samples(SERIES, Phase::Idle);
    if idle.len() < LEAST_SAMPLES {
        return Evidence::absent(format!(
            "Only {} of {SERIES} in the idle window after the warm-up; {LEAST_SAMPLES} are needed for a baseline.",
            human::plural(idle.len(), "sample")
        ));
    }
    let drained = observed.samples(SERIES, Phase::Drain);
    let Some(left) = drained.iter().copied().min_by(f64::total_cmp) else {
        return Evidence::absent(format!("No sample of {SERIES} after the drain."));
    };
    let baseline = idle.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let over = left - baseline;
    let limit = threshold.at_most;
    let floors: Vec<_> = observed.floors(SERIES).into_iter().filter(|floor| floor.counted).collect();
    let x: Vec<f64> = floors.iter().map(|floor| f64::from(floor.cycle)).collect();
    let y: Vec<f64> = floors.iter().map(|floor| floor.value).collect();
    // A rate at which the whole run would pass the tolerance; at least one task, because counts move in ones.
    let per_cycle = limit.unwrap_or(0.0).max(1.0) / x.len().max(1) as f64;
    let growth = Growth::measure(&x, &y, per_cycle);
    let summary = format!(
        "{} tasks are left after the drain, at most {} ran at the idle baseline{}.",
        human::number(left),
        human::number(baseline),
        cold(observed),
    );
    let culprit = culprit(observed);
    let minutes = observed.cycle_seconds(SERIES).map(|seconds| seconds * x.len() as f64 / 60.0);
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
            rule(over, limit.unwrap_or(f64::INFINITY), growth.as_ref(), shared, culprit.as_deref(), minutes)
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
    over: f64,
    limit: f64,
    growth: Option<&Growth>,
    shared: &Shared,
    culprit: Option<&str>,
    minutes: Option<f64>,
) -> Ruling {
    let detectable = Some(limit + 1.0).filter(|value| value.is_finite());
    let trend = growth.map(|growth| growth.trend([shared.rejects(0), shared.rejects(1)]));
    let who = culprit.map_or_else(String::new, |culprit| format!(" {culprit}"));
    let allowed = human::number(limit);
    let ruling = if over > limit {
        Ruling::new(Verdict::Fail, format!("At most {allowed} more are allowed.{who}")).next(NEXT)
    } else if let Some(Trend::Grows { slope, .. }) = trend {
        Ruling::new(Verdict::Fail, format!("They grow by {} from cycle to cycle.{who}", human::number(slope)))
            .next(NEXT)
    } else {
        let rate = match (detectable, minutes) {
            (Some(tasks), Some(minutes)) if minutes > 0.0 => {
                format!(
                    " This run could have seen a leak of {} tasks a minute.",
                    human::number((tasks / minutes).ceil())
                )
            }
            _ => String::new(),
        };
        Ruling::new(Verdict::Pass, format!("Up to {allowed} more are allowed.{rate}"))
    };
    ruling.detectable(detectable)
}

/// The cold idle count: lazy worker pools make it lower, and are no leak.
fn cold(observed: &Observed<'_>) -> String {
    let cold = observed.samples(SERIES, Phase::ColdIdle);
    let most = cold.into_iter().max_by(f64::total_cmp);
    most.map_or_else(String::new, |most| format!(" ({} when cold)", human::number(most)))
}

/// The stack that grows, in words: of those whose number rises from cycle to cycle (Kendall's exact test, Holm's procedure over the stacks) the one that grew most; where
/// none does, the one that grew most from the first reading after the warm-up to the last.
fn culprit(observed: &Observed<'_>) -> Option<String> {
    let readings: Vec<&Vec<TaskGroup>> = observed
        .events()
        .filter_map(|event| match event {
            EventKind::Tasks { phase, groups, .. } if *phase != Phase::ColdIdle => Some(groups),
            _ => None,
        })
        .collect();
    let (first, last) = (readings.first()?, readings.last().filter(|_| readings.len() > 1)?);
    let grown = |group: &&TaskGroup| group.count.saturating_sub(count(first, &group.signature));
    let p_values: Vec<f64> = last.iter().map(|group| p_of_growth(&over_cycles(observed, &group.signature))).collect();
    let rising = holm::rejected(&p_values, ALPHA);
    let steady = last.iter().zip(&rising).filter(|(_, rises)| **rises).map(|(group, _)| group).max_by_key(grown);
    let group = steady.or_else(|| last.iter().max_by_key(grown)).filter(|group| grown(group) > 0)?;
    let age = match group.oldest_minutes {
        0 => "under a minute".to_owned(),
        minutes => human::plural(minutes as usize, "minute"),
    };
    let how = if steady.is_some() { "grows from cycle to cycle" } else { "grows" };
    Some(format!(
        "The stack that {how} is “{}”: from {} to {}, the oldest is {age} old.",
        group.signature,
        count(first, &group.signature),
        group.count
    ))
}

/// How many of a stack a reading has.
fn count(reading: &[TaskGroup], signature: &str) -> u64 {
    reading.iter().find(|group| group.signature == signature).map_or(0, |group| group.count)
}

/// How many of a stack there were at the end of each counted cycle.
fn over_cycles(observed: &Observed<'_>, signature: &str) -> Vec<f64> {
    let counts = observed.events().filter_map(|event| match event {
        EventKind::Tasks { cycle: Some(cycle), groups, .. } if observed.is_counted(*cycle) => {
            Some(count(groups, signature) as f64)
        }
        _ => None,
    });
    counts.collect()
}

#[cfg(test)]
mod tests {
    use soak_record::{Event, VariantRecord};

    use super::*;

    /// A record whose readings, at the end of each counted cycle and after the drain, have these numbers of two stacks.
    fn named(counts: &[[u64; 2]]) -> String {
        let plan = crate::simulation::plan();
        let group = |signature: &str, count| TaskGroup { signature: signature.to_owned(), count, oldest_minutes: 3 };
        let events = counts.iter().zip(1..).map(|(count, cycle)| {
            let groups = vec![group("wait < repair", count[0]), group("burst < late", count[1])];
            let (phase, cycle) =
                if cycle == counts.len() as u32 { (Phase::Drain, None) } else { (Phase::Settle, Some(cycle)) };
            Event {
                at_s: f64::from(cycle.unwrap_or(99)),
                variant: None,
                kind: EventKind::Tasks { phase, cycle, groups },
            }
        });
        let record = VariantRecord {
            variant: plan.variants[0].clone(),
            events: events.collect(),
            series: [].into(),
            broken: Vec::new(),
        };
        culprit(&Observed::new(&plan, &record)).unwrap_or_default()
    }

    #[test]
    fn the_stack_that_rises_from_cycle_to_cycle_is_named_before_one_that_jumped() {
        let steady = named(&[[1, 5], [2, 5], [3, 5], [4, 5], [5, 5], [6, 5], [6, 40]]);
        assert!(
            steady.contains("grows from cycle to cycle is “wait < repair”: from 1 to 6, the oldest is 3 minutes"),
            "{steady}"
        );
        let jumped = named(&[[1, 5], [1, 5], [1, 5], [1, 5], [1, 5], [1, 5], [1, 40]]);
        assert!(jumped.contains("The stack that grows is “burst < late”: from 5 to 40"), "{jumped}");
        assert_eq!(named(&[[1, 5]; 7]), "");
    }
}
