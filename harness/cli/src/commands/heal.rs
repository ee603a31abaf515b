//! `soak heal`: removes what runs left whose harness is gone.

use clap::Args;
use soak_engine::residue::{Left, changes, left_by, registered, remove};

use super::{Exit, Failure};
use crate::output;

/// Remove what runs left behind whose harness is gone: containers, processes, cgroups that carry a run's id
#[derive(Debug, Args)]
pub(crate) struct Heal {}

impl Heal {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        let Self {} = self;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::platform)?;
        runtime.block_on(heal())
    }
}

async fn heal() -> Result<Exit, Failure> {
    let (mut removed, mut failed) = (0, 0);
    for run in registered() {
        let id = &run.owner.run;
        match run.owner.is_alive() {
            Some(false) => {}
            Some(true) => {
                output::print(&format!("{id}: still runs (pid {}), left alone\n", run.owner.pid))?;
                continue;
            }
            None => {
                output::print(&format!("{id}: of another machine or container, left alone\n"))?;
                continue;
            }
        }
        // What stands still or is pressed on answers nobody: changes are taken back before anything else is asked after.
        let (undone, _) = remove_all(id, changes(&run)).await?;
        let (gone, kept) = remove_all(id, left_by(&run).await).await?;
        (removed, failed) = (removed + undone + gone, failed + kept);
        if kept == 0 {
            // Gone already is as well.
            let _ = std::fs::remove_file(&run.path);
        }
    }
    if failed > 0 {
        return Err(Failure::platform(format!(
            "{failed} could not be removed; run `soak heal` again, or as another user"
        )));
    }
    let words = if removed == 0 { "nothing was left behind\n".to_owned() } else { format!("removed {removed}\n") };
    output::print(&words)?;
    Ok(Exit::Pass)
}

/// How many of these were removed, and how many were not.
async fn remove_all(id: &str, left: Vec<Left>) -> Result<(u32, u32), Failure> {
    let (mut removed, mut kept) = (0, 0);
    for one in left {
        match remove(&one).await {
            Ok(()) => {
                removed += 1;
                output::print(&format!("{id}: removed {one}\n"))?;
            }
            Err(why) => {
                kept += 1;
                output::say(&format!("{id}: cannot remove {one}: {why}\n"));
            }
        }
    }
    Ok((removed, kept))
}
