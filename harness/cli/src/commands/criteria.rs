//! `soak criteria`: what is judged, in which unit, and what each criterion asks.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use soak_scenario::Threshold;
use soak_scenario::criterion::{Bounds, CRITERIA, CriterionSpec, Unit};
use soak_verdict::human;

use super::{Exit, Failure};
use crate::output;
use crate::table::wrapped;

/// Explain the criteria: id, unit, thresholds, and what each asks
#[derive(Debug, Args)]
pub(crate) struct Criteria {
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
        match self.format {
            TableFormat::Human => output::print(&human_list())?,
            TableFormat::Json => output::print_json(serde_json::to_string_pretty(&documents()))?,
            TableFormat::Markdown => output::print(&markdown())?,
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
        assert_eq!(bound(of("attested"), Threshold { at_most: Some(0.0), ..Threshold::default() }), "at most 0");
    }
}
