//! How the process ends: exit codes, and what a command says when it could not do what it was asked to.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use soak_scenario::LoadError;

use crate::{mistakes, output};

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

/// The table of exit codes, for `--help`.
pub(crate) const EXIT_CODES: &str = "Exit codes: 0 pass · 1 fail · 2 the command or the scenario is wrong · 3 inconclusive · \
                                     4 the harness or the machine failed · 130 interrupted";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&soak_verdict::RunVerdict> for Exit {
    fn from(verdict: &soak_verdict::RunVerdict) -> Self {
        match verdict.exit_code() {
            0 => Self::Pass,
            1 => Self::Fail,
            3 => Self::Inconclusive,
            _ => Self::Platform,
        }
    }
}

impl From<soak_verdict::Verdict> for Exit {
    fn from(verdict: soak_verdict::Verdict) -> Self {
        match verdict {
            soak_verdict::Verdict::Pass => Self::Pass,
            soak_verdict::Verdict::Fail => Self::Fail,
            soak_verdict::Verdict::Inconclusive => Self::Inconclusive,
        }
    }
}

/// Why a command ended without doing what it was asked to: words for a person, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    words: String,
}

impl Failure {
    /// The command or its input is wrong.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self { exit: Exit::Usage, words: error_line(message) }
    }

    /// The machine would not.
    pub(crate) fn platform(message: impl Display) -> Self {
        Self { exit: Exit::Platform, words: error_line(message) }
    }

    /// A folder that cannot be made: the command's mistake, which names another by `option`, unless it is the disk that is full.
    pub(crate) fn no_folder(folder: &Path, error: &io::Error, option: &str) -> Self {
        let cannot = format!("cannot make the folder {}: {error}", folder.display());
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::platform(format!("{cannot}; free the disk, or name another with {option}"))
            }
            _ => Self::usage(format!("{cannot}; name another with {option}")),
        }
    }

    /// The same words, as the machine's failure: what a run has just written must be readable.
    pub(crate) fn of_platform(self) -> Self {
        Self { exit: Exit::Platform, ..self }
    }

    /// The same words, with what they are about before them.
    pub(crate) fn about(self, what: &str) -> Self {
        let words = self.words.trim_start_matches(ERROR);
        Self { words: format!("{ERROR}{what}: {words}"), ..self }
    }

    /// The words alone.
    pub(crate) fn words(&self) -> &str {
        &self.words
    }

    /// Prints the words to standard error.
    pub(crate) fn report(self) -> ExitCode {
        output::say(&self.words);
        self.exit.into()
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self { exit: Exit::Usage, words: mistakes::words(&error) }
    }
}

/// What every failure's words begin with.
const ERROR: &str = "error: ";

/// `error: …`, however often the message ends its line.
pub(crate) fn error_line(message: impl Display) -> String {
    format!("{ERROR}{}\n", message.to_string().trim_end())
}
