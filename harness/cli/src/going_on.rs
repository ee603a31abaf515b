//! Runs that still go on. What they have recorded so far is no whole run: whoever sets runs beside each other waits for their end.

use soak_engine::residue::registered;
use soak_record::Run;

use crate::failure::Failure;
use crate::output;

/// The process that a run is made by, where that is another one of this machine, and lives.
fn maker(run: &Run) -> Option<u32> {
    if run.is_complete() {
        return None;
    }
    let mut owners = registered().into_iter().map(|registered| registered.owner);
    let owner = owners.find(|owner| owner.run == run.id && owner.is_alive() == Some(true))?;
    (owner.pid != std::process::id()).then_some(owner.pid)
}

/// Says of a run that still goes on that there will be more of it.
pub(crate) fn warn(run: &Run) {
    if let Some(pid) = maker(run) {
        output::say(&format!(
            "warning: {} still goes on (pid {pid}): this is of what it has recorded so far\n",
            run.id
        ));
    }
}

/// Refuses a run that still goes on.
pub(crate) fn refuse(run: &Run) -> Result<(), Failure> {
    let words = |pid| format!("{} still goes on (pid {pid}); wait until it has come to its end", run.id);
    maker(run).map_or(Ok(()), |pid| Err(Failure::usage(words(pid))))
}
