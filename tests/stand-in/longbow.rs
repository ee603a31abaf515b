//! A server that answers as the public build of Longbow was seen to answer, over the embedded store: its variables, its names of metrics, ids of
//! searches as `uint64`, puts answered at the end of their stream alone, durations as Go reads them, and no compaction.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use soak_reference::{Config, Dialect, Server, parse_misbehave};
use tokio::net::TcpListener;

use crate::go_settings;
use crate::serve::{Answers, serve, text};

/// The page's names, and the embedded store's for the same.
const RENAMED: [(&str, &str); 10] = [
    ("go_memstats_heap_alloc_bytes", "go_memstats_heap_inuse_bytes"),
    ("go_memstats_next_gc_bytes", "go_memstats_next_gc_bytes"),
    ("go_goroutines", "go_goroutines"),
    ("go_gc_gogc_percent", "go_gc_gogc_percent"),
    ("go_gc_gomemlimit_bytes", "go_gc_gomemlimit_bytes"),
    ("go_gc_duration_seconds_sum", "go_gc_duration_seconds_sum"),
    ("go_gc_duration_seconds_count", "go_gc_duration_seconds_count"),
    ("process_resident_memory_bytes", "process_resident_memory_bytes"),
    ("longbow_flight_rows_processed_total{operation=\"put\",status=\"ok\"}", "longbow_put_rows_total"),
    ("longbow_sharded_hnsw_shard_size{dataset=\"soak\",shard=\"0\"}", "hnsw_nodes"),
];

/// What is on the page and never set.
const ZERO: [&str; 6] = [
    "longbow_compaction_auto_triggers_total",
    "longbow_store_active_datasets",
    "longbow_store_vectors_managed_count",
    "longbow_vector_index_size",
    "longbow_memory_current_bytes",
    "longbow_compaction_errors_total",
];

struct Store {
    inner: SocketAddr,
}

/// Runs it with the variables of the environment.
pub(crate) fn run() -> Result<(), String> {
    go_settings::runtime_memory_limit()?;
    let addr = |name: &str, default: &str| -> Result<SocketAddr, String> {
        go_settings::text(name, default).parse().map_err(|_| format!("{name} is not an address"))
    };
    let data_path = std::env::var("LONGBOW_DATA_PATH").ok();
    if let Some(path) = data_path.filter(|path| !std::path::Path::new(path).is_dir()) {
        return Err(format!("LONGBOW_DATA_PATH {path}: there is no such folder"));
    }
    let most = go_settings::integer("LONGBOW_MAX_MEMORY", "1073741824")?;
    if most <= 0 {
        return Err("LONGBOW_MAX_MEMORY must be above 0".to_owned());
    }
    go_settings::duration("LONGBOW_COMPACTION_INTERVAL", "30s")?;
    go_settings::flag("LONGBOW_COMPACTION_ENABLED", "true")?;
    for (name, default) in [("LONGBOW_HNSW_M", "32"), ("LONGBOW_HNSW_EF_CONSTRUCTION", "400")] {
        go_settings::integer(name, default)?;
    }
    let gogc = effective_gogc()?;
    // Its tuner sets the soft limit, whatever GOMEMLIMIT says. HNSW settings and the compaction interval are read and never used.
    let of_store = |name: &str| match name {
        "GOMEMLIMIT" if most < i64::MAX => Some(most.to_string()),
        "GOGC" => Some(gogc.clone()),
        "LONGBOW_COMPACTION_ENABLED" => Some("false".to_owned()),
        "LONGBOW_HNSW_EF_CONSTRUCTION" => Some("40".to_owned()),
        _ => None,
    };
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let addrs = [addr("LONGBOW_LISTEN_ADDR", "0.0.0.0:3000")?, addr("LONGBOW_META_ADDR", "0.0.0.0:3001")?, local];
    let held: Vec<String> =
        std::env::var("STAND_IN_HELD_LOCK").map(|lock| format!("held_lock={lock}")).into_iter().collect();
    let misbehave = parse_misbehave(&held).map_err(|error| error.to_string())?;
    let mut config = Config::from_env(addrs, of_store, misbehave).map_err(|error| error.to_string())?;
    config.dialect = Dialect::Longbow;
    let page = addr("LONGBOW_METRICS_ADDR", "0.0.0.0:9090")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().max_blocking_threads(24).enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let server = Server::start(config).await.map_err(|error| error.to_string())?;
        let listener = TcpListener::bind(page).await.map_err(|error| format!("cannot listen on {page}: {error}"))?;
        let store = Arc::new(Store { inner: server.http_addr });
        serve(listener, store).await.map_err(|error| error.to_string())
    })
}

/// What the collector runs at: the tuner switches it off, and sets `LONGBOW_GOGC` where that differs from the runtime's GOGC by more than 2.
fn effective_gogc() -> Result<String, String> {
    let wanted = match go_settings::integer("LONGBOW_GOGC", "100")? {
        // The tuner's own default.
        ..=0 => 80,
        percent => percent,
    };
    let is_set = (wanted - go_settings::runtime_gogc()).abs() > 2;
    Ok(if is_set { wanted.to_string() } else { "off".to_owned() })
}

impl Store {
    /// What the embedded store answers.
    fn ask(&self, path: &str) -> String {
        tokio::task::block_in_place(|| soak_tests::http(&self.inner.to_string(), "GET", path).1)
    }

    fn page(&self) -> String {
        let inner = self.ask("/metrics");
        let value = |name: &str| inner.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let mut page = String::from(
            "go_gc_duration_seconds{quantile=\"1\"} 0.001\ngo_memstats_sys_bytes 1e8\ngo_memstats_heap_released_bytes 1e6\n",
        );
        for (outer, inner) in RENAMED {
            if let Some(value) = value(inner) {
                let _ = writeln!(page, "{outer} {value}");
            }
        }
        for name in ZERO {
            let _ = writeln!(page, "{name} 0");
        }
        page
    }
}

impl Answers for Store {
    fn answer(&self, request: &http::request::Parts, _body: &[u8]) -> Response<Full<Bytes>> {
        match request.uri.path() {
            "/metrics" => text(StatusCode::OK, self.page()),
            path if path.starts_with("/debug/pprof/") => {
                text(StatusCode::OK, self.ask(request.uri.path_and_query().map_or(path, |all| all.as_str())))
            }
            path => text(StatusCode::NOT_FOUND, format!("{path} is not here")),
        }
    }
}
