//! `fault_residue`: is everything that a fault changed as it was before: limits, processes, connections, tasks?

use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::injected::injected;
use crate::observed::Observed;
use crate::outcome::Verdict;

const NEXT: &str = "`soak heal` takes back what is written down; what the target itself holds on to (connections, tasks) is its own leak: Runbook “High Memory Usage \
     Troubleshooting”, “Scenario 4: Goroutine Leaks”.";

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let faults = injected(&observed.record.events);
    let mut left = Vec::new();
    let mut compared = 0;
    for fault in &faults {
        left.extend(fault.heal_error.iter().map(|error| format!("{}: {error}", fault.title())));
        compared += usize::from(fault.differences.is_some());
        let differences = fault.differences.iter().flatten();
        left.extend(differences.map(|difference| format!("{}: {difference}", fault.title())));
    }
    if compared == 0 && left.is_empty() {
        return Evidence::absent("No fault was healed and compared.");
    }
    let (count, first) = (left.len(), left.first().cloned());
    let limit = threshold.at_most.unwrap_or(f64::INFINITY);
    Evidence {
        value: Some(count as f64),
        interval: None,
        threshold: threshold.at_most,
        summary: format!(
            "After {} of {}, {} not as before.",
            compared,
            human::plural(faults.len(), "fault"),
            if count == 1 { "1 thing is".to_owned() } else { format!("{count} things are") }
        ),
        notes: Vec::new(),
        band: None,
        working: left,
        p: Vec::new(),
        rule: Box::new(move |_| match first {
            Some(first) if count as f64 > limit => Ruling::new(Verdict::Fail, format!("{first}.")).next(NEXT),
            _ => Ruling::new(Verdict::Pass, ""),
        }),
    }
}
