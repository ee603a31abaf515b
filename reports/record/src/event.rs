//! The event stream of a run: what the terminal shows, what the record keeps, what the judge reads. One event is one line of JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use soak_scenario::series::Source;

use crate::observed::{ErrorReason, GrownFamily, HandAction, LogPattern, Operation, TaskGroup};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Seconds since the run began.
    pub at_s: f64,
    /// The variant's id; absent for events of the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The phases of a variant's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The target starts; ends when it answers.
    Boot,
    /// The effective settings are read back.
    Attest,
    /// Idle, before any data.
    ColdIdle,
    /// Batches are put.
    Ingest,
    /// All that was acknowledged is being indexed.
    Index,
    /// Searches, and the mix.
    Query,
    /// Rows are deleted.
    Delete,
    /// Collected and settled before compaction; its window is the "before" of the reclaim.
    BeforeCompact,
    /// Compaction runs.
    Compact,
    /// Collected and settled after compaction; its window is the "after" of the reclaim.
    AfterCompact,
    /// The dataset is dropped.
    Clear,
    /// Collected and settled, empty; its window is the floor of the cycle.
    Settle,
    /// Idle after the warm-up, every connection closed.
    Idle,
    /// Tasks drain after the last cycle, every connection closed.
    Drain,
    /// The target is stopped.
    Stop,
}

impl Phase {
    /// Whether load is put on the target in it.
    pub fn is_load(self) -> bool {
        matches!(self, Self::Ingest | Self::Query | Self::Delete)
    }

    /// What is done in it, for people: “during …”.
    pub fn words(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Attest => "attestation",
            Self::ColdIdle => "cold idle",
            Self::Ingest => "ingest",
            Self::Index => "indexing",
            Self::Query => "queries",
            Self::Delete => "deletion",
            Self::BeforeCompact => "rest before compaction",
            Self::Compact => "compaction",
            Self::AfterCompact => "rest after compaction",
            Self::Clear => "clearing",
            Self::Settle => "settling",
            Self::Idle => "idle",
            Self::Drain => "draining",
            Self::Stop => "stopping",
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The run began.
    RunStarted {
        /// The run's id.
        run: String,
        /// Version of the harness.
        harness: String,
        /// Start, seconds since the Unix epoch.
        unix_s: u64,
        /// Kernel, cores, memory: for people.
        host: String,
    },
    /// A variant began.
    VariantStarted {
        /// Its place in the plan, from 0.
        index: u32,
        /// How many there are.
        of: u32,
    },
    /// The target process or container runs.
    TargetStarted {
        /// Process id.
        pid: u32,
        /// Which build it is: `sha256:…` of its program, or of its image; absent where that could not be told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        build: Option<String>,
    },
    /// A phase began.
    PhaseStarted {
        /// Which.
        phase: Phase,
        /// In which cycle, from 0 (the warm-up cycles come first).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cycle: Option<u32>,
    },
    /// A phase ended.
    PhaseEnded {
        /// Which.
        phase: Phase,
        /// In which cycle.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cycle: Option<u32>,
        /// How long it took.
        seconds: f64,
    },
    /// A window of rest, of which the medians are judged: `[from_s, to_s]` of run time.
    Window {
        /// In which phase.
        phase: Phase,
        /// In which cycle.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cycle: Option<u32>,
        /// Start of the window.
        from_s: f64,
        /// End of the window.
        to_s: f64,
        /// Whether memory had settled when it began, or the time allowed for settling had run out.
        settled: bool,
    },
    /// A knob was read back.
    Attested {
        /// Its name.
        knob: String,
        /// What the plan asked for.
        requested: String,
        /// What the target or the kernel says; absent when nothing tells.
        effective: Option<String>,
        /// Where that was read.
        source: String,
        /// Whether the two agree; `None` when it could not be read.
        holds: Option<bool>,
    },
    /// An ingest phase's account.
    Ingested {
        /// In which cycle.
        cycle: u32,
        /// Rows sent.
        rows: u64,
        /// Bytes of the vectors acknowledged (dim × 4 a row).
        bytes: u64,
        /// Rows acknowledged.
        acked_rows: u64,
        /// Rows that timed out: perhaps there, perhaps not.
        indeterminate_rows: u64,
        /// Rows that the target refused.
        refused_rows: u64,
        /// `slow_down` answers.
        back_pressure: u64,
        /// Sending alone, in seconds.
        seconds: f64,
    },
    /// Latencies of one kind of operation in one phase.
    Latency {
        /// In which cycle.
        cycle: u32,
        /// In which phase.
        phase: Phase,
        /// `put`, `search`, `upsert`, `delete`.
        operation: String,
        /// The figures.
        #[serde(flatten)]
        summary: LatencySummary,
    },
    /// Rows were deleted.
    Deleted {
        /// In which cycle.
        cycle: u32,
        /// How many deletes were acknowledged.
        rows: u64,
        /// How many failed.
        failed: u64,
    },
    /// A compaction that was asked for ended.
    Compacted {
        /// In which cycle.
        cycle: u32,
        /// How long it took.
        seconds: f64,
        /// The target's error, when it failed.
        error: Option<String>,
    },
    /// The longest time of a phase for which no operation of a kind was answered although some were in flight. Waits under a second are left out.
    Unanswered {
        /// In which phase.
        phase: Phase,
        /// In which cycle.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cycle: Option<u32>,
        /// Which kind.
        operation: Operation,
        /// For how long, in seconds.
        seconds: f64,
    },
    /// No operation of a kind was answered for longer than a call may take.
    Unresponsive {
        /// In which phase.
        phase: Phase,
        /// In which cycle.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cycle: Option<u32>,
        /// Which kind.
        operation: Operation,
        /// How many of them were in flight when that was found.
        in_flight: u64,
        /// For how long none had been answered in the end, in seconds.
        seconds: f64,
        /// Whether one was answered again before the variant was ended for it.
        recovered: bool,
        /// Tasks that wait for a lock or a channel, by stack, the largest group first, at most 5.
        blocked: Vec<TaskGroup>,
        /// The last lines that the target had printed.
        last_lines: Vec<String>,
    },
    /// A phase took longer than the plan allows, which ended the variant.
    PhaseOverdue {
        /// Which phase.
        phase: Phase,
        /// In which cycle.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cycle: Option<u32>,
        /// How long it may take, in seconds.
        limit_s: f64,
    },
    /// An operation failed for a reason that was not seen before in this variant.
    OperationFailed {
        /// Which kind.
        operation: Operation,
        /// The error, in full.
        error: String,
    },
    /// The errors of one kind of operation in one phase.
    OperationErrors {
        /// In which phase.
        phase: Phase,
        /// In which cycle.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cycle: Option<u32>,
        /// Which kind.
        operation: Operation,
        /// The distinct reasons, the most frequent first, at most 12.
        reasons: Vec<ErrorReason>,
        /// Errors with further reasons.
        others: u64,
    },
    /// Tasks (goroutines) by the signature of their stack.
    Tasks {
        /// In which phase they were read.
        phase: Phase,
        /// In which cycle.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cycle: Option<u32>,
        /// The groups, largest first, at most 50.
        groups: Vec<TaskGroup>,
    },
    /// Goroutines that the runtime itself proves can never run again, after the drain.
    LeakedTasks {
        /// How many; absent where the runtime does not serve this profile.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        /// They by stack, largest first, at most 50.
        groups: Vec<TaskGroup>,
    },
    /// The target's own metrics page, at the idle baseline and after the drain.
    PageGrown {
        /// Series on it at the idle baseline.
        idle: u64,
        /// Series on it after the drain.
        drained: u64,
        /// Whether the page could not be read after the drain, so that `drained` is what it had at the end of the last cycle in which it could.
        #[serde(default)]
        at_least: bool,
        /// The families that grew, those that grew most first, at most 10.
        families: Vec<GrownFamily>,
    },
    /// What the target printed, from its start to the end of the variant.
    LogRead {
        /// Lines.
        lines: u64,
        /// Lines that tell of an error.
        errors: u64,
        /// Lines about compaction.
        compaction_lines: u64,
        /// Those of them that tell of an error.
        compaction_errors: u64,
        /// The errors by pattern, the most frequent first, at most 10.
        patterns: Vec<LogPattern>,
    },
    /// Recall of sampled searches against exact neighbours.
    Recall {
        /// In which cycle.
        cycle: u32,
        /// Searches compared.
        searches: u32,
        /// Mean share of the true neighbours found.
        recall: f64,
    },
    /// The harness may have been the bottleneck in this phase.
    HarnessSaturated {
        /// Which phase.
        phase: Phase,
        /// In which cycle.
        cycle: u32,
        /// Its processor share; 1 is one core.
        cpu_share: f64,
    },
    /// The floors were still filling when the planned cycles were over: more come.
    CyclesAdded {
        /// Cycles that are done.
        done: u32,
        /// Cycles that come beyond them.
        more: u32,
    },
    /// A person took a hand in the run. Counts against the verdict.
    ByHand {
        /// What was done.
        action: HandAction,
        /// In which phase.
        phase: Phase,
        /// Of which cycle.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cycle: Option<u32>,
        /// Why nothing came of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// Samples were lost because the disk did not keep up. Counts against the verdict.
    SamplesDropped {
        /// From which source.
        source: String,
        /// How many rows.
        rows: u64,
    },
    /// The target ended without being asked to.
    TargetDied {
        /// `exit 1`, `signal 9`, …
        how: String,
        /// The last lines it printed.
        last_lines: Vec<String>,
    },
    /// The kernel killed a process of the target for memory, or some sources say so.
    Oom {
        /// Who met whose limit.
        #[serde(default)]
        scope: OomScope,
        /// The limit that was met, where it is known.
        #[serde(default)]
        limit_bytes: Option<u64>,
        /// What was charged when it was met, as the kernel printed it.
        #[serde(default)]
        usage_bytes: Option<u64>,
        /// Name and id of the process that was killed.
        #[serde(default)]
        victim: Option<String>,
        /// The group whose limit was met.
        #[serde(default)]
        cgroup: Option<String>,
        /// In which phase.
        phase: Option<Phase>,
        /// What each source says.
        #[serde(default)]
        evidence: Vec<String>,
    },
    /// A fault is on.
    FaultApplied {
        /// Its number in the variant's run, from 0.
        id: u32,
        /// Its name in the scenario.
        fault: String,
        /// Its kind, as in the catalogue.
        kind: String,
        /// Its settings in words.
        settings: String,
        /// In which phase.
        phase: Phase,
        /// In which cycle.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cycle: Option<u32>,
        /// How long it took from the first touch until it was on, in seconds.
        #[serde(default)]
        took_s: f64,
    },
    /// What showed, at the end of the hold, that a fault took place.
    FaultShown {
        /// Its number.
        id: u32,
        /// Whether it did.
        took_place: bool,
        /// In words, with the numbers.
        words: String,
        /// The numbers by name, units last.
        figures: BTreeMap<String, f64>,
    },
    /// A fault was taken back.
    FaultHealed {
        /// Its number.
        id: u32,
        /// How long it was on.
        held_s: f64,
        /// What is left of it, where something is.
        error: Option<String>,
    },
    /// A fault that was due did not begin.
    FaultSkipped {
        /// Its name in the scenario.
        fault: String,
        /// In which cycle.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cycle: Option<u32>,
        /// Why.
        reason: String,
    },
    /// What the load saw before, during and after a fault.
    FaultLoad {
        /// Its number.
        id: u32,
        /// Which of the three.
        stage: Stage,
        /// How long the stage was.
        seconds: f64,
        /// Latencies of all operations that ended in it.
        #[serde(flatten)]
        summary: LatencySummary,
    },
    /// The first answer of the target after a fault was healed.
    FirstAnswer {
        /// The fault's number.
        id: u32,
        /// How long it took; absent when none came while the way back was watched.
        seconds: Option<f64>,
    },
    /// What is not as it was before a fault: limits, processes, connections.
    FaultResidue {
        /// The fault's number.
        id: u32,
        /// What was compared, in words.
        compared: Vec<String>,
        /// What differs, in words.
        differences: Vec<String>,
    },
    /// What the target holds, row by row, against what it acknowledged.
    Integrity {
        /// In which cycle.
        cycle: u32,
        /// Rows that are acknowledged and not deleted.
        expected: u64,
        /// Of those, rows that are not there.
        lost: u64,
        /// Rows that are there more than once.
        doubled: u64,
        /// Rows that are there although they were deleted or refused.
        resurrected: u64,
        /// Rows of which it is not known whether they were taken; they may be there or not.
        indeterminate: u64,
        /// Why it could not be told, where it could not.
        #[serde(default)]
        error: Option<String>,
    },
    /// A variant ended.
    VariantEnded {
        /// How.
        outcome: Outcome,
    },
    /// The run ended.
    RunEnded {
        /// Whether every variant of the plan was run to its end.
        complete: bool,
    },
}

/// A stage of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// From the start of the phase, or from the end of the fault before.
    Before,
    /// While it is on.
    During,
    /// While the way back is watched.
    After,
}

/// Who met whose memory limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OomScope {
    /// The target's main process met the target's own limit.
    #[default]
    Target,
    /// Another process of the target did; the main process was not the victim.
    Child,
    /// The machine, or a group around the target, ran out.
    Host,
    /// The sources disagree.
    Unknown,
}

/// How a variant ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Outcome {
    /// All its phases ran.
    Completed,
    /// The target failed: died, was killed for memory, stopped answering.
    TargetFailed {
        /// In one sentence.
        reason: String,
    },
    /// The harness or the machine failed; nothing can be said of the target.
    PlatformFailed {
        /// In one sentence.
        reason: String,
    },
    /// A person ended it.
    Interrupted,
    /// A stop condition of the scenario ended it.
    Stopped {
        /// Which, in one sentence.
        reason: String,
    },
}

/// Latencies in milliseconds. Corrected: from the moment at which the operation should have started. Uncorrected: from when it did.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LatencySummary {
    /// Operations that ended well.
    pub count: u64,
    /// Operations that ended with an error.
    pub errors: u64,
    /// Operations that found every place taken when they were due, and started late.
    pub late_starts: u64,
    /// Operations that were due and never started.
    pub never_started: u64,
    /// Percentiles, corrected.
    pub corrected: Percentiles,
    /// Percentiles, uncorrected.
    pub uncorrected: Percentiles,
}

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Percentiles {
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// Maximum.
    pub max_ms: f64,
}

/// One row of a source's table: what was read in one go.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Who read it.
    pub source: Source,
    /// Seconds since the run began.
    pub at_s: f64,
    /// Series and value; a series that could not be read is absent.
    pub values: Vec<(&'static str, f64)>,
}
