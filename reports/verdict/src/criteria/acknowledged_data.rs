//! `acknowledged_data`: after faults, is everything there that was acknowledged, once, and nothing that was deleted?

use soak_record::EventKind;
use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling};
use crate::observed::Observed;
use crate::outcome::Verdict;

const NEXT: &str = "Check that the server writes puts, deletes and drops to its log before it acknowledges them, and that the scenario gives it a folder \
     (`target.durable`). Its own log around the restart says what it replayed.";

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let (mut expected, mut lost, mut doubled, mut resurrected, mut indeterminate) = (0, 0, 0, 0, 0);
    let mut error = None;
    let mut working = Vec::new();
    for event in observed.events() {
        let EventKind::Integrity {
            cycle,
            expected: e,
            lost: l,
            doubled: d,
            resurrected: r,
            indeterminate: i,
            error: why,
        } = event
        else {
            continue;
        };
        expected += e;
        lost += l;
        doubled += d;
        resurrected += r;
        indeterminate += i;
        working.push(match why {
            Some(why) => format!("cycle {cycle}: {why}"),
            None => {
                format!("cycle {cycle}: {e} rows expected, {l} lost, {d} doubled, {r} came back, {i} indeterminate")
            }
        });
        error = error.or_else(|| why.clone());
    }
    if working.is_empty() {
        return Evidence::absent("The rows were never compared: no fault was on in a cycle that came to that.");
    }
    let wrong = lost + doubled + resurrected;
    let limit = threshold.at_most.unwrap_or(f64::INFINITY);
    Evidence {
        value: Some(wrong as f64),
        interval: None,
        threshold: threshold.at_most,
        summary: format!(
            "Of {expected} acknowledged rows, {lost} were lost and {doubled} are there twice. {resurrected} rows are back that had been deleted or dropped.{}",
            if indeterminate > 0 {
                format!(" {indeterminate} puts timed out; their rows may be there or not.")
            } else {
                String::new()
            }
        ),
        notes: Vec::new(),
        band: None,
        working,
        p: Vec::new(),
        rule: Box::new(move |_| {
            if wrong as f64 > limit {
                Ruling::new(Verdict::Fail, "").next(NEXT)
            } else if let Some(error) = error {
                Ruling::new(Verdict::Inconclusive, format!("Not all could be compared: {error}.")).next(NEXT)
            } else if expected == 0 {
                Ruling::new(Verdict::Inconclusive, "Nothing was acknowledged that could have been lost.")
            } else {
                Ruling::new(Verdict::Pass, "")
            }
        }),
    }
}
