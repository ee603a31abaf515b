//! The plan: a checked scenario, expanded into variants. All that a run needs to know, and all that a judge needs to repeat its verdict.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::adapt::Adapted;
use crate::calibration::{Calibration, Fitted};
use crate::control::PositiveControl;
use crate::dose::Dose;
use crate::fault::Fault;
use crate::launch::Launch;
use crate::misbehave::Misbehave;
use crate::profile::Profile;
use crate::units::{Bytes, Gogc, Interval, Limit, QueryRate, Rate, Share, Span};

/// The version of the plan's JSON form. A reader refuses a greater one.
pub const PLAN_SCHEMA: u32 = 1;

/// The vectors of one batch, at most: a gRPC message of 2 GiB, less what goes around them.
pub const MESSAGE_BYTES_MAX: u64 = (2 << 30) - (1 << 20);

/// A checked scenario, expanded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_SCHEMA`] of the writer.
    pub schema: u32,
    /// The scenario's name, such as `scenario2`.
    pub scenario: String,
    /// One line for people.
    pub title: String,
    /// Where the scenario came from: a path, or `built-in`.
    pub source: String,
    /// The runbook section that the scenario rehearses.
    pub runbook: Option<RunbookSection>,
    /// How long, and so how much it can see.
    pub pace: Pace,
    /// Seed of everything random in the run.
    pub seed: u64,
    /// What is tested.
    pub target: Target,
    /// What it is loaded with.
    pub workload: Workload,
    /// How one variant's run is cut into cycles and windows.
    pub cycle: Cycle,
    /// How often series are read.
    pub sampling: Sampling,
    /// How long any one thing may take.
    pub deadlines: Deadlines,
    /// What is fitted to the server before the run.
    #[serde(default)]
    pub calibration: Calibration,
    /// Numbers that were fitted to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fitted: Vec<Fitted>,
    /// What is injected, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub faults: BTreeMap<String, Fault>,
    /// Lots instead of a schedule.
    #[serde(default)]
    pub chaos: Chaos,
    /// What ends the run safely.
    #[serde(default)]
    pub stop: Stop,
    /// Thresholds by criterion. A criterion that is absent here is informational: shown, never judged.
    pub criteria: BTreeMap<String, Threshold>,
    /// The points of the matrix, in the order in which they run.
    pub variants: Vec<Variant>,
    /// Axes of the matrix that the server ignores: they have one value in every variant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<IgnoredAxis>,
    /// What a built-in scenario asks for and the server cannot be asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adapted: Vec<Adapted>,
    /// What the scenario has to be able to see, besides a leak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive_control: Option<PositiveControl>,
    /// Why a positive control is missing although one is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_control: Option<String>,
    /// Whether this is the smallest run of the plan, which shows only that everything is connected.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_smoke: bool,
    /// The command-line edits (`--set path=value`) that were applied, for the line that reproduces a finding.
    pub edits: Vec<String>,
}

/// The source of a plan whose scenario is built in.
pub(crate) const BUILT_IN: &str = "built-in";

impl Plan {
    /// Whether its scenario is built in, and not from a file.
    pub fn is_built_in(&self) -> bool {
        self.source == BUILT_IN
    }
}

/// An axis of the matrix that the server ignores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgnoredAxis {
    /// The knob.
    pub knob: String,
    /// The values that the scenario asks for.
    pub values: Vec<String>,
    /// Why they make no difference, as the profile says.
    pub reason: String,
}

/// A section of a runbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunbookSection {
    /// The runbook's title.
    pub runbook: String,
    /// The heading inside it.
    pub section: String,
}

/// How long a run takes. The criteria are the same at every pace; what they can see is not, and each finding says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// A demonstration: at most four minutes.
    #[default]
    Quick,
    /// Continuous integration: at most thirty minutes.
    Gate,
    /// Hours: natural reclaim and slow trends.
    Soak,
}

impl Pace {
    /// Every pace, shortest first.
    pub const ALL: [Self; 3] = [Self::Quick, Self::Gate, Self::Soak];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Gate => "gate",
            Self::Soak => "soak",
        }
    }
}

/// What is tested and how it is started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// What to start, or to find running.
    pub launch: Launch,
    /// How to talk to it.
    pub profile: Profile,
    /// Faults of its own that the target is asked to have; empty for a healthy run.
    pub misbehave: Misbehave,
    /// It is given a folder to keep its data in.
    #[serde(default)]
    pub durable: bool,
    /// Size of that folder, where it is a volume of its own.
    #[serde(default)]
    pub data_volume: Option<Bytes>,
    /// How ready the kernel is to kill it when memory is short, where that is set: −1000 for never to 1000 for first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i32>,
    /// Faults may be injected although it was running already.
    #[serde(default)]
    pub permit_faults: bool,
}

/// What the target is loaded with in each cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// Where the vectors lie.
    pub distribution: Distribution,
    /// The type of the id column.
    pub ids: IdType,
    /// Rows put in one cycle, by dimension; key 0 is the default.
    pub vectors_per_cycle: BTreeMap<u32, u64>,
    /// The ingest phase.
    pub ingest: Ingest,
    /// The query phase.
    pub query: Query,
    /// Share of the rows put in a cycle that are deleted before compaction.
    pub delete: Share,
    /// How a cycle empties the store.
    #[serde(default)]
    pub clear: Clear,
    /// Every cycle puts the ids and names of the first again; else none is ever used twice.
    #[serde(default)]
    pub same_names: bool,
    /// Connections at once, at most, to a target that speaks HTTP.
    #[serde(default = "default_connections")]
    pub connections: u32,
    /// Whether such a connection serves more than one request.
    #[serde(default = "default_keep_alive")]
    pub keep_alive: bool,
}

fn default_connections() -> u32 {
    64
}

fn default_keep_alive() -> bool {
    true
}

/// How a cycle empties the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clear {
    /// The dataset is dropped.
    #[default]
    Dataset,
    /// Every row that is left is deleted, and then compacted away.
    Rows,
}

impl Clear {
    /// Every way.
    pub const ALL: [Self; 2] = [Self::Dataset, Self::Rows];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::Rows => "rows",
        }
    }
}

impl Workload {
    /// Rows put in one cycle at this dimension.
    pub fn rows_per_cycle(&self, dim: u32) -> u64 {
        self.vectors_per_cycle.get(&dim).or_else(|| self.vectors_per_cycle.get(&0)).copied().unwrap_or(0)
    }
}

/// Where the vectors lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Each component uniform in [−1, 1).
    Uniform,
    /// Gaussian clouds around a few dozen centres: what embeddings look like to an index.
    Clustered,
    /// Gaussian directions on the unit sphere.
    Normalised,
}

impl Distribution {
    /// Every distribution.
    pub const ALL: [Self; 3] = [Self::Uniform, Self::Clustered, Self::Normalised];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Clustered => "clustered",
            Self::Normalised => "normalised",
        }
    }
}

/// The type of the id column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdType {
    /// 64-bit integers.
    Int64,
    /// Text, 16 characters each.
    Utf8,
}

impl IdType {
    /// Every type.
    pub const ALL: [Self; 2] = [Self::Int64, Self::Utf8];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int64 => "int64",
            Self::Utf8 => "utf8",
        }
    }
}

/// The ingest phase of a cycle: batches put through `streams` streams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ingest {
    /// When batches are sent; rates count batches.
    pub schedule: Schedule,
    /// How many streams at once.
    pub streams: u32,
    /// Share of the rows that are put a second time under the same id.
    pub upserts: Share,
}

/// The query phase of a cycle: a mix of operations in an open model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// When operations start, whether or not earlier ones have ended.
    pub schedule: Schedule,
    /// How long the phase takes.
    pub duration: Span,
    /// Neighbours asked for.
    pub k: u32,
    /// Operations in flight at once, at most; what finds no place is counted.
    pub in_flight: u32,
    /// Weights of the operations.
    pub mix: Mix,
}

/// Weights of the operations of the query phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mix {
    /// Nearest-neighbour searches.
    pub search: u32,
    /// Puts of one row under an id that is live.
    pub upsert: u32,
    /// Deletes of a live row.
    pub delete: u32,
}

/// When operations start: an open model, but for [`Schedule::All`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// As fast as the target takes them.
    All,
    /// Evenly spaced.
    Constant(Rate),
    /// From one rate to another over the phase.
    Ramp {
        /// Rate at the start.
        from: Rate,
        /// Rate at the end.
        to: Rate,
    },
    /// One rate, then another.
    Step {
        /// Rate before.
        from: Rate,
        /// Rate after.
        to: Rate,
        /// When it changes, from the start of the phase.
        at: Span,
    },
    /// A base rate with bursts.
    Burst {
        /// Rate between bursts.
        base: Rate,
        /// Rate within.
        peak: Rate,
        /// Start to start.
        every: Span,
        /// Length of a burst.
        length: Span,
    },
}

/// How one variant's run is cut into cycles and windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cycle {
    /// Cycles, the warm-up included.
    pub count: u32,
    /// Where the floors are still filling after `count`, cycles go on until there are so many; `None` is `count`.
    #[serde(default)]
    pub at_most: Option<u32>,
    /// Cycles at the start that are not counted.
    pub warm_up: u32,
    /// Length of the window whose median is a floor.
    pub window: Span,
    /// A window starts when the series has settled, or after this long at the latest.
    pub settle_at_most: Span,
    /// Length of the idle window before the first cycle.
    pub cold_idle: Span,
    /// Length of the idle window after the warm-up, with every connection closed.
    pub idle: Span,
    /// How long tasks may take to drain after the last cycle.
    pub drain_at_most: Span,
}

impl Cycle {
    /// The most cycles there can be.
    pub fn most(&self) -> u32 {
        self.at_most.unwrap_or(self.count).max(self.count)
    }
}

/// How often series are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    /// `/proc/PID/status` and the cgroup.
    pub process: Span,
    /// The target's metrics page.
    pub metrics: Span,
    /// `/proc/PID/smaps_rollup`, which walks the page tables.
    pub smaps: Span,
}

/// How long any one thing may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines {
    /// From start to the first answer.
    pub boot: Span,
    /// One call.
    pub call: Span,
    /// From the last acknowledgement until all of it is indexed; also one compaction.
    pub index: Span,
    /// The load of one phase: an ingest (on top of its schedule), the deletes, the clearing.
    pub phase: Span,
}

/// Faults drawn by lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chaos {
    /// How many are drawn in each counted cycle; 0 leaves every fault to its own entry.
    pub draw: u32,
    /// A fault that was drawn begins at a moment of this length.
    pub within: Span,
    /// So many times as long is `after`, `hold` and `watch` of every fault as its entry in the file says; those of the plan are stretched already.
    #[serde(default = "unstretched")]
    pub stretch: u32,
}

fn unstretched() -> u32 {
    1
}

impl Default for Chaos {
    fn default() -> Self {
        Self { draw: 0, within: Span::seconds(0), stretch: unstretched() }
    }
}

/// What ends a run safely. It says nothing of the target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// The machine has less than this available.
    pub host_memory_below: Bytes,
    /// More of the operations of a query phase than this fail, outside of faults.
    #[serde(default)]
    pub error_rate_above: Option<Share>,
    /// A variant has taken this long.
    #[serde(default)]
    pub after: Option<Span>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { host_memory_below: Bytes::mib(0), error_rate_above: None, after: None }
    }
}

/// What a criterion's value is held against, in the criterion's own unit (bytes, seconds, a share of 1, a count).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Threshold {
    /// Greater fails.
    pub at_most: Option<f64>,
    /// Less fails.
    pub at_least: Option<f64>,
    /// For floors: the tolerance is never under this share of the bytes ingested in a cycle.
    pub at_most_of_ingested: Option<f64>,
}

impl Threshold {
    /// For floors: what one may grow by in a cycle that ingests so many bytes.
    pub fn floor_tolerance(&self, ingested: f64) -> f64 {
        self.at_most.unwrap_or(0.0).max(self.at_most_of_ingested.unwrap_or(0.0) * ingested)
    }
}

/// One point of the matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// Names the dimension, the batch rows, and every other axis that varies: `dim1536-rows500-gogc10`.
    pub id: String,
    /// The settings.
    pub knobs: Knobs,
    /// Seed of this variant's data; equal for variants that differ only in how the same data is sent.
    pub seed: u64,
    /// The leak that is put in on purpose; such a variant shows what the run can see, and is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose: Option<Dose>,
    /// The misbehaviour that is put in on purpose, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<PositiveControl>,
}

impl Variant {
    /// Whether something was put into it on purpose, to show what the run can see.
    pub fn is_control(&self) -> bool {
        self.dose.is_some() || self.control.is_some()
    }
}

/// The settings of a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Knobs {
    /// Components of a vector.
    pub dim: u32,
    /// Rows of one Flight message.
    pub batch_rows: u32,
    /// Go's collector setting.
    pub gogc: Gogc,
    /// Go's soft memory limit.
    pub gomemlimit: Limit,
    /// The kernel's limit for the target.
    pub memory_limit: Limit,
    /// Neighbours of a graph node (`hnsw_max_connections`).
    pub hnsw_m: u32,
    /// Candidates while a node is inserted.
    pub ef_construction: u32,
    /// How often the target compacts by itself.
    pub compaction_interval: Interval,
    /// How fast the query phase asks.
    #[serde(default)]
    pub query_rate: QueryRate,
}

impl Knobs {
    /// Name and text of every knob, in the order of the matrix.
    pub fn settings(&self) -> [(&'static str, String); 9] {
        [
            ("dim", self.dim.to_string()),
            ("batch_rows", self.batch_rows.to_string()),
            ("gogc", self.gogc.to_string()),
            ("gomemlimit", self.gomemlimit.to_string()),
            ("memory_limit", self.memory_limit.to_string()),
            ("hnsw_m", self.hnsw_m.to_string()),
            ("ef_construction", self.ef_construction.to_string()),
            ("compaction_interval", self.compaction_interval.to_string()),
            ("query_rate", self.query_rate.to_string()),
        ]
    }

    /// Whether this knob is off.
    pub fn is_off(&self, knob: &str) -> bool {
        match knob {
            "gogc" => self.gogc == Gogc::Off,
            "gomemlimit" => self.gomemlimit == Limit::Off,
            "memory_limit" => self.memory_limit == Limit::Off,
            "compaction_interval" => self.compaction_interval == Interval::Off,
            _ => false,
        }
    }

    /// Takes away limits that are a share of the peak: nothing is limited while the peak is measured.
    pub(crate) fn drop_relative_limits(&mut self) {
        for limit in [&mut self.memory_limit, &mut self.gomemlimit] {
            if matches!(limit, Limit::OfPeak(_)) {
                *limit = Limit::Off;
            }
        }
    }

    /// The query phase of such a variant.
    pub fn query(&self, planned: &Query) -> Query {
        let schedule = match self.query_rate {
            QueryRate::Planned => planned.schedule,
            QueryRate::At(rate) => Schedule::Constant(rate),
        };
        Query { schedule, ..planned.clone() }
    }
}
