//! What the failures of a variant look like by the runbook: for, against, what else, and what to type.

use soak_scenario::runbook::Advice;
use soak_verdict::{Guidance, VariantVerdict};

use super::tables::{heads, table};
use crate::markup::Markup;

pub(super) fn guidance(m: &mut Markup, found: &VariantVerdict) {
    if found.guidance.is_empty() {
        return;
    }
    m.leaf("h3", &[], "By the runbook");
    found.guidance.iter().for_each(|one| case(m, one));
}

fn case(m: &mut Markup, one: &Guidance) {
    let class = if one.findings.is_empty() { "finding info" } else { "finding open" };
    m.element("article", &[("class", class)], |m| {
        m.leaf("h4", &[], &format!("Looks like {}: {}", one.section, one.cause));
        let about = if one.findings.is_empty() {
            "No criterion fails by it, and it is no pressure.".to_owned()
        } else {
            format!("Explains {}.", one.findings.join(", "))
        };
        m.leaf("p", &[], &about);
        list(m, "For it", &one.evidence_for);
        list(m, "Against it", &one.evidence_against);
        alternatives(m, one);
        remedies(m, &one.remedies);
    });
    m.line();
}

fn list(m: &mut Markup, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    m.element("p", &[], |m| m.leaf("strong", &[], title));
    m.element("ul", &[], |m| items.iter().for_each(|item| m.leaf("li", &[], item)));
}

fn alternatives(m: &mut Markup, one: &Guidance) {
    if one.alternatives.is_empty() {
        return;
    }
    table(m, "What else it may be", "alternatives", |m| {
        heads(m, &["What else", "Cause", "Why it is less likely"]);
        m.element("tbody", &[], |m| {
            for other in &one.alternatives {
                m.element("tr", &[], |m| {
                    m.leaf("th", &[("scope", "row")], &other.section);
                    m.leaf("td", &[("class", "words")], &other.cause);
                    m.leaf("td", &[("class", "words")], &other.reason());
                });
            }
        });
    });
}

fn remedies(m: &mut Markup, remedies: &[Advice]) {
    m.element("details", &[], |m| {
        let tried = remedies.iter().filter(|one| one.tried).count();
        let summary =
            format!("What the runbook advises: {} remedies; soak run --try-remedies tries {tried}", remedies.len());
        m.leaf("summary", &[], &summary);
        for one in remedies {
            m.element("p", &[], |m| {
                m.leaf("strong", &[], &one.remedy);
                m.text(" — ");
                m.leaf("code", &[], &one.written);
                if let Some(lacks) = &one.lacks {
                    m.text(&format!(" ({lacks})"));
                }
            });
            if !one.commands.is_empty() {
                m.element("pre", &[], |m| m.leaf("code", &[], &one.commands.join("\n")));
            }
        }
    });
    m.line();
}
