//! What a profile claims that a target's metrics page has, and what a run found of it.

use soak_scenario::series;

use crate::observed::Observed;

/// Series that no store with data in it leaves at 0: one that does is exported and never set.
const ABOVE_ZERO_WITH_DATA: [&str; 8] = [
    "heap_bytes",
    "dataset_bytes",
    "graph_bytes",
    "slab_bytes",
    "datasets",
    "live_vectors",
    "indexed_vectors",
    "goroutines",
];

/// Which series of the profile the page never had, and which it never set.
pub(crate) fn notes(observed: &Observed<'_>) -> Vec<String> {
    let profile = &observed.plan.target.profile;
    if profile.endpoints.metrics.is_none() || profile.series.is_empty() || observed.ingests().is_empty() {
        return Vec::new();
    }
    let page = observed.series(series::OF_THE_PAGE).map(|page| page.values.iter().copied().fold(0.0, f64::max));
    match page {
        // A record of before the page's size was kept.
        None => return Vec::new(),
        Some(0.0) => {
            let endpoint = profile.endpoints.metrics.as_deref().unwrap_or_default();
            return vec![format!(
                "{endpoint} answered, but with no metric in Prometheus' text format: is it the page of something else (endpoints.metrics of the profile)?"
            )];
        }
        Some(_) => {}
    }
    let named = |wanted: &dyn Fn(&str) -> bool| {
        let found: Vec<String> = profile
            .series
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, metric)| format!("{name} ({metric})"))
            .collect();
        (!found.is_empty()).then(|| found.join(", "))
    };
    let never = named(&|name| observed.series(name).is_none());
    let zero = named(&|name| {
        let all_zero = |values: &[f64]| !values.is_empty() && values.iter().all(|value| *value == 0.0);
        ABOVE_ZERO_WITH_DATA.contains(&name) && observed.series(name).is_some_and(|series| all_zero(&series.values))
    });
    let mut notes = Vec::new();
    notes.extend(
        never.map(|all| format!("Never on the target's metrics page, although the profile names them: {all}.")),
    );
    notes.extend(zero.map(|all| format!("On the target's metrics page, but 0 all the time: {all}.")));
    notes
}
