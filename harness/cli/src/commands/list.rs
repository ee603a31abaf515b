//! `soak list`: what is built in.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use soak_scenario::series::SERIES;
use soak_scenario::{Builtin, FAULTS, builtin_profiles, builtin_scenarios};

use super::{Exit, Failure, Format, criteria};
use crate::output;
use crate::table::table;

/// List the built-in scenarios (the default) or profiles, the criteria, the canonical series, the faults
#[derive(Debug, Args)]
pub(crate) struct List {
    /// What to list
    #[arg(value_enum, default_value_t = Kind::Scenarios)]
    kind: Kind,
    /// For whom the result is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// What to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Scenarios that a bare name finds
    Scenarios,
    /// Profiles that a scenario may name
    Profiles,
    /// Criteria that a scenario may set thresholds for
    Criteria,
    /// Series that a profile may map and a record holds
    Series,
    /// Faults that a scenario may inject
    Faults,
}

impl List {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        match self.format {
            Format::Human => output::print(&human(self.kind))?,
            Format::Json => output::print_json(serde_json::to_string_pretty(&documents(self.kind)))?,
        }
        Ok(Exit::Pass)
    }
}

fn builtins(kind: Kind) -> Vec<Builtin> {
    if kind == Kind::Profiles { builtin_profiles() } else { builtin_scenarios() }
}

fn human(kind: Kind) -> String {
    match kind {
        Kind::Scenarios | Kind::Profiles => {
            let name = if kind == Kind::Profiles { "profile" } else { "scenario" };
            let rows: Vec<_> = builtins(kind).iter().map(|one| [one.name.to_owned(), one.title.to_owned()]).collect();
            table([name, "title"], &rows)
        }
        Kind::Faults => faults(),
        Kind::Criteria => criteria::human_list(),
        Kind::Series => {
            let row = |spec: &soak_scenario::series::SeriesSpec| {
                [spec.name.to_owned(), spec.source.name().to_owned(), spec.doc.to_owned()]
            };
            table(["series", "read from", "what it is"], &SERIES.iter().map(row).collect::<Vec<_>>())
        }
    }
}

/// The catalogue of faults.
fn faults() -> String {
    let row = |kind: &soak_scenario::FaultKind| {
        [
            kind.name.to_owned(),
            kind.level.name().to_owned(),
            kind.doc.to_owned(),
            kind.evidence.to_owned(),
            kind.needs.to_owned(),
        ]
    };
    table(["fault", "level", "what it does", "shown by", "needs"], &FAULTS.iter().map(row).collect::<Vec<_>>())
}

fn documents(kind: Kind) -> Vec<Value> {
    match kind {
        Kind::Scenarios | Kind::Profiles => {
            builtins(kind).iter().map(|one| json!({ "name": one.name, "title": one.title })).collect()
        }
        Kind::Faults => FAULTS
            .iter()
            .map(|kind| {
                json!({ "name": kind.name, "level": kind.level.name(), "doc": kind.doc, "evidence": kind.evidence, "needs": kind.needs })
            })
            .collect(),
        Kind::Criteria => criteria::documents(),
        Kind::Series => SERIES
            .iter()
            .map(|spec| json!({ "name": spec.name, "source": spec.source.name(), "doc": spec.doc }))
            .collect(),
    }
}
