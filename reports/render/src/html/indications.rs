//! What the thresholds of the runbooks say of a variant: folded away, because none of it is part of the verdict.

use std::cmp::Reverse;

use soak_scenario::runbook::Level;
use soak_verdict::{Indication, VariantVerdict};

use super::tables::{heads, table};
use crate::markup::Markup;
use crate::wording::{level, tally};

pub(super) fn indications(m: &mut Markup, found: &VariantVerdict) {
    if found.indications.is_empty() {
        return;
    }
    m.element("details", &[], |m| {
        m.leaf("summary", &[], &format!("Thresholds of the runbooks: {}", tally(&found.indications)));
        table(m, "Thresholds of the runbooks", "indications", |m| {
            heads(m, &["Threshold", "Level", "How far it went"]);
            // What somebody would have been told of comes first, what was not read last.
            let mut sorted: Vec<&Indication> = found.indications.iter().collect();
            sorted.sort_by_key(|one| Reverse(one.level));
            m.element("tbody", &[], |m| sorted.into_iter().for_each(|one| row(m, one)));
        });
        m.leaf(
            "p",
            &[("class", "muted")],
            "Rules of thumb for any deployment, and no part of the verdict. soak criteria --runbooks has each as it is written.",
        );
    });
    m.line();
}

fn row(m: &mut Markup, one: &Indication) {
    let class = match one.level {
        Some(Level::Critical) => "fail",
        Some(Level::Warning) => "open",
        Some(Level::Normal) | None => "",
    };
    m.element("tr", &[], |m| {
        m.element("th", &[("scope", "row")], |m| m.leaf("code", &[], &one.id));
        m.leaf("td", &[("class", class)], level(one));
        m.leaf("td", &[("class", "words")], &one.reason);
    });
    m.line();
}
