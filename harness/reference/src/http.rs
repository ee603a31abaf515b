//! The HTTP plane: metrics, dumps, and the runbook's admin endpoints.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes as Body;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use soak_scenario::HeldLock;
use soak_scenario::units::Bytes;

use crate::metrics;
use crate::store::{Store, StoreError};
use crate::switched_leak::LeakRates;

/// Answers one request. Never fails: errors are answers.
pub(crate) async fn answer<B: Send>(
    store: Arc<Store>,
    request: Request<B>,
) -> Result<Response<Full<Body>>, Infallible> {
    let (parts, _) = request.into_parts();
    if parts.uri.path() == "/metrics" {
        store.leaks.pass(HeldLock::Metrics, &store.tasks).await;
    }
    // Compaction and collection block for as long as they take.
    let answered = tokio::task::spawn_blocking(move || route(&store, &parts)).await;
    Ok(answered.unwrap_or_else(|error| text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())))
}

fn route(store: &Store, request: &http::request::Parts) -> Response<Full<Body>> {
    let query = |name: &str| parameter(request.uri.query().unwrap_or_default(), name);
    let post = request.method == Method::POST;
    match request.uri.path() {
        "/metrics" => typed(StatusCode::OK, metrics::CONTENT_TYPE, metrics::page(store)),
        "/health" => text(StatusCode::OK, "ok\n"),
        "/debug/pprof/goroutine" => match query("debug").as_deref() {
            Some("2") => text(StatusCode::OK, store.tasks.dump()),
            _ => text(StatusCode::BAD_REQUEST, "only ?debug=2, full stacks, is served\n"),
        },
        "/debug/pprof/heap" => {
            if query("gc").as_deref() == Some("1") {
                store.collector.collect();
            }
            let stats = store.collector.stats();
            let (heap, retired) = (stats.heap_bytes, stats.retired_bytes);
            text(StatusCode::OK, format!("heap in use: {heap} bytes\nretired: {retired} bytes\n"))
        }
        path if path.starts_with("/admin/") && !post => {
            text(StatusCode::METHOD_NOT_ALLOWED, "the admin endpoints take POST\n")
        }
        "/admin/compact" => {
            let header = || request.headers.get("x-dataset").and_then(|value| value.to_str().ok()).map(str::to_owned);
            match query("dataset").or_else(header) {
                Some(dataset) => done(store.compact(&dataset).map(|()| 1)),
                None => done(store.compact_all()),
            }
        }
        "/admin/compact-all" => done(store.compact_all()),
        "/admin/compaction/stop" => {
            store.stop_compactions();
            text(StatusCode::OK, "periodic compaction is stopped\n")
        }
        "/admin/vacuum" => {
            store.collector.collect();
            text(StatusCode::OK, "retired memory is released\n")
        }
        "/admin/test/leak" => leak(store, request.uri.query().unwrap_or_default()),
        "/admin/test/leak/stop" => {
            let (bytes, tasks) = store.switched_leak.stop();
            store.collector.collect();
            text(StatusCode::OK, format!("bytes {bytes}\ntasks {tasks}\n"))
        }
        path => text(StatusCode::NOT_FOUND, format!("{path} is not here\n")),
    }
}

fn done(compacted: Result<usize, StoreError>) -> Response<Full<Body>> {
    match compacted {
        Ok(count) => text(StatusCode::OK, format!("compacted {count}\n")),
        Err(error @ StoreError::NoDataset(_)) => text(StatusCode::NOT_FOUND, format!("{error}\n")),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

/// Leaks at once, or from now on.
fn leak(store: &Store, query: &str) -> Response<Full<Body>> {
    let names = || query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split('=').next().unwrap_or(pair));
    if let Some(name) = names().find(|name| !["tasks", "bytes", "tasks_rate", "bytes_rate"].contains(name)) {
        let known = "expected tasks and bytes (at once), or tasks_rate and bytes_rate (from now on)";
        return text(StatusCode::BAD_REQUEST, format!("{name} is no parameter of a leak: {known}\n"));
    }
    let given = |name: &str| parameter(query, name);
    // A name without a value is a mistake, and not a rate that was left out.
    let rate = |name: &str| names().any(|one| one == name).then(|| given(name).unwrap_or_default());
    match (names().any(|name| name.ends_with("_rate")), names().any(|name| !name.ends_with("_rate"))) {
        (true, true) => text(
            StatusCode::BAD_REQUEST,
            "a leak is either at once (tasks, bytes) or from now on (tasks_rate, bytes_rate): ask for one after the other\n",
        ),
        (true, false) => match LeakRates::parse(rate("bytes_rate"), rate("tasks_rate")) {
            Ok(rates) => {
                store.switched_leak.start(rates);
                let LeakRates { bytes_per_second, tasks_per_second } = rates;
                let said = format!("leaking {bytes_per_second:.0} bytes and {tasks_per_second:.3} tasks a second\n");
                text(StatusCode::OK, said)
            }
            Err(error) => text(StatusCode::BAD_REQUEST, format!("{error}\n")),
        },
        (false, _) => leak_at_once(store, given("tasks"), given("bytes")),
    }
}

/// Leaks tasks and bytes at once: one task when nothing is said.
fn leak_at_once(store: &Store, tasks: Option<String>, bytes: Option<String>) -> Response<Full<Body>> {
    let tasks = tasks.map_or(Ok(u32::from(bytes.is_none())), |count| count.parse());
    let bytes = bytes.map_or(Ok(Bytes(0)), |size| size.parse());
    let (Ok(tasks @ 0..=100_000), Ok(bytes)) = (tasks, bytes) else {
        return text(StatusCode::BAD_REQUEST, "expected ?tasks=N (up to 100000) or ?bytes=SIZE such as 1MiB\n");
    };
    store.leaks.at_once(tasks, bytes, &store.tasks);
    text(StatusCode::OK, format!("leaked {tasks} tasks and {bytes}\n"))
}

/// A parameter of a query string; `%xx` is decoded.
fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let decoded = (first == b'%').then(|| tail.get(..2)).flatten();
        let decoded = decoded.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(first));
        rest = if decoded.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).ok()
}

fn text(status: StatusCode, body: impl Into<String>) -> Response<Full<Body>> {
    typed(status, "text/plain; charset=utf-8", body.into())
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Body>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        assert_eq!(parameter("a=1&dataset=x%20y%zz", "dataset").as_deref(), Some("x y%zz"));
        assert_eq!(parameter("a=1", "dataset"), None);
    }
}
