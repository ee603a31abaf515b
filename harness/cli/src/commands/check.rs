//! `soak check`: every mistake of a scenario, at every pace, before anything runs.

use clap::Args;
use serde_json::{Value, json};
use soak_scenario::{Diagnostic, LoadError, Pace, Request, load};

use super::{Exit, Failure, Format};
use crate::execution::impossible_faults;
use crate::scenario_args::Choices;
use crate::{mistakes, output};

/// Check scenario files at every pace, or at the one given; nothing is run
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Scenario files, or names of built-in ones
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<String>,
    #[command(flatten)]
    choices: Choices,
    /// For whom the result is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// What checking one scenario found.
#[derive(Debug, Default)]
struct Checked {
    /// Paces at which it is right, with the ids of its variants.
    paces: Vec<(Pace, Vec<String>)>,
    /// Mistakes and warnings over all paces, each once.
    diagnostics: Vec<Diagnostic>,
    /// Why it is not right, by words that end a report.
    error: Option<LoadError>,
    /// What this machine cannot do of it.
    impossible: Vec<String>,
}

impl Check {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        let checked: Vec<(&str, Checked)> =
            self.scenarios.iter().map(|scenario| (scenario.as_str(), check(&self.choices.request(scenario)))).collect();
        match self.format {
            Format::Human => checked.iter().try_for_each(|(scenario, checked)| print(scenario, checked))?,
            Format::Json => {
                let scenarios: Vec<Value> =
                    checked.iter().map(|(scenario, checked)| document(scenario, checked)).collect();
                output::print_json(serde_json::to_string_pretty(&json!({ "scenarios": scenarios })))?;
            }
        }
        Ok(if checked.iter().all(|(_, checked)| checked.error.is_none() && checked.impossible.is_empty()) {
            Exit::Pass
        } else {
            Exit::Usage
        })
    }
}

/// Loads a scenario at the pace asked for, or at each.
fn check(request: &Request<'_>) -> Checked {
    let paces = request.pace.map_or(Pace::ALL.to_vec(), |pace| vec![pace]);
    let mut checked = Checked::default();
    for pace in paces {
        let found = match load(&Request { pace: Some(pace), ..*request }) {
            Ok(loaded) => {
                checked.paces.push((pace, loaded.plan.judged().map(|variant| variant.id.clone()).collect()));
                let impossible = impossible_faults(&loaded.plan);
                checked.impossible.extend(impossible.filter(|why| !checked.impossible.contains(why)));
                loaded.warnings
            }
            Err(LoadError::Invalid { diagnostics }) => diagnostics,
            Err(error) => {
                checked.error = Some(error);
                return checked;
            }
        };
        let new: Vec<Diagnostic> = found.into_iter().filter(|one| !checked.diagnostics.contains(one)).collect();
        checked.diagnostics.extend(new);
    }
    if checked.diagnostics.iter().any(|one| one.severity == soak_scenario::Severity::Error) {
        checked.error = Some(LoadError::Invalid { diagnostics: checked.diagnostics.clone() });
    }
    checked
}

/// A right scenario is a line of the result; a wrong one is words to a person.
fn print(scenario: &str, checked: &Checked) -> Result<(), Failure> {
    if let Some(error) = &checked.error {
        output::say(&mistakes::words(error));
        return Ok(());
    }
    if !checked.diagnostics.is_empty() {
        output::say(&mistakes::draw(&checked.diagnostics));
    }
    checked.impossible.iter().for_each(|why| output::say(&format!("{scenario}: {why}\n")));
    let paces: Vec<String> = checked
        .paces
        .iter()
        .enumerate()
        .map(|(place, (pace, ids))| {
            let noun = if place == 0 { " variants" } else { "" };
            format!("{} {}{noun}", pace.name(), ids.len())
        })
        .collect();
    output::print(&format!("{scenario}: {}\n", paces.join(", ")))
}

fn document(scenario: &str, checked: &Checked) -> Value {
    let paces: Vec<Value> =
        checked.paces.iter().map(|(pace, ids)| json!({ "pace": pace.name(), "variants": ids })).collect();
    json!({
        "scenario": scenario,
        "valid": checked.error.is_none(),
        "impossible": checked.impossible,
        "error": checked.error.as_ref().map(ToString::to_string),
        "paces": paces,
        "diagnostics": checked.diagnostics.iter().map(diagnostic).collect::<Vec<_>>(),
    })
}

fn diagnostic(one: &Diagnostic) -> Value {
    let (line, column) = one.position();
    json!({
        "severity": one.severity.name(),
        "source": one.source_name,
        "line": line,
        "column": column,
        "span": [one.span.start, one.span.end],
        "text": one.source_text[one.span.clone()],
        "message": one.message,
        "expected": one.expected,
        "help": one.help,
    })
}
