//! A profile: how to talk to one kind of target. Ports, protocol, names of series, actions, launch settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::requests::Requests;
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
    /// How HTTPS is spoken with it; absent where it speaks HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
    /// What the load asks of a target that speaks HTTP.
    #[serde(default)]
    pub requests: Requests,
    /// Canonical series → the metric that holds it: `name`, or `name{label="value"}` (several matches are summed).
    pub series: BTreeMap<String, String>,
    /// Canonical series → an endpoint that answers in JSON and where in it the number is: `GET /path /json/pointer`; of a list, its length.
    #[serde(default)]
    pub json: BTreeMap<String, String>,
    /// Knob → the metric that holds its effective value.
    pub attest: BTreeMap<String, String>,
    /// Knob → why the server ignores it: it takes the setting and does nothing with it. Variants that differ in such knobs alone are one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ignores: BTreeMap<String, String>,
    /// Knob → the least value that the server takes, where it is more than a scenario may ask for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub at_least: BTreeMap<String, u64>,
    /// Knob → the greatest value that the server takes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub at_most: BTreeMap<String, u64>,
    /// Canonical series that are a model of something the target does not have: shown, labelled, never judged.
    pub modelled: Vec<String>,
    /// Whether the target takes `--misbehave` (through `{misbehave}` among the arguments).
    pub can_misbehave: bool,
    /// Whether it is always given a folder to keep its data in, because it does not start without.
    #[serde(default)]
    pub needs_data_dir: bool,
    /// What is asked of it when something is wrong, beside its endpoints.
    #[serde(default)]
    pub diagnosis: DiagnosisSettings,
}

/// How HTTPS is spoken with a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsSettings {
    /// PEM file with the certificates of the authorities that are trusted.
    pub ca_file: String,
    /// Name that the certificate has to have; absent for the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Addresses that speak HTTPS: `http`, `metrics`, `profile`. One without an address of its own is on `http`.
    pub sides: Vec<String>,
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
    /// Requests of the profile's own, to the HTTP address.
    Http,
}

impl Profile {
    /// Whether it says where this canonical series is read.
    pub fn claims(&self, series: &str) -> bool {
        self.series.contains_key(series) || self.json.contains_key(series)
    }

    /// Whether its launch gives the metrics, or the profiles, an address of their own (`side` is `metrics` or `profile`).
    pub fn has_own(&self, side: &str) -> bool {
        let port = self.container.as_ref().and_then(|container| match side {
            "metrics" => container.ports.metrics,
            _ => container.ports.profile,
        });
        let mut texts = self.launch.args.iter().chain(self.launch.env.values());
        port.is_some()
            || texts
                .any(|text| ["addr", "host", "port"].iter().any(|part| text.contains(&format!("{{{side}_{part}}}"))))
    }

    /// Whether a put or a drop is answered once the index has caught up: a batch over HTTP is.
    pub fn answers_when_indexed(&self) -> bool {
        self.protocol == Protocol::Http
            && self.requests.create.as_ref().is_some_and(crate::requests::RequestTemplate::is_batch)
    }

    /// Whether a variant's setting of this knob reaches such a target; the kernel's limit always does.
    pub fn sets(&self, knob: &str) -> bool {
        let placeholder = format!("{{{knob}}}");
        if self.ignores.contains_key(knob) {
            return false;
        }
        let launch = || self.launch.args.iter().chain(self.launch.env.values());
        let told = |placeholder: &str| launch().any(|text| text.contains(placeholder));
        match (self.protocol, knob) {
            (_, "memory_limit" | "query_rate") | (Protocol::Flight, "dim" | "batch_rows") => true,
            (Protocol::Http, "dim" | "batch_rows") => self.requests.tell(knob),
            (Protocol::Http, "hnsw_m" | "ef_construction") => self.requests.tell(knob) || told(&placeholder),
            (_, "gomemlimit") => told(&placeholder) || told("{max_memory}"),
            _ => told(&placeholder),
        }
    }
}

/// How a process is started. Arguments and values may hold `{data_addr}`, `{meta_addr}`, `{http_addr}`, `{metrics_addr}`, `{profile_addr}` (each also as
/// `_host` and `_port`), `{free_port:NAME}`, `{data_dir}` and any knob (`{gogc}`, `{gomemlimit}` in bytes, `{max_memory}` the same with Go's largest
/// value for "off", `{hnsw_m}`, `{ef_construction}`, `{compaction_interval}` as `30s`); the argument `{misbehave}` stands for `--misbehave key=value`
/// pairs. A knob that is off is written as `off` spells it; without a spelling, variables and arguments that hold it are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LaunchSettings {
    /// Command-line arguments.
    pub args: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// What a file of settings holds that each launch writes, by dotted path; no file where it is empty.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// Arguments that name that file, as `{settings}`; given where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings_args: Vec<String>,
    /// Knob → how the server spells "off" for it. A variable whose knob is off and that has no spelling here is not set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub off: BTreeMap<String, String>,
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

/// Ports of what a target listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Data plane.
    #[serde(rename = "data_port")]
    pub data: u16,
    /// Meta plane.
    #[serde(rename = "meta_port")]
    pub meta: u16,
    /// The HTTP side: requests of the load, metrics and admin.
    #[serde(rename = "http_port")]
    pub http: u16,
    /// Metrics, where they have a port of their own.
    #[serde(default, rename = "metrics_port", skip_serializing_if = "Option::is_none")]
    pub metrics: Option<u16>,
    /// Profiles and dumps (pprof), where they have a port of their own.
    #[serde(default, rename = "profile_port", skip_serializing_if = "Option::is_none")]
    pub profile: Option<u16>,
}

impl Default for Ports {
    /// Longbow's.
    fn default() -> Self {
        Self { data: 3000, meta: 3001, http: 9090, metrics: None, profile: None }
    }
}

impl Endpoints {
    /// Whether a compaction can be asked for.
    pub fn compacts(&self) -> bool {
        self.compact.is_some() || self.compact_all.is_some()
    }
}

/// HTTP paths by purpose, each `"GET /path"` or `"POST /path"`; `{dataset}`, `{leak}` and `{seconds}` are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Endpoints {
    /// Answers with a status of success once the target is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// The Prometheus text page.
    pub metrics: Option<String>,
    /// The task (goroutine) dump with full stacks.
    pub tasks: Option<String>,
    /// Tasks that the runtime proves can never run again, as a dump with full stacks.
    #[serde(default)]
    pub leaked_tasks: Option<String>,
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
    /// Empties its caches now.
    #[serde(default)]
    pub clear_cache: Option<String>,
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
