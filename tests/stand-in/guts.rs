//! A node that answers like Guts: organisations, repositories and issues over HTTP, and a page with Guts' metrics.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use soak_scenario::units::{Bytes as Size, Share};
use tokio::net::{TcpListener, TcpStream};

use crate::serve::{Answers, serve, text};

/// What a leaked connection holds beside its socket, in bytes.
const CONNECTION_BYTES: usize = 16 << 10;

/// How it misbehaves.
#[derive(Debug, Clone, Copy, Default)]
struct Misbehave {
    /// Kept for ever of each thing that is made.
    heap_leak: usize,
    /// Share of the connections that are kept after their clients have closed them.
    connection_leak: f64,
    /// Paths stand on the page as they were asked for, and not as templates.
    path_labels: bool,
    /// The cache keeps what was removed, up to its greatest size.
    stale_cache: bool,
}

/// What its file of settings says.
#[derive(Debug, Clone, Copy)]
struct Settings {
    /// Of the cache, in bytes.
    max_size: usize,
    /// Connections that are kept open.
    max_connections: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_size: 256 << 20, max_connections: usize::MAX }
    }
}

#[derive(Debug, Default)]
struct State {
    orgs: BTreeMap<String, Vec<u8>>,
    repos: u64,
    issues: u64,
    requests: BTreeMap<[String; 3], u64>,
    open: i64,
    closed: f64,
    leaked: Vec<Vec<u8>>,
    kept: Vec<(TcpStream, Vec<u8>)>,
    cache: VecDeque<Vec<u8>>,
    cached: usize,
}

#[derive(Debug)]
struct Node {
    misbehave: Misbehave,
    settings: Settings,
    state: Mutex<State>,
}

/// Runs it with its arguments.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let (addrs, misbehave, settings) = parse(arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let node = Arc::new(Node { misbehave, settings, state: Mutex::default() });
        let mut servers = tokio::task::JoinSet::new();
        for addr in addrs {
            let listener =
                TcpListener::bind(addr).await.map_err(|error| format!("cannot listen on {addr}: {error}"))?;
            servers.spawn(serve(listener, Arc::<Node>::clone(&node)));
        }
        match servers.join_next().await {
            Some(Ok(Err(error))) => Err(error.to_string()),
            _ => Ok(()),
        }
    })
}

fn parse(arguments: &[String]) -> Result<(Vec<SocketAddr>, Misbehave, Settings), String> {
    let (mut addrs, mut misbehave, mut settings) = (Vec::new(), Misbehave::default(), Settings::default());
    let mut rest = arguments.iter().map(String::as_str);
    let mut given = std::collections::BTreeSet::new();
    while let Some(argument) = rest.next() {
        if argument != "--misbehave" && !given.insert(argument) {
            return Err(format!("the argument '{argument}' cannot be used multiple times"));
        }
        let value = rest.next().ok_or_else(|| format!("a value is required for '{argument}'"))?;
        match argument {
            "--api-addr" | "--metrics-addr" => {
                addrs.push(value.parse().map_err(|_| format!("{argument} {value}: not an address"))?);
            }
            "--data-dir" if std::path::Path::new(value).is_dir() => {}
            "--data-dir" => return Err(format!("--data-dir {value}: there is no such folder")),
            "--config" => settings = read(value)?,
            "--misbehave" => match value.split_once('=') {
                Some(("heap_leak", size)) => {
                    let size = size.trim_end_matches("/op").parse::<Size>();
                    misbehave.heap_leak = size.map_err(|error| error.to_string())?.0 as usize;
                }
                Some(("connection_leak", share)) => {
                    misbehave.connection_leak = share.parse::<Share>().map_err(|error| error.to_string())?.0;
                }
                Some(("series_leak", _)) => misbehave.path_labels = true,
                Some(("retain_batches", _)) => misbehave.stale_cache = true,
                _ => {
                    return Err(format!(
                        "--misbehave {value}: expected heap_leak, connection_leak, series_leak or retain_batches"
                    ));
                }
            },
            _ => return Err(format!("{argument} is no argument of it")),
        }
    }
    Ok((addrs, misbehave, settings))
}

/// The settings of a file: of YAML, as much as three keys need.
fn read(path: &str) -> Result<Settings, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("--config {path}: {error}"))?;
    let number = |key: &str| {
        let value = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "));
        value.map(|value| value.parse().map_err(|_| format!("--config {path}: {key} is no number"))).transpose()
    };
    let Settings { max_size, max_connections } = Settings::default();
    Ok(Settings {
        max_size: number("max_size")?.unwrap_or(max_size),
        max_connections: number("max_connections")?.unwrap_or(max_connections),
    })
}

impl State {
    /// Keeps it, and forgets the oldest beyond the greatest size.
    fn cache(&mut self, bytes: Vec<u8>, max_size: usize) {
        self.cached += bytes.len();
        self.cache.push_back(bytes);
        while self.cached > max_size
            && let Some(oldest) = self.cache.pop_front()
        {
            self.cached -= oldest.len();
        }
    }
}

impl Node {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Status and body, and the path as it stands on the metrics page.
    fn route(&self, method: &Method, path: &str, body: &[u8]) -> (StatusCode, String, String) {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let field = |name: &str| {
            let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            body[name].as_str().map(str::to_owned)
        };
        let answer = |status, body: &str, template: &str| (status, body.to_owned(), template.to_owned());
        let mut state = self.state();
        match (method.as_str(), parts.as_slice()) {
            ("POST", ["api", "orgs"]) => {
                let (Some(name), Some(text)) = (field("name"), field("display_name")) else {
                    return answer(StatusCode::UNPROCESSABLE_ENTITY, "name and display_name are needed", "/api/orgs");
                };
                if state.orgs.contains_key(&name) {
                    return answer(StatusCode::CONFLICT, "it is there already", "/api/orgs");
                }
                if self.misbehave.stale_cache {
                    state.cache(text.clone().into_bytes(), self.settings.max_size);
                }
                state.orgs.insert(name, text.into_bytes());
                if self.misbehave.heap_leak > 0 {
                    state.leaked.push(vec![0xA5; self.misbehave.heap_leak]);
                }
                answer(StatusCode::CREATED, "{}", "/api/orgs")
            }
            ("DELETE", ["api", "orgs", name]) => {
                let removed = state.orgs.remove(*name).is_some();
                let status = if removed { StatusCode::OK } else { StatusCode::NOT_FOUND };
                answer(status, "{}", "/api/orgs/:param")
            }
            ("POST", ["api", "repos"]) => {
                state.repos += 1;
                answer(StatusCode::CREATED, "{}", "/api/repos")
            }
            ("POST", ["api", "repos", _, _, "issues"]) => {
                state.issues += 1;
                answer(StatusCode::CREATED, "{}", "/api/repos/:param/:param/issues")
            }
            ("GET", ["index.html"]) => answer(StatusCode::OK, "<html><body>Hello</body></html>", "/index.html"),
            ("GET", ["health"]) => answer(StatusCode::OK, "ok", "/health"),
            ("GET", ["api", "debug", "cache"]) => {
                answer(StatusCode::OK, &format!("{{\"size\":{}}}", state.cached), path)
            }
            ("POST", ["api", "debug", "cache", "clear"]) => {
                (state.cache, state.cached) = (VecDeque::new(), 0);
                answer(StatusCode::OK, "{}", path)
            }
            ("GET", ["api", "consensus", "mempool"]) => {
                answer(StatusCode::OK, "{\"transaction_count\":0,\"oldest_age_secs\":0.0}", "/api/consensus/mempool")
            }
            _ => answer(StatusCode::NOT_FOUND, "", path),
        }
    }

    fn page(&self) -> String {
        let state = self.state();
        let mut page =
            String::from("# HELP guts_http_requests Total HTTP requests.\n# TYPE guts_http_requests counter\n");
        for ([method, path, status], count) in &state.requests {
            let labels = format!("{{method=\"{method}\",path=\"{path}\",status=\"{status}\"}}");
            let _ = writeln!(page, "guts_http_requests_total{labels} {count}");
        }
        for (name, value) in [
            ("guts_http_active_connections", state.open),
            ("guts_p2p_peers_connected", 0),
            ("guts_repositories", 0),
            ("guts_pull_requests", 0),
            ("guts_issues", 0),
            ("guts_users", 0),
            ("guts_organizations", 0),
            ("guts_websocket_connections", 0),
        ] {
            let _ = writeln!(page, "# TYPE {name} gauge\n{name} {value}");
        }
        page
    }
}

impl Answers for Node {
    fn opened(&self) {
        self.state().open += 1;
    }

    fn closed(&self, connection: TcpStream) {
        let mut state = self.state();
        state.closed += self.misbehave.connection_leak;
        if state.closed >= 1.0 {
            state.closed -= 1.0;
            state.kept.push((connection, vec![0xA5; CONNECTION_BYTES]));
            if state.kept.len() > self.settings.max_connections {
                state.kept.remove(0);
                state.open -= 1;
            }
        } else {
            state.open -= 1;
        }
    }

    fn answer(&self, request: &http::request::Parts, body: &[u8]) -> Response<Full<Bytes>> {
        let path = request.uri.path();
        if path == "/metrics" {
            return text(StatusCode::OK, self.page());
        }
        let (status, body, template) = self.route(&request.method, path, body);
        let path = if self.misbehave.path_labels { path.to_owned() } else { template };
        let labels = [request.method.to_string(), path, status.as_str().to_owned()];
        *self.state().requests.entry(labels).or_default() += 1;
        text(status, body)
    }
}
