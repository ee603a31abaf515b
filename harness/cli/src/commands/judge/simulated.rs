//! `soak judge --simulate`: how often the judge of trends is right, on series of which the truth is known.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;
use soak_scenario::matches_glob;
use soak_verdict::accuracy::{Goal, LEAKS, OfFamily, Simulation, Tally, USUAL, goals};
use soak_verdict::simulated::Family;

/// What was measured.
pub(super) struct Measured {
    simulation: Simulation,
    families: Vec<OfFamily>,
    goals: Vec<Goal>,
}

impl Measured {
    /// Measures every family that a glob matches, and on request what the goals need besides.
    pub(super) fn of(simulation: Simulation, with_goals: bool, family: &str) -> Result<Self, String> {
        let names: Vec<&str> = Family::ALL.iter().chain(&Family::HELD_OUT).map(|(_, name)| *name).collect();
        if !names.iter().any(|name| matches_glob(family, name)) {
            return Err(format!("--family: none matches `{family}`; expected one of {}", names.join(", ")));
        }
        let families = OfFamily::all(simulation, with_goals, |name| matches_glob(family, name));
        let goals = if with_goals { goals(&families, simulation) } else { Vec::new() };
        Ok(Self { simulation, families, goals })
    }

    /// As tables in Markdown.
    pub(super) fn table(&self) -> String {
        let Simulation { series, seed, length_s, step_s } = self.simulation;
        let mut text = format!(
            "{series} series a cell of {:.0} min, one sample in {step_s:.0} s, seeds from {seed}; leaks in tolerances. Each cell: fail / pass / inconclusive, in %.\n\
             The oracle is told the covariance of the noise and every shape of the mean. ° the judge was not developed on this family. † its noise is slower than a \
             twenty-fifth of the series.\n\n",
            length_s / 60.0,
        );
        let leaks: Vec<String> = LEAKS.iter().map(|leak| format!("leak {leak}")).collect();
        let usual: Vec<String> = USUAL.iter().map(|name| format!("{name}: false alarms")).collect();
        let _ = writeln!(
            text,
            "| family | {} | oracle: passes 0 | oracle: finds 2 | {} |",
            leaks.join(" | "),
            usual.join(" | ")
        );
        let _ = writeln!(text, "|---{}|", "|---".repeat(LEAKS.len() + 2 + USUAL.len()));
        for family in &self.families {
            let cells: Vec<String> = family.tallies.iter().map(cell).collect();
            let (healthy, two) = (&family.tallies[0], &family.tallies[3]);
            let oracle = [percent(healthy.oracle[1], healthy.series), percent(two.oracle[0], two.series)];
            let alarms: Vec<String> = healthy.alarms.iter().map(|alarms| percent(*alarms, healthy.series)).collect();
            let marks = format!("{}{}", if family.tuned { "" } else { "°" }, if family.slow { "†" } else { "" });
            let columns = [cells, oracle.into(), alarms].concat();
            let _ = writeln!(text, "| {}{marks} | {} |", family.name, columns.join(" | "));
        }
        if !self.goals.is_empty() {
            text.push_str(
                "\nThe goals, each by its worst family of those without †; in brackets Wilson's interval at 95 %.\n\n",
            );
            text.push_str("| goal | asked for | measured | met |\n|---|---|---|---|\n");
            for goal in &self.goals {
                let met = if goal.met { "yes" } else { "**no**" };
                let _ = writeln!(text, "| {} | {} | {} | {met} |", goal.question, goal.target, goal.measured);
            }
        }
        text
    }

    /// As one document.
    pub(super) fn document(&self) -> Result<String, serde_json::Error> {
        let cell = |(leak, tally): (&f64, &Tally)| {
            let mut document = counts(tally);
            document["leak"] = json!(leak);
            document
        };
        let family = |one: &OfFamily| {
            json!({
                "family": one.name, "tuned": one.tuned, "slow": one.slow, "cells": LEAKS.iter().zip(&one.tallies).map(cell).collect::<Vec<_>>(),
                "twice_as_long": one.twice.as_ref().map(counts),
            })
        };
        let goal = |goal: &Goal| json!({ "question": goal.question, "target": goal.target, "measured": goal.measured, "met": goal.met });
        serde_json::to_string_pretty(&json!({
            "series": self.simulation.series, "seed": self.simulation.seed,
            "families": self.families.iter().map(family).collect::<Vec<_>>(),
            "goals": self.goals.iter().map(goal).collect::<Vec<_>>(),
        }))
    }
}

fn counts(tally: &Tally) -> serde_json::Value {
    json!({
        "series": tally.series, "fail": tally.fail, "pass": tally.pass, "inconclusive": tally.inconclusive(), "covered": tally.covered,
        "oracle": { "fail": tally.oracle[0], "pass": tally.oracle[1] },
        "alarms": USUAL.iter().zip(tally.alarms).collect::<BTreeMap<_, _>>(),
    })
}

fn cell(tally: &Tally) -> String {
    [tally.fail, tally.pass, tally.inconclusive()].map(|count| percent(count, tally.series)).join(" / ")
}

fn percent(count: u64, of: u64) -> String {
    format!("{:.0}", 100.0 * count as f64 / of.max(1) as f64)
}
