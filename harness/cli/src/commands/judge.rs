//! `soak judge`: the verdict over a record, again, on any machine; over a series that came from elsewhere; or over simulated ones.

mod simulated;
mod table;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use soak_scenario::units::{ByteRate, Bytes};
use soak_verdict::Verdict;
use soak_verdict::accuracy::Simulation;

use self::table::Judged;
use super::{Exit, Failure};
use crate::recording::Recording;
use crate::{output, reports, summary};

/// Judge a run folder again, also one that was interrupted, and write its verdict.json; or judge a series of another recording
#[derive(Debug, Args)]
pub(crate) struct Judge {
    /// The run's folder
    #[arg(required_unless_present_any = ["csv", "simulate"])]
    run: Option<PathBuf>,
    /// A table of samples instead: `time_s` and a column a series, memory in bytes; empty cells are missing samples
    #[arg(long, value_name = "FILE", conflicts_with = "run", requires = "series", requires = "tolerance")]
    csv: Option<PathBuf>,
    /// The column that is judged
    #[arg(long, value_name = "NAME", requires = "csv", conflicts_with_all = ["run", "simulate"])]
    series: Option<String>,
    /// The growth that is tolerated, such as 1MiB/min
    #[arg(long, value_name = "RATE", requires = "csv", conflicts_with_all = ["run", "simulate"])]
    tolerance: Option<ByteRate>,
    /// A limit whose time is forecast, such as 2GiB
    #[arg(long, value_name = "SIZE", requires = "csv", conflicts_with_all = ["run", "simulate"])]
    limit: Option<Bytes>,
    /// The column of the data that the target holds, which explains memory
    #[arg(long, value_name = "COLUMN", requires = "csv", conflicts_with_all = ["run", "simulate"])]
    live: Option<String>,
    /// Judge simulated series of which the truth is known, by family, and show how often that is right
    #[arg(long, conflicts_with_all = ["run", "csv"])]
    simulate: bool,
    /// How many series of each family and leak
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=100_000), requires = "simulate", conflicts_with_all = ["run", "csv"])]
    series_each: u64,
    /// The first seed of the simulated series
    #[arg(long, value_name = "N", default_value_t = 1, requires = "simulate", conflicts_with_all = ["run", "csv"])]
    seed: u64,
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
            let text = simulated::simulate(simulation, self.format == VerdictFormat::Json);
            output::print(&text.map_err(Failure::platform)?)?;
            return Ok(Exit::Pass);
        }
        if let (Some(csv), Some(series), Some(tolerance)) = (&self.csv, &self.series, self.tolerance) {
            return self.judge_table(csv, series, tolerance);
        }
        let verdict = reports::write_verdict(&self.run.unwrap_or_default())?;
        match self.format {
            VerdictFormat::Human => output::print(&summary::summary(&verdict))?,
            VerdictFormat::Json => output::print(&format!("{}\n", soak_render::verdict_json(&verdict).trim_end()))?,
            VerdictFormat::Github => output::print(&soak_render::github(&verdict))?,
        }
        Ok(Exit::from(&verdict))
    }

    fn judge_table(&self, csv: &std::path::Path, series: &str, tolerance: ByteRate) -> Result<Exit, Failure> {
        let Some(tolerance) = tolerance.bytes_per_second() else {
            return Err(Failure::usage(
                "--tolerance: a rate over time such as 1MiB/min; a recording has no operations",
            ));
        };
        let recording = Recording::read(csv, series, self.live.as_deref())?;
        let judged = Judged { series, tolerance, limit: self.limit.map(Bytes::as_f64), recording: &recording };
        let answer = judged.answer();
        match self.format {
            VerdictFormat::Json => output::print_json(serde_json::to_string_pretty(&judged.json(&answer)))?,
            VerdictFormat::Human | VerdictFormat::Github => output::print(&judged.words(&answer))?,
        }
        let verdict = answer.map_or(Verdict::Inconclusive, |answer| answer.verdict);
        Ok(match verdict {
            Verdict::Pass => Exit::Pass,
            Verdict::Fail => Exit::Fail,
            Verdict::Inconclusive => Exit::Inconclusive,
        })
    }
}
