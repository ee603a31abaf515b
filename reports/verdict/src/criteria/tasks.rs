//! `goroutine_baseline`: does the number of tasks return to what it was when idle, and stay there from cycle to cycle?

use soak_record::{EventKind, Phase, TaskGroup};
use soak_scenario::Threshold;

use super::baseline::{self, Counted};
use crate::evidence::Evidence;
use crate::human;
use crate::judge::ALPHA;
use crate::observed::Observed;
use crate::stats::holm;
use crate::stats::kendall::p_of_growth;

static TASKS: Counted = Counted {
    series: "goroutines",
    least_samples: baseline::SAMPLES_OF_A_MOVING_COUNT,
    noun: "tasks",
    there_were: "there ran",
    next: "Runbook “High Memory Usage Troubleshooting”, “Scenario 4: Goroutine Leaks”: the dump /debug/pprof/goroutine?debug=2 shows where the \
     named stack waits; follow who should have ended it.",
    culprit,
};

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    baseline::measure(&TASKS, observed, threshold)
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
