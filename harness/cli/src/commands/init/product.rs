//! Which server it is, and which runtime it has: by metrics, and by answers that only one server gives.

use soak_diagnosis::metrics_page::Line;

use super::look::Seen;
use super::pages::has;

/// A server that is known by something that only it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    /// The public build of Longbow.
    Longbow,
    /// The store inside this binary.
    Embedded,
    /// The Go store of this project's tests.
    GoStore,
    Guts,
    Weaviate,
    Qdrant,
    Chroma,
}

impl Product {
    /// The name for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Longbow => "Longbow",
            Self::Embedded => "soak's embedded store",
            Self::GoStore => "the Go store of soak's tests",
            Self::Guts => "Guts",
            Self::Weaviate => "Weaviate",
            Self::Qdrant => "Qdrant",
            Self::Chroma => "Chroma",
        }
    }

    /// The built-in profile's name.
    pub(super) fn profile(self) -> &'static str {
        match self {
            Self::Longbow => "longbow",
            Self::Embedded => "reference",
            Self::GoStore => "go",
            Self::Guts => "guts",
            Self::Weaviate => "weaviate",
            Self::Qdrant => "qdrant",
            Self::Chroma => "chroma",
        }
    }
}

/// What a server's runtime is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runtime {
    Go,
    Jvm,
    Python,
    Rust,
    /// Only `process_*` metrics.
    Process,
    Unknown,
}

impl Runtime {
    /// With the evidence for it.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Go => "a Go runtime (go_* metrics)",
            Self::Jvm => "a Java virtual machine (jvm_* metrics)",
            Self::Python => "a Python runtime (python_* metrics)",
            Self::Rust => "a Rust program (tokio, axum or jemalloc metrics)",
            Self::Process => "a process without runtime metrics (process_* only)",
            Self::Unknown => "an unknown runtime",
        }
    }
}

/// What was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recognised {
    pub(super) product: Option<Product>,
    /// By what, in a few words.
    pub(super) by: String,
    pub(super) runtime: Runtime,
}

/// A beginning of a metric's name that one server has, the more special ones first.
const METRICS: [(&str, Product); 8] = [
    // The two stores of this project keep Longbow's names, and have some of their own.
    ("longbow_retired_bytes", Product::Embedded),
    ("longbow_put_message_rows_max", Product::GoStore),
    ("longbow_", Product::Longbow),
    ("guts_", Product::Guts),
    ("weaviate_", Product::Weaviate),
    ("qdrant_", Product::Qdrant),
    ("chroma_", Product::Chroma),
    ("collections_vector_total", Product::Qdrant),
];

/// Recognises a server.
pub(super) fn recognise(seen: &Seen, lines: &[Line<'_>]) -> Recognised {
    let runtime = runtime(lines);
    let by_metrics = METRICS.iter().find(|(beginning, _)| has(lines, beginning));
    if let Some((beginning, product)) = by_metrics {
        let by = match beginning.strip_suffix('_') {
            Some(_) => format!("metrics {beginning}*"),
            None => format!("metric {beginning}"),
        };
        return Recognised { product: Some(*product), by, runtime };
    }
    let app = lines.iter().find(|line| line.name == "app_info").and_then(|line| line.label("name"));
    if app == Some("qdrant") {
        return Recognised { product: Some(Product::Qdrant), by: "metric app_info".to_owned(), runtime };
    }
    match seen.answers.iter().find_map(|(path, text)| Some((path, by_answer(path, text)?))) {
        Some((path, product)) => {
            Recognised { product: Some(product), by: format!("its answer to GET {path}"), runtime }
        }
        None => Recognised { product: None, by: String::new(), runtime },
    }
}

/// Paths whose answers name a server.
pub(super) const ANSWERS: [&str; 3] = ["/api/v2/heartbeat", "/v1/meta", "/"];

fn by_answer(path: &str, text: &str) -> Option<Product> {
    let answer: serde_json::Value = serde_json::from_str(text).ok()?;
    match path {
        "/api/v2/heartbeat" => answer.get("nanosecond heartbeat").map(|_| Product::Chroma),
        "/v1/meta" => (answer.get("version").is_some() && answer.get("modules").is_some()).then_some(Product::Weaviate),
        "/" => answer.get("title")?.as_str()?.contains("qdrant").then_some(Product::Qdrant),
        _ => None,
    }
}

/// The runtime, by metrics that its usual libraries export.
pub(super) fn runtime(lines: &[Line<'_>]) -> Runtime {
    let any = |beginnings: &[&str]| beginnings.iter().any(|beginning| has(lines, beginning));
    if any(&["go_info", "go_goroutines", "go_memstats_"]) {
        Runtime::Go
    } else if any(&["jvm_"]) {
        Runtime::Jvm
    } else if any(&["python_info", "python_gc_"]) {
        Runtime::Python
    } else if any(&["tokio_", "axum_", "actix_", "jemalloc_", "rust_"]) {
        Runtime::Rust
    } else if any(&["process_"]) {
        Runtime::Process
    } else {
        Runtime::Unknown
    }
}
