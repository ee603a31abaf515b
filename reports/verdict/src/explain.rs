//! How one criterion came to its answers: what it took from the record, what it computed, and what the variants shared.

use std::collections::BTreeMap;

use soak_record::VariantRecord;
use soak_scenario::{Knobs, Plan};

use crate::criteria;
use crate::evidence::{Evidence, Shared};
use crate::judge::{ALPHA, decide, share};
use crate::observed::Observed;
use crate::outcome::Finding;

/// One variant's answer and its working.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The variant's id.
    pub variant: String,
    /// The working, in lines.
    pub working: Vec<String>,
    /// The answer by itself: before the variant's ending, its settings and the control are brought to bear on it.
    pub finding: Finding,
}

/// How a criterion came to its answers, in the order of the records; `None` where there is no such criterion for this plan's target.
pub fn explain(
    plan: &Plan,
    criterion: &str,
    variants: impl IntoIterator<Item = VariantRecord>,
) -> Option<Vec<Explained>> {
    let criterion = criteria::of(plan).find(|one| one.id == criterion)?;
    let threshold = plan.criteria.get(criterion.id).copied().unwrap_or_default();
    let measured: Vec<(VariantRecord, Evidence)> = variants
        .into_iter()
        .map(|record| {
            let evidence = (criterion.measure)(&Observed::new(plan, &record), threshold);
            (VariantRecord { series: BTreeMap::new(), ..record }, evidence)
        })
        .collect();
    let (judged, dosed): (Vec<_>, Vec<_>) = measured.into_iter().partition(|(record, _)| !record.variant.is_control());
    let family = judged.len();
    let groups = std::iter::once(judged).chain(dosed.into_iter().map(|one| vec![one]));
    let mut explained = Vec::new();
    for group in groups {
        let (records, column): (Vec<VariantRecord>, Vec<Evidence>) = group.into_iter().unzip();
        let knobs: Vec<Option<&Knobs>> = records.iter().map(|record| Some(&record.variant.knobs)).collect();
        let shared = share(&column, &knobs, family);
        for ((record, mut evidence), shared) in records.iter().zip(column).zip(shared) {
            let mut working = std::mem::take(&mut evidence.working);
            working.extend(in_common(&evidence, &shared));
            let (finding, _) = decide(plan, criterion, evidence, &shared);
            explained.push(Explained { variant: record.variant.id.clone(), working, finding });
        }
    }
    Some(explained)
}

/// What the variants share of the error rate.
fn in_common(evidence: &Evidence, shared: &Shared) -> Option<String> {
    if evidence.p.is_empty() {
        return None;
    }
    let routes = evidence.p.iter().enumerate().map(|(route, p)| {
        let so = if shared.rejects(route) { "shows" } else { "does not show" };
        format!("p = {p:.4} {so}")
    });
    Some(format!(
        "Holm's procedure over the variants, α = {ALPHA}, first step {:.4}: {}.",
        shared.alpha,
        routes.collect::<Vec<_>>().join(", ")
    ))
}
