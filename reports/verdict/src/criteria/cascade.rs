//! `oom_cascade`: does the death of one replica bring on the next? The load of the dead goes to the living, and so does its memory.

use soak_record::{EventKind, OomScope};
use soak_scenario::Threshold;
use soak_scenario::criterion::CASCADE_WITHIN;

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::observed::Observed;
use crate::outcome::Verdict;

const NEXT: &str = "Runbook “High Memory Usage Troubleshooting”, “Escalation Path” (“Complete OOMKilled cascade across replicas”): size each replica for the \
     load of the others as well, and let clients slow down when a replica is gone.";

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let kills: Vec<f64> = observed
        .record
        .events
        .iter()
        // Told only with the end of a replica: where a script starts the store, the store is a child.
        .filter(|event| matches!(event.kind, EventKind::Oom { scope: OomScope::Target | OomScope::Child, .. }))
        .map(|event| event.at_s)
        .collect();
    let unknown =
        observed.events().filter(|event| matches!(event, EventKind::Oom { scope: OomScope::Unknown, .. })).count();
    let within_s = CASCADE_WITHIN.as_secs_f64();
    let most = most_within(&kills, within_s);
    let limit = threshold.at_most;
    Evidence {
        value: Some(most as f64),
        interval: None,
        threshold: limit,
        summary: match kills.as_slice() {
            [] => "The kernel killed no replica for memory.".to_owned(),
            [_] => "The kernel killed one replica for memory.".to_owned(),
            [first, .., last] => format!(
                "The kernel killed {} replicas for memory, {most} of them within {} of one another; from the first to the last it took {}.",
                kills.len(),
                human::seconds(within_s),
                human::seconds(last - first)
            ),
        },
        notes: Vec::new(),
        band: None,
        working: kills.iter().map(|at_s| format!("A replica was killed {at_s:.1} s into the run.")).collect(),
        p: Vec::new(),
        rule: Box::new(move |_| {
            let allowed = limit.unwrap_or(f64::INFINITY);
            if most as f64 > allowed {
                Ruling::new(Verdict::Fail, format!("More than {} is a cascade.", human::number(allowed))).next(NEXT)
            } else if (most + unknown) as f64 > allowed {
                let because = format!("Whether {} more were is unknown.", human::number(unknown as f64));
                Ruling::new(Verdict::Inconclusive, because).next(NEXT)
            } else {
                Ruling::new(Verdict::Pass, format!("Up to {} is no cascade.", human::number(allowed)))
            }
        }),
    }
}

/// The greatest number of these moments, in order, that lie within a time of one another.
fn most_within(moments_s: &[f64], within_s: f64) -> usize {
    let from =
        |first: usize| moments_s[first..].iter().take_while(|at_s| **at_s - moments_s[first] <= within_s).count();
    (0..moments_s.len()).map(from).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::most_within;

    #[test]
    fn deaths_far_apart_are_no_cascade() {
        assert_eq!(most_within(&[], 30.0), 0);
        assert_eq!(most_within(&[5.0], 30.0), 1);
        assert_eq!(most_within(&[5.0, 36.0, 67.0], 30.0), 1);
        assert_eq!(most_within(&[5.0, 36.0, 50.0, 66.0, 97.0], 30.0), 3);
    }
}
