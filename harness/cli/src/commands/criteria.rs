//! `soak criteria`: what is judged, in which unit, and what each criterion asks; and the thresholds of the runbooks, with what covers each.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use soak_scenario::Threshold;
use soak_scenario::criterion::{Bounds, CRITERIA, CriterionSpec, Unit};
use soak_scenario::runbook::{Indicator, Runbook, Tally, indicators, thresholds_markdown};
use soak_verdict::human;

use super::{Exit, Failure};
use crate::output;
use crate::table::wrapped;

/// Where the words about a threshold begin: after the longest id.
const INDENT: usize = 28;

/// Explain the criteria: id, unit, thresholds, and what each asks; as JSON with the runbooks' thresholds after them
#[derive(Debug, Args)]
pub(crate) struct Criteria {
    /// Show the thresholds of the runbooks instead: what is written, what it means, and what covers it
    #[arg(long)]
    runbooks: bool,
    /// For whom the result is written
    #[arg(long, value_enum, default_value_t = TableFormat::Human)]
    format: TableFormat,
}

/// For whom a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// For a person
    Human,
    /// One JSON document
    Json,
    /// For a document
    Markdown,
}

impl Criteria {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        match (self.format, self.runbooks) {
            (TableFormat::Human, false) => output::print(&human_list())?,
            (TableFormat::Human, true) => output::print(&human_thresholds())?,
            (TableFormat::Json, runbooks) => {
                let criteria = if runbooks { Vec::new() } else { documents() };
                let all = [criteria, threshold_documents().map_err(Failure::platform)?].concat();
                output::print_json(serde_json::to_string_pretty(&all))?;
            }
            (TableFormat::Markdown, false) => output::print(&markdown())?,
            (TableFormat::Markdown, true) => output::print(&thresholds_markdown())?,
        }
        Ok(Exit::Pass)
    }
}

/// The list for a person: questions are too long for a column.
pub(crate) fn human_list() -> String {
    let item = |spec: &CriterionSpec| {
        let takes = bounds(spec).join(", ");
        format!("{:<20}{} · takes {takes}\n{}", spec.id, unit(spec), wrapped(spec.doc, 20, output::WIDTH))
    };
    CRITERIA.iter().map(item).collect::<Vec<_>>().concat()
}

/// The table as JSON.
pub(crate) fn documents() -> Vec<Value> {
    let document = |spec: &CriterionSpec| json!({ "id": spec.id, "unit": spec.unit.name(), "thresholds": bounds(spec), "question": spec.doc });
    CRITERIA.iter().map(document).collect()
}

/// The thresholds of the runbooks, for a person.
fn human_thresholds() -> String {
    let mut out = String::new();
    for runbook in Runbook::ALL {
        let _ = writeln!(out, "{}\n", runbook.title());
        out.extend(indicators().filter(|one| one.runbook == runbook).map(human_threshold));
        out.push('\n');
    }
    let tally = Tally::of(indicators().map(|one| one.covered));
    let _ = writeln!(out, "{} thresholds: {tally}. Steps are in `soak export runbooks`.", indicators().count());
    out
}

fn human_threshold(one: &Indicator) -> String {
    let words = |text: &str| wrapped(text, INDENT, output::WIDTH);
    let window = one.window.map_or_else(String::new, |window| format!(" · over {window}"));
    let head = words(&format!("{}{window}", one.levels));
    let quoted = one.written.lines().map(|line| format!("“{line}”")).collect::<Vec<_>>().join(" ");
    let place = if one.section.is_empty() { String::new() } else { words(&format!("{}: {quoted}", one.section)) };
    let covered = words(&format!("Covered: {}", one.covered));
    format!("{:<INDENT$}{}{}{place}{covered}", one.id, head.trim_start(), words(one.meaning))
}

/// The thresholds of the runbooks as JSON. Each has a runbook, which no criterion has.
fn threshold_documents() -> serde_json::Result<Vec<Value>> {
    indicators().map(serde_json::to_value).collect()
}

fn markdown() -> String {
    let row = |spec: &CriterionSpec| format!("| `{}` | {} | {} |\n", spec.id, unit(spec), spec.doc);
    let rows: Vec<String> = CRITERIA.iter().map(row).collect();
    format!("| criterion | unit | question |\n|---|---|---|\n{}", rows.concat())
}

/// The unit in words.
fn unit(spec: &CriterionSpec) -> &'static str {
    match spec.unit {
        Unit::BytesPerCycle => "bytes a cycle",
        Unit::BytesPerSecond => "bytes a second",
        Unit::Share => "share",
        Unit::Seconds => "seconds",
        Unit::Bytes => "bytes",
        Unit::Count => "count",
        Unit::Ratio => "bytes per byte",
    }
}

fn bounds(spec: &CriterionSpec) -> &'static [&'static str] {
    match spec.bounds {
        Bounds::AtMost => &["at_most"],
        Bounds::AtMostOfIngested => &["at_most", "at_most_of_ingested"],
        Bounds::AtLeast => &["at_least", "at_most"],
    }
}

/// A threshold in words.
pub(crate) fn bound(spec: &CriterionSpec, threshold: Threshold) -> String {
    let value = |value: f64| human::in_unit(value, spec.unit.name());
    let of_ingested = |share: f64| format!("{} of what a cycle ingests", human::percent(share));
    match (spec.bounds, threshold) {
        (Bounds::AtLeast, Threshold { at_least: Some(least), at_most: Some(most), .. }) => {
            format!("at least {}; above {} is noted", value(least), value(most))
        }
        (_, Threshold { at_least: Some(least), .. }) => format!("at least {}", value(least)),
        (_, Threshold { at_most: Some(most), at_most_of_ingested: Some(share), .. }) => {
            format!("at most {}, or {} if that is more", value(most), of_ingested(share))
        }
        (_, Threshold { at_most: Some(most), .. }) => format!("at most {}", value(most)),
        (_, Threshold { at_most_of_ingested: Some(share), .. }) => format!("at most {}", of_ingested(share)),
        _ => "for information".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_words() {
        let of = |id| soak_scenario::criterion::find(id).unwrap();
        let floor = Threshold { at_most: Some(1_048_576.0), at_most_of_ingested: Some(0.01), at_least: None };
        let words = "at most 1.00 MiB a cycle, or 1.0 % of what a cycle ingests if that is more";
        assert_eq!(bound(of("rss_floor"), floor), words);
        let reclaim = Threshold { at_least: Some(0.2), at_most: Some(0.3), at_most_of_ingested: None };
        assert_eq!(bound(of("compaction_reclaim"), reclaim), "at least 20.0 %; above 30.0 % is noted");
        assert_eq!(
            bound(of("unverified_settings"), Threshold { at_most: Some(0.0), ..Threshold::default() }),
            "at most 0"
        );
    }

    #[test]
    fn a_threshold_has_its_levels_place_meaning_and_what_covers_it() {
        assert!(indicators().all(|one| one.id.len() < INDENT), "an id runs into what follows it");
        let alert = indicators().find(|one| one.id == "memory_alert").unwrap();
        let text = human_threshold(alert);
        assert!(text.starts_with("memory_alert                warning above 80% · over 5min\n"), "{text}");
        for part in ["1. Regular Monitoring: “Memory usage >80%", alert.meaning.split(' ').next().unwrap(), "Covered: "]
        {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let document = serde_json::to_value(alert).unwrap();
        assert_eq!(document["window"], "5min");
        assert_eq!(document["levels"]["above"]["warning"], 0.8);
        assert_eq!(document["runbook"], "High Memory Usage Troubleshooting Runbook");
    }
}
