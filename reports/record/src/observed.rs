//! What was observed of a target beside its series: operations and their errors, tasks, families of metrics, lines of its log.

use serde::{Deserialize, Serialize};

/// A kind of operation that the harness asks of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Batches are put.
    Put,
    /// A search, or a read where the target has no search.
    Search,
    /// A row is written again.
    Upsert,
    /// A row is deleted.
    Delete,
    /// Whether the index has caught up.
    Readiness,
    /// Ids or number of the rows.
    ReadRows,
    /// The dataset is dropped.
    DropDataset,
    /// The metrics page.
    Metrics,
    /// A collection is forced.
    Collect,
    /// A compaction is asked for.
    Compact,
    /// The task dump.
    Tasks,
}

impl Operation {
    /// The name, for people: "put", "search", …
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Search => "search",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
            Self::Readiness => "readiness check",
            Self::ReadRows => "read of rows",
            Self::DropDataset => "drop of the dataset",
            Self::Metrics => "metrics page",
            Self::Collect => "forced collection",
            Self::Compact => "compaction",
            Self::Tasks => "task dump",
        }
    }
}

/// Errors of one distinct reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorReason {
    /// The error without what differs from one to the next: `#` stands for numbers, `"…"` for what is quoted.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// When the first was seen, in seconds of the run.
    pub first_s: f64,
    /// When the last was seen, in seconds of the run.
    pub last_s: f64,
    /// One of them in full.
    pub example: String,
}

/// A group of tasks with one stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskGroup {
    /// The functions of the stack, innermost first, joined with ` < `.
    pub signature: String,
    /// How many.
    pub count: u64,
    /// Age of the oldest, in minutes as Go prints it (0 under a minute).
    pub oldest_minutes: u64,
}

/// A family of metrics that has more series than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrownFamily {
    /// Its name.
    pub name: String,
    /// How many series it had.
    pub before: u64,
    /// How many it has.
    pub after: u64,
    /// The label with the most new values; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Lines of a log that are the same but for their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPattern {
    /// The line, with `#` for numbers.
    pub pattern: String,
    /// How many there are.
    pub count: u64,
}

/// What a person did to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandAction {
    /// The load rests: nothing is asked of the target.
    PauseLoad,
    /// It goes on.
    ResumeLoad,
    /// The target was asked to compact.
    Compact,
}

impl HandAction {
    /// What was done, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::PauseLoad => "paused the load",
            Self::ResumeLoad => "let the load go on",
            Self::Compact => "asked for a compaction",
        }
    }
}
