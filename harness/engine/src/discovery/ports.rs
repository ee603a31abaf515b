//! Where a process or a container listens: from the kernel's socket tables, and from the ports that Docker publishes.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::driver::docker;
use crate::sampler::proc;

/// Longest part of a socket table that is read, in lines. A table of a busy machine has tens of thousands.
const SOCKETS_MAX: usize = 200_000;

/// A container that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerFound {
    /// The image's name, as it was started.
    pub image: String,
    /// The main process, where it is a process of this machine.
    pub pid: Option<u32>,
    /// Ports that Docker publishes on this machine, by the port inside.
    pub published: Vec<PublishedPort>,
    /// Ports that the image declares or the container exposes and that no address of this machine leads to.
    pub unpublished: Vec<u16>,
    /// Paths inside at which volumes are mounted.
    pub volumes: Vec<String>,
}

/// A port of a container that an address of this machine leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishedPort {
    /// The port inside the container.
    pub inside: u16,
    /// The address of this machine.
    pub addr: SocketAddr,
}

/// Why a container cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// Docker does not answer.
    #[error("{0}")]
    NoDocker(String),
    /// Docker knows no such container.
    #[error("{0}")]
    Unknown(String),
    /// The container is there and does not run.
    #[error("the container {0} does not run")]
    Stopped(String),
}

/// Whether there is a process of this id that has not ended.
pub fn is_running(pid: u32) -> bool {
    proc::is_running(pid)
}

/// Addresses on which a process and its descendants listen over TCP, as this machine reaches them.
///
/// Empty where the kernel does not show the process's sockets to this user.
pub fn listening(pid: u32) -> Vec<SocketAddr> {
    let mut addrs = BTreeSet::new();
    for member in proc::family(pid) {
        let sockets = sockets_of(member);
        for table in ["tcp", "tcp6"] {
            let Ok(text) = fs::read_to_string(format!("/proc/{member}/net/{table}")) else { continue };
            let lines = text.lines().skip(1).take(SOCKETS_MAX).filter_map(listener);
            addrs.extend(lines.filter(|(_, inode)| sockets.contains(inode)).map(|(addr, _)| addr));
        }
    }
    addrs.into_iter().collect()
}

/// Inodes of the sockets that a process holds.
fn sockets_of(pid: u32) -> HashSet<u64> {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return HashSet::new() };
    let inode = |file: fs::DirEntry| {
        let leads_to = fs::read_link(file.path()).ok()?;
        leads_to.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    files.flatten().filter_map(inode).collect()
}

/// The address and the inode of a line of `/proc/PID/net/tcp` or `tcp6` in the state LISTEN (`0A`). See proc(5).
fn listener(line: &str) -> Option<(SocketAddr, u64)> {
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?.parse().ok()?;
    let (address, port) = local.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    (state == "0A").then_some((SocketAddr::new(reached_at(address)?, port), inode))
}

/// The address under which this machine reaches a listener: any address is reached on the loopback one.
fn reached_at(hex: &str) -> Option<IpAddr> {
    // Each group of eight digits is a word in the machine's own byte order.
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    if hex.len() == 8 {
        let addr = Ipv4Addr::from(word(0)?);
        return Some(IpAddr::V4(if addr.is_unspecified() { Ipv4Addr::LOCALHOST } else { addr }));
    }
    let mut bytes = [0; 16];
    for (index, chunk) in bytes.chunks_mut(4).enumerate() {
        chunk.copy_from_slice(&word(index * 8)?);
    }
    let addr = Ipv6Addr::from(bytes);
    match addr.to_ipv4_mapped() {
        Some(addr) => Some(IpAddr::V4(addr)),
        // A server on `[::]` takes IPv4 too, unless it was told not to.
        None if addr.is_unspecified() => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        None => Some(IpAddr::V6(addr)),
    }
}

/// Reads a container by name or id.
///
/// # Errors
///
/// See [`ContainerError`].
pub async fn container(name: &str) -> Result<ContainerFound, ContainerError> {
    let docker = docker::connect().await.map_err(ContainerError::NoDocker)?;
    let asked = tokio::time::timeout(docker::ANSWER_WITHIN, docker.inspect_container(name, None)).await;
    let found = match asked {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(ContainerError::Unknown(docker::in_words(&error))),
        Err(_) => return Err(ContainerError::NoDocker("Docker does not answer".to_owned())),
    };
    let state = found.state.unwrap_or_default();
    let id = found.id.unwrap_or_default();
    let pid = state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
    let pid = pid.ok_or_else(|| ContainerError::Stopped(name.to_owned()))?;
    let bindings = found.network_settings.and_then(|settings| settings.ports).unwrap_or_default();
    let (mut published, mut unpublished) = (Vec::new(), Vec::new());
    for (port, bound) in bindings {
        let Some(inside) = tcp_port(&port) else { continue };
        let addr = bound.iter().flatten().find_map(|bound| here(bound.host_ip.as_deref(), bound.host_port.as_deref()));
        match addr {
            Some(addr) => published.push(PublishedPort { inside, addr }),
            None => unpublished.push(inside),
        }
    }
    published.sort();
    unpublished.sort_unstable();
    let mut volumes: Vec<String> =
        found.mounts.unwrap_or_default().into_iter().filter_map(|one| one.destination).collect();
    volumes.sort();
    let image = found.config.and_then(|config| config.image).unwrap_or_default();
    let pid = Some(pid).filter(|pid| crate::driver::is_of_container(*pid, &id));
    Ok(ContainerFound { image, pid, published, unpublished, volumes })
}

/// The number of a port such as `9090/tcp`.
fn tcp_port(port: &str) -> Option<u16> {
    port.strip_suffix("/tcp")?.parse().ok()
}

/// The address of this machine that a binding is reached on; `None` where it is bound to another one.
fn here(ip: Option<&str>, port: Option<&str>) -> Option<SocketAddr> {
    let port = port?.parse().ok().filter(|port: &u16| *port > 0)?;
    let ip: IpAddr = match ip.filter(|ip| !ip.is_empty()) {
        None => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Some(ip) => ip.parse().ok()?,
    };
    let ip = if ip.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { ip };
    ip.is_loopback().then_some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read_of_the_kernels_table() {
        let line =
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 4711 1 0 100 0 0 10 0";
        assert_eq!(listener(line), Some(("127.0.0.1:8080".parse().unwrap(), 4711)));
        let any = line.replace("0100007F", "00000000");
        assert_eq!(listener(&any).unwrap().0, "127.0.0.1:8080".parse().unwrap());
        let six = line.replace("0100007F", "00000000000000000000000001000000");
        assert_eq!(listener(&six).unwrap().0, "[::1]:8080".parse().unwrap());
        let any_six = line.replace("0100007F", "00000000000000000000000000000000");
        assert_eq!(listener(&any_six).unwrap().0, "127.0.0.1:8080".parse().unwrap());
        let mapped = line.replace("0100007F", "0000000000000000FFFF00000100007F");
        assert_eq!(listener(&mapped).unwrap().0, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(listener(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(listener("  sl  local_address rem_address"), None);
    }

    #[test]
    fn a_process_of_this_machine_shows_its_listener() {
        let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(listening(std::process::id()).contains(&held.local_addr().unwrap()));
    }

    #[test]
    fn only_ports_of_this_machine_count_as_published() {
        assert_eq!(here(Some("0.0.0.0"), Some("80")), Some("127.0.0.1:80".parse().unwrap()));
        assert_eq!(here(Some("192.0.2.1"), Some("80")), None);
        assert_eq!(here(Some(""), Some("0")), None);
        assert_eq!((tcp_port("53/udp"), tcp_port("9090/tcp")), (None, Some(9090)));
    }
}
