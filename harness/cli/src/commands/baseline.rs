//! `soak baseline`: runs that have a name, and outlive their folders.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use soak_verdict::compare::{CYCLES_LEAST, builds_of, unlike};
use soak_verdict::{Digest, End, Verdict, human};

use super::{Exit, Failure, Format};
use crate::baselines::{self, Baselines, is_name};
use crate::table::table;
use crate::{output, sides};

/// Give runs a name that `soak compare` takes; what is needed of them is copied
#[derive(Debug, Args)]
pub(crate) struct Baseline {
    #[command(subcommand)]
    what: What,
    /// Where baselines are
    #[arg(long, value_name = "DIR", default_value = baselines::FOLDER, global = true)]
    baselines: PathBuf,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Keep these runs under a name
    Save {
        /// The name: letters, digits, and - _ .
        name: String,
        /// Folders or ids of runs; several tell how much two processes of one build differ
        #[arg(required = true, value_name = "RUN")]
        runs: Vec<String>,
        /// In place of those that have the name
        #[arg(long, conflicts_with = "add")]
        replace: bool,
        /// Beside those that have the name
        #[arg(long)]
        add: bool,
    },
    /// List them, with what was run
    List {
        /// For whom the list is written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// Remove one; the runs themselves are left alone
    Remove {
        /// The name
        name: String,
    },
}

impl Baseline {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        let baselines = Baselines::new(&self.baselines);
        match self.what {
            What::Save { name, runs, replace, add } => save(&baselines, &name, &runs, replace, add),
            What::List { format } => list(&baselines, format),
            What::Remove { name } => {
                baselines.remove(&name)?;
                output::print(&format!("removed {name}\n"))?;
                Ok(Exit::Pass)
            }
        }
    }
}

fn save(baselines: &Baselines, name: &str, runs: &[String], replace: bool, add: bool) -> Result<Exit, Failure> {
    if !is_name(name) {
        return Err(Failure::usage(format!("“{name}” cannot name a baseline: take letters, digits, and - _ .")));
    }
    if let Some(run) = sides::run_folder(name) {
        let run = run.display();
        return Err(Failure::usage(format!("{run} is a run, and would be meant by {name}: take another name")));
    }
    let there = baselines.holds(name);
    if there && !replace && !add {
        return Err(Failure::usage(format!("there is a baseline {name} already: --replace it, or --add to it")));
    }
    let found = sides::find_all(runs, baselines)?;
    if let Some(run) = found.iter().find(|run| !run.complete || run.platform_failed) {
        let why = if run.platform_failed { "the harness or the machine failed" } else { "it did not come to its end" };
        return Err(Failure::usage(format!("{} is no baseline: {why}; run it again", run.run)));
    }
    for run in &found {
        if let Some(variant) = run.variants.iter().find(|variant| !variant.is_as_planned()) {
            let why = match variant.end {
                End::Completed => variant.departures.join("; "),
                End::TargetFailed => "the target died or gave up".to_owned(),
                End::Early => "it broke off".to_owned(),
            };
            return Err(Failure::usage(format!(
                "{} is no baseline: in {} {why}; run it again as it is planned",
                run.run, variant.id
            )));
        }
    }
    for run in &found {
        if let Some(variant) = run.variants.iter().find(|variant| !variant.is_comparable()) {
            return Err(Failure::usage(format!(
                "{} is no baseline: in {} hardly anything was measured, in less than {CYCLES_LEAST} counted cycles, and nothing could ever be compared with it",
                run.run, variant.id
            )));
        }
    }
    let kept = if there && add { baselines.read(name)? } else { Vec::new() };
    let all: Vec<Digest> = kept.into_iter().chain(found).collect();
    let lines = unlike(&all);
    if !lines.is_empty() {
        let lines: Vec<String> = lines.iter().map(|line| format!("  {line}")).collect();
        return Err(Failure::usage(format!("these runs are no one baseline\n{}", lines.join("\n"))));
    }
    for run in all.iter().filter(|run| run.verdict == Verdict::Fail) {
        output::say(&format!(
            "warning: {} failed its own criteria; what is no worse than it may fail as well\n",
            run.run
        ));
    }
    if let several @ [_, _, ..] = &builds_of(&all)[..] {
        let several: Vec<String> = several.iter().map(|build| human::build(build)).collect();
        output::say(&format!(
            "warning: {name} is of several builds, {}: how they differ will be taken for chance, and a change as great for none\n",
            several.join(", ")
        ));
    }
    baselines.save(name, &all)?;
    output::print(&format!("{name}: {}\n", all.iter().map(|run| run.run.as_str()).collect::<Vec<_>>().join(", ")))?;
    Ok(Exit::Pass)
}

fn list(baselines: &Baselines, format: Format) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    let mut documents = Vec::new();
    for name in baselines.names() {
        let runs = match baselines.read(&name) {
            Ok(runs) => runs,
            // The others are there all the same.
            Err(failure) => {
                output::say(&format!("warning: left out: {}", failure.words().trim_start_matches("error: ")));
                continue;
            }
        };
        for run in runs {
            let plan = &run.plan;
            let (target, when) = (plan.target.launch.to_string(), soak_render::utc(run.unix_s));
            rows.push([
                name.clone(),
                run.run.clone(),
                when,
                target.clone(),
                format!("{}, {}, seed {}", plan.scenario, plan.pace.name(), plan.seed),
                run.verdict.name().to_owned(),
            ]);
            documents.push(json!({
                "baseline": name, "run": run.run, "unix_s": run.unix_s, "target": target, "harness": run.harness, "host": run.host,
                "scenario": plan.scenario, "pace": plan.pace, "seed": plan.seed, "verdict": run.verdict,
                "variants": run.variants.iter().map(|variant| &variant.id).collect::<Vec<_>>(),
            }));
        }
    }
    match format {
        Format::Json => output::print_json(serde_json::to_string_pretty(&documents))?,
        Format::Human if rows.is_empty() => output::print(&format!("no baselines; {}\n", baselines.known()))?,
        Format::Human => {
            output::print(&table(["baseline", "run", "when", "target", "what", "verdict"], &rows))?;
        }
    }
    Ok(Exit::Pass)
}
