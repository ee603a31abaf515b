//! `soak run`: plan, run, judge, report; and a base to be no worse than, or the runbook's remedies, where they are asked for.

mod against;
mod remedies;
mod smoke;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use soak_engine::{Listener, RunEnd};
use soak_record::{Run as Recorded, file};
use soak_scenario::Plan;
use soak_scenario::runbook::REMEDIES;
use soak_scenario::units::Span;
use soak_verdict::{RunVerdict, Verdict};

use super::compare::Rules;
use super::{Exit, Failure};
use crate::execution::{execute, execute_live, keep_off_the_targets, refuse_impossible_faults};
use crate::progress::{self, JsonLines};
use crate::scenario_args::ScenarioArgs;
use crate::{calibration, dumps, job_summary, live, output, reports, run_id, summary};

/// Run a scenario, judge it, write its reports; the exit code is the verdict
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// The run's folder, new or empty [default: runs/ID]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// For whom progress and verdict are written
    #[arg(long, value_enum, default_value_t = RunFormat::Human)]
    format: RunFormat,
    /// Watch it: phases, memory against the limit, load, faults and the verdict so far, with keys to pause the load, compact and stop early; on a terminal of 80 × 24 or more
    #[arg(long, conflicts_with_all = ["format", "smoke", "against"])]
    live: bool,
    /// Only see whether everything is wired up: one variant, two short cycles without faults, some ten to twenty seconds; a list of what answered, and no verdict
    #[arg(long, conflicts_with_all = ["try_remedies", "against"])]
    smoke: bool,
    /// Where a variant fails: run it again with each remedy of the runbook that can be applied, and show which helps. The exit code stays that of the run
    #[arg(long)]
    try_remedies: bool,
    /// How long that may take
    #[arg(long, value_name = "TIME", default_value = "30min", requires = "try_remedies")]
    remedies_within: Span,
    /// Only this remedy; may be repeated
    #[arg(long = "remedy", value_name = "NAME", requires = "try_remedies", value_parser = known_remedy)]
    only_remedies: Vec<String>,
    /// Another build, written as --target is: both take turns, and the exit code says whether the one of --target is worse
    #[arg(long, value_name = "TARGET", conflicts_with = "try_remedies")]
    against: Option<String>,
    /// Sets a key of the other build's run alone, after those of --set; may be repeated
    #[arg(long = "against-set", value_name = "PATH.TO.KEY=VALUE", requires = "against")]
    against_edits: Vec<String>,
    /// How many turns each takes
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100), requires = "against")]
    rounds: u32,
    #[command(flatten)]
    rules: Rules,
}

/// The name of a remedy that there is.
fn known_remedy(name: &str) -> Result<String, String> {
    let names: Vec<&str> = REMEDIES.iter().map(|remedy| remedy.name).collect();
    if names.contains(&name) { Ok(name.to_owned()) } else { Err(format!("there is {}", names.join(", "))) }
}

/// For whom a run is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RunFormat {
    /// For a person: progress while it runs, then the verdict
    Human,
    /// JSON Lines on standard output: every event, then the verdict
    Json,
    /// Annotations of GitHub Actions
    Github,
}

impl Run {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        if let Some(target) = &self.against {
            return self.against(target);
        }
        if self.rules.are_given() {
            return Err(Failure::usage(
                "what counts as a difference is asked of two builds: name the other one with --against",
            ));
        }
        let plan = self.scenario.load()?;
        let plan = if self.smoke { plan.smoke() } else { plan };
        if self.live {
            live::refuse_without_terminal()?;
        }
        refuse_impossible_faults(&plan)?;
        keep_off_the_targets(&plan)?;
        let id = run_id::fresh(&plan.scenario);
        let path = self.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(&id));
        let Some(plan) = calibration::fitted(plan, &id, &path)? else {
            return Ok(Exit::Interrupted);
        };
        let end = self.carry_out(&plan, &id, &path)?;
        if self.smoke && end == RunEnd::Complete {
            return self.wired(&path);
        }
        let verdict = match (self.report(&path), &end) {
            (reported, RunEnd::Interrupted) => {
                // Whatever it is (a terminal that is gone hears nothing), the command was interrupted.
                if let Err(failure) = reported {
                    let _ = failure.report();
                }
                return Ok(Exit::Interrupted);
            }
            (reported, _) => reported?,
        };
        if self.try_remedies && end == RunEnd::Complete && verdict.verdict == Verdict::Fail {
            return self.remedies(&plan, &verdict, &id, &path);
        }
        Ok(Exit::from(&verdict))
    }

    /// Runs the plan, watched as it was asked for.
    fn carry_out(&self, plan: &Plan, id: &str, path: &Path) -> Result<RunEnd, Failure> {
        if self.live {
            return execute_live(plan, (id, path));
        }
        let progress: Box<dyn Listener> = match self.format {
            RunFormat::Json => Box::new(JsonLines),
            _ => progress::for_a_person(plan),
        };
        execute(plan, id, path, progress)
    }

    /// Judges and reports what there is, also of a run that was cut short.
    fn report(&self, path: &Path) -> Result<RunVerdict, Failure> {
        let verdict = reports::write_reports(path).map_err(Failure::of_platform)?;
        match self.format {
            RunFormat::Human => {
                output::print(&summary::summary(&verdict))?;
                output::print(&format!("\nReport: {}\n", path.join(file::HTML).display()))?;
                if Exit::from(&verdict) == Exit::Fail {
                    let folder = path.display();
                    output::print(&format!(
                        "What holds the memory, as one archive to escalate with: soak diag {folder}\n"
                    ))?;
                }
            }
            RunFormat::Json => output::print_json(serde_json::to_string(&verdict))?,
            RunFormat::Github => {
                output::print(&soak_render::github(&verdict))?;
                job_summary::append_file(&path.join(file::MARKDOWN));
            }
        }
        Ok(verdict)
    }

    /// Says what answered. The record has its reports all the same: who wants to know more finds the samples and the log there.
    fn wired(&self, path: &Path) -> Result<Exit, Failure> {
        reports::write_reports(path).map_err(Failure::of_platform)?;
        let run = Recorded::open(path).map_err(Failure::platform)?;
        let record = run.variant(0).map_err(Failure::platform)?;
        let (dumps, _) = dumps::last_and_idle(path, &record.variant.id);
        let parts = smoke::parts(&run.plan, &record, dumps.as_ref().map(|(dumps, _)| dumps));
        match self.format {
            RunFormat::Json => {
                output::print_json(serde_json::to_string(&serde_json::json!({ "smoke": parts })))?;
            }
            RunFormat::Human | RunFormat::Github => output::print(&smoke::table(&parts))?,
        }
        Ok(smoke::exit(&parts))
    }

    /// Tries the remedies; whatever comes of that, the exit code is that of the run.
    fn remedies(&self, plan: &Plan, verdict: &RunVerdict, id: &str, path: &Path) -> Result<Exit, Failure> {
        let (trials, end) = remedies::try_all(plan, verdict, id, path, (self.remedies_within, &self.only_remedies))?;
        match self.format {
            RunFormat::Json => output::print_json(serde_json::to_string(&remedies::document(&trials)))?,
            RunFormat::Human | RunFormat::Github => output::print(&remedies::table(&trials))?,
        }
        Ok(if end == RunEnd::Interrupted { Exit::Interrupted } else { Exit::from(verdict) })
    }
}
