//! `first_answer`: after a fault is healed, how long until the target answers again?

use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::injected::injected;
use crate::observed::Observed;
use crate::outcome::Verdict;

const NEXT: &str = "Runbook “High Memory Usage”, “Option A: Restart Node (Quick Fix)”; a target that does not answer again by itself needs a restart, and its log says why.";

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let faults = injected(&observed.record.events);
    let answers: Vec<(String, Option<f64>)> =
        faults.iter().filter_map(|fault| Some((fault.title(), fault.first_answer?))).collect();
    if answers.is_empty() {
        return Evidence::absent("No fault was healed and watched.");
    }
    let silent = answers.iter().find(|(_, seconds)| seconds.is_none()).map(|(title, _)| title.clone());
    let longest = answers.iter().filter_map(|(_, seconds)| *seconds).fold(0.0, f64::max);
    let limit = threshold.at_most.unwrap_or(f64::INFINITY);
    let line = |(title, seconds): &(String, Option<f64>)| match seconds {
        Some(seconds) => format!("{title}: answered after {}", human::seconds(*seconds)),
        None => format!("{title}: no answer while it was watched"),
    };
    Evidence {
        value: silent.is_none().then_some(longest),
        interval: None,
        threshold: threshold.at_most,
        summary: format!(
            "After {} the target answered within {} at the most.",
            human::plural(answers.len(), "fault"),
            human::seconds(longest)
        ),
        notes: Vec::new(),
        band: None,
        working: answers.iter().map(line).collect(),
        p: Vec::new(),
        rule: Box::new(move |_| {
            let allowed = human::seconds(limit);
            match silent {
                Some(title) => {
                    Ruling::new(Verdict::Fail, format!("After {title} it did not answer while it was watched."))
                        .next(NEXT)
                }
                None if longest > limit => {
                    Ruling::new(Verdict::Fail, format!("At most {allowed} is allowed.")).next(NEXT)
                }
                None => Ruling::new(Verdict::Pass, format!("Up to {allowed} is allowed.")),
            }
        }),
    }
}
