//! `soak export schedule`: the daily and weekly checks of the runbook, for cron, Kubernetes or GitHub Actions.

use clap::{Args, ValueEnum};
use soak_scenario::runbook::{Checks, Scheduler, schedule};
use soak_scenario::{Request, load, load_profile};

use crate::commands::Failure;
use crate::output;

/// The runbook's daily and weekly checks, for a scheduler
#[derive(Debug, Args)]
pub(super) struct Schedule {
    /// For which scheduler
    #[arg(long, value_enum, default_value_t = Format::Cron)]
    format: Format,
    /// The scenario that is run: a built-in name, or a file
    #[arg(long, default_value = "scenario2")]
    scenario: String,
    /// The profile of the deployment: a built-in name, or a file
    #[arg(long, value_name = "PROFILE", default_value = "reference")]
    profile: String,
    /// What the scenario is run against, as `soak run` takes it
    #[arg(long)]
    target: Option<String>,
    /// The Prometheus server that has the deployment's memory, as `soak judge` takes it
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// Where the deployment's metrics and admin side answer
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9090")]
    http: String,
    /// The image with soak in it, which `cronjob` needs: what `ci/image` makes, in a registry of yours
    #[arg(long)]
    image: Option<String>,
}

/// For which scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines of a crontab
    Cron,
    /// Scheduled jobs of Kubernetes
    #[value(name = "cronjob")]
    CronJob,
    /// A workflow of GitHub Actions
    Workflow,
}

impl Schedule {
    pub(super) fn execute(&self) -> Result<(), Failure> {
        // What is scheduled should run: a mistake is better found now than at three in the morning.
        let target = self.target.as_deref();
        load(&Request { scenario: &self.scenario, target, ..Request::default() })?;
        load_profile(&self.profile)?;
        let scheduler = match self.format {
            Format::Cron => Scheduler::Cron,
            Format::CronJob => Scheduler::CronJob,
            Format::Workflow => Scheduler::Workflow,
        };
        let image = match (&self.image, self.format) {
            (Some(image), _) => image.as_str(),
            // A name that nobody has taken is anybody's.
            (None, Format::CronJob) => {
                return Err(Failure::usage(
                    "--format cronjob needs --image: what `ci/image` makes, in a registry that the cluster pulls from",
                ));
            }
            (None, Format::Cron | Format::Workflow) => "",
        };
        let checks = Checks {
            scenario: &self.scenario,
            profile: &self.profile,
            target,
            prometheus: self.prometheus.as_deref(),
            http: &self.http,
            image,
        };
        output::print(&schedule(scheduler, checks))
    }
}
