//! `soak judge`: the verdict over a record, again, on any machine.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Exit, Failure};
use crate::{output, reports, summary};

/// Judge a run folder again, also one that was interrupted; writes its verdict.json
#[derive(Debug, Args)]
pub(crate) struct Judge {
    /// The run's folder
    run: PathBuf,
    /// For whom the verdict is written
    #[arg(long, value_enum, default_value_t = VerdictFormat::Human)]
    format: VerdictFormat,
}

/// For whom a verdict is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum VerdictFormat {
    /// For a person
    Human,
    /// One JSON document, the same as verdict.json
    Json,
    /// Annotations of GitHub Actions
    Github,
}

impl Judge {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        let verdict = reports::write_verdict(&self.run)?;
        match self.format {
            VerdictFormat::Human => output::print(&summary::summary(&verdict))?,
            VerdictFormat::Json => output::print(&format!("{}\n", soak_render::verdict_json(&verdict).trim_end()))?,
            VerdictFormat::Github => output::print(&soak_render::github(&verdict))?,
        }
        Ok(Exit::from(&verdict))
    }
}
