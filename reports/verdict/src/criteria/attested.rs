//! `attested`: did the settings take effect? A variant that is not what its name says cannot pass.

use soak_record::EventKind;
use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::observed::Observed;
use crate::outcome::Verdict;

/// The criterion's id.
pub(crate) const ID: &str = "attested";
const NEXT: &str = "Set the knob where the target reads it (the profile's launch settings), or take the effective value into the scenario's matrix.";

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let mut knobs = 0;
    let mut broken = Vec::new();
    let mut working = Vec::new();
    for event in observed.events() {
        let EventKind::Attested { knob, requested, effective, holds, source } = event else { continue };
        knobs += 1;
        working.push(match effective {
            Some(effective) => format!("{knob}: {requested} was asked for, {effective} was read from {source}"),
            None => format!("{knob}: {requested} was asked for, and could not be read back"),
        });
        if *holds != Some(true) {
            broken.push(match effective {
                Some(effective) => format!("{knob} is {effective}, {requested} was asked for"),
                None => format!("{knob} could not be read back, {requested} was asked for"),
            });
        }
    }
    if knobs == 0 {
        return Evidence::absent("No setting was read back from the target.");
    }
    let count = broken.len();
    let limit = threshold.at_most;
    let summary = match count {
        0 => format!("{knobs} of {} took effect.", human::plural(knobs, "knob")),
        _ => format!(
            "{count} of {} did not demonstrably take effect: {}.",
            human::plural(knobs, "knob"),
            broken.join("; ")
        ),
    };
    Evidence {
        value: Some(count as f64),
        interval: None,
        threshold: limit,
        summary,
        notes: Vec::new(),
        band: None,
        working,
        p: Vec::new(),
        rule: Box::new(move |_| {
            if count as f64 <= limit.unwrap_or(0.0) {
                Ruling::new(Verdict::Pass, "")
            } else {
                Ruling::new(
                    Verdict::Inconclusive,
                    "What this variant shows, it shows of other settings than its name says.",
                )
                .next(NEXT)
            }
        }),
    }
}
