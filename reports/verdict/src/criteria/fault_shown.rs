//! `fault_shown`: did the faults take place? One that did not proves nothing, so that what passed in spite of it passed nothing.

use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::injected::{injected, skipped};
use crate::observed::Observed;
use crate::outcome::Verdict;

const NEXT: &str = "Look at what each fault shows (`soak judge RUN --explain fault_shown`): a longer hold, a greater pressure, or a load that meets it.";

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let (faults, skipped) = (injected(&observed.record.events), skipped(&observed.record.events));
    if faults.is_empty() && skipped.is_empty() {
        return Evidence::absent("No fault was due before the variant ended.");
    }
    let shown = faults.iter().filter(|fault| fault.took_place()).count();
    let missing = faults.len() - shown + skipped.len();
    let mut working: Vec<String> = Vec::new();
    for fault in &faults {
        let words = match &fault.shown {
            Some((true, words)) => words.clone(),
            Some((false, words)) => format!("NOT shown: {words}"),
            None => "NOT shown: the run ended before".to_owned(),
        };
        working.push(format!("{} at {:.1} s: {words}", fault.title(), fault.applied_s));
    }
    for (fault, cycle, reason) in &skipped {
        let cycle = cycle.map_or_else(String::new, |cycle| format!(" in cycle {cycle}"));
        working.push(format!("{fault}{cycle}: did not begin, {reason}"));
    }
    let first = working.iter().find(|line| line.contains("NOT shown") || line.contains("did not begin")).cloned();
    let limit = threshold.at_most;
    Evidence {
        value: Some(missing as f64),
        interval: None,
        threshold: limit,
        summary: format!("{shown} of {} are shown to have taken place.", human::plural(shown + missing, "fault")),
        notes: Vec::new(),
        band: None,
        working,
        p: Vec::new(),
        rule: Box::new(move |_| {
            if missing as f64 > limit.unwrap_or(f64::INFINITY) {
                let because = first.map_or_else(String::new, |first| format!("{first}."));
                Ruling::new(Verdict::Inconclusive, because).next(NEXT)
            } else {
                Ruling::new(Verdict::Pass, "")
            }
        }),
    }
}

/// What casts doubt on every pass: pressure that never was, as a clause.
pub(crate) fn doubt(observed: &Observed<'_>) -> Option<String> {
    if observed.plan.faults.is_empty() || observed.record.variant.is_control() {
        return None;
    }
    let (faults, skipped) = (injected(&observed.record.events), skipped(&observed.record.events));
    let missing = faults.iter().filter(|fault| !fault.took_place()).count() + skipped.len();
    if faults.is_empty() && skipped.is_empty() {
        return Some("no fault was injected".to_owned());
    }
    (missing > 0).then(|| {
        format!(
            "{} of {} did not demonstrably take place",
            missing,
            human::plural(faults.len() + skipped.len(), "fault")
        )
    })
}
