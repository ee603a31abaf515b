//! A run: every variant of a plan, one after the other, each on a fresh target.

use soak_record::{EventKind, Outcome};
use soak_scenario::{Launch, Plan};

use crate::journal::Journal;
use crate::operator::Wishes;
use crate::patience::MoreCycles;
use crate::target::Driver;
use crate::variant::run_variant;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// Every variant was run; how each fared is in the record.
    Complete,
    /// A person ended it.
    Interrupted,
    /// A stop condition of the scenario ended it, or the failure of a target that ran already.
    Stopped(String),
    /// The harness or the machine failed: nothing more can be run.
    PlatformFailed(String),
}

/// Runs a plan. `more_cycles` is asked when a variant's cycles are over. `wishes` is what a person wants of it while it goes on; whatever was started is stopped before this returns.
pub async fn run(
    plan: &Plan,
    run: &str,
    driver: &dyn Driver,
    journal: &Journal,
    more_cycles: MoreCycles,
    mut wishes: Wishes,
) -> RunEnd {
    journal.event(EventKind::RunStarted {
        run: run.to_owned(),
        harness: env!("CARGO_PKG_VERSION").to_owned(),
        unix_s: std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        host: crate::host::describe(),
    });
    let is_attached = matches!(plan.target.launch, Launch::Attach(_));
    let mut end = RunEnd::Complete;
    for index in 0..plan.variants.len() {
        match run_variant(plan, index, driver, journal, more_cycles, &mut wishes).await {
            // What was not started here cannot be started again: it is no other target for the next variant, and somebody may be looking at it.
            Outcome::TargetFailed { reason } if is_attached && index + 1 < plan.variants.len() => {
                end = RunEnd::Stopped(reason);
            }
            Outcome::Completed | Outcome::TargetFailed { .. } => {}
            Outcome::Interrupted => end = RunEnd::Interrupted,
            Outcome::Stopped { reason } => end = RunEnd::Stopped(reason),
            Outcome::PlatformFailed { reason } => end = RunEnd::PlatformFailed(reason),
        }
        // What failed once on this machine fails again; the variants that are left would only repeat it.
        if end != RunEnd::Complete {
            break;
        }
    }
    journal.event(EventKind::RunEnded { complete: end == RunEnd::Complete });
    end
}
