//! `soak pressure`: started by a fault, not by people.

use std::path::PathBuf;

use clap::Args;
use soak_engine::fault::pressure::{Kind, hold};

use super::{Exit, Failure};

/// Hold as much memory as standard input says, a number of bytes a line, until it ends
#[derive(Debug, Args)]
pub(crate) struct Pressure {
    /// What is held: anonymous, page-cache or shared-memory
    kind: String,
    /// A folder on the disk whose pages are cached
    folder: PathBuf,
}

impl Pressure {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == self.kind);
        let kind = kind.ok_or_else(|| Failure::usage(format!("there is no kind of pressure `{}`", self.kind)))?;
        hold(kind, &self.folder).map_err(Failure::platform)?;
        Ok(Exit::Pass)
    }
}
