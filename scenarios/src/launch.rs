//! What a run starts, or finds running: the value of `--target`, with what the scenario and the profile say of it.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::profile::Ports;

/// What to start, or to find running.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Launch {
    /// The vector store inside this binary, as a child process (`--target embedded`).
    Embedded,
    /// A program on this machine, with the profile's launch settings (`--target process:PATH`).
    Process(String),
    /// Containers of an image (`--target container:IMAGE`, or a `[container]` table).
    Container(ContainerLaunch),
    /// Something that runs already, and is never started, stopped or limited (`--target attach:…`).
    Attach(Attach),
}

/// A container of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerLaunch {
    /// The image's name and tag.
    pub image: String,
    /// A folder with a `Dockerfile`, from which the image is built first.
    pub build: Option<String>,
    /// What it listens on inside.
    pub ports: Ports,
    /// Paths inside that are given a fresh volume.
    pub volumes: Vec<String>,
    /// Processors it may use.
    pub cpus: Option<f64>,
    /// The processors it is pinned to, such as `0` or `0-1,3`; the harness then keeps to the others.
    pub cpuset: Option<String>,
    /// How many containers make up the target.
    pub replicas: u32,
}

/// Something that runs already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// What is watched.
    pub to: AttachTo,
    /// The data plane; always of this machine.
    pub data: SocketAddr,
    /// The meta plane.
    pub meta: SocketAddr,
    /// The HTTP side: requests of the load, metrics and admin.
    pub http: SocketAddr,
    /// Metrics, where they have an address of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
    /// Profiles and dumps, where they have an address of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<SocketAddr>,
}

/// What of a running target is watched beside its metrics page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttachTo {
    /// A process and its children.
    Pid(u32),
    /// A container, by name or id.
    Container(String),
    /// Nothing: its endpoints are all there is.
    Endpoints,
}

impl ContainerLaunch {
    /// Numbers of the processors it is pinned to; `None` when it is not.
    pub fn pinned_to(&self) -> Option<BTreeSet<usize>> {
        processors(self.cpuset.as_deref()?)
    }
}

/// Reads a list of processors as Linux writes it, such as `0-1,3`; `None` when it is none. Numbers are below 1024, as many as the kernel's own sets hold.
pub(crate) fn processors(text: &str) -> Option<BTreeSet<usize>> {
    let number = |text: &str| text.trim().parse::<usize>().ok().filter(|number| *number < 1024);
    let mut all = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return None;
        }
        all.extend(first..=last);
    }
    Some(all)
}

/// What `--target` takes, for people.
pub(crate) const EXPECTED: &str =
    "embedded, process:PATH, container:IMAGE, attach:pid=N, attach:container=NAME or attach:endpoints";

/// The words before the first `:`.
pub(crate) const KINDS: [&str; 4] = ["embedded", "process", "container", "attach"];

impl Launch {
    /// How many targets share the load.
    pub fn replicas(&self) -> u32 {
        match self {
            Self::Container(container) => container.replicas.max(1),
            Self::Embedded | Self::Process(_) | Self::Attach(_) => 1,
        }
    }
}

impl fmt::Display for Launch {
    /// As `--target` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Process(path) => write!(f, "process:{path}"),
            Self::Container(container) => write!(f, "container:{}", container.image),
            Self::Attach(attach) => write!(f, "attach:{attach}"),
        }
    }
}

impl fmt::Display for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.to {
            AttachTo::Pid(pid) => write!(f, "pid={pid}")?,
            AttachTo::Container(name) => write!(f, "container={name}")?,
            AttachTo::Endpoints => f.write_str("endpoints")?,
        }
        write!(f, ",data={},meta={},http={}", self.data, self.meta, self.http)?;
        for (name, addr) in [("metrics", self.metrics), ("profile", self.profile)] {
            if let Some(addr) = addr {
                write!(f, ",{name}={addr}")?;
            }
        }
        Ok(())
    }
}

impl Attach {
    /// Reads what follows `attach:`: first what to watch, then addresses; those not named are the profile's ports on 127.0.0.1.
    pub(crate) fn parse(text: &str, ports: Ports) -> Result<Self, String> {
        let mut parts = text.split(',');
        let what = parts.next().unwrap_or_default();
        let to = match what.split_once('=') {
            None if what == "endpoints" => AttachTo::Endpoints,
            Some(("pid", pid)) => match pid.parse() {
                Ok(pid) if pid > 0 => AttachTo::Pid(pid),
                _ => return Err(format!("`{pid}` is not a process id")),
            },
            Some(("container", name)) if !name.is_empty() => AttachTo::Container(name.to_owned()),
            _ => return Err(format!("`{what}` is nothing to attach to")),
        };
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let mut attach = Self {
            to,
            data: local(ports.data),
            meta: local(ports.meta),
            http: local(ports.http),
            metrics: ports.metrics.map(local),
            profile: ports.profile.map(local),
        };
        for part in parts {
            let (name, value) = part.split_once('=').ok_or_else(|| format!("`{part}` is not an address"))?;
            let address: SocketAddr =
                value.parse().map_err(|_| format!("`{value}` is not an address such as 127.0.0.1:3000"))?;
            if !address.ip().is_loopback() {
                return Err(format!("{address} is not of this machine: load is only sent to 127.0.0.1 and ::1"));
            }
            match name {
                "data" => attach.data = address,
                "meta" => attach.meta = address,
                "http" => attach.http = address,
                "metrics" => attach.metrics = Some(address),
                "profile" => attach.profile = Some(address),
                _ => return Err(format!("`{name}` is no plane")),
            }
        }
        Ok(attach)
    }
}

/// An image's name without its tag or digest.
pub(crate) fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        // A colon before the last slash is a registry's port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports { data: 3000, meta: 3001, http: 9090, metrics: None, profile: None };

    #[test]
    fn attachments_read_back_as_they_are_written() {
        for text in [
            "pid=42,data=127.0.0.1:1,meta=127.0.0.1:2,http=127.0.0.1:3",
            "container=longbow,data=[::1]:1,meta=127.0.0.1:3001,http=127.0.0.1:9090",
            "endpoints,data=127.0.0.1:3000,meta=127.0.0.1:3001,http=127.0.0.1:9090",
            "endpoints,data=127.0.0.1:3000,meta=127.0.0.1:3001,http=127.0.0.1:9090,metrics=127.0.0.1:2112,profile=127.0.0.1:6060",
        ] {
            assert_eq!(Attach::parse(text, PORTS).unwrap().to_string(), text);
        }
        assert_eq!(Attach::parse("pid=1", PORTS).unwrap().http, SocketAddr::from(([127, 0, 0, 1], 9090)));
    }

    #[test]
    fn load_is_sent_to_this_machine_only() {
        let error = Attach::parse("endpoints,data=10.0.0.1:3000", PORTS).unwrap_err();
        assert!(error.contains("not of this machine"), "{error}");
        for wrong in ["", "pid=0", "pid=x", "container=", "pod=x", "endpoints,data", "endpoints,grpc=127.0.0.1:1"] {
            assert!(Attach::parse(wrong, PORTS).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_repository_is_an_image_without_its_tag() {
        assert_eq!(repository("soak-target-go:local"), "soak-target-go");
        assert_eq!(repository("host:5000/a/b"), "host:5000/a/b");
        assert_eq!(repository("host:5000/a/b:1@sha256:0"), "host:5000/a/b");
    }

    #[test]
    fn processors_read_as_linux_writes_them() {
        assert_eq!(processors("0"), Some(BTreeSet::from([0])));
        assert_eq!(processors("0-2,5"), Some(BTreeSet::from([0, 1, 2, 5])));
        for wrong in ["", "a", "3-1", "0,", "1024", "-1", "0x1"] {
            assert_eq!(processors(wrong), None, "{wrong}");
        }
    }
}
