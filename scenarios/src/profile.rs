//! A profile: how to talk to one kind of target. Ports, protocol, names of series, actions, launch settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How to talk to one kind of target. The files are in `scenarios/profiles/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The name in scenarios, such as `reference`.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// What the load speaks.
    pub protocol: Protocol,
    /// How a process of this kind is started, in a container or outside.
    pub launch: LaunchSettings,
    /// How a container of this kind is run; absent when the profile names no image.
    pub container: Option<ContainerProfile>,
    /// HTTP paths by purpose; a purpose that is absent is one that the target lacks.
    pub endpoints: Endpoints,
    /// Canonical series → the metric that holds it: `name`, or `name{label="value"}` (several matches are summed).
    pub series: BTreeMap<String, String>,
    /// Knob → the metric that holds its effective value.
    pub attest: BTreeMap<String, String>,
    /// Canonical series that are a model of something the target does not have: shown, labelled, never judged.
    pub modelled: Vec<String>,
    /// Whether the target takes `--misbehave` (through `{misbehave}` among the arguments).
    pub can_misbehave: bool,
    /// What is asked of it when something is wrong, beside its endpoints.
    #[serde(default)]
    pub diagnosis: DiagnosisSettings,
}

/// What `soak diag` asks of a target beside its endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DiagnosisSettings {
    /// The metric with the bytes of each dataset, by a label.
    pub datasets: Option<String>,
    /// Setting, as people call it → the variable of the target's environment that holds it. No other variable is ever read.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Pages of its own, by what is on them, such as `connections = "GET /api/debug/connections"`.
    #[serde(default)]
    pub pages: BTreeMap<String, String>,
    /// The signal at which it writes a heap dump: `USR1` or `USR2`.
    pub heap_dump_signal: Option<String>,
    /// Where it writes that, with `*` for what differs.
    pub heap_dump_files: Option<String>,
}

/// What the load speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Arrow Flight with Longbow's contract: data plane, meta plane.
    Flight,
}

/// How a process is started. Arguments and values may hold `{data_addr}`, `{meta_addr}`, `{http_addr}`, `{data_dir}` and any knob (`{gogc}`,
/// `{gomemlimit}` in bytes or `off`, `{hnsw_m}`, `{ef_construction}`, `{compaction_interval}` as `30s` or `off`); the argument `{misbehave}` stands for `--misbehave key=value` pairs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LaunchSettings {
    /// Command-line arguments.
    pub args: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
}

/// A container of this kind. Arguments and environment are those of [`LaunchSettings`], with addresses inside the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerProfile {
    /// The image's name and tag.
    pub image: String,
    /// A folder with a `Dockerfile`, from which the image is built first.
    pub build: Option<String>,
    /// What it listens on inside.
    #[serde(flatten)]
    pub ports: Ports,
    /// Paths inside that are given a fresh volume.
    pub volumes: Vec<String>,
}

/// Ports of the three planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Data plane.
    #[serde(rename = "data_port")]
    pub data: u16,
    /// Meta plane.
    #[serde(rename = "meta_port")]
    pub meta: u16,
    /// Metrics and the admin side.
    #[serde(rename = "http_port")]
    pub http: u16,
}

impl Default for Ports {
    /// Longbow's.
    fn default() -> Self {
        Self { data: 3000, meta: 3001, http: 9090 }
    }
}

/// HTTP paths by purpose, each `"GET /path"` or `"POST /path"`; `{dataset}`, `{leak}` and `{seconds}` are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Endpoints {
    /// The Prometheus text page.
    pub metrics: Option<String>,
    /// The task (goroutine) dump with full stacks.
    pub tasks: Option<String>,
    /// The heap profile, as a pprof.
    #[serde(default)]
    pub heap_profile: Option<String>,
    /// A profile of the processor over `{seconds}`, as a pprof.
    #[serde(default)]
    pub cpu_profile: Option<String>,
    /// Forces a collection; asked twice, because the first only marks what the second gives back.
    pub collect: Option<String>,
    /// Compacts one dataset and answers when it is done.
    pub compact: Option<String>,
    /// Compacts every dataset.
    pub compact_all: Option<String>,
    /// Gives retired memory back now.
    pub vacuum: Option<String>,
    /// Begins a leak; `{leak}` stands for `bytes_rate=…` or `tasks_rate=…`.
    #[serde(default)]
    pub leak: Option<String>,
    /// Ends the leak and gives back what it held.
    #[serde(default)]
    pub leak_stop: Option<String>,
}
