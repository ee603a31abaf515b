//! `soak completions`: what a shell needs to complete commands and options.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Exit, Failure};
use crate::output;

/// Print what a shell needs to complete commands and options
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::Cli::command(), "soak", &mut script);
        output::print(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Pass)
    }
}
