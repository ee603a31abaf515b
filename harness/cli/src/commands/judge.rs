//! `soak judge`: the verdict over a record, again, on any machine; over a series that came from elsewhere; or over simulated ones.

mod elsewhere;
mod explained;
mod several;
mod simulated;
mod table;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use soak_verdict::Verdict;
use soak_verdict::accuracy::Simulation;

use self::elsewhere::{Elsewhere, Found};
use self::several::Several;
use self::simulated::Measured;
use super::{Exit, Failure};
use crate::{output, reports, summary};

/// Judge a run folder again, also one that was interrupted, and write its verdict.json; or judge a series of another recording
#[derive(Debug, Args)]
pub(crate) struct Judge {
    /// The run's folder
    #[arg(required_unless_present_any = ["csv", "prometheus", "simulate"], conflicts_with_all = ["csv", "prometheus", "simulate"])]
    run: Option<PathBuf>,
    /// Show how one criterion came to its answers, instead of judging them all
    #[arg(long, value_name = "CRITERION", requires = "run", conflicts_with_all = ["csv", "prometheus", "simulate"])]
    explain: Option<String>,
    #[command(flatten)]
    elsewhere: Elsewhere,
    /// Judge simulated series of which the truth is known, by family, and show how often that is right
    #[arg(long, conflicts_with_all = ["csv", "prometheus"])]
    simulate: bool,
    /// How many series of each family and leak
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=100_000), requires = "simulate", conflicts_with_all = ["run", "csv", "prometheus"])]
    series_each: u64,
    /// The first seed of the simulated series
    #[arg(long, value_name = "N", default_value_t = 1, requires = "simulate", conflicts_with_all = ["run", "csv", "prometheus"])]
    seed: u64,
    /// Only the families whose name matches, such as 'AR*'
    #[arg(long, value_name = "GLOB", default_value = "*", requires = "simulate", conflicts_with_all = ["run", "csv", "prometheus"])]
    family: String,
    /// Hold what was simulated against the goals of accuracy, which takes longer
    #[arg(long, requires = "simulate", conflicts_with_all = ["run", "csv", "prometheus"])]
    goals: bool,
    /// For whom the verdict is written
    #[arg(long, value_enum, default_value_t = VerdictFormat::Human)]
    format: VerdictFormat,
}

/// For whom a verdict is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum VerdictFormat {
    /// For a person
    Human,
    /// One JSON document; of a run the same as verdict.json
    Json,
    /// Annotations of GitHub Actions
    Github,
}

impl Judge {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        if self.format == VerdictFormat::Github && self.run.is_none() {
            return Err(Failure::usage("--format github is of runs; take json or human"));
        }
        if self.simulate {
            let simulation = Simulation { series: self.series_each, seed: self.seed, length_s: 1800.0, step_s: 10.0 };
            let measured = Measured::of(simulation, self.goals, &self.family).map_err(Failure::usage)?;
            match self.format {
                VerdictFormat::Json => output::print_json(measured.document())?,
                VerdictFormat::Human | VerdictFormat::Github => output::print(&measured.table())?,
            }
            return Ok(Exit::Pass);
        }
        if let Some(found) = self.elsewhere.read()? {
            return self.judge_series(&found);
        }
        let run = self.run.unwrap_or_default();
        if let Some(criterion) = &self.explain {
            if self.format != VerdictFormat::Human {
                return Err(Failure::usage("--explain is for a person; of numbers, take --format json without it"));
            }
            return explained::explain(&run, criterion);
        }
        let verdict = reports::write_verdict(&run)?;
        match self.format {
            VerdictFormat::Human => output::print(&summary::summary(&verdict))?,
            VerdictFormat::Json => output::print(&format!("{}\n", soak_render::verdict_json(&verdict).trim_end()))?,
            VerdictFormat::Github => output::print(&soak_render::github(&verdict))?,
        }
        Ok(Exit::from(&verdict))
    }

    fn judge_series(&self, found: &Found) -> Result<Exit, Failure> {
        let verdict = match (found.is_one(), self.format) {
            (true, format) => {
                let judged = self.elsewhere.judged(found, 0)?;
                let answer = judged.answer();
                match format {
                    VerdictFormat::Json => {
                        output::print_json(serde_json::to_string_pretty(&judged.json(&answer)))?;
                    }
                    VerdictFormat::Human | VerdictFormat::Github => output::print(&judged.words(&answer))?,
                }
                answer.map_or(Verdict::Inconclusive, |answer| answer.verdict)
            }
            (_, format) => {
                let several = Several::judge(&self.elsewhere, found)?;
                match format {
                    VerdictFormat::Json => output::print_json(serde_json::to_string_pretty(&several.json()))?,
                    VerdictFormat::Human | VerdictFormat::Github => output::print(&several.words())?,
                }
                several.verdict()
            }
        };
        Ok(match verdict {
            Verdict::Pass => Exit::Pass,
            Verdict::Fail => Exit::Fail,
            Verdict::Inconclusive => Exit::Inconclusive,
        })
    }
}
