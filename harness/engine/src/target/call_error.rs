//! Why a call to a target failed: whether what was asked may have happened, in words for people, and as a fact that decisions are made by.

use std::fmt;
use std::time::Duration;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The target said no; what was asked has not happened.
    #[error("refused: {0}")]
    Refused(Why),
    /// The connection broke or could not be made; what was asked may have happened.
    #[error("{0}")]
    Broken(Why),
    /// No answer in time; what was asked may have happened.
    #[error("no answer within {:.1} s", .0.as_secs_f64())]
    TimedOut(Duration),
}

/// The reason of a failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// For people.
    pub words: String,
    /// For decisions.
    pub cause: Cause,
}

/// What made a call fail, as far as a decision depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cause {
    /// Nothing that a decision depends on.
    #[default]
    Other,
    /// The target says that there is no such thing.
    NotFound,
    /// The target answered with this HTTP status.
    Status(u16),
    /// No connection could be made.
    Unreachable,
    /// The answer ended early.
    CutOff,
    /// What answers is not what the profile describes.
    Unfit(Misfit),
}

/// How a server and its profile do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// TLS could not be agreed on: one side does not speak it, or a certificate is not trusted.
    Tls,
    /// The server speaks another protocol.
    Protocol,
    /// An answer that should be JSON is not.
    NotJson,
    /// An answer is larger than is read.
    TooLarge,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl From<String> for Why {
    fn from(words: String) -> Self {
        Self { words, cause: Cause::Other }
    }
}

impl From<&str> for Why {
    fn from(words: &str) -> Self {
        words.to_owned().into()
    }
}

impl CallError {
    /// The target said no.
    pub fn refused(why: impl Into<Why>) -> Self {
        Self::Refused(why.into())
    }

    /// The connection broke.
    pub fn broken(why: impl Into<Why>) -> Self {
        Self::Broken(why.into())
    }

    /// The target said that there is no such thing.
    pub(crate) fn not_found(words: impl Into<String>) -> Self {
        Self::Refused(Why { words: words.into(), cause: Cause::NotFound })
    }

    /// The same failure with this cause.
    pub(crate) fn because(self, cause: Cause) -> Self {
        match self {
            Self::Refused(why) => Self::Refused(Why { cause, ..why }),
            Self::Broken(why) => Self::Broken(Why { cause, ..why }),
            Self::TimedOut(after) => Self::TimedOut(after),
        }
    }

    /// The same failure in other words.
    pub(crate) fn told(self, tell: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Refused(Why { words, cause }) => Self::Refused(Why { words: tell(words), cause }),
            Self::Broken(Why { words, cause }) => Self::Broken(Why { words: tell(words), cause }),
            Self::TimedOut(after) => Self::TimedOut(after),
        }
    }

    /// What made it fail.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Refused(why) | Self::Broken(why) => why.cause,
            Self::TimedOut(_) => Cause::Other,
        }
    }

    /// Whether the target says that there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self.cause(), Cause::NotFound | Cause::Status(404 | 410))
    }

    /// Whether server and profile do not fit, for which the target is not to blame.
    pub fn is_unfit(&self) -> bool {
        matches!(self.cause(), Cause::Unfit(_))
    }

    /// Whether the server does not have what the profile names, or lets nobody in who asks like this.
    pub(crate) fn is_of_another_server(&self) -> bool {
        self.is_unfit() || matches!(self.cause(), Cause::Status(300..=399 | 401 | 403 | 404 | 405 | 410 | 415))
    }
}
