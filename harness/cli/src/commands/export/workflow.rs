//! `soak export workflow`: a gate for each pull request and a soak each night, for GitHub Actions.

use clap::Args;
use soak_scenario::{Request, load};

use crate::commands::Failure;
use crate::output;

const WORKFLOW: &str = include_str!("workflow.yml");

/// A workflow of GitHub Actions: a gate for each pull request, against its base, and a soak each night
#[derive(Debug, Args)]
pub(super) struct Workflow {
    /// The scenario that is run: a built-in name, or a file of the repository
    #[arg(long, default_value = "gate")]
    scenario: String,
    /// The image with soak in it, as runners pull it: what `ci/image` makes, in a registry of yours
    #[arg(long)]
    image: String,
}

impl Workflow {
    pub(super) fn execute(&self) -> Result<(), Failure> {
        // A mistake is better found now than in somebody's pull request.
        load(&Request { scenario: &self.scenario, ..Request::default() })?;
        for (option, word) in [("--scenario", &self.scenario), ("--image", &self.image)] {
            if word.is_empty() || !word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@".contains(c)) {
                return Err(Failure::usage(format!(
                    "{option} '{word}': a workflow's command takes letters, digits and -_./:@ alone"
                )));
            }
        }
        output::print(&WORKFLOW.replace("@SCENARIO@", &self.scenario).replace("@IMAGE@", &self.image))
    }
}
