//! `compaction_time` and `compaction_overdue`: how long a compaction takes, and how long deleted rows wait for one.

use soak_record::EventKind;
use soak_scenario::Threshold;

use crate::evidence::{Evidence, at_most};
use crate::human;
use crate::observed::Observed;
use crate::stats::kendall::p_of_growth;

const NEXT_TIME: &str = "Runbook “High Memory Usage Troubleshooting”, “Step 2: Check Compaction Status”: a compaction that takes ever longer has ever more to \
     do; compact more often (compaction_interval), or find what is not reclaimed.";
const NEXT_OVERDUE: &str = "Runbook “High Memory Usage Troubleshooting”, “Step 2: Check Compaction Status” and “Scenario 5: Failed Compaction”: see whether the \
     worker runs, and its threshold and interval.";
/// The chance of calling durations rising that are not.
const ALPHA: f64 = 0.05;

/// Measures how long compactions took.
pub(super) fn time(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let seconds: Vec<f64> = observed
        .events()
        .filter_map(|event| match event {
            EventKind::Compacted { cycle, seconds, error: None } if observed.is_counted(*cycle) => Some(*seconds),
            _ => None,
        })
        .collect();
    let Some(longest) = seconds.iter().copied().reduce(f64::max) else {
        return Evidence::absent("No compaction that was asked for, or waited for, ended well.");
    };
    let rising = seconds.len() >= 5 && p_of_growth(&seconds) < ALPHA;
    let (first, last) = (seconds[0], seconds[seconds.len() - 1]);
    let rise = if rising {
        format!(" They take ever longer: from {} to {}.", human::seconds(first), human::seconds(last))
    } else {
        String::new()
    };
    let each: Vec<String> = seconds.iter().map(|seconds| human::seconds(*seconds)).collect();
    Evidence {
        value: Some(longest),
        interval: None,
        threshold: threshold.at_most,
        summary: format!(
            "The longest of {} took {}.{rise}",
            human::plural(seconds.len(), "compaction"),
            human::seconds(longest)
        ),
        notes: Vec::new(),
        band: None,
        working: vec![format!("Each, cycle by cycle: {}.", each.join(", "))],
        p: Vec::new(),
        rule: at_most(longest, threshold, human::seconds, NEXT_TIME),
    }
}

/// Measures how long there were deleted rows and no compaction.
pub(super) fn overdue(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    const DEAD: &str = "tombstone_bytes";
    const DONE: &str = "compactions_total";
    let (Some(dead), Some(done)) = (observed.series(DEAD), observed.series(DONE)) else {
        let missing = if observed.series(DEAD).is_none() { DEAD } else { DONE };
        return Evidence::absent(format!(
            "The series {missing} is missing: the target does not export it, or it could not be read."
        ));
    };
    // Both are of one page, and so of the same moments; what is on one alone tells nothing.
    let mut waits_since: Option<f64> = None;
    let (mut longest, mut count) = (0.0_f64, None);
    for (at_s, bytes) in dead.times_s.iter().zip(&dead.values) {
        let at = done.times_s.partition_point(|time| time <= at_s);
        let Some(compactions) = at.checked_sub(1).map(|before| done.values[before]) else { continue };
        let compacted = count.is_some_and(|count| compactions > count);
        count = Some(compactions);
        if *bytes > 0.0 && !compacted {
            let since = *waits_since.get_or_insert(*at_s);
            longest = longest.max(at_s - since);
        } else {
            waits_since = None;
        }
    }
    let begun = count.unwrap_or(0.0);
    Evidence {
        value: Some(longest),
        interval: None,
        threshold: threshold.at_most,
        summary: format!(
            "Deleted rows waited {} for a compaction at most; {} were counted.",
            human::seconds(longest),
            human::number(begun)
        ),
        notes: Vec::new(),
        band: None,
        working: Vec::new(),
        p: Vec::new(),
        rule: at_most(longest, threshold, human::seconds, NEXT_OVERDUE),
    }
}

#[cfg(test)]
mod tests {
    use soak_record::{Series, VariantRecord};

    use super::*;

    #[test]
    fn deleted_rows_wait_until_a_compaction_is_counted() {
        let plan = crate::simulation::plan();
        let wait = |dead: &[f64], done: &[f64]| {
            let series = |values: &[f64]| Series {
                times_s: (0..values.len()).map(|at| at as f64).collect(),
                values: values.to_vec(),
            };
            let record = VariantRecord {
                variant: plan.variants[0].clone(),
                events: Vec::new(),
                series: [("tombstone_bytes".to_owned(), series(dead)), ("compactions_total".to_owned(), series(done))]
                    .into(),
                broken: Vec::new(),
            };
            overdue(&Observed::new(&plan, &record), Threshold::default()).value
        };
        assert_eq!(wait(&[0.0, 5.0, 5.0, 5.0, 0.0], &[0.0, 0.0, 0.0, 0.0, 1.0]), Some(2.0));
        // A compaction that leaves some behind is one all the same.
        assert_eq!(wait(&[5.0, 5.0, 5.0, 5.0, 5.0], &[0.0, 0.0, 1.0, 1.0, 1.0]), Some(1.0));
        assert_eq!(wait(&[0.0; 5], &[0.0; 5]), Some(0.0));
    }
}
