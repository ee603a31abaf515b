//! `unverified_settings`: did the settings take effect? A variant that is not what its name says cannot pass.

use soak_record::EventKind;
use soak_scenario::{Plan, Threshold};

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::observed::Observed;
use crate::outcome::Verdict;

/// The criterion's id.
pub(crate) const ID: &str = "unverified_settings";
const NEXT: &str = "Set the knob where the server reads it (`[launch]` of the profile), or ask for the effective value in the scenario's matrix. A knob that \
     the server takes and does not use belongs under `[ignores]` of the profile.";

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let mut settings = 0;
    let (mut unverified, mut unreported, mut working) = (Vec::new(), Vec::new(), Vec::new());
    for event in observed.events() {
        let EventKind::Attested { knob, requested, effective, holds, source } = event else { continue };
        settings += 1;
        working.push(match effective {
            Some(effective) => format!("{knob}: {requested} was asked for, {effective} was read from {source}"),
            None => format!("{knob}: {requested} was asked for; the server does not report it"),
        });
        match (holds, effective) {
            (Some(true), _) => {}
            (_, Some(effective)) => unverified.push(format!("{knob} is {effective}, {requested} was asked for")),
            (_, None) if is_compared(observed.plan, knob) => {
                unverified.push(format!("{knob} is not reported by the server, and variants differ in it"));
            }
            (_, None) => unreported.push(knob.as_str()),
        }
    }
    if settings == 0 {
        return Evidence::absent("No setting was read back from the target.");
    }
    let count = unverified.len();
    let limit = threshold.at_most;
    let all = human::plural(settings, "setting");
    let summary = match count {
        0 if unreported.is_empty() => format!("All {all} were read back as asked for."),
        0 => format!("{} of {all} were read back as asked for.", settings - unreported.len()),
        _ => {
            format!("{count} of {all} did not take effect, or nothing shows that they did: {}.", unverified.join("; "))
        }
    };
    let mut notes = Vec::new();
    if !unreported.is_empty() {
        let names = unreported.join(", ");
        notes.push(format!(
            "The server does not report {names}; every variant has the same value, so no comparison depends on it."
        ));
    }
    Evidence {
        value: Some(count as f64),
        interval: None,
        threshold: limit,
        summary,
        notes,
        band: None,
        working,
        p: Vec::new(),
        rule: Box::new(move |_| {
            if count as f64 <= limit.unwrap_or(0.0) {
                Ruling::new(Verdict::Pass, "")
            } else {
                let because = "What was measured is true of other settings than the variant's name says.";
                Ruling::new(Verdict::Inconclusive, because).next(NEXT)
            }
        }),
    }
}

/// Whether variants of the plan differ in this knob, so that a comparison depends on it.
pub(crate) fn is_compared(plan: &Plan, knob: &str) -> bool {
    let value = |index: usize| {
        let settings = plan.variants.get(index)?.knobs.settings();
        settings.into_iter().find(|(name, _)| *name == knob).map(|(_, value)| value)
    };
    (1..plan.variants.len()).any(|index| value(index) != value(0))
}
