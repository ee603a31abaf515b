//! The subcommands, and what they have in common: exit codes and failures.

pub(crate) mod target;

use std::process::ExitCode;

use clap::Subcommand;

/// A subcommand.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the embedded vector store
    Target(target::Target),
}

impl Command {
    /// Does it. The code is the process's.
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        match self {
            Self::Target(target) => target.execute(),
        }
    }
}

/// What the process's exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; for a run: pass.
    Pass = 0,
    /// The target failed a criterion.
    Fail = 1,
    /// The command or the scenario is wrong.
    Usage = 2,
    /// The run could not tell.
    Inconclusive = 3,
    /// The harness or the machine failed.
    Platform = 4,
    /// A person ended it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended without doing what it was asked to: a message for a person, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// The command or its input is wrong.
    pub(crate) fn usage(message: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Usage, message: message.to_string() }
    }

    /// The machine would not.
    pub(crate) fn platform(message: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Platform, message: message.to_string() }
    }

    /// Prints the message to standard error.
    #[expect(clippy::print_stderr, reason = "this is where a failed command speaks")]
    pub(crate) fn report(self) -> ExitCode {
        eprintln!("error: {}", self.message.trim_end());
        self.exit.into()
    }
}
