//! `soak report`: the reports over a record, again, on any machine.

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Failure};
use crate::{output, reports, summary};

/// Judge a run folder, also one that was interrupted, and write report.html, report.md, junit.xml and verdict.json
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The run's folder
    run: PathBuf,
    /// Where the reports go [default: the run's folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the checklist after an incident, in Markdown, with what the run shows of each item; nothing is written
    #[arg(long, conflicts_with = "out")]
    post_incident: bool,
}

impl Report {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        if self.post_incident {
            let (checklist, verdict) = reports::checklist(&self.run)?;
            output::print(&checklist)?;
            return Ok(Exit::from(&verdict));
        }
        let verdict = match &self.out {
            Some(out) => reports::write_reports_into(&self.run, out)?,
            None => reports::write_reports(&self.run)?,
        };
        let out = self.out.as_ref().unwrap_or(&self.run);
        output::print(&summary::summary(&verdict))?;
        output::say(&format!("report: {}\n", out.join(soak_record::file::HTML).display()));
        Ok(Exit::from(&verdict))
    }
}
