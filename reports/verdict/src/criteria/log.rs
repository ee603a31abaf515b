//! `log_errors`: how many lines of the target's log tell of an error, and which come again and again.

use std::fmt::Write as _;

use soak_record::EventKind;
use soak_scenario::Threshold;

use crate::evidence::{Evidence, at_most};
use crate::human;
use crate::observed::Observed;

const NEXT: &str = "Runbook “High Memory Usage Troubleshooting”, “Information to Collect When Escalating”: `soak diag` of the run has the last lines, the errors by \
     pattern, and what the log says of compaction.";

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let told = observed.events().rev().find_map(|event| match event {
        EventKind::LogRead { lines, errors, compaction_lines, compaction_errors, patterns } => {
            Some((*lines, *errors, (*compaction_lines, *compaction_errors), patterns))
        }
        _ => None,
    });
    let Some((lines, errors, (about, failed), patterns)) = told else {
        return Evidence::absent("Its log is not followed: that of a target which ran already is not the run's.");
    };
    let mut summary = format!("{errors} of {} of its log tell of an error.", human::plural(lines as usize, "line"));
    if let Some(most) = patterns.first() {
        let _ = write!(summary, " The most frequent, {} times: “{}”.", most.count, most.pattern);
    }
    if failed > 0 {
        let share = human::percent(failed as f64 / about as f64);
        let _ = write!(summary, " Of what it says of compaction, {share} are errors.");
    }
    let working = patterns.iter().map(|one| format!("{} × {}", one.count, one.pattern)).collect();
    let errors = errors as f64;
    Evidence {
        value: Some(errors),
        interval: None,
        threshold: threshold.at_most,
        summary,
        notes: Vec::new(),
        band: None,
        working,
        p: Vec::new(),
        rule: at_most(errors, threshold, human::number, NEXT),
    }
}
