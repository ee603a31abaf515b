//! `soak plan`: what a scenario expands to, before anything runs.

use std::fmt::Write as _;

use clap::Args;
use soak_scenario::units::Limit;
use soak_scenario::{Knobs, criterion};
use soak_verdict::human;

use super::criteria::bound;
use super::{Exit, Failure, Format};
use crate::output;
use crate::scenario_args::ScenarioArgs;
use crate::table::{table, wrapped};

/// Show what a scenario expands to: variants, cycles, sizes, thresholds
#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// For whom the result is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

impl Plan {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        let plan = self.scenario.load()?;
        match self.format {
            Format::Human => output::print(&human_plan(&plan))?,
            Format::Json => output::print_json(serde_json::to_string_pretty(&plan))?,
        }
        Ok(Exit::Pass)
    }
}

fn human_plan(plan: &soak_scenario::Plan) -> String {
    let mut out = format!("{} — {}\n\n", plan.scenario, plan.title);
    for (name, value) in facts(plan) {
        // The first line of a fact stands beside its name.
        let value = wrapped(&value, 10, output::WIDTH);
        let _ = write!(out, "{name:<10}{}", value.trim_start());
    }
    let _ = writeln!(out, "\n{}", human::plural(plan.variants.len(), "variant"));
    out.push_str(&variants(plan));
    out.push_str(&timetable(plan));
    let rest = rest_seconds(plan) * plan.variants.len() as f64;
    let longest = soak_engine::longest_duration(plan).as_secs_f64();
    let _ = writeln!(
        out,
        "\nWindows and queries alone take {}; ingest, indexing and settling come on top. The run takes {} at most: every phase has a bound, and a variant that passes one ends.\n",
        human::seconds(rest),
        human::seconds(longest)
    );
    out.push_str(&thresholds(plan));
    out
}

fn facts(plan: &soak_scenario::Plan) -> Vec<(&'static str, String)> {
    let (cycle, work) = (&plan.cycle, &plan.workload);
    let mut facts = vec![
        ("source", plan.source.clone()),
        ("pace", plan.pace.name().to_owned()),
        ("seed", plan.seed.to_string()),
        ("target", format!("{}, profile {}", plan.target.launch, plan.target.profile.name)),
    ];
    let told: Vec<String> = plan.target.misbehave.settings().into_iter().map(|(k, v)| format!("{k}={v}")).collect();
    if !told.is_empty() {
        facts.push(("misbehave", told.join(", ")));
    }
    if let Some(runbook) = &plan.runbook {
        facts.push(("runbook", format!("{}, “{}”", runbook.runbook, runbook.section)));
    }
    facts.push((
        "cycles",
        format!(
            "{} after {} of warm-up, windows of {}, each settled in {} at most",
            cycle.count.saturating_sub(cycle.warm_up),
            cycle.warm_up,
            cycle.window,
            cycle.settle_at_most
        ),
    ));
    facts.push((
        "workload",
        format!(
            "{} vectors, {} ids, {}; then {} of queries, k {}; then {} deleted",
            work.distribution.name(),
            work.ids.name(),
            human::plural(work.ingest.streams as usize, "stream"),
            work.query.duration,
            work.query.k,
            work.delete
        ),
    ));
    let same = same_settings(plan);
    if !same.is_empty() {
        facts.push(("all with", same));
    }
    for axis in &plan.ignored {
        let values = axis.values.join(", ");
        let merged = if axis.values.len() > 1 { "; these values are one variant" } else { "" };
        facts.push(("ignored", format!("{} ({values}): {}{merged}", axis.knob, axis.reason)));
    }
    for one in &plan.adapted {
        facts.push(("adapted", format!("{} is {} instead of {}: {}", one.key, one.used, one.asked, one.reason)));
    }
    let relative = relative(plan);
    if !relative.is_empty() {
        facts.push(("measured", format!("{}; by one cycle before the run", relative.join("; "))));
    }
    if let Some(why) = &plan.no_control {
        facts.push(("control", format!("missing: {why}")));
    }
    for (variant, dose) in plan.variants.iter().filter_map(|variant| Some((variant, variant.dose?))) {
        let [leaked, tolerances] = [human::bytes(dose.bytes_per_cycle), human::number(dose.tolerances)];
        facts.push(("control", format!("{} leaks {leaked} a cycle on purpose, {tolerances} tolerances", variant.id)));
    }
    for (variant, control) in plan.variants.iter().filter_map(|variant| Some((variant, variant.control.as_ref()?))) {
        let (words, criteria) = (control.words(), control.seen_by.join(" and "));
        facts.push(("control", format!("{} has {words} on purpose, for {criteria} to see", variant.id)));
    }
    if !plan.edits.is_empty() {
        facts.push(("set", plan.edits.join("  ")));
    }
    facts
}

/// Settings that a calibration cycle measures before the run.
fn relative(plan: &soak_scenario::Plan) -> Vec<String> {
    let mut found = Vec::new();
    for name in ["memory_limit", "gomemlimit"] {
        let mut limits: Vec<String> = Vec::new();
        for variant in &plan.variants {
            let limit = if name == "gomemlimit" { variant.knobs.gomemlimit } else { variant.knobs.memory_limit };
            let text = limit.to_string();
            if matches!(limit, Limit::OfPeak(_)) && !limits.contains(&text) {
                limits.push(text);
            }
        }
        if !limits.is_empty() {
            found.push(format!("{name} ({})", limits.join(", ")));
        }
    }
    let fit = &plan.calibration;
    if let Some(times) = fit.index_times {
        found.push(format!("deadlines.index ({times} times indexing, at most {})", plan.deadlines.index));
    }
    if let Some(most) = fit.cycle_at_most {
        found.push(format!("rows of a cycle (in about {most}, at least {})", fit.rows_at_least));
    }
    found
}

/// The knobs that every variant shares.
fn same_settings(plan: &soak_scenario::Plan) -> String {
    let Some(first) = plan.variants.first() else { return String::new() };
    let same = |name: &str, value: &str| {
        plan.variants.iter().all(|one| one.knobs.settings().iter().any(|(other, text)| *other == name && text == value))
    };
    let settings: Vec<String> = Knobs::settings(&first.knobs)
        .into_iter()
        .filter(|(name, value)| same(name, value))
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    settings.join(", ")
}

fn variants(plan: &soak_scenario::Plan) -> String {
    let rows: Vec<[String; 5]> = plan
        .variants
        .iter()
        .map(|variant| {
            let rows = plan.workload.rows_per_cycle(variant.knobs.dim);
            let batches = rows.div_ceil(u64::from(variant.knobs.batch_rows.max(1)));
            let mib = rows as f64 * f64::from(variant.knobs.dim) * 4.0 / 1_048_576.0;
            [variant.id.clone(), rows.to_string(), format!("{mib:.1}"), batches.to_string(), variant.seed.to_string()]
        })
        .collect();
    table(["id", "rows a cycle", "MiB a cycle", "batches", "seed of its data"], &rows)
}

/// When which fault is due, cycle by cycle: a function of the seed, so that this is what will be done.
fn timetable(plan: &soak_scenario::Plan) -> String {
    if plan.faults.is_empty() {
        return String::new();
    }
    let mut rows = Vec::new();
    // Only lots differ from variant to variant.
    let shown = if plan.chaos.draw > 0 { usize::MAX } else { 1 };
    for variant in plan.judged().take(shown) {
        let whose = if shown == 1 { "every".to_owned() } else { variant.id.clone() };
        for (name, fault, at) in plan.due_at(variant) {
            rows.push([whose.clone(), format!("at {at}"), name.to_owned(), injection(fault), held(fault)]);
        }
        for cycle in plan.cycle.warm_up..plan.cycle.count {
            rows.extend(plan.due(variant, cycle).into_iter().map(|due| {
                let when = format!("cycle {cycle}, {} + {}", due.phase.name(), due.after);
                let when = due.fault.when.map_or(when.clone(), |condition| format!("{when}, when {condition}"));
                [whose.clone(), when, due.name.to_owned(), injection(due.fault), held(due.fault)]
            }));
        }
    }
    format!("\nFaults\n{}", table(["variant", "begins", "fault", "what", "held, watched"], &rows))
}

fn injection(fault: &soak_scenario::Fault) -> String {
    format!("{} {}", fault.inject.name(), fault.inject.settings()).trim_end().to_owned()
}

fn held(fault: &soak_scenario::Fault) -> String {
    format!("{}, {}", fault.hold, fault.watch)
}

/// What a variant cannot be quicker than: its windows and its queries.
fn rest_seconds(plan: &soak_scenario::Plan) -> f64 {
    let cycle = &plan.cycle;
    // Half a window before compaction and half one after it, a whole one when the data is gone.
    let windows = 2.0 * cycle.window.as_secs_f64();
    cycle.cold_idle.as_secs_f64()
        + cycle.idle.as_secs_f64()
        + f64::from(cycle.count) * (plan.workload.query.duration.as_secs_f64() + windows)
}

fn thresholds(plan: &soak_scenario::Plan) -> String {
    let held = |spec: &criterion::CriterionSpec| {
        let Some(threshold) = plan.criteria.get(spec.id) else { return "for information".to_owned() };
        let bound = bound(spec, *threshold);
        plan.not_applicable(spec.id).map_or_else(|| bound.clone(), |why| format!("{bound}, not applicable: {why}"))
    };
    let rows: Vec<[String; 2]> = criterion::CRITERIA.iter().map(|spec| [spec.id.to_owned(), held(spec)]).collect();
    table(["criterion", "threshold"], &rows)
}
