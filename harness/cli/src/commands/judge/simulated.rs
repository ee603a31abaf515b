//! `soak judge --simulate`: how often the judge of trends is right, on series of which the truth is known.

use std::fmt::Write as _;

use serde_json::json;
use soak_verdict::accuracy::{LEAKS, Simulation, Tally, USUAL, measure};
use soak_verdict::simulated::Family;

/// Tallies of a family, one for each of [`LEAKS`].
struct Row {
    family: &'static str,
    tallies: Vec<Tally>,
}

/// Measures every family and shows it, as a table in Markdown or as one document.
pub(super) fn simulate(simulation: Simulation, as_json: bool) -> Result<String, serde_json::Error> {
    let rows: Vec<Row> = Family::ALL
        .iter()
        .map(|(family, name)| Row {
            family: name,
            tallies: LEAKS.iter().map(|leak| measure(*family, *leak, simulation)).collect(),
        })
        .collect();
    if as_json { document(&rows).map(|text| text + "\n") } else { Ok(table(&rows, simulation)) }
}

fn table(rows: &[Row], simulation: Simulation) -> String {
    let mut text = format!(
        "{} series a cell of {:.0} min, one sample in {:.0} s, seeds from {}; leaks in tolerances. Each cell: fail / pass / inconclusive, in %.\n\n",
        simulation.series,
        simulation.length_s / 60.0,
        simulation.step_s,
        simulation.seed
    );
    let leaks: Vec<String> = LEAKS.iter().map(|leak| format!("leak {leak}")).collect();
    let usual: Vec<String> = USUAL.iter().map(|name| format!("{name}: false alarms")).collect();
    let _ = writeln!(text, "| family | {} | {} |", leaks.join(" | "), usual.join(" | "));
    let _ = writeln!(text, "|---{}|", "|---".repeat(LEAKS.len() + USUAL.len()));
    for row in rows {
        let cells: Vec<String> = row.tallies.iter().map(cell).collect();
        let healthy = &row.tallies[0];
        let alarms: Vec<String> = healthy.alarms.iter().map(|alarms| percent(*alarms, healthy.series)).collect();
        let _ = writeln!(text, "| {} | {} | {} |", row.family, cells.join(" | "), alarms.join(" | "));
    }
    text
}

fn cell(tally: &Tally) -> String {
    [tally.fail, tally.pass, tally.inconclusive()].map(|count| percent(count, tally.series)).join(" / ")
}

fn percent(count: u64, of: u64) -> String {
    format!("{:.0}", 100.0 * count as f64 / of.max(1) as f64)
}

fn document(rows: &[Row]) -> Result<String, serde_json::Error> {
    let cell = |(leak, tally): (&f64, &Tally)| {
        json!({
            "leak": leak, "series": tally.series, "fail": tally.fail, "pass": tally.pass, "inconclusive": tally.inconclusive(),
            "covered": tally.covered, "alarms": USUAL.iter().zip(tally.alarms).collect::<std::collections::BTreeMap<_, _>>(),
        })
    };
    let row = |row: &Row| json!({ "family": row.family, "cells": LEAKS.iter().zip(&row.tallies).map(cell).collect::<Vec<_>>() });
    serde_json::to_string_pretty(&rows.iter().map(row).collect::<Vec<_>>())
}
