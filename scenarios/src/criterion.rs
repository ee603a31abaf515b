//! The criteria that a scenario may set a threshold for: their names, units and directions. How each is judged is the verdict crate's business.

use std::time::Duration;

/// Replicas killed for memory within this time of one another are one cascade. After a first death the others are watched for as long.
pub const CASCADE_WITHIN: Duration = Duration::from_secs(30);

/// A criterion that a scenario may set a threshold for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CriterionSpec {
    /// The name in scenarios, findings and test cases.
    pub id: &'static str,
    /// The unit of value and thresholds.
    pub unit: Unit,
    /// Which thresholds mean something.
    pub bounds: Bounds,
    /// What it asks, in one sentence.
    pub doc: &'static str,
}

/// The unit of a criterion's value; the text form in a scenario follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `"1MiB/cycle"`
    BytesPerCycle,
    /// `"1MiB/min"`
    BytesPerSecond,
    /// `"25%"`, a share of 1 inside.
    Share,
    /// `"5s"`
    Seconds,
    /// `"80B"`
    Bytes,
    /// A plain number.
    Count,
    /// A plain number: bytes per byte.
    Ratio,
}

impl Unit {
    /// The unit as it stands in `verdict.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::BytesPerCycle => "bytes/cycle",
            Self::BytesPerSecond => "bytes/s",
            Self::Share => "share",
            Self::Seconds => "s",
            Self::Bytes => "bytes",
            Self::Count => "count",
            Self::Ratio => "ratio",
        }
    }
}

/// Which thresholds a criterion takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    /// `at_most` alone.
    AtMost,
    /// `at_most`, and `at_most_of_ingested` which may raise it.
    AtMostOfIngested,
    /// `at_least`, and `at_most` which is noted and does not fail.
    AtLeast,
}

/// Every criterion, in the order of reports.
pub const CRITERIA: &[CriterionSpec] = &[
    CriterionSpec {
        id: "rss_floor",
        unit: Unit::BytesPerCycle,
        bounds: Bounds::AtMostOfIngested,
        doc: "Does anonymous resident memory return to the same floor after each cycle?",
    },
    CriterionSpec {
        id: "heap_floor",
        unit: Unit::BytesPerCycle,
        bounds: Bounds::AtMostOfIngested,
        doc: "Does the heap in use, after forced collection, return to the same floor after each cycle?",
    },
    CriterionSpec {
        id: "cache_floor",
        unit: Unit::BytesPerCycle,
        bounds: Bounds::AtMostOfIngested,
        doc: "Does the target's cache return to the same size after each cycle? Asked of targets that tell it.",
    },
    CriterionSpec {
        id: "rss_trend",
        unit: Unit::BytesPerSecond,
        bounds: Bounds::AtMost,
        doc: "Does anonymous resident memory grow while the load stays the same? Asked of query phases of ten minutes or more.",
    },
    CriterionSpec {
        id: "compaction_reclaim",
        unit: Unit::Share,
        bounds: Bounds::AtLeast,
        doc: "Which share of the memory above the idle floor does compaction give back?",
    },
    CriterionSpec {
        id: "compaction_time",
        unit: Unit::Seconds,
        bounds: Bounds::AtMost,
        doc: "How long does the longest compaction take?",
    },
    CriterionSpec {
        id: "compaction_overdue",
        unit: Unit::Seconds,
        bounds: Bounds::AtMost,
        doc: "How long do deleted rows wait for a compaction? Asked of targets that count both.",
    },
    CriterionSpec {
        id: "goroutine_baseline",
        unit: Unit::Count,
        bounds: Bounds::AtMost,
        doc: "How many goroutines (tasks) more than at the idle baseline are left after the drain?",
    },
    CriterionSpec {
        id: "leaked_goroutines",
        unit: Unit::Count,
        bounds: Bounds::AtMost,
        doc: "How many goroutines does the runtime prove can never run again, after the drain? Asked of targets that serve Go's goroutineleak profile.",
    },
    CriterionSpec {
        id: "connection_baseline",
        unit: Unit::Count,
        bounds: Bounds::AtMost,
        doc: "How many connections more than at the idle baseline are open after the drain? Asked of targets that count them.",
    },
    CriterionSpec {
        id: "pending_baseline",
        unit: Unit::Count,
        bounds: Bounds::AtMost,
        doc: "How many items (transactions, jobs) more than at the idle baseline wait after the drain? Asked of targets that tell it.",
    },
    CriterionSpec {
        id: "dataset_baseline",
        unit: Unit::Count,
        bounds: Bounds::AtMost,
        doc: "How many datasets more than at the idle baseline are left after the drain? Asked of targets that count them.",
    },
    CriterionSpec {
        id: "metrics_cardinality",
        unit: Unit::Count,
        bounds: Bounds::AtMost,
        doc: "How many series more than at the idle baseline does the target's own metrics page have after the drain?",
    },
    CriterionSpec {
        id: "peak_per_ingested",
        unit: Unit::Ratio,
        bounds: Bounds::AtMost,
        doc: "How far does memory rise above the floor while indexing, per byte ingested?",
    },
    CriterionSpec {
        id: "node_overhead",
        unit: Unit::Bytes,
        bounds: Bounds::AtMost,
        doc: "How many bytes does the index take for each node, the vector not counted? Asked of targets that tell its size.",
    },
    CriterionSpec {
        id: "resident_per_vector",
        unit: Unit::Ratio,
        bounds: Bounds::AtMost,
        doc: "How many times the bytes of the live vectors are resident, mapped files included, with data at rest?",
    },
    CriterionSpec {
        id: "time_to_baseline",
        unit: Unit::Seconds,
        bounds: Bounds::AtMost,
        doc: "How long after the data is gone does resident memory need to reach its floor?",
    },
    CriterionSpec {
        id: "unresponsive_time",
        unit: Unit::Seconds,
        bounds: Bounds::AtMost,
        doc: "For how long is no operation of a kind answered although some are in flight? Twice the deadline of a call ends the variant.",
    },
    CriterionSpec {
        id: "operation_errors",
        unit: Unit::Share,
        bounds: Bounds::AtMost,
        doc: "Which share of the operations of one kind fails in a phase, and why?",
    },
    CriterionSpec {
        id: "log_errors",
        unit: Unit::Count,
        bounds: Bounds::AtMost,
        doc: "How many lines of the target's log tell of an error? Asked of targets that the run starts.",
    },
    CriterionSpec {
        id: "latency_rise",
        unit: Unit::Share,
        bounds: Bounds::AtMost,
        doc: "By which share does the same search take longer in the last cycles than in the first?",
    },
    CriterionSpec {
        id: "heap_goal",
        unit: Unit::Share,
        bounds: Bounds::AtMost,
        doc: "How far from the goal that GOGC and GOMEMLIMIT set does Go's heap peak? Asked of targets with a Go runtime.",
    },
    CriterionSpec {
        id: "unexplained_memory",
        unit: Unit::Share,
        bounds: Bounds::AtMost,
        doc: "Which share of what the cgroup charges does no part of the memory ledger explain? Asked of targets in a cgroup.",
    },
    CriterionSpec {
        id: "oom_cascade",
        unit: Unit::Count,
        bounds: Bounds::AtMost,
        doc: "How many replicas did the kernel kill for memory within 30 s of one another? Asked of targets with replicas.",
    },
    CriterionSpec {
        id: "fault_shown",
        unit: Unit::Count,
        bounds: Bounds::AtMost,
        doc: "How many faults are not shown to have taken place? More than allowed is inconclusive, never a fail.",
    },
    CriterionSpec {
        id: "fault_recovery",
        unit: Unit::Seconds,
        bounds: Bounds::AtMost,
        doc: "How long after a fault is healed are anonymous memory and tasks back where they were before it?",
    },
    CriterionSpec {
        id: "first_answer",
        unit: Unit::Seconds,
        bounds: Bounds::AtMost,
        doc: "How long after a fault is healed does the target answer again?",
    },
    CriterionSpec {
        id: "acknowledged_data",
        unit: Unit::Count,
        bounds: Bounds::AtMost,
        doc: "How many acknowledged rows are lost, there twice, or there again after a fault?",
    },
    CriterionSpec {
        id: "fault_residue",
        unit: Unit::Count,
        bounds: Bounds::AtMost,
        doc: "How many limits, processes, connections or tasks are not as before a fault once it is healed?",
    },
    CriterionSpec {
        id: "fault_growth",
        unit: Unit::BytesPerSecond,
        bounds: Bounds::AtMost,
        doc: "How fast does memory in use grow while the target leaks because it was asked to? Without a threshold it shows what a run sees of a known leak.",
    },
    CriterionSpec {
        id: "unverified_settings",
        unit: Unit::Count,
        bounds: Bounds::AtMost,
        doc: "How many settings did not take effect? A setting that the server does not report counts where variants differ in it.",
    },
];

/// The criterion of this id.
pub fn find(id: &str) -> Option<&'static CriterionSpec> {
    CRITERIA.iter().find(|spec| spec.id == id)
}
