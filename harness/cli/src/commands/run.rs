//! `soak run`: plan, run, judge, report.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use soak_engine::{Listener, RunEnd};
use soak_record::file;

use super::{Exit, Failure};
use crate::execution::{execute, keep_off_the_targets, refuse_impossible_faults};
use crate::progress::{self, JsonLines};
use crate::scenario_args::ScenarioArgs;
use crate::{output, reports, run_id, summary};

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
        let plan = self.scenario.load()?;
        refuse_impossible_faults(&plan)?;
        keep_off_the_targets(&plan)?;
        let id = run_id::fresh(&plan.scenario);
        let path = self.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(&id));
        let progress: Box<dyn Listener> = match self.format {
            RunFormat::Json => Box::new(JsonLines),
            _ => progress::for_a_person(&plan),
        };
        let end = execute(&plan, &id, &path, progress)?;
        self.conclude(&path, &end)
    }

    /// Judges and reports what there is, also of a run that was cut short.
    fn conclude(&self, path: &std::path::Path, end: &RunEnd) -> Result<Exit, Failure> {
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
            RunFormat::Github => output::print(&soak_render::github(&verdict))?,
        }
        match end {
            RunEnd::Interrupted => Ok(Exit::Interrupted),
            RunEnd::Complete | RunEnd::Stopped(_) | RunEnd::PlatformFailed(_) => Ok(Exit::from(&verdict)),
        }
    }
}
