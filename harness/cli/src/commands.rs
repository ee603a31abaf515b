//! The subcommands: a line here and a file each.

mod baseline;
mod capacity;
mod check;
mod compare;
mod completions;
mod criteria;
mod diag;
mod doctor;
mod export;
mod heal;
mod history;
mod init;
mod judge;
mod list;
mod load;
mod plan;
mod pressure;
mod prove;
mod report;
mod run;
mod target;
mod watchdog;

use clap::{Subcommand, ValueEnum};

pub(crate) use crate::failure::{Exit, Failure};

/// A subcommand.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a scenario, judge it, write its reports
    Run(run::Run),
    /// Check scenario files; nothing is run
    Check(check::Check),
    /// Show what a scenario expands to
    Plan(plan::Plan),
    /// Show what this machine can see, by leaks of known sizes
    Prove(prove::Prove),
    /// Compare a candidate with a base; fails where it is worse
    Compare(compare::Compare),
    /// Give runs a name to be compared with
    Baseline(baseline::Baseline),
    /// Show the runs of a folder over time
    History(history::History),
    /// Tell what memory another size needs, from recorded runs
    Capacity(Box<capacity::Capacity>),
    /// Judge a run folder again
    Judge(judge::Judge),
    /// Judge a run folder and write its reports
    Report(report::Report),
    /// List the built-in scenarios and profiles, the criteria, the series
    List(list::List),
    /// Explain the criteria, and the thresholds of the runbooks
    Criteria(criteria::Criteria),
    /// Print built-in files, generated documents, or a run's samples
    Export(export::Export),
    /// Write a profile for a running server
    Init(Box<init::Init>),
    /// Put generated vectors into any Flight server
    Load(load::Load),
    /// Serve the embedded vector store
    Target(target::Target),
    /// Collect what somebody who escalates has to know, as one archive
    Diag(diag::Diag),
    /// Show what this machine can do, and what earlier runs left
    Doctor(doctor::Doctor),
    /// Remove what earlier runs left
    Heal(heal::Heal),
    /// Print what a shell needs to complete commands and options
    Completions(completions::Completions),
    #[command(hide = true)]
    Pressure(pressure::Pressure),
    #[command(hide = true)]
    Watchdog(watchdog::Watchdog),
}

impl Command {
    /// Does it. The code is the process's.
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        match self {
            Self::Run(run) => run.execute(),
            Self::Check(check) => check.execute(),
            Self::Plan(plan) => plan.execute(),
            Self::Prove(prove) => prove.execute(),
            Self::Compare(compare) => compare.execute(),
            Self::Baseline(baseline) => baseline.execute(),
            Self::History(history) => history.execute(),
            Self::Capacity(capacity) => capacity.execute(),
            Self::Judge(judge) => judge.execute(),
            Self::Report(report) => report.execute(),
            Self::List(list) => list.execute(),
            Self::Criteria(criteria) => criteria.execute(),
            Self::Export(export) => export.execute(),
            Self::Init(init) => init.execute(),
            Self::Load(load) => load.execute(),
            Self::Target(target) => target.execute(),
            Self::Diag(diag) => diag.execute(),
            Self::Doctor(doctor) => doctor.execute(),
            Self::Heal(heal) => heal.execute(),
            Self::Completions(completions) => completions.execute(),
            Self::Pressure(pressure) => pressure.execute(),
            Self::Watchdog(watchdog) => watchdog.execute(),
        }
    }
}

/// For whom a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For a person
    Human,
    /// One JSON document
    Json,
}
