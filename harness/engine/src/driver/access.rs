//! How a target is reached once it runs, whatever started it: the client of the load, the control, the probe.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use soak_scenario::units::{Interval, Limit};
use soak_scenario::{Attach, Knobs, LaunchSettings, Plan, Ports, Profile, Protocol, Variant};

use super::control::HttpControl;
use super::data_folder::{DataFolder, settings_in};
use super::probe::{TargetProbe, Watched};
use crate::client::{DataSpec, FlightClient, HttpAccess, HttpClient, IndexSpec, Planes};
use crate::dataset_of;
use crate::diagnosis;
use crate::fault::{self, Proxy, Reach};
use crate::ports::FreePort;
use crate::residue::{AdminKey, Register};
use crate::side::Sides;
use crate::target::Client;

/// Addresses of what a target listens on. Metrics and profiles are on the HTTP side where they have no address of their own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addrs {
    pub(super) data: SocketAddr,
    pub(super) meta: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) metrics: SocketAddr,
    pub(super) profile: SocketAddr,
}

impl Addrs {
    /// Free ports of 127.0.0.1, and what keeps them reserved.
    pub(super) fn free(of: &Profile) -> std::io::Result<(Self, Vec<FreePort>)> {
        let mut held = Vec::new();
        let mut find = || {
            held.push(FreePort::find()?);
            Ok::<_, std::io::Error>(held[held.len() - 1].number())
        };
        let (data, meta, http) = (find()?, find()?, find()?);
        let mut own = |side| of.has_own(side).then(&mut find).transpose();
        let (metrics, profile) = (own("metrics")?, own("profile")?);
        Ok((Self::at(Ipv4Addr::LOCALHOST, Ports { data, meta, http, metrics, profile }), held))
    }

    /// These ports of one address.
    fn at(ip: Ipv4Addr, ports: Ports) -> Self {
        let at = |port| SocketAddr::from((ip, port));
        Self {
            data: at(ports.data),
            meta: at(ports.meta),
            http: at(ports.http),
            metrics: at(ports.metrics.unwrap_or(ports.http)),
            profile: at(ports.profile.unwrap_or(ports.http)),
        }
    }

    /// Their ports.
    pub(super) fn ports(&self) -> Ports {
        let own = |addr: SocketAddr| (addr != self.http).then_some(addr.port());
        Ports {
            data: self.data.port(),
            meta: self.meta.port(),
            http: self.http.port(),
            metrics: own(self.metrics),
            profile: own(self.profile),
        }
    }

    /// These ports of 127.0.0.1.
    pub(super) fn published(ports: Ports) -> Self {
        Self::at(Ipv4Addr::LOCALHOST, ports)
    }

    /// Where it is asked over HTTP, and how.
    fn sides(&self, profile: &Profile) -> Result<Sides, String> {
        Sides::of(profile, [self.http, self.metrics, self.profile]).map_err(|error| error.to_string())
    }
}

impl From<&Attach> for Addrs {
    fn from(attach: &Attach) -> Self {
        let Attach { data, meta, http, metrics, profile, .. } = *attach;
        Self { data, meta, http, metrics: metrics.unwrap_or(http), profile: profile.unwrap_or(http) }
    }
}

/// Where a target listens, and where it keeps its data.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) addrs: Addrs,
    /// As the target sees it; `None` where it keeps none.
    pub(super) data: Option<PathBuf>,
    /// Further ports that its launch asks for, by name.
    free_ports: BTreeMap<String, u16>,
    /// Keeps its ports reserved: also while a fault has ended it, so that it finds them free again.
    _reserved: Vec<FreePort>,
}

impl Place {
    /// Of a process of this machine, on ports that are free.
    pub(super) fn of_process(of: &Profile, data: Option<PathBuf>) -> std::io::Result<Self> {
        let (addrs, mut reserved) = Addrs::free(of)?;
        let mut free_ports = BTreeMap::new();
        for name in named_ports(of) {
            let port = FreePort::find()?;
            free_ports.insert(name.to_owned(), port.number());
            reserved.push(port);
        }
        Ok(Self { addrs, data, free_ports, _reserved: reserved })
    }

    /// Inside a container, where every port is free that the server itself does not listen on. Only what is published on 127.0.0.1 leads there.
    pub(super) fn inside(of: &Profile, ports: Ports, data: Option<PathBuf>) -> Self {
        let addrs = Addrs::at(Ipv4Addr::UNSPECIFIED, ports);
        let taken = [addrs.data, addrs.meta, addrs.http, addrs.metrics, addrs.profile].map(|addr| addr.port());
        let free = (FREE_INSIDE..u16::MAX).filter(|port| !taken.contains(port));
        let free_ports = named_ports(of).into_iter().map(str::to_owned).zip(free).collect();
        Self { addrs, data, free_ports, _reserved: Vec::new() }
    }
}

/// First of the further ports inside a container.
const FREE_INSIDE: u16 = 20_000;

/// Names of the further ports that a launch asks for with `{free_port:NAME}`.
fn named_ports(of: &Profile) -> BTreeSet<&str> {
    let texts = of.launch.args.iter().chain(of.launch.env.values());
    let names = texts.flat_map(|text| text.split("{free_port:").skip(1));
    names.filter_map(|rest| Some(rest.split_once('}')?.0)).collect()
}

/// The client of the load, by protocol.
enum Speaks {
    Flight(Arc<FlightClient>),
    Http(Arc<HttpClient>),
}

impl Speaks {
    fn client(&self) -> Arc<dyn Client> {
        match self {
            Self::Flight(client) => Arc::<FlightClient>::clone(client),
            Self::Http(client) => Arc::<HttpClient>::clone(client),
        }
    }
}

/// Client, control and probe of a target.
pub(super) struct Access {
    addrs: Addrs,
    sides: Sides,
    spec: DataSpec,
    call: Duration,
    profile: Profile,
    /// Id of the variant, under which dumps are kept.
    variant: String,
    /// Between load and target, where a fault works on the network.
    proxies: Vec<Proxy>,
    speaks: Speaks,
    pub(super) control: Arc<HttpControl>,
    pub(super) probe: Arc<TargetProbe>,
}

impl Access {
    pub(super) async fn new(
        plan: &Plan,
        (run, variant): (&str, &Variant),
        addrs: Addrs,
        watched: Watched,
    ) -> Result<Self, String> {
        let (deadlines, workload, profile) = (&plan.deadlines, &plan.workload, &plan.target.profile);
        let spec = DataSpec {
            dataset: dataset_of(run),
            distribution: workload.distribution,
            dim: variant.knobs.dim,
            seed: variant.seed,
            ids: workload.ids,
        };
        let mut planes = Planes { data: addrs.data, meta: addrs.meta };
        let mut loaded = addrs.http;
        let mut proxies = Vec::new();
        if plan.faults.values().any(|fault| fault.inject.needs_proxy()) {
            let of_load = match profile.protocol {
                Protocol::Flight => vec![&mut planes.data, &mut planes.meta],
                Protocol::Http => vec![&mut loaded],
            };
            for plane in of_load {
                let proxy = Proxy::start(*plane)
                    .await
                    .map_err(|error| format!("cannot start a proxy on 127.0.0.1: {error}"))?;
                *plane = proxy.addr();
                proxies.push(proxy);
            }
        }
        let call = deadlines.call.0;
        let sides = addrs.sides(profile)?;
        let speaks = match profile.protocol {
            Protocol::Flight => Speaks::Flight(Arc::new(FlightClient::new(planes, spec.clone(), call))),
            Protocol::Http => {
                let access = HttpAccess {
                    side: sides.http.through(loaded),
                    connections: workload.connections,
                    keep_alive: workload.keep_alive,
                    deadline: call,
                    index_deadline: deadlines.index.0,
                };
                let knobs = &variant.knobs;
                let index = IndexSpec { hnsw_m: knobs.hnsw_m, ef_construction: knobs.ef_construction };
                Speaks::Http(Arc::new(HttpClient::new(access, &profile.requests, spec.clone(), index)))
            }
        };
        let control = HttpControl {
            sides: sides.clone(),
            endpoints: profile.endpoints.clone(),
            dataset: spec.dataset.clone(),
            client: speaks.client(),
            call,
            compaction: deadlines.index.0,
        };
        let client = match &speaks {
            Speaks::Http(client) => Some(HttpClient::clone(client)),
            Speaks::Flight(_) => None,
        };
        let probe = TargetProbe::new(watched, sides.clone(), profile, client, call);
        Ok(Self {
            addrs,
            sides,
            spec,
            call,
            profile: profile.clone(),
            variant: variant.id.clone(),
            proxies,
            speaks,
            control: Arc::new(control),
            probe: Arc::new(probe),
        })
    }

    /// Where load reaches it, past any proxy.
    pub(super) fn loaded(&self) -> SocketAddr {
        match &self.speaks {
            Speaks::Flight(_) => self.addrs.data,
            Speaks::Http(_) => self.addrs.http,
        }
    }

    /// How load reaches it.
    pub(super) fn client(&self) -> Arc<dyn Client> {
        self.speaks.client()
    }

    /// The same where it speaks Flight.
    pub(super) fn flight(&self) -> Option<Arc<FlightClient>> {
        match &self.speaks {
            Speaks::Flight(client) => Some(Arc::clone(client)),
            Speaks::Http(_) => None,
        }
    }

    /// Keeps dumps of the target's memory under `artifacts/VARIANT/PHASE`.
    pub(super) async fn keep_dumps(&self, artifacts: &Path, pid: Option<u32>, phase: &str) {
        let found = diagnosis::of_phase(&self.profile, &self.sides, pid, self.call).await;
        if found.0.iter().all(|one| one.got.is_err()) {
            // It is dead: what it kept before says more than so many reasons.
            return;
        }
        // A disk that is full ends the run by way of the record; the dumps need not do it too.
        let _ = diagnosis::write_folder(&artifacts.join(&self.variant).join(phase), &found);
    }

    /// What faults reach of the target.
    pub(super) fn reach(&self, run: &str, register: &Register, scratch: PathBuf, data: Option<&DataFolder>) -> Reach {
        Reach {
            run: run.to_owned(),
            build: None,
            register: register.clone(),
            world: fault::kernel(register.clone()),
            planes: Planes { data: self.addrs.data, meta: self.addrs.meta },
            inside: self.addrs.ports(),
            proxies: self.proxies.clone(),
            http: self.sides.http.clone(),
            key: AdminKey { headers: self.profile.requests.headers.clone(), tls: self.profile.tls.clone() },
            endpoints: self.control.endpoints.clone(),
            spec: self.spec.clone(),
            call: self.call,
            scratch,
            data: data.map(|data| data.path().to_owned()),
            volume: data.is_some_and(DataFolder::is_volume),
            hold_load: Arc::default(),
            held_back: Arc::default(),
            control: Arc::<HttpControl>::clone(&self.control),
        }
    }
}

/// The arguments of a launch. One that holds a knob that is off, and that the profile does not spell, is left out.
pub(super) fn arguments(plan: &Plan, place: &Place, variant: &Variant) -> Vec<String> {
    let launch = &plan.target.profile.launch;
    let mut arguments = Vec::new();
    for arg in &launch.args {
        if arg == "{misbehave}" {
            for (key, value) in plan.misbehaviour(variant).settings() {
                arguments.extend(["--misbehave".to_owned(), format!("{key}={value}")]);
            }
        } else {
            arguments.extend(fill(arg, launch, place, &variant.knobs));
        }
    }
    let named = launch.settings_args.iter().filter(|_| !launch.settings.is_empty());
    arguments.extend(named.filter_map(|arg| fill(arg, launch, place, &variant.knobs)));
    arguments
}

/// The environment of a launch. A variable whose knob is off, and that the profile does not spell, is not set.
pub(super) fn environment(plan: &Plan, place: &Place, knobs: &Knobs) -> Vec<(String, String)> {
    let launch = &plan.target.profile.launch;
    let filled = |(name, value): (&String, &String)| Some((name.clone(), fill(value, launch, place, knobs)?));
    launch.env.iter().filter_map(filled).collect()
}

/// GOMEMLIMIT for a target that cannot be told "off".
fn max_memory(knobs: &Knobs) -> String {
    let most = match knobs.gomemlimit {
        Limit::At(bytes) => bytes.0,
        // Go's own value for "no limit".
        Limit::Off | Limit::OfPeak(_) => i64::MAX.unsigned_abs(),
    };
    most.to_string()
}

/// An interval in seconds, such as `120s` or `0.5s`; `None` where it is off.
fn in_seconds(interval: Interval) -> Option<String> {
    match interval {
        Interval::Every(span) => Some(format!("{}s", span.as_secs_f64())),
        Interval::Off => None,
    }
}

/// Fills the placeholders of a launch argument or a variable's value; `None` where it holds a knob that is off and has no spelling for that.
fn fill(text: &str, launch: &LaunchSettings, place: &Place, knobs: &Knobs) -> Option<String> {
    let addrs = place.addrs;
    let data = place.data.as_ref().map(|data| data.display().to_string()).unwrap_or_default();
    let settings = place.data.as_ref().map(|data| settings_in(data).display().to_string()).unwrap_or_default();
    let mut text =
        text.replace("{settings}", &settings).replace("{data_dir}", &data).replace("{max_memory}", &max_memory(knobs));
    let sides = [
        ("data", addrs.data),
        ("meta", addrs.meta),
        ("http", addrs.http),
        ("metrics", addrs.metrics),
        ("profile", addrs.profile),
    ];
    for (side, addr) in sides {
        text = text
            .replace(&format!("{{{side}_addr}}"), &addr.to_string())
            .replace(&format!("{{{side}_host}}"), &addr.ip().to_string())
            .replace(&format!("{{{side}_port}}"), &addr.port().to_string());
    }
    for (name, port) in &place.free_ports {
        text = text.replace(&format!("{{free_port:{name}}}"), &port.to_string());
    }
    text = text.replace("{compaction_enabled}", if knobs.is_off("compaction_interval") { "false" } else { "true" });
    for (name, value) in knobs.settings() {
        let placeholder = format!("{{{name}}}");
        if !text.contains(&placeholder) {
            continue;
        }
        let value = match (name, knobs.gomemlimit) {
            _ if knobs.is_off(name) => launch.off.get(name)?.clone(),
            // Go reads bytes.
            ("gomemlimit", Limit::At(bytes)) => bytes.0.to_string(),
            // Minutes are `m` in Go and `min` here; every server reads seconds.
            ("compaction_interval", _) => in_seconds(knobs.compaction_interval).unwrap_or(value),
            _ => value,
        };
        text = text.replace(&placeholder, &value);
    }
    Some(text)
}
