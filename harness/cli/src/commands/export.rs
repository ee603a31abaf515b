//! `soak export`: built-in files, generated documents, and a run's samples, for other tools.

mod samples;
mod schedule;
mod workflow;

use std::num::NonZeroU64;

use clap::{Args, Subcommand};
use soak_scenario::runbook::{alert_rules, runbooks_markdown};
use soak_scenario::units::Bytes;
use soak_scenario::{Builtin, builtin_profiles, builtin_scenarios, load_profile, reference_markdown, schema_json};

use super::{Exit, Failure};
use crate::output;

/// Print built-in files, generated documents, or a run's samples
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A built-in scenario's file, to start one's own from
    Scenario {
        /// Its name (`soak list scenarios`)
        name: String,
    },
    /// A built-in profile's file, to start one's own from
    Profile {
        /// Its name (`soak list profiles`)
        name: String,
    },
    /// The JSON Schema of scenario files, for editors
    Schema,
    /// Every key of scenario and profile files, in Markdown
    Reference,
    /// Every threshold and step of the runbooks, and what covers it, in Markdown
    Runbooks,
    /// Prometheus' alert rules for the runbooks' thresholds, with the names that a profile's targets give to what they are read from
    Alerts {
        /// A built-in profile's name, or a file
        #[arg(long, value_name = "PROFILE")]
        profile: String,
        /// The memory limit, such as 8GiB, where the target does not tell it
        #[arg(long, value_name = "BYTES")]
        limit: Option<Bytes>,
        /// Label matchers that choose the targets, such as 'job="store"'
        #[arg(long = "match", value_name = "MATCHERS")]
        matching: Option<String>,
    },
    /// The runbook's daily and weekly checks, for a scheduler
    Schedule(schedule::Schedule),
    /// A workflow of GitHub Actions: a gate for each pull request, against its base, and a soak each night
    Workflow(workflow::Workflow),
    /// What a run recorded, a row for each moment and a column for each series
    Samples(samples::Samples),
}

impl Export {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        match self.what {
            What::Scenario { name } => output::print(find("scenario", &builtin_scenarios(), &name)?)?,
            What::Profile { name } => output::print(find("profile", &builtin_profiles(), &name)?)?,
            What::Schema => output::print_json(serde_json::to_string_pretty(&schema_json()))?,
            What::Reference => output::print(&reference_markdown())?,
            What::Runbooks => output::print(&runbooks_markdown())?,
            What::Alerts { profile, limit, matching } => {
                let profile = load_profile(&profile)?;
                let limit = limit.map(|limit| {
                    NonZeroU64::new(limit.0).ok_or_else(|| Failure::usage("--limit is 0: everything would be above it"))
                });
                output::print(&alert_rules(&profile, limit.transpose()?, matching.as_deref()))?;
            }
            What::Schedule(schedule) => schedule.execute()?,
            What::Workflow(workflow) => workflow.execute()?,
            What::Samples(samples) => samples.execute()?,
        }
        Ok(Exit::Pass)
    }
}

fn find(kind: &str, among: &[Builtin], name: &str) -> Result<&'static str, Failure> {
    let bare = name.strip_suffix(".toml").unwrap_or(name);
    among.iter().find(|one| one.name == bare).map(|one| one.text).ok_or_else(|| {
        let names: Vec<&str> = among.iter().map(|one| one.name).collect();
        Failure::usage(format!("there is no built-in {kind} `{name}`; there is {}", names.join(", ")))
    })
}
