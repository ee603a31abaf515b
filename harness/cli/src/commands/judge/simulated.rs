//! `soak judge --simulate`: how often the judge of trends is right, on series of which the truth is known.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;
use soak_scenario::matches_glob;
use soak_verdict::accuracy::{
    Goal, LEAKS, OfFamily, OfRecorded, RECORDED_LEAKS, RECORDED_LENGTH_S, Simulation, Tally, USUAL, goals,
};
use soak_verdict::recorded::Recorded;
use soak_verdict::simulated::Family;

/// What was measured.
pub(super) struct Measured {
    simulation: Simulation,
    families: Vec<OfFamily>,
    recorded: Vec<OfRecorded>,
    goals: Vec<Goal>,
}

impl Measured {
    /// Measures every family that a glob matches, and on request what the goals need besides.
    pub(super) fn of(simulation: Simulation, with_goals: bool, family: &str) -> Result<Self, String> {
        let simulated = Family::ALL.iter().chain(&Family::HELD_OUT).map(|(_, name)| *name);
        let names: Vec<&str> = simulated.chain(Recorded::ALL.iter().map(|(_, name)| *name)).collect();
        if !names.iter().any(|name| matches_glob(family, name)) {
            return Err(format!("--family: none matches `{family}`; expected one of {}", names.join(", ")));
        }
        let families = OfFamily::all(simulation, with_goals, |name| matches_glob(family, name));
        let recorded = OfRecorded::all(simulation, |name| matches_glob(family, name));
        let goals = if with_goals && !families.is_empty() { goals(&families, simulation) } else { Vec::new() };
        Ok(Self { simulation, families, recorded, goals })
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
        text.push_str(&self.recorded_table());
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

    /// Recordings as people have them, as a table in Markdown.
    fn recorded_table(&self) -> String {
        if self.recorded.is_empty() {
            return String::new();
        }
        let leaks: Vec<String> = RECORDED_LEAKS.iter().map(|leak| format!("leak {leak}")).collect();
        let mut text = format!(
            "\nRecordings as people have them, {:.0} min each, under noise of any of the families. Each cell: fail / pass / inconclusive, in %. A false pass is a pass of a leak, or any pass at the limit.\n\n\
             | recording | {} | false passes |\n|---{}|\n",
            RECORDED_LENGTH_S / 60.0,
            leaks.join(" | "),
            "|---".repeat(RECORDED_LEAKS.len() + 1)
        );
        for one in &self.recorded {
            let cell = |[fail, pass]: &[u64; 2]| {
                [*fail, *pass, one.series - fail - pass].map(|count| percent(count, one.series)).join(" / ")
            };
            let cells: Vec<String> = one.fails_and_passes.iter().map(cell).collect();
            let _ = writeln!(text, "| {} | {} | {} |", one.name, cells.join(" | "), one.false_passes);
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
        let recorded = |one: &OfRecorded| {
            let cell = |(leak, [fail, pass]): (&f64, &[u64; 2])| json!({ "leak": leak, "fail": fail, "pass": pass, "inconclusive": one.series - fail - pass });
            let cells: Vec<_> = RECORDED_LEAKS.iter().zip(&one.fails_and_passes).map(cell).collect();
            json!({ "recording": one.name, "series": one.series, "false_passes": one.false_passes, "cells": cells })
        };
        let goal = |goal: &Goal| json!({ "question": goal.question, "target": goal.target, "measured": goal.measured, "met": goal.met });
        serde_json::to_string_pretty(&json!({
            "series": self.simulation.series, "seed": self.simulation.seed,
            "recorded": self.recorded.iter().map(recorded).collect::<Vec<_>>(),
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
