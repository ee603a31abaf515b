//! Creating and starting a container, and reading back what Docker made of it.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;

use soak_scenario::units::Limit;
use soak_scenario::{ContainerLaunch, Ports, Variant};
use testcontainers::bollard::Docker;
use testcontainers::bollard::models::{HostConfig, Mount, MountType, PortBinding};
use testcontainers::core::client::docker_client_instance;
use testcontainers::core::error::TestcontainersError;
use testcontainers::core::{ContainerPort, ImageExt as _, IntoContainerPort};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage};
use tokio::runtime::Handle;

use super::super::access::{Place, arguments, environment};
use super::super::docker::in_words;
use super::ContainerDriver;
use crate::residue::{RUN_LABEL, RUN_VARIABLE};

/// A container as Docker describes it.
pub(super) struct State {
    /// Its main process on this machine; `None` when it has ended, or runs on another.
    pub(super) pid: Option<u32>,
    /// Where its ports are published; `None` when it has ended.
    pub(super) published: Option<Ports>,
    /// Id of the image that it was made of, whatever has the image's name by now.
    pub(super) image: Option<String>,
}

/// What of this machine a container is given.
pub(super) struct Host<'a> {
    /// A folder for its data.
    pub(super) data: Option<&'a Path>,
    /// Ports of 127.0.0.1, where they must not be any.
    pub(super) ports: Option<Ports>,
}

/// Where a container finds the folder for its data.
const DATA_INSIDE: &str = "/data";

/// Creates and starts a container for a variant.
pub(super) async fn start(
    driver: &ContainerDriver,
    index: usize,
    variant: &Variant,
    host: &Host<'_>,
) -> Result<ContainerAsync<GenericImage>, String> {
    let image = &driver.launch.image;
    let request = request(driver, index, variant, host);
    request.start().await.map_err(|error| format!("cannot start a container of {image}: {}", chain(&error)))
}

fn chain(error: &TestcontainersError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if !text.contains(&inner.to_string()) {
            text = format!("{text}: {inner}");
        }
        source = inner.source();
    }
    text
}

fn request(
    driver: &ContainerDriver,
    index: usize,
    variant: &Variant,
    host: &Host<'_>,
) -> ContainerRequest<GenericImage> {
    let (plan, launch, knobs) = (&driver.plan, &driver.launch, &variant.knobs);
    let (name, tag) = name_and_tag(&launch.image);
    let inside = Place::inside(&plan.target.profile, launch.ports, host.data.map(|_| DATA_INSIDE.into()));
    // Docker publishes no port that is not exposed, and not every image exposes what its server listens on.
    let image = ports(launch.ports).into_iter().fold(GenericImage::new(name, tag), GenericImage::with_exposed_port);
    let mut request = image
        .with_cmd(arguments(plan, &inside, variant))
        .with_label(RUN_LABEL, &driver.run)
        .with_label("soak.variant", index.to_string())
        .with_env_var(RUN_VARIABLE, &driver.run)
        .with_startup_timeout(plan.deadlines.boot.0);
    for (name, value) in environment(plan, &inside, knobs) {
        request = request.with_env_var(name, value);
    }
    let (launch, memory) = (launch.clone(), knobs.memory_limit);
    let runtime = Handle::current();
    let (data, fixed) = (host.data.map(|data| data.display().to_string()), host.ports);
    request.with_host_config_modifier(move |config| {
        agree_on_a_version(&runtime);
        shape(config, &launch, memory, fixed);
        config.mounts = Some(mounts(&launch.volumes, data.as_deref()));
    })
}

/// Testcontainers asks for the newest version of Docker's interface, which an older engine refuses. Its client is shared while a request is under
/// way, and so is the version that is agreed on here, just before the container is created.
fn agree_on_a_version(runtime: &Handle) {
    tokio::task::block_in_place(|| {
        runtime.block_on(async {
            // An engine that does not answer fails the call that follows, with the reason.
            if let Ok(docker) = docker_client_instance().await {
                let _ = docker.negotiate_version().await;
            }
        });
    });
}

/// Limits, and ports on 127.0.0.1 alone.
fn shape(config: &mut HostConfig, launch: &ContainerLaunch, memory: Limit, fixed: Option<Ports>) {
    // Port 0 is any that is free.
    let fixed = fixed.map(ports);
    let outside =
        |port: u16| PortBinding { host_ip: Some(Ipv4Addr::LOCALHOST.to_string()), host_port: Some(port.to_string()) };
    let bind = |(at, inside): (usize, ContainerPort)| {
        let port = fixed.as_ref().and_then(|fixed| fixed.get(at)).map_or(0, |port| port.as_u16());
        (inside.to_string(), Some(vec![outside(port)]))
    };
    config.publish_all_ports = Some(false);
    let bindings = ports(launch.ports).into_iter().enumerate().map(bind);
    config.port_bindings = Some(bindings.collect::<HashMap<_, _>>());
    if let Limit::At(bytes) = memory {
        config.memory = Some(bytes.0.cast_signed());
        // With swap at the same figure there is no swap.
        config.memory_swap = config.memory;
    }
    config.nano_cpus = launch.cpus.map(|cpus| (cpus * 1e9) as i64);
    config.cpuset_cpus.clone_from(&launch.cpuset);
}

/// A fresh volume for each path inside, and the folder for the data, which takes the place of a volume on the same path: Docker refuses two mounts there.
fn mounts(volumes: &[String], data: Option<&str>) -> Vec<Mount> {
    let taken = |path: &str| data.is_some() && path.trim_end_matches('/') == DATA_INSIDE;
    let volume = |path: &String| Mount { target: Some(path.clone()), typ: Some(MountType::VOLUME), ..Mount::default() };
    let mut mounts: Vec<Mount> = volumes.iter().filter(|path| !taken(path)).map(volume).collect();
    mounts.extend(data.map(|folder| Mount {
        target: Some(DATA_INSIDE.to_owned()),
        source: Some(folder.to_owned()),
        typ: Some(MountType::BIND),
        ..Mount::default()
    }));
    mounts
}

/// Those that are published, in this order.
fn ports(ports: Ports) -> Vec<ContainerPort> {
    let own = [ports.metrics, ports.profile].into_iter().flatten();
    [ports.data, ports.meta, ports.http].into_iter().chain(own).map(IntoContainerPort::tcp).collect()
}

/// Reads back the main process and the published ports.
pub(super) async fn inspect(docker: &Docker, id: &str, inside: Ports) -> Result<State, String> {
    let found = docker.inspect_container(id, None).await;
    let found = found.map_err(|error| format!("cannot inspect the container: {}", in_words(&error)))?;
    let image = found.image;
    let pid = found.state.and_then(|state| state.pid).and_then(|pid| u32::try_from(pid).ok());
    let pid = pid.filter(|pid| *pid > 0 && is_of(*pid, id));
    let bindings = found.network_settings.and_then(|settings| settings.ports).unwrap_or_default();
    let published = |port: u16| {
        let port = port.tcp();
        let bound = bindings.get(&port.to_string())?.as_ref()?;
        bound.iter().find_map(|binding| binding.host_port.as_ref()?.parse::<u16>().ok())
    };
    let own = |port: Option<u16>| port.and_then(published);
    let published = match (published(inside.data), published(inside.meta), published(inside.http)) {
        (Some(data), Some(meta), Some(http)) => {
            Some(Ports { data, meta, http, metrics: own(inside.metrics), profile: own(inside.profile) })
        }
        _ => None,
    };
    Ok(State { pid, published, image })
}

/// Whether a process of this machine is one of this container. Docker may run on another machine, or in one of its own: there its numbers mean
/// other processes, which must not be measured in their place.
pub(crate) fn is_of(pid: u32, container: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(container))
}

/// `name` and `tag` such that `name:tag` is the image.
pub(in super::super) fn name_and_tag(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use soak_scenario::units::Bytes;

    #[test]
    fn images_split_as_docker_reads_them() {
        assert_eq!(name_and_tag("store:1"), ("store", "1"));
        assert_eq!(name_and_tag("host:5000/store"), ("host:5000/store", "latest"));
        assert_eq!(name_and_tag("store@sha256:ab"), ("store@sha256", "ab"));
    }

    #[test]
    fn the_data_folder_takes_the_place_of_a_volume_on_its_path() {
        let targets = |volumes: &[&str], data: Option<&str>| -> Vec<String> {
            let volumes: Vec<String> = volumes.iter().map(|path| (*path).to_owned()).collect();
            mounts(&volumes, data).into_iter().filter_map(|mount| mount.target).collect()
        };
        assert_eq!(targets(&["/data", "/wal"], Some("/tmp/x")), ["/wal", "/data"]);
        assert_eq!(targets(&["/data/"], Some("/tmp/x")), ["/data"]);
        assert_eq!(targets(&["/data"], None), ["/data"]);
    }

    #[test]
    fn every_port_is_bound_to_loopback() {
        let launch = ContainerLaunch {
            image: "x".to_owned(),
            build: None,
            ports: Ports::default(),
            volumes: vec!["/data".to_owned()],
            cpus: Some(1.5),
            cpuset: None,
            replicas: 1,
        };
        let mut config = HostConfig { publish_all_ports: Some(true), ..HostConfig::default() };
        shape(&mut config, &launch, Limit::At(Bytes::mib(64)), None);
        let bindings = config.port_bindings.unwrap();
        assert_eq!(bindings.len(), 3);
        assert!(bindings.values().flatten().flatten().all(|binding| binding.host_ip.as_deref() == Some("127.0.0.1")));
        assert_eq!(config.publish_all_ports, Some(false));
        assert_eq!((config.memory, config.memory_swap), (Some(64 << 20), Some(64 << 20)));
        assert_eq!(config.nano_cpus, Some(1_500_000_000));
    }
}
