//! Stores of vectors that speak HTTP: one that answers as Qdrant's REST description says, row by row, and one that takes batches by column, refuses rows within an
//! answer of status 200, and wants an API key.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::serve::{Answers, serve, serve_tls, text};

/// Rows by the text of their id.
type Rows = BTreeMap<String, (Value, Vec<f64>)>;

/// A collection.
#[derive(Debug, Default)]
struct Collection {
    id: String,
    settings: Value,
    dim: usize,
    rows: Rows,
}

/// What a store is like.
#[derive(Debug, Default, Clone)]
struct Kind {
    by_column: bool,
    api_key: Option<String>,
    /// Files with the certificate and the key, where it speaks HTTPS.
    tls: Option<(String, String)>,
    /// Of so many rows one is refused; 0: none.
    refuse_every: u64,
    /// From this batch on, a batch is taken and never answered.
    hold_puts_after: Option<u64>,
}

#[derive(Debug, Default)]
struct State {
    collections: BTreeMap<String, Collection>,
    made: u64,
    put: u64,
}

struct Store {
    kind: Kind,
    state: Mutex<State>,
    batches: AtomicU64,
}

/// Runs it: `columns --addr A [--api-key-of VARIABLE] [--refuse-every N]`, or, without arguments, with Qdrant's variables.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let (addr, kind) = if arguments.is_empty() { qdrant()? } else { columns(arguments)? };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let listener = TcpListener::bind(addr).await.map_err(|error| format!("cannot listen on {addr}: {error}"))?;
        let files = kind.tls.clone();
        let store = Arc::new(Store { kind, state: Mutex::default(), batches: AtomicU64::new(0) });
        match files {
            Some((certificate, key)) => serve_tls(listener, store, (&certificate, &key)).await,
            None => serve(listener, store).await.map_err(|error| error.to_string()),
        }
    })
}

fn qdrant() -> Result<(SocketAddr, Kind), String> {
    let variable = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let (host, port) = (variable("QDRANT__SERVICE__HOST")?, variable("QDRANT__SERVICE__HTTP_PORT")?);
    let addr = format!("{host}:{port}").parse().map_err(|_| format!("{host}:{port} is no address"))?;
    // A variable that it cannot read as the type of its setting ends the server.
    if let Ok(port) = variable("QDRANT__SERVICE__GRPC_PORT") {
        port.parse::<u16>().map_err(|_| format!("QDRANT__SERVICE__GRPC_PORT: invalid value {port:?}, expected u16"))?;
    }
    if let Ok(flag) = variable("QDRANT__TELEMETRY_DISABLED") {
        flag.parse::<bool>()
            .map_err(|_| format!("QDRANT__TELEMETRY_DISABLED: invalid value {flag:?}, expected a boolean"))?;
    }
    let api_key = std::env::var("QDRANT__SERVICE__API_KEY").ok();
    let tls = match variable("QDRANT__SERVICE__ENABLE_TLS").as_deref() {
        Ok("true") => Some((variable("QDRANT__TLS__CERT")?, variable("QDRANT__TLS__KEY")?)),
        _ => None,
    };
    Ok((addr, Kind { api_key, tls, ..Kind::default() }))
}

fn columns(arguments: &[String]) -> Result<(SocketAddr, Kind), String> {
    let mut kind = Kind { by_column: true, ..Kind::default() };
    let mut addr = None;
    for pair in arguments.chunks(2) {
        let value = pair.get(1).map_or("", String::as_str);
        match pair[0].as_str() {
            "--addr" => addr = value.parse().ok(),
            "--api-key-of" => kind.api_key = std::env::var(value).ok(),
            "--hold-puts-after" => kind.hold_puts_after = value.parse().ok(),
            "--refuse-every" => kind.refuse_every = value.parse().map_err(|_| format!("{value} is no number"))?,
            other => return Err(format!("{other} is no argument of it")),
        }
    }
    Ok((addr.ok_or("--addr is needed")?, kind))
}

/// An answer in JSON.
type Answer = (StatusCode, Value);

fn not_found(what: &str) -> Answer {
    (StatusCode::NOT_FOUND, json!({ "status": { "error": format!("Not found: {what} doesn't exist!") } }))
}

fn components(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

impl Collection {
    /// The nearest rows by Euclidean distance, best first.
    fn nearest(&self, to: &[f64], k: usize) -> Vec<(Value, f64)> {
        let distance = |row: &[f64]| row.iter().zip(to).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
        let mut all: Vec<(Value, f64)> = self.rows.values().map(|(id, row)| (id.clone(), distance(row))).collect();
        all.sort_by(|a, b| a.1.total_cmp(&b.1));
        all.truncate(k);
        all
    }

    /// Why a row is not taken; `None` where it is.
    fn put(&mut self, id: &Value, vector: Vec<f64>) -> Option<String> {
        if vector.len() != self.dim {
            return Some(format!("expected dim: {}, got {}", self.dim, vector.len()));
        }
        self.rows.insert(id.to_string(), (id.clone(), vector));
        None
    }

    fn delete(&mut self, ids: &Value) {
        for id in ids.as_array().into_iter().flatten() {
            self.rows.remove(&id.to_string());
        }
    }
}

impl State {
    fn create(&mut self, name: &str, dim: usize, settings: Value) -> Answer {
        if self.collections.contains_key(name) {
            return (StatusCode::CONFLICT, json!({ "status": { "error": format!("{name} already exists!") } }));
        }
        self.made += 1;
        let id = format!("c-{}", self.made);
        let made = Collection { id: id.clone(), settings, dim, rows: Rows::new() };
        self.collections.insert(name.to_owned(), made);
        (StatusCode::OK, json!({ "result": true, "status": "ok", "id": id }))
    }

    /// By its name, or by the id that it was given.
    fn collection(&mut self, name: &str) -> Option<&mut Collection> {
        self.collections.iter_mut().find(|(own, one)| own.as_str() == name || one.id == name).map(|(_, one)| one)
    }
}

impl Store {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As Qdrant's REST description says.
    fn by_row(&self, call: (&str, &[&str]), body: &Value) -> Answer {
        let mut state = self.state();
        let size = || body["vectors"]["size"].as_u64().unwrap_or(0) as usize;
        let (name, rest) = match call {
            ("PUT", ["collections", name]) => {
                let hnsw = &body["hnsw_config"];
                if hnsw["ef_construct"].as_u64().is_some_and(|ef| ef < 4) || !(1..=65536).contains(&size()) {
                    let why = "Validation error in JSON body: [hnsw_config.ef_construct: value must be 4 or more, vectors.size: 1 to 65536]";
                    return (StatusCode::UNPROCESSABLE_ENTITY, json!({ "status": { "error": why } }));
                }
                let settings = json!({ "params": { "vectors": body["vectors"] }, "hnsw_config": hnsw });
                return state.create(name, size(), settings);
            }
            ("DELETE", ["collections", name]) => {
                let dropped = state.collections.remove(*name).is_some();
                return (StatusCode::OK, json!({ "result": dropped, "status": "ok" }));
            }
            (_, ["collections", name, rest @ ..]) => (*name, rest),
            _ => return not_found("page"),
        };
        let Some(collection) = state.collection(name) else { return not_found(&format!("Collection `{name}`")) };
        let result = match rest {
            [] => json!({ "status": "green", "config": collection.settings }),
            ["points"] => {
                let points = body["points"].as_array().into_iter().flatten();
                let wrong = points.filter_map(|point| collection.put(&point["id"], components(&point["vector"])));
                match wrong.collect::<Vec<String>>().first() {
                    Some(why) => return (StatusCode::BAD_REQUEST, json!({ "status": { "error": why } })),
                    None => json!({ "status": "completed" }),
                }
            }
            ["points", "query"] => {
                let found =
                    collection.nearest(&components(&body["query"]), body["limit"].as_u64().unwrap_or(10) as usize);
                let point = |(id, score): (Value, f64)| json!({ "id": id, "version": 1, "score": score });
                json!({ "points": found.into_iter().map(point).collect::<Vec<_>>() })
            }
            ["points", "delete"] => {
                collection.delete(&body["points"]);
                json!({ "status": "completed" })
            }
            ["points", "count"] => json!({ "count": collection.rows.len() }),
            ["points", "scroll"] => {
                let limit = body["limit"].as_u64().unwrap_or(10) as usize;
                let from = body["offset"].as_u64();
                let mut ids: Vec<u64> = collection.rows.values().filter_map(|(id, _)| id.as_u64()).collect();
                ids.sort_unstable();
                ids.retain(|id| from.is_none_or(|from| *id >= from));
                let next = ids.get(limit).copied();
                let points: Vec<Value> = ids.into_iter().take(limit).map(|id| json!({ "id": id })).collect();
                json!({ "points": points, "next_page_offset": next })
            }
            _ => return not_found("page"),
        };
        (StatusCode::OK, json!({ "result": result, "status": "ok", "time": 0.0 }))
    }

    /// By column, with every error in an answer of status 200.
    fn by_column(&self, call: (&str, &[&str]), body: &Value) -> Answer {
        let mut state = self.state();
        let error = |why: String| (StatusCode::OK, json!({ "errors": [{ "message": why }] }));
        let (id, rest) = match call {
            ("POST", ["collections"]) => {
                let dim = body["dim"].as_u64().unwrap_or(0) as usize;
                return state.create(body["name"].as_str().unwrap_or_default(), dim, body.clone());
            }
            ("DELETE", ["collections", name]) => {
                return if state.collections.remove(*name).is_some() {
                    (StatusCode::OK, json!({}))
                } else {
                    not_found(name)
                };
            }
            (_, ["collections", id, rest @ ..]) => (*id, rest),
            _ => return not_found("page"),
        };
        let (every, before) = (self.kind.refuse_every, state.put);
        let Some(collection) = state.collection(id) else { return not_found(id) };
        match rest {
            [] => (StatusCode::OK, collection.settings.clone()),
            ["add"] => {
                let columns =
                    body["ids"].as_array().into_iter().flatten().zip(body["vectors"].as_array().into_iter().flatten());
                let mut put = before;
                let results: Vec<Value> = columns
                    .map(|(id, vector)| {
                        put += 1;
                        let refused = every > 0 && put.is_multiple_of(every);
                        let why = if refused {
                            Some("no room for this row".to_owned())
                        } else {
                            collection.put(id, components(vector))
                        };
                        json!({ "id": id, "vector": vector, "error": why })
                    })
                    .collect();
                state.put = put;
                (StatusCode::OK, json!({ "results": results }))
            }
            ["search"] => {
                let to = components(&body["vector"]);
                if to.len() != collection.dim {
                    return error(format!("a vector of {} components", to.len()));
                }
                let found = collection.nearest(&to, body["k"].as_u64().unwrap_or(10) as usize);
                // The farthest first: the distances say which is nearest.
                let (ids, distances): (Vec<Value>, Vec<f64>) = found.into_iter().rev().unzip();
                (StatusCode::OK, json!({ "ids": [ids], "distances": [distances], "errors": [] }))
            }
            ["delete"] => {
                collection.delete(&body["ids"]);
                (StatusCode::OK, json!({}))
            }
            ["ids"] => {
                let offset = body["offset"].as_u64().unwrap_or(0) as usize;
                let limit = body["limit"].as_u64().unwrap_or(10) as usize;
                let ids: Vec<&Value> = collection.rows.values().map(|(id, _)| id).skip(offset).take(limit).collect();
                (StatusCode::OK, json!({ "ids": ids }))
            }
            _ => not_found("page"),
        }
    }

    fn page(&self) -> String {
        let state = self.state();
        let vectors: usize = state.collections.values().map(|collection| collection.rows.len()).sum();
        format!(
            "collections_total {}\ncollections_vector_total {vectors}\nmemory_resident_bytes 5e7\nmemory_allocated_bytes 4e7\n",
            state.collections.len()
        )
    }
}

impl Answers for Store {
    fn answer(&self, request: &http::request::Parts, body: &[u8]) -> Response<Full<Bytes>> {
        let path = request.uri.path();
        if path == "/readyz" {
            return text(StatusCode::OK, "all shards are ready");
        }
        let key = request.headers.get("api-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
        if self.kind.api_key.as_deref().is_some_and(|wanted| wanted != key) {
            // As servers should not do, and some do.
            return text(StatusCode::UNAUTHORIZED, format!("Must provide an API key, not `{key}`"));
        }
        if path == "/metrics" {
            return text(StatusCode::OK, self.page());
        }
        if path.ends_with("/add")
            && self.kind.hold_puts_after.is_some_and(|after| self.batches.fetch_add(1, Ordering::Relaxed) >= after)
        {
            std::thread::sleep(Duration::MAX);
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let call = (request.method.as_str(), parts.as_slice());
        let (status, answer) = if self.kind.by_column { self.by_column(call, &body) } else { self.by_row(call, &body) };
        text(status, answer.to_string())
    }
}
