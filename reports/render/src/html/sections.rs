//! The sections about all variants: the matrix of findings, batch sizes side by side, the run's facts.

use soak_record::Run;
use soak_scenario::criterion;
use soak_verdict::{CONTROL, Finding, RunVerdict, VariantVerdict};

use super::tables::{anchor, heads, mark, table};
use crate::comparison::comparisons;
use crate::facts::facts;
use crate::markup::Markup;
use crate::picture::VariantPicture;
use crate::wording::{Mark, threshold, value};

/// Variant × criterion.
pub(super) fn matrix(m: &mut Markup, run: &Run, verdict: &RunVerdict) {
    let all = criteria(verdict);
    let is_judged = |id: &&str| verdict.findings().any(|(_, one)| one.criterion == *id && one.verdict.is_some());
    let (judged, told): (Vec<&str>, Vec<&str>) = all.iter().partition(|id| is_judged(id));
    let criteria = if judged.is_empty() { all } else { judged };
    m.element("section", &[("id", "findings")], |m| {
        m.leaf("h2", &[], "Findings");
        table(m, "Findings by variant and criterion", "matrix", |m| {
            m.element("thead", &[], |m| {
                m.element("tr", &[], |m| {
                    m.leaf("th", &[("scope", "col")], "Variant");
                    for id in &criteria {
                        let doc = question(id);
                        m.element("th", &[("scope", "col"), ("title", doc)], |m| {
                            m.element("code", &[], |m| breakable(m, id));
                        });
                    }
                });
            });
            m.element("tbody", &[], |m| {
                for variant in &verdict.variants {
                    row(m, variant, &criteria);
                }
                for id in never_ran(run, verdict) {
                    m.element("tr", &[], |m| {
                        m.leaf("th", &[("scope", "row")], id);
                        let span = criteria.len().max(1).to_string();
                        m.element("td", &[("colspan", &span)], |m| {
                            mark(m, Mark::Inconclusive);
                            m.text(" did not run");
                        });
                    });
                    m.line();
                }
            });
        });
        m.leaf(
            "p",
            &[("class", "muted")],
            "Each cell: the answer, what was measured, what it was held against. “info” has no threshold, or is a model, and is not judged; \
             “inconclusive” is never a pass.",
        );
        if !told.is_empty() && told != criteria {
            let named = format!("For information alone, and shown with each variant: {}.", told.join(", "));
            m.leaf("p", &[("class", "muted")], &named);
        }
    });
    m.line();
}

/// What a criterion asks.
fn question(id: &str) -> &'static str {
    match criterion::find(id) {
        Some(spec) => spec.doc,
        None if id == CONTROL => "Was what was put in on purpose seen?",
        None => "Did the target itself fail?",
    }
}

/// A name that may break after its underscores, so that eight columns fit a screen.
fn breakable(m: &mut Markup, name: &str) {
    for (i, part) in name.split('_').enumerate() {
        if i > 0 {
            m.text("_");
            m.empty("wbr", &[]);
        }
        m.text(part);
    }
}

/// Every criterion that was found on, `target` first, in the order of reports.
fn criteria(verdict: &RunVerdict) -> Vec<&str> {
    let mut ids: Vec<&str> = Vec::new();
    for (_, finding) in verdict.findings() {
        if !ids.contains(&finding.criterion.as_str()) {
            ids.push(&finding.criterion);
        }
    }
    let known = criterion::CRITERIA;
    let last = |id: &str| if id == CONTROL { known.len() + 1 } else { 0 };
    let place = |id: &str| known.iter().position(|spec| spec.id == id).map_or(last(id), |place| place + 1);
    ids.sort_by_key(|id| place(id));
    ids
}

/// The plan's variants that the verdict does not know.
pub(super) fn never_ran<'a>(run: &'a Run, verdict: &RunVerdict) -> Vec<&'a str> {
    let planned = run.plan.variants.iter().map(|variant| variant.id.as_str());
    planned.filter(|id| !verdict.variants.iter().any(|variant| variant.id == *id)).collect()
}

fn row(m: &mut Markup, variant: &VariantVerdict, criteria: &[&str]) {
    m.element("tr", &[], |m| {
        m.element("th", &[("scope", "row")], |m| {
            m.leaf("a", &[("href", &format!("#{}", anchor(&variant.id)))], &variant.id);
            m.text(" ");
            mark(m, Mark::of_verdict(variant.verdict));
        });
        for id in criteria {
            match variant.finding(id) {
                Some(finding) => cell(m, finding),
                None => m.leaf("td", &[("class", "muted")], "–"),
            }
        }
    });
    m.line();
}

fn cell(m: &mut Markup, finding: &Finding) {
    m.element("td", &[("class", Mark::of(finding).class()), ("title", &finding.reason)], |m| {
        mark(m, Mark::of(finding));
        m.leaf("span", &[("class", "value")], &value(finding));
        m.leaf("span", &[("class", "limit")], threshold(finding).as_deref().unwrap_or(""));
    });
}

/// Batch sizes side by side.
pub(super) fn batches(m: &mut Markup, run: &Run, verdict: &RunVerdict, pictures: &[VariantPicture]) {
    let comparisons = comparisons(run, verdict, pictures);
    m.element("section", &[("id", "batches")], |m| {
        m.leaf("h2", &[], "Batch sizes side by side");
        if comparisons.is_empty() {
            m.leaf("p", &[("class", "muted")], "No two variants differ in their batch rows alone.");
        }
        m.element("div", &[("class", "side")], |m| {
            for comparison in &comparisons {
                m.element("div", &[], |m| {
                    m.leaf("h3", &[], &comparison.title);
                    table(m, &comparison.title, "compare", |m| {
                        let columns: Vec<String> =
                            comparison.columns.iter().map(|(rows, _)| format!("{rows} rows a batch")).collect();
                        let names: Vec<&str> = std::iter::once("").chain(columns.iter().map(String::as_str)).collect();
                        heads(m, &names);
                        m.element("tbody", &[], |m| comparison.rows.iter().for_each(|(name, values)| line(m, name, values)));
                    });
                });
            }
        });
        if !comparisons.is_empty() {
            let text = "In brackets: the interval of the finding. Put latencies are medians over the counted cycles, from when a batch was due; a put is one batch.";
            m.leaf("p", &[("class", "muted")], text);
        }
    });
    m.line();
}

fn line(m: &mut Markup, name: &str, values: &[String]) {
    m.element("tr", &[], |m| {
        m.leaf("th", &[("scope", "row")], name);
        for value in values {
            m.element("td", &[], |m| {
                let (value, interval) = value.split_once(" (").unwrap_or((value, ""));
                m.text(value);
                if !interval.is_empty() {
                    m.leaf("span", &[("class", "limit")], &format!("({interval}"));
                }
            });
        }
    });
}

/// The run's facts.
pub(super) fn run(m: &mut Markup, run: &Run, verdict: &RunVerdict) {
    m.element("section", &[("id", "run")], |m| {
        m.leaf("h2", &[], "Run");
        m.element("dl", &[], |m| {
            for (name, value) in facts(run, verdict) {
                m.leaf("dt", &[], name);
                m.leaf("dd", &[], &value);
            }
        });
    });
    m.line();
}
