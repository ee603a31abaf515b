//! What the command line names: addresses of this machine, a process, a container.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use soak_engine::Side;
use soak_scenario::TlsSettings;

use super::Init;
use crate::failure::Failure;

/// What to read.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) http: Option<SocketAddr>,
    /// The metrics page's address, and its path where one was given.
    pub(super) metrics: Option<(SocketAddr, Option<String>)>,
    pub(super) grpc: Vec<SocketAddr>,
    pub(super) container: Option<String>,
    pub(super) pid: Option<u32>,
    pub(super) deadline: Duration,
    /// HTTPS of the HTTP address.
    pub(super) tls: Option<TlsSettings>,
}

impl Asked {
    /// How an address is asked: over HTTPS where it is the HTTP address, and that was named as such.
    pub(super) fn side(&self, addr: SocketAddr) -> Result<Side, Failure> {
        let side = Side::plain(addr);
        match self.tls.as_ref().filter(|_| self.http == Some(addr)) {
            Some(tls) => side.with_tls(tls).map_err(Failure::usage),
            None => Ok(side),
        }
    }
}

/// What the options say of HTTPS.
fn tls(init: &Init) -> Result<Option<TlsSettings>, Failure> {
    let is_https = init.http.as_deref().is_some_and(|http| http.starts_with(HTTPS));
    match (&init.ca_file, is_https) {
        (Some(ca_file), true) => Ok(Some(TlsSettings {
            // The profile may be kept elsewhere.
            ca_file: std::path::absolute(ca_file).unwrap_or_else(|_| ca_file.clone()).display().to_string(),
            server_name: init.server_name.clone(),
            sides: vec!["http".to_owned()],
        })),
        (None, false) => Ok(None),
        (None, true) => Err(Failure::usage(
            "--http: an https:// address needs --ca-file, the PEM file with the certificate of the authority that signed the server's",
        )),
        (Some(_), false) => Err(Failure::usage("--ca-file: expected --http with an https:// address")),
    }
}

const HTTPS: &str = "https://";

/// Reads the options.
pub(super) fn read(init: &Init) -> Result<Asked, Failure> {
    let http = init.http.as_deref().map(|text| place("--http", text, init.allow_remote)).transpose()?;
    let metrics = init.metrics.as_deref().map(|text| place("--metrics", text, init.allow_remote)).transpose()?;
    let grpc = init.grpc.iter().map(|text| place("--grpc", text, init.allow_remote));
    let grpc = grpc.collect::<Result<Vec<_>, _>>()?;
    if let Some((addr, Some(_))) = &http {
        return Err(Failure::usage(format!(
            "--http: expected an address without a path, such as {addr}; a path of the metrics page goes into --metrics"
        )));
    }
    let nothing = http.is_none() && metrics.is_none() && grpc.is_empty();
    if nothing && init.container.is_none() && init.pid.is_none() {
        return Err(Failure::usage(
            "no server is named: give at least one of --http, --metrics, --grpc, --container, --pid",
        ));
    }
    Ok(Asked {
        http: http.map(|(addr, _)| addr),
        metrics,
        grpc: grpc.into_iter().map(|(addr, _)| addr).collect(),
        container: init.container.clone(),
        pid: init.pid,
        deadline: init.deadline.0,
        tls: tls(init)?,
    })
}

/// An address such as `127.0.0.1:9090`, `localhost:9090` or `http://127.0.0.1:9090/metrics`, and its path.
fn place(option: &str, text: &str, allow_remote: bool) -> Result<(SocketAddr, Option<String>), Failure> {
    let expected = "expected an address such as 127.0.0.1:9090";
    let wrong = |problem: &str| Failure::usage(format!("{option} {text}: {problem}; {expected}"));
    if text.starts_with(HTTPS) && option != "--http" {
        return Err(wrong("HTTPS is only read at --http"));
    }
    let rest = ["http://", HTTPS, "grpc://"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
    let mut found = host.to_socket_addrs().map_err(|error| wrong(&error.to_string()))?;
    // A name such as `localhost` has several addresses; servers listen on IPv4 more often.
    let first = found.next().ok_or_else(|| wrong("no such host"))?;
    let addr = if first.is_ipv4() { first } else { found.find(SocketAddr::is_ipv4).unwrap_or(first) };
    if !addr.ip().is_loopback() && !allow_remote {
        return Err(Failure::usage(format!(
            "{option} {text}: {} is not an address of this machine. Forward a port of 127.0.0.1 to it (`kubectl \
             port-forward`, `ssh -L`), or add --allow-remote if the server is yours",
            addr.ip()
        )));
    }
    Ok((addr, path.filter(|path| !path.is_empty()).map(|path| format!("/{path}"))))
}
