//! `soak watchdog`: started by `soak run`, not by people.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::{Exit, Failure};
use crate::guard::READY;

/// Wait until standard input ends, then remove what a run's register still names
#[derive(Debug, Args)]
pub(crate) struct Watchdog {
    /// The run's register
    register: PathBuf,
}

impl Watchdog {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        // Signals to the terminal, or to the group of the harness, are not for it.
        rustix::process::setsid().map_err(Failure::platform)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::platform)?;
        writeln!(std::io::stdout(), "{READY}").map_err(Failure::platform)?;
        runtime.block_on(soak_engine::residue::watch(&self.register));
        // A thread that still reads standard input must not hold it up.
        runtime.shutdown_background();
        Ok(Exit::Pass)
    }
}
