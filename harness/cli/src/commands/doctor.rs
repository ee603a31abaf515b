//! `soak doctor`: what this machine can do, what is missing and how to get it, and what earlier runs left.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;
use soak_engine::doctor::{Check, Health, check_up};
use soak_engine::residue::{left_by, registered};

use super::{Exit, Failure, Format};
use crate::output;

/// Show what this machine can do for a run, what is missing and how to get it, and what earlier runs left
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// For whom
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

impl Doctor {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::platform)?;
        let (checks, orphans) = runtime.block_on(async { (check_up().await, orphans().await) });
        match self.format {
            Format::Human => output::print(&human(&checks, &orphans))?,
            Format::Json => {
                let checks: Vec<_> = checks
                    .iter()
                    .map(|check| json!({ "what": check.what, "health": check.health.name(), "found": check.found, "remedy": check.remedy }))
                    .collect();
                output::print_json(serde_json::to_string_pretty(&json!({ "checks": checks, "orphans": orphans })))?;
            }
        }
        let ill = checks.iter().any(|check| check.health == Health::Missing) || !orphans.is_empty();
        Ok(if ill { Exit::Platform } else { Exit::Pass })
    }
}

/// What runs left whose harness is gone.
async fn orphans() -> Vec<String> {
    let mut orphans = Vec::new();
    for run in registered().into_iter().filter(|run| run.owner.is_alive() == Some(false)) {
        let id = &run.owner.run;
        orphans.extend(left_by(&run).await.iter().map(|one| format!("{id}: {one}")));
    }
    orphans
}

fn human(checks: &[Check], orphans: &[String]) -> String {
    let mut text = String::new();
    for check in checks {
        let sign = match check.health {
            Health::Good => "ok      ",
            Health::Limited => "limited ",
            Health::Missing => "missing ",
        };
        let _ = writeln!(text, "{sign} {}: {}", check.what, check.found);
        if let Some(remedy) = &check.remedy {
            let _ = writeln!(text, "         → {remedy}");
        }
    }
    match orphans {
        [] => text.push_str("\nEarlier runs left nothing behind.\n"),
        orphans => {
            text.push_str("\nEarlier runs left behind (`soak heal` removes it):\n");
            for orphan in orphans {
                let _ = writeln!(text, "  {orphan}");
            }
        }
    }
    text
}
