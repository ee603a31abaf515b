//! Faults: what a scenario injects, when, and for how long. The catalogue here is the one that `soak list faults` prints.

use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::units::{ByteRate, Bytes, Rate, Share, Size, Span};

/// One entry of a scenario's `[faults]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What is injected.
    pub inject: Injection,
    /// In which phase of a cycle it begins.
    pub phase: FaultPhase,
    /// In every so many counted cycles, from the first on.
    pub every: u32,
    /// How long after the phase began.
    pub after: Span,
    /// At this time since the target was started, instead of a phase and cycles: once.
    #[serde(default)]
    pub at: Option<Span>,
    /// It begins only once this holds, and not at all where it never does.
    #[serde(default)]
    pub when: Option<Condition>,
    /// How long it is held.
    pub hold: Span,
    /// How long the way back is watched after it was healed.
    pub watch: Span,
}

/// Back is what holds: the median over this long decides, or over a quarter of a short watch. In seconds.
pub fn recovery_window_s(watched_s: f64) -> f64 {
    (0.25 * watched_s).min(1.0)
}

/// The phases in which a fault may begin: those with load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultPhase {
    /// While batches are put.
    Ingest,
    /// While all is being indexed.
    Index,
    /// While searches run; they go on until the way back has been watched.
    Query,
    /// While rows are deleted.
    Delete,
    /// While compaction runs.
    Compact,
}

impl FaultPhase {
    /// Every phase, in the order of a cycle.
    pub const ALL: [Self; 5] = [Self::Ingest, Self::Index, Self::Query, Self::Delete, Self::Compact];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Index => "index",
            Self::Query => "query",
            Self::Delete => "delete",
            Self::Compact => "compact",
        }
    }
}

/// What is injected. Externally tagged, as in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Injection {
    /// The target leaks heap memory at this rate, because it was asked to.
    LeakMemory {
        /// How fast.
        rate: ByteRate,
    },
    /// The target leaks tasks at this rate, because it was asked to.
    LeakTasks {
        /// How fast.
        rate: Rate,
    },
    /// Put streams that are opened, begun and never finished.
    UnfinishedStreams {
        /// How many.
        count: u32,
    },
    /// Results that are asked for and never read.
    SlowReader {
        /// How many at once.
        count: u32,
    },
    /// Connections that are opened and never speak.
    HalfOpen {
        /// How many.
        count: u32,
    },
    /// Connections that are opened and closed again.
    ConnectionStorm {
        /// How many over time.
        rate: Rate,
    },
    /// Datasets that are made and left.
    AbandonedDatasets {
        /// How many.
        count: u32,
        /// Rows in each.
        rows: u32,
    },
    /// Rows that are put and deleted, with no compaction after it.
    Tombstones {
        /// How many.
        rows: u32,
    },
    /// Batches far above what is usual.
    OversizedBatches {
        /// Vectors in each.
        size: Bytes,
        /// How many.
        count: u32,
    },
    /// Batches whose schema is not the dataset's.
    WrongSchema {
        /// How many over time.
        rate: Rate,
    },
    /// Batches whose vectors have another dimension.
    WrongDimension {
        /// How many over time.
        rate: Rate,
    },
    /// The same ids put again and again.
    ReusedIds {
        /// Batches over time.
        rate: Rate,
    },
    /// Searches for very many neighbours.
    HugeK {
        /// Neighbours asked for.
        k: u32,
        /// How many over time.
        rate: Rate,
    },
    /// The kernel's memory limit is lowered to this share of what it was.
    LimitShrink {
        /// Of the limit before.
        to: Share,
    },
    /// A process in the target's cgroup takes memory until so much is left below the limit, and follows it.
    Balloon {
        /// What it leaves free.
        keep: Size,
    },
    /// Files are read and written in the target's cgroup, so that its page cache is charged.
    PageCache {
        /// How much is cached.
        size: Size,
    },
    /// Files in memory are written in the target's cgroup.
    Tmpfs {
        /// How much.
        size: Size,
    },
    /// The target gets this share of one processor.
    CpuThrottle {
        /// Of one processor.
        to: Share,
    },
    /// Every process of the target is stopped, and goes on when it is healed.
    Pause,
    /// The target is killed, and started again when it is healed.
    Kill,
    /// The target is asked to end, and started again when it is healed.
    Restart,
    /// Every byte between load and target takes longer.
    Latency {
        /// So much longer, each way.
        delay: Span,
    },
    /// No more than so many bytes pass between load and target.
    Bandwidth {
        /// Each way and connection.
        rate: ByteRate,
    },
    /// Nothing passes between load and target, and nobody is told.
    Cut,
    /// Every connection between load and target is reset, and so is every new one.
    Reset,
    /// The volume that the target keeps its data on is filled up.
    DiskFull,
    /// The load pauses: the runbook's "stop ingestion temporarily".
    StopLoad,
    /// The memory limit is raised by so much: the runbook's "increase memory limit".
    RaiseLimit {
        /// On top of what it is.
        by: Bytes,
    },
    /// Every dataset is compacted: the runbook's "force compaction".
    ForceCompaction,
    /// Retired memory is given back: the runbook's vacuum.
    Vacuum,
    /// Caches are emptied: the runbook's "clear memory caches".
    ClearCache,
}

/// At which of three levels a fault works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The target is asked for it.
    Cooperative,
    /// Through the protocol, on any target.
    Protocol,
    /// From the target's environment.
    Environment,
    /// A first response of the runbook, rehearsed: its effect is measured as a fault's is.
    Remedy,
}

impl Level {
    /// The word in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cooperative => "cooperative",
            Self::Protocol => "protocol",
            Self::Environment => "environment",
            Self::Remedy => "remedy",
        }
    }
}

/// One kind of fault, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultKind {
    /// The key under `inject`.
    pub name: &'static str,
    /// At which level it works.
    pub level: Level,
    /// What it does, in one line.
    pub doc: &'static str,
    /// What shows that it happened.
    pub evidence: &'static str,
    /// What it takes.
    pub needs: &'static str,
    /// What must not be laid hold of twice at once.
    pub lever: &'static str,
}

const fn kind(
    name: &'static str,
    level: Level,
    lever: &'static str,
    doc: &'static str,
    evidence: &'static str,
    needs: &'static str,
) -> FaultKind {
    FaultKind { name, level, doc, evidence, needs, lever }
}

const ASKED: &str = "an endpoint `leak` in the profile";
const ANY: &str = "any target";
const GROUP: &str = "a memory limit (`matrix.memory_limit`), and the right to change it";
const FAMILY: &str = "a process or container of this machine";
const OWN: &str = "a target that the run itself starts";
const PROXY: &str = "a target that the run itself starts; load then goes through a proxy on 127.0.0.1";

/// Every kind of fault, in the order of the catalogue.
pub const FAULTS: &[FaultKind] = &[
    // Both are ended by one call.
    kind(
        "leak_memory",
        Level::Cooperative,
        "leak",
        "leaks heap memory at a known rate, and gives it back when it is healed",
        "what the target says that it holds",
        ASKED,
    ),
    kind(
        "leak_tasks",
        Level::Cooperative,
        "leak",
        "leaks tasks (goroutines) at a known rate, and ends them when it is healed",
        "what the target says that it holds",
        ASKED,
    ),
    kind(
        "unfinished_streams",
        Level::Protocol,
        "unfinished_streams",
        "put streams that are opened, begun and never finished",
        "streams that are open at the end",
        ANY,
    ),
    kind(
        "slow_reader",
        Level::Protocol,
        "slow_reader",
        "results that are asked for and never read",
        "answers that wait to be read",
        ANY,
    ),
    kind(
        "half_open",
        Level::Protocol,
        "half_open",
        "connections that are opened and never speak",
        "connections that are open at the end",
        ANY,
    ),
    kind(
        "connection_storm",
        Level::Protocol,
        "connection_storm",
        "connections that are opened and closed again",
        "connections made",
        ANY,
    ),
    kind(
        "abandoned_datasets",
        Level::Protocol,
        "abandoned_datasets",
        "datasets that are made and left; dropped when it is healed",
        "datasets made, as acknowledged",
        ANY,
    ),
    kind(
        "tombstones",
        Level::Protocol,
        "tombstones",
        "rows that are put and deleted, with no compaction after it; dropped when it is healed",
        "deletes acknowledged",
        ANY,
    ),
    kind(
        "oversized_batches",
        Level::Protocol,
        "oversized_batches",
        "batches far above what is usual; dropped when it is healed",
        "bytes that the target took or refused",
        ANY,
    ),
    kind(
        "wrong_schema",
        Level::Protocol,
        "wrong_schema",
        "batches whose schema is not the dataset's",
        "batches sent, refused and taken",
        ANY,
    ),
    kind(
        "wrong_dimension",
        Level::Protocol,
        "wrong_dimension",
        "batches whose vectors have another dimension",
        "batches sent, refused and taken",
        ANY,
    ),
    kind(
        "reused_ids",
        Level::Protocol,
        "reused_ids",
        "the same ids put again and again; dropped when it is healed",
        "batches acknowledged",
        ANY,
    ),
    kind("huge_k", Level::Protocol, "huge_k", "searches for very many neighbours", "searches answered or refused", ANY),
    kind(
        "limit_shrink",
        Level::Environment,
        "memory",
        "lowers the memory limit, and restores it",
        "the limit as the kernel has it",
        GROUP,
    ),
    kind(
        "balloon",
        Level::Environment,
        "memory",
        "a process in the target's cgroup that leaves only so much below the limit, follows it, and is never the victim",
        "bytes that it really holds",
        GROUP,
    ),
    kind(
        "page_cache",
        Level::Environment,
        "page_cache",
        "page cache that is charged to the target's cgroup",
        "file pages that the cgroup is charged with",
        GROUP,
    ),
    kind(
        "tmpfs",
        Level::Environment,
        "tmpfs",
        "files in memory that are charged to the target's cgroup",
        "shared pages that the cgroup is charged with",
        GROUP,
    ),
    kind(
        "cpu_throttle",
        Level::Environment,
        "cpu",
        "lowers the processor quota, and restores it",
        "time for which the kernel throttled the group",
        "a cgroup of the target's own with the cpu controller",
    ),
    kind(
        "pause",
        Level::Environment,
        "life",
        "stops every process of the target, and lets them go on",
        "the state of each process as the kernel has it",
        FAMILY,
    ),
    kind(
        "kill",
        Level::Environment,
        "life",
        "kills the target (SIGKILL), and starts it again on the same data",
        "the end as the kernel tells it, and another process after it",
        OWN,
    ),
    kind(
        "restart",
        Level::Environment,
        "life",
        "ends the target in good order (SIGTERM), and starts it again on the same data",
        "the end as the kernel tells it, and another process after it",
        OWN,
    ),
    kind(
        "latency",
        Level::Environment,
        "network",
        "delays every byte between load and target",
        "bytes that were delayed",
        PROXY,
    ),
    kind(
        "bandwidth",
        Level::Environment,
        "network",
        "lets only so many bytes a second pass between load and target",
        "bytes that passed, and for how long they waited",
        PROXY,
    ),
    kind(
        "cut",
        Level::Environment,
        "network",
        "lets nothing pass between load and target, without telling either",
        "bytes and connections that were held back",
        PROXY,
    ),
    kind(
        "reset",
        Level::Environment,
        "network",
        "resets every connection between load and target",
        "connections that were reset",
        PROXY,
    ),
    kind(
        "disk_full",
        Level::Environment,
        "disk",
        "fills the volume that the target keeps its data on, and empties it",
        "bytes free on the volume",
        "`target.data_volume`, which gives the target a volume of that size; root",
    ),
    kind("stop_load", Level::Remedy, "load", "the load pauses, and goes on", "operations that were held back", ANY),
    kind(
        "raise_limit",
        Level::Remedy,
        "memory",
        "raises the memory limit, and puts it back",
        "the limit as the kernel has it",
        GROUP,
    ),
    kind(
        "force_compaction",
        Level::Remedy,
        "compaction",
        "asks for a compaction of every dataset",
        "the target's answer",
        "an endpoint that compacts in the profile",
    ),
    kind(
        "vacuum",
        Level::Remedy,
        "vacuum",
        "asks for retired memory to be given back",
        "the target's answer",
        "an endpoint `vacuum` in the profile",
    ),
    kind(
        "clear_cache",
        Level::Remedy,
        "cache",
        "asks for the target's caches to be emptied",
        "the target's answer",
        "an endpoint `clear_cache` in the profile",
    ),
];

impl Injection {
    /// The key under `inject`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LeakMemory { .. } => "leak_memory",
            Self::LeakTasks { .. } => "leak_tasks",
            Self::UnfinishedStreams { .. } => "unfinished_streams",
            Self::SlowReader { .. } => "slow_reader",
            Self::HalfOpen { .. } => "half_open",
            Self::ConnectionStorm { .. } => "connection_storm",
            Self::AbandonedDatasets { .. } => "abandoned_datasets",
            Self::Tombstones { .. } => "tombstones",
            Self::OversizedBatches { .. } => "oversized_batches",
            Self::WrongSchema { .. } => "wrong_schema",
            Self::WrongDimension { .. } => "wrong_dimension",
            Self::ReusedIds { .. } => "reused_ids",
            Self::HugeK { .. } => "huge_k",
            Self::LimitShrink { .. } => "limit_shrink",
            Self::Balloon { .. } => "balloon",
            Self::PageCache { .. } => "page_cache",
            Self::Tmpfs { .. } => "tmpfs",
            Self::CpuThrottle { .. } => "cpu_throttle",
            Self::Pause => "pause",
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Latency { .. } => "latency",
            Self::Bandwidth { .. } => "bandwidth",
            Self::Cut => "cut",
            Self::Reset => "reset",
            Self::DiskFull => "disk_full",
            Self::StopLoad => "stop_load",
            Self::RaiseLimit { .. } => "raise_limit",
            Self::ForceCompaction => "force_compaction",
            Self::Vacuum => "vacuum",
            Self::ClearCache => "clear_cache",
        }
    }

    /// Its entry in the catalogue.
    pub fn kind(&self) -> &'static FaultKind {
        // Every name is in the table, which a test holds; the first entry stands in rather than a panic.
        FAULTS.iter().find(|kind| kind.name == self.name()).unwrap_or(&FAULTS[0])
    }

    /// Whether load has to go through a proxy for it.
    pub fn needs_proxy(&self) -> bool {
        self.kind().lever == "network"
    }

    /// Whether it ends the target and starts it again.
    pub fn restarts(&self) -> bool {
        matches!(self, Self::Kill | Self::Restart)
    }

    /// Whether the target does not answer, or not for long, while it is on.
    pub fn silences(&self) -> bool {
        self.restarts() || matches!(self, Self::Pause | Self::Cut | Self::Reset)
    }

    /// Its settings in words, as in the file: `to 60%`; empty where it has none.
    pub fn settings(&self) -> String {
        let json = serde_json::to_value(self).unwrap_or_default();
        let settings = json.as_object().and_then(|table| table.values().next()).and_then(serde_json::Value::as_object);
        let words = settings.into_iter().flatten().map(|(key, value)| match value {
            serde_json::Value::String(text) => format!("{key} {text}"),
            other => format!("{key} {other}"),
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_in_words() {
        let shrink = Injection::LimitShrink { to: Share(0.6) };
        assert_eq!((shrink.name(), shrink.settings().as_str()), ("limit_shrink", "to 60%"));
        assert_eq!(Injection::Pause.settings(), "");
    }
}
