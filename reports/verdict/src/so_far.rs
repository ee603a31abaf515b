//! What can be said of a variant that still runs.

use soak_record::VariantRecord;
use soak_scenario::Plan;

use crate::coverage;
use crate::criteria;
use crate::judge::{decide, share};
use crate::observed::Observed;
use crate::outcome::{Finding, Verdict};

/// What each criterion that is judged says of as much of a variant as there is, as strictly as at its end. Its ending, its settings and the controls are
/// brought to bear on none of it; a hand in it is: this is no verdict yet.
pub fn so_far(plan: &Plan, record: &VariantRecord) -> Vec<Finding> {
    let observed = Observed::new(plan, record);
    let family = plan.judged().count();
    let by_hand = coverage::by_hand(&observed);
    let of_criterion = |criterion| {
        let criterion: &crate::evidence::Criterion = criterion;
        let threshold = plan.criteria.get(criterion.id).copied().unwrap_or_default();
        let column = vec![(criterion.measure)(&observed, threshold)];
        let shared = share(&column, &[Some(&record.variant.knobs)], family);
        let (evidence, shared) = column.into_iter().zip(shared).next()?;
        let (mut finding, _) = decide(plan, criterion, evidence, &shared);
        if by_hand.is_some() && finding.verdict == Some(Verdict::Pass) {
            finding.verdict = Some(Verdict::Inconclusive);
        }
        (!finding.informational).then_some(finding)
    };
    criteria::of(plan).filter_map(of_criterion).collect()
}
