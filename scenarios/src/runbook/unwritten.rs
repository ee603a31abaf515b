//! What both runbooks forget.

use super::{Covered, Indicator, Levels, Runbook};

pub(super) const INDICATORS: &[Indicator] = &[Indicator {
    id: "page_grows",
    runbook: Runbook::Neither,
    section: "",
    written: "",
    meaning: "The number of series on the target's own metrics page grows from one matched state to the next, so that some label takes ever new values.",
    series: &["page_series"],
    window: None,
    levels: Levels::warning_when("the page has more series each time that the store holds the same"),
    covered: Covered::Criterion(&["metrics_cardinality"]),
}];
