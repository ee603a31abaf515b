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
    /// How a process of this kind is started.
    pub launch: LaunchSettings,
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

/// HTTP paths by purpose, each `"GET /path"` or `"POST /path"`; `{dataset}` is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Endpoints {
    /// The Prometheus text page.
    pub metrics: Option<String>,
    /// The task (goroutine) dump with full stacks.
    pub tasks: Option<String>,
    /// Forces a collection; asked twice, because the first only marks what the second gives back.
    pub collect: Option<String>,
    /// Compacts one dataset and answers when it is done.
    pub compact: Option<String>,
    /// Compacts every dataset.
    pub compact_all: Option<String>,
    /// Gives retired memory back now.
    pub vacuum: Option<String>,
}
