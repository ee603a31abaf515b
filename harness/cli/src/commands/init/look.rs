//! Reads the server: its ports, its metrics page, its endpoints, and what its gRPC addresses speak.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use soak_diagnosis::metrics_page::{self, Line};
use soak_engine::Side;
use soak_engine::discovery::{self, ContainerError, ContainerFound, GrpcFound, Limits, PageError};
use soak_scenario::{Protocol, TlsSettings};

use super::asked::Asked;
use super::pages::{self, Purpose};
use super::product;
use crate::failure::Failure;

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// The most addresses that are tried. A server that listens on more is named by its options.
const ADDRESSES_MAX: usize = 16;

/// A metrics page.
#[derive(Debug)]
pub(super) struct MetricsPage {
    pub(super) addr: SocketAddr,
    pub(super) path: String,
    pub(super) text: String,
}

/// An endpoint that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) addr: SocketAddr,
    /// The key in `[endpoints]`.
    pub(super) key: &'static str,
    /// As it stands in a profile.
    pub(super) call: &'static str,
}

/// All that was seen of a server.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) pid: Option<u32>,
    pub(super) container: Option<(String, ContainerFound)>,
    pub(super) metrics: Option<MetricsPage>,
    /// Addresses that answer in HTTP/1.1, in the order of trust.
    pub(super) http: Vec<SocketAddr>,
    /// Health checks that answer, with their address.
    pub(super) health: Vec<(SocketAddr, &'static str)>,
    pub(super) endpoints: Vec<Endpoint>,
    /// Answers that may name the server, by path.
    pub(super) answers: BTreeMap<&'static str, String>,
    /// Addresses of Arrow Flight: puts, and searches with deletes.
    pub(super) data: Option<SocketAddr>,
    pub(super) meta: Option<SocketAddr>,
    pub(super) notes: Vec<String>,
    /// HTTPS of the HTTP address.
    pub(super) tls: Option<TlsSettings>,
}

/// Reads the server. What was named and does not answer is an error; what was only tried is a note at most.
pub(super) async fn look(asked: &Asked) -> Result<Seen, Failure> {
    let limits = Limits { deadline: asked.deadline, bytes_max: ANSWER_BYTES_MAX };
    let mut seen = Seen { tls: asked.tls.clone(), ..Seen::default() };
    let tried = seen.addresses(asked).await?;
    seen.named_metrics(asked, limits).await?;
    let mut silent = Vec::new();
    for addr in tried {
        let is_named = asked.http == Some(addr);
        match discovery::get(&asked.side(addr)?, pages::METRICS[0], limits).await {
            Err(error) if !error.is_answered() && is_named => {
                return Err(Failure::platform(format!(
                    "--http {addr}: {error}; check that the server runs and listens there"
                )));
            }
            Err(PageError::Tls(why)) if is_named => return Err(Failure::platform(format!("--http {addr}: {why}"))),
            Err(PageError::NotHttp { why, .. }) if is_named => {
                return Err(Failure::usage(format!(
                    "--http {addr}: {why}; a gRPC address goes into --grpc, and an HTTPS address needs https:// and --ca-file"
                )));
            }
            Err(error) if !error.is_answered() => {}
            Err(PageError::NotHttp { .. } | PageError::Tls(_)) => silent.push(addr),
            first => {
                seen.http.push(addr);
                seen.metrics_of(&asked.side(addr)?, first, limits).await;
            }
        }
    }
    seen.grpc(asked, silent).await?;
    for addr in seen.http.clone() {
        seen.ask_usual_paths(&asked.side(addr)?, limits).await;
    }
    if seen.http.is_empty() && seen.data.is_none() && seen.metrics.is_none() {
        let (what, hint) = match (&seen.container, seen.pid) {
            (Some((name, _)), _) => {
                (format!("container {name}"), "publish its ports on 127.0.0.1 (`docker run -p 127.0.0.1::9090 …`)")
            }
            (None, Some(pid)) => (format!("process {pid}"), "name its addresses with --http, --metrics and --grpc"),
            (None, None) => ("server".to_owned(), "name its addresses with --http, --metrics and --grpc"),
        };
        let notes = [String::new()].into_iter().chain(seen.notes.clone()).collect::<Vec<_>>().join("\n  ");
        return Err(Failure::platform(format!("no address of the {what} answers; {hint}{notes}")));
    }
    Ok(seen)
}

impl Seen {
    /// The addresses to try over HTTP, those that were named first.
    async fn addresses(&mut self, asked: &Asked) -> Result<Vec<SocketAddr>, Failure> {
        let mut tried: Vec<SocketAddr> =
            asked.http.into_iter().chain(asked.metrics.as_ref().map(|(addr, _)| *addr)).collect();
        if let Some(pid) = asked.pid {
            if !discovery::is_running(pid) {
                return Err(Failure::usage(format!("--pid {pid}: there is no such process")));
            }
            self.pid = Some(pid);
            let listening = discovery::listening(pid);
            if listening.is_empty() {
                self.notes
                    .push(format!("process {pid} shows no listening port (or this user may not see its sockets)"));
            }
            tried.extend(listening);
        }
        if let Some(name) = &asked.container {
            let found = discovery::container(name).await.map_err(|error| match error {
                ContainerError::NoDocker(_) => Failure::platform(format!("--container {name}: {error}")),
                _ => Failure::usage(format!("--container {name}: {error}; `docker ps` lists those that run")),
            })?;
            tried.extend(found.published.iter().map(|port| port.addr));
            for port in &found.unpublished {
                self.notes.push(format!("port {port} of the container is not published on this machine (`docker run -p 127.0.0.1::{port} …`)"));
            }
            self.container = Some((name.clone(), found));
        }
        tried.retain(|addr| !asked.grpc.contains(addr) && addr.ip().is_loopback() || asked.http == Some(*addr));
        let mut known = Vec::new();
        tried.retain(|addr| {
            !known.contains(addr) && {
                known.push(*addr);
                true
            }
        });
        if tried.len() > ADDRESSES_MAX {
            self.notes
                .push(format!("the server listens on {} addresses; the first {ADDRESSES_MAX} were tried", tried.len()));
            tried.truncate(ADDRESSES_MAX);
        }
        Ok(tried)
    }

    /// The metrics page that was named. It has to be one.
    async fn named_metrics(&mut self, asked: &Asked, limits: Limits) -> Result<(), Failure> {
        let Some((addr, path)) = &asked.metrics else { return Ok(()) };
        let paths = match path {
            Some(path) => vec![path.as_str()],
            None => pages::METRICS.to_vec(),
        };
        let mut refused = String::new();
        for path in paths {
            match discovery::get(&asked.side(*addr)?, path, limits).await {
                Ok(page) => match pages::kind(&page.text()) {
                    Ok(()) => {
                        self.metrics = Some(MetricsPage { addr: *addr, path: path.to_owned(), text: page.text() });
                        return Ok(());
                    }
                    Err(kind) if refused.is_empty() => {
                        refused =
                            format!("{path}: expected a metrics page in Prometheus' text format, but {kind} came");
                    }
                    Err(_) => {}
                },
                Err(error) if !error.is_answered() || matches!(error, PageError::Tls(_)) => {
                    return Err(Failure::platform(format!(
                        "--metrics {addr}: {error}; check that the server runs and listens there"
                    )));
                }
                // The first path's answer is reported; the others were only tried.
                Err(error) if refused.is_empty() => refused = format!("{path}: expected a metrics page, but {error}"),
                Err(_) => {}
            }
        }
        Err(Failure::usage(format!(
            "--metrics {addr}{refused}; name the page's own address and path (--metrics {addr}/PATH)"
        )))
    }

    /// The metrics page of an address that answers. `first` is what the most usual path answered.
    async fn metrics_of(&mut self, side: &Side, first: Result<discovery::Page, PageError>, limits: Limits) {
        let addr = side.addr();
        let mut answer = first;
        for (index, path) in pages::METRICS.into_iter().enumerate() {
            if self.metrics.is_some() {
                return;
            }
            if index > 0 {
                answer = discovery::get(side, path, limits).await;
            }
            match &answer {
                Ok(page) => match pages::kind(&page.text()) {
                    Ok(()) => {
                        self.metrics = Some(MetricsPage { addr, path: path.to_owned(), text: page.text() });
                    }
                    Err(kind) if index == 0 => {
                        self.notes.push(format!("GET {path} of {addr}: {kind} came, and no metrics page"));
                    }
                    Err(_) => {}
                },
                Err(PageError::Status(_)) => {}
                Err(error) if index == 0 => self.notes.push(format!("GET {path} of {addr}: {error}")),
                Err(_) => {}
            }
        }
    }

    /// Health checks, pprof, and answers that may name the server.
    async fn ask_usual_paths(&mut self, side: &Side, limits: Limits) {
        let addr = side.addr();
        let anything = discovery::get(side, pages::NOBODYS, limits).await.is_ok();
        if anything {
            self.notes.push(format!("{addr} answers any path, so that no health check of it is believed"));
        }
        for path in pages::HEALTH.into_iter().filter(|_| !anything) {
            if discovery::get(side, path, limits).await.is_ok() {
                self.health.push((addr, path));
            }
        }
        for path in product::ANSWERS {
            if let Ok(page) = discovery::get(side, path, limits).await {
                self.answers.entry(path).or_insert_with(|| page.text());
            }
        }
        for Purpose { key, path, endpoint, is } in pages::PPROF {
            let is_known = self.endpoints.iter().any(|one| one.key == key);
            if !is_known && discovery::get(side, path, limits).await.is_ok_and(|page| is(&page.body)) {
                self.endpoints.push(Endpoint { addr, key, call: endpoint });
            }
        }
        // A heap profile that a Go runtime serves takes `gc=1`; others may serve a page of that name that does not.
        let serves_heap = self.endpoints.iter().any(|one| one.key == "heap_profile" && one.addr == addr);
        let is_go = product::runtime(&self.lines()) == product::Runtime::Go;
        if serves_heap && is_go && self.endpoints.iter().all(|one| one.key != "collect") {
            self.endpoints.push(Endpoint { addr, key: "collect", call: pages::COLLECT });
        }
    }

    /// The Flight planes: of the addresses that were named, else of those that do not speak HTTP/1.1.
    async fn grpc(&mut self, asked: &Asked, silent: Vec<SocketAddr>) -> Result<(), Failure> {
        let is_named = !asked.grpc.is_empty();
        let mut found = Vec::new();
        for addr in if is_named { asked.grpc.clone() } else { silent } {
            match discovery::grpc(addr, asked.deadline).await {
                Ok(GrpcFound::OtherGrpc) if is_named => self
                    .notes
                    .push(format!("--grpc {addr}: it speaks gRPC, but no Arrow Flight, so that load goes over HTTP")),
                Ok(GrpcFound::OtherGrpc) => self.notes.push(format!("{addr} speaks gRPC, but no Arrow Flight")),
                Ok(kind) => found.push((addr, kind)),
                Err(error) if is_named => {
                    return Err(Failure::platform(format!(
                        "--grpc {addr}: expected a gRPC server, but {error}; check the address (an HTTP address goes into --http)"
                    )));
                }
                Err(error) => self.notes.push(format!("{addr}: neither HTTP/1.1 nor gRPC: {error}")),
            }
        }
        if is_named && found.len() == asked.grpc.len() && found.len() > 1 {
            // Their order says which is which.
            (self.data, self.meta) = (Some(asked.grpc[0]), Some(asked.grpc[1]));
            return Ok(());
        }
        found.sort();
        // An address that knows no readiness is for puts. Longbow answers it on both: then the lower port is the one for puts.
        let puts = found.iter().find(|(_, kind)| *kind == GrpcFound::Flight).or(found.first()).map(|(addr, _)| *addr);
        let others = || found.iter().filter(|(addr, _)| Some(*addr) != puts);
        let acts = others().find(|(_, kind)| *kind == GrpcFound::FlightActions).or_else(|| others().next());
        self.data = puts;
        self.meta = acts.map(|(addr, _)| *addr).or(puts);
        Ok(())
    }

    /// The lines of the metrics page.
    pub(super) fn lines(&self) -> Vec<Line<'_>> {
        self.metrics.as_ref().map_or_else(Vec::new, |page| metrics_page::parse(&page.text))
    }

    /// The protocol of the load.
    pub(super) fn protocol(&self) -> Protocol {
        if self.data.is_some() { Protocol::Flight } else { Protocol::Http }
    }

    /// The address that a run reads and, over HTTP, loads.
    pub(super) fn http_side(&self, protocol: Protocol) -> Option<SocketAddr> {
        let metrics = self.metrics.as_ref().map(|page| page.addr);
        // The API of a store is where its health check is; its metrics may be elsewhere.
        let api = self.health.first().map(|(addr, _)| *addr).or_else(|| self.http.first().copied());
        match protocol {
            Protocol::Flight => metrics.or(api),
            Protocol::Http => api.or(metrics),
        }
    }

    /// `--target`'s value for this server.
    pub(super) fn attach(&self, protocol: Protocol) -> String {
        let to = match (&self.container, self.pid) {
            (Some((name, _)), _) => format!("container={name}"),
            (None, Some(pid)) => format!("pid={pid}"),
            (None, None) => "endpoints".to_owned(),
        };
        let http = self.http_side(protocol);
        let (metrics, pprof) = (self.metrics.as_ref().map(|page| page.addr), self.pprof());
        let own = |addr: Option<SocketAddr>| addr.filter(|addr| Some(*addr) != http);
        let planes = [
            ("data", self.data),
            ("meta", self.meta),
            ("http", http),
            ("metrics", own(metrics)),
            ("profile", own(pprof)),
        ];
        let planes = planes.iter().filter_map(|(name, addr)| addr.map(|addr| format!(",{name}={addr}")));
        format!("attach:{to}{}", planes.collect::<String>())
    }

    /// Where pprof is.
    fn pprof(&self) -> Option<SocketAddr> {
        self.endpoints.first().map(|one| one.addr)
    }
}
