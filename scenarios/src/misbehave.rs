//! Defects that a target can be told to have, each of a known size: the ground truth of the harness's own tests.

use serde::{Deserialize, Serialize};

use crate::units::{ByteRate, Bytes, Rate, Share};

/// Faults that a target can be told to have where its profile allows it, each with a known size: the ground truth of the harness's own tests.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Misbehave {
    /// Heap memory that is allocated, touched and never freed.
    pub heap_leak: Option<ByteRate>,
    /// Tasks that are started and never end.
    pub task_leak: Option<Rate>,
    /// Goroutines that wait for ever on a channel that nothing else holds, so that the runtime can prove it.
    pub leaked_goroutines: Option<Rate>,
    /// What compaction does instead of its work.
    pub compaction: Option<BadCompaction>,
    /// Share of each ingested batch whose decoded record batch is kept for ever.
    pub retain_batches: Option<Share>,
    /// Compaction leaves live data where it lies, pinned between the dead, so that no page can go back.
    pub fragment: bool,
    /// A file of this size is mapped and touched: resident, but not the heap's.
    pub mapped_file: Option<Bytes>,
    /// Retired memory goes back to the system no faster than this.
    pub slow_release: Option<ByteRate>,
    /// Memory mapped beside the heap, touched and never unmapped.
    pub offheap_leak: Option<ByteRate>,
    /// A cache that keeps a tenth of each ingested batch until it holds this much, and then no more: a plateau, not a leak.
    pub cache_fill: Option<Bytes>,
    /// Allocated, touched and kept once, when the fourth dataset is made: a step, not a leak.
    pub step: Option<Bytes>,
    /// New values of a label of the metrics page, each of which is a series that stays.
    pub series_leak: Option<Rate>,
    /// Share of the connections that are kept once their clients have closed them.
    pub connection_leak: Option<Share>,
    /// The operation that waits for a lock that never opens, once fifty of its kind have been served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_lock: Option<HeldLock>,
}

impl Misbehave {
    /// Whether the target is asked for nothing.
    pub fn is_healthy(&self) -> bool {
        *self == Self::default()
    }

    /// The settings as `key=value` pairs: what `soak target --misbehave` takes.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = Vec::new();
        let mut add = |key, value: Option<String>| settings.extend(value.map(|value| (key, value)));
        add("heap_leak", self.heap_leak.map(|rate| rate.to_string()));
        add("task_leak", self.task_leak.map(|rate| rate.to_string()));
        add("leaked_goroutines", self.leaked_goroutines.map(|rate| rate.to_string()));
        add("compaction", self.compaction.map(|bad| bad.name().to_owned()));
        add("retain_batches", self.retain_batches.map(|share| share.to_string()));
        add("fragment", self.fragment.then(|| "true".to_owned()));
        add("mapped_file", self.mapped_file.map(|size| size.to_string()));
        add("slow_release", self.slow_release.map(|rate| rate.to_string()));
        add("offheap_leak", self.offheap_leak.map(|rate| rate.to_string()));
        add("cache_fill", self.cache_fill.map(|size| size.to_string()));
        add("step", self.step.map(|size| size.to_string()));
        add("series_leak", self.series_leak.map(|rate| rate.to_string()));
        add("connection_leak", self.connection_leak.map(|share| share.to_string()));
        add("held_lock", self.held_lock.map(|operation| operation.name().to_owned()));
        settings
    }
}

/// An operation that waits for a lock that never opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeldLock {
    /// A batch is put.
    Put,
    /// A search.
    Search,
    /// A row is deleted.
    Delete,
    /// The metrics page is read.
    Metrics,
}

impl HeldLock {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Put, Self::Search, Self::Delete, Self::Metrics];

    /// So many operations are served before the lock is held.
    pub const SERVED: u64 = 50;

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Search => "search",
            Self::Delete => "delete",
            Self::Metrics => "metrics",
        }
    }
}

/// What compaction does instead of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BadCompaction {
    /// It ends with an error.
    Fails,
    /// It reports success and does nothing.
    Noop,
    /// It drops a quarter of what it could.
    Weak,
}

impl BadCompaction {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Fails, Self::Noop, Self::Weak];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fails => "fails",
            Self::Noop => "noop",
            Self::Weak => "weak",
        }
    }
}
