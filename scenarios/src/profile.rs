//! A profile: how to talk to one kind of target. Ports, protocol, names of series, actions, launch settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::runbook::Runbook;

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
    /// What a deployment of this kind is called; absent when the profile does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceNames>,
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
    /// Begins a leak; `{leak}` stands for `bytes_rate=…` or `tasks_rate=…`.
    #[serde(default)]
    pub leak: Option<String>,
    /// Ends the leak and gives back what it held.
    #[serde(default)]
    pub leak_stop: Option<String>,
}

/// What a deployment is called, for the commands of somebody on call. What is absent is guessed from the profile's name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceNames {
    /// Kubernetes' kind and name, such as `deployment/longbow`.
    pub workload: Option<String>,
    /// Kubernetes' namespace.
    pub namespace: Option<String>,
    /// The container's name in its pod.
    pub container: Option<String>,
    /// systemd's unit.
    pub unit: Option<String>,
    /// The program's name as `pgrep` takes it.
    pub process: Option<String>,
    /// The file of settings.
    pub config: Option<String>,
}

/// The names of a deployment, all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Kubernetes' kind and name.
    pub workload: String,
    /// Kubernetes' namespace, where it is not the default one.
    pub namespace: Option<String>,
    /// The container's name in its pod.
    pub container: String,
    /// systemd's unit.
    pub unit: String,
    /// The program's name.
    pub process: String,
    /// The file of settings.
    pub config: String,
}

impl Service {
    /// The namespace as an argument of `kubectl`, with a space before it.
    pub fn in_namespace(&self) -> String {
        self.namespace.as_ref().map_or_else(String::new, |namespace| format!(" -n {namespace}"))
    }
}

impl Profile {
    /// What a deployment is called: as the profile says, else as the runbook for Guts has it, else by the profile's name.
    pub fn service(&self) -> Service {
        let names = self.service.clone().unwrap_or_default();
        let guts = Runbook::of(self) == Runbook::Guts;
        let name = if guts { "guts-node" } else { self.name.as_str() };
        let kind = if guts { "statefulset" } else { "deployment" };
        let folder = if guts { "guts" } else { name };
        Service {
            workload: names.workload.unwrap_or_else(|| format!("{kind}/{name}")),
            namespace: names.namespace.or_else(|| guts.then(|| "guts".to_owned())),
            container: names.container.unwrap_or_else(|| name.to_owned()),
            unit: names.unit.unwrap_or_else(|| name.to_owned()),
            process: names.process.unwrap_or_else(|| name.to_owned()),
            config: names.config.unwrap_or_else(|| format!("/etc/{folder}/config.yaml")),
        }
    }
}
