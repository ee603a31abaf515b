//! The metrics page, in Prometheus' text form, under the names of the runbook. Every counter starts at zero and is always there.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::arena::SLAB_BYTES;
use crate::store::{DURATION_BUCKETS_S, Store};

/// The content type of the page.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &str, value: f64) {
        // The sum of nothing is −0, which no counter should start from.
        let _ = writeln!(self.0, "{name}{labels} {}", value + 0.0);
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, "gauge", help);
        self.value(name, "", value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        self.value(name, "", value as f64);
    }
}

/// The page.
pub(crate) fn page(store: &Store) -> String {
    let mut page = Page(String::with_capacity(8 << 10));
    runtime(&mut page, store);
    datasets(&mut page, store);
    slabs(&mut page, store);
    compaction(&mut page, store);
    requests(&mut page, store);
    page.0
}

fn runtime(page: &mut Page, store: &Store) {
    let stats = store.collector.stats();
    let pacing = store.collector.pacing();
    page.gauge("go_goroutines", "Tasks, connections and background threads.", store.tasks.count() as f64);
    // As Prometheus' clients call it.
    if let Some(resident) = resident_bytes() {
        page.gauge("process_resident_memory_bytes", "Resident memory of the process.", resident);
    }
    page.gauge("go_memstats_heap_inuse_bytes", "Allocated and not freed, slabs included.", stats.heap_bytes as f64);
    page.gauge("go_memstats_next_gc_bytes", "Heap at which the next collection starts.", stats.goal_bytes as f64);
    page.gauge("longbow_retired_bytes", "No longer live, not yet collected.", stats.retired_bytes as f64);
    page.gauge("longbow_held_back_bytes", "Collected, kept by slow_release.", stats.held_back_bytes as f64);
    page.gauge("longbow_leaked_bytes", "Heap leaked on request.", store.leaks.heap_bytes() as f64);
    let (bytes, tasks) = store.switched_leak.held();
    page.gauge("longbow_test_leaked_bytes", "Heap held by the leak that is switched on and off.", bytes as f64);
    page.gauge("longbow_test_leaked_tasks", "Tasks held by the leak that is switched on and off.", tasks as f64);
    // Go prints GOGC=off as -1 and no limit as the largest int64.
    page.gauge("go_gc_gogc_percent", "Effective GOGC.", pacing.gogc.map_or(-1.0, f64::from));
    let limit = pacing.gomemlimit_bytes.map_or(i64::MAX as f64, |bytes| bytes as f64);
    page.gauge("go_gc_gomemlimit_bytes", "Effective GOMEMLIMIT.", limit);
    page.head(
        "go_gc_duration_seconds",
        "summary",
        "Collection pauses. MODELLED: this store has no collector that stops it.",
    );
    page.value("go_gc_duration_seconds_sum", "", stats.pause_seconds);
    page.value("go_gc_duration_seconds_count", "", stats.cycles as f64);
}

fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?;
    Some(kib.parse::<f64>().ok()? * 1024.0)
}

fn datasets(page: &mut Page, store: &Store) {
    let stats = store.dataset_stats();
    page.gauge("longbow_total_datasets", "Datasets.", stats.len() as f64);
    page.head("longbow_dataset_memory_bytes", "gauge", "Arena and graph of a dataset.");
    for (name, stats) in &stats {
        page.value("longbow_dataset_memory_bytes", &labels("dataset", name), stats.bytes() as f64);
    }
    let sum = |of: fn(&crate::dataset::DatasetStats) -> f64| stats.iter().map(|(_, stats)| of(stats)).sum::<f64>();
    let max =
        |of: fn(&crate::dataset::DatasetStats) -> usize| stats.iter().map(|(_, stats)| of(stats)).max().unwrap_or(0);
    let graph_bytes = sum(|stats| stats.graph_bytes as f64);
    let nodes = sum(|stats| stats.nodes as f64);
    let dead = sum(|stats| stats.dead as f64);
    page.gauge("longbow_store_memory_bytes", "Arenas and graphs of all datasets.", sum(|stats| stats.bytes() as f64));
    page.gauge(
        "longbow_tombstone_bytes",
        "What a compaction could reclaim.",
        sum(|stats| stats.tombstone_bytes as f64),
    );
    page.gauge("longbow_live_vectors", "Rows that are not deleted.", sum(|stats| stats.live as f64));
    page.gauge("longbow_deleted_vectors", "Rows that are deleted and still held.", dead);
    page.gauge("longbow_index_queue_depth", "Rows that wait for the index.", sum(|stats| stats.waiting as f64));
    page.gauge("hnsw_nodes", "Nodes of all graphs.", nodes);
    page.gauge("hnsw_deleted_nodes", "Nodes whose row is deleted.", dead.min(nodes));
    page.gauge("hnsw_layers", "Layers of the highest graph.", max(|stats| stats.layers) as f64);
    page.gauge("hnsw_max_connections", "M.", f64::from(store.config.hnsw_m));
    page.gauge("hnsw_ef_construction", "Candidates while inserting.", f64::from(store.config.ef_construction));
    page.gauge("graph_memory_bytes", "Memory of all graphs, the vectors in them included.", graph_bytes);
    let per_node = if nodes > 0.0 { graph_bytes / nodes } else { 0.0 };
    page.gauge("graph_bytes_per_node", "Mean memory of a node, its vector included.", per_node);
}

fn slabs(page: &mut Page, store: &Store) {
    let pool = store.slabs.stats();
    let stats = store.dataset_stats();
    let rows: usize = stats.iter().map(|(_, stats)| stats.live + stats.dead).sum();
    let dead: usize = stats.iter().map(|(_, stats)| stats.dead).sum();
    page.gauge("slab_pool_slabs", "Slabs that hold data.", pool.in_use as f64);
    page.gauge("slab_pool_bytes", "Bytes of slabs that hold data.", (pool.in_use * SLAB_BYTES) as f64);
    page.gauge("slab_pool_free_slabs", "Slabs given back and still mapped.", pool.pooled as f64);
    let fragmentation = if rows > 0 { dead as f64 / rows as f64 } else { 0.0 };
    page.gauge("slab_pool_fragmentation_ratio", "Dead share of the rows in slabs.", fragmentation);
}

fn compaction(page: &mut Page, store: &Store) {
    let counters = &store.counters;
    let interval = store.config.compaction_interval.unwrap_or(Duration::ZERO);
    page.counter("compaction_operations_total", "Compactions begun.", counters.compactions.load(Ordering::Relaxed));
    page.head("compaction_events_total", "counter", "Compactions by how they ended.");
    for (event, counter) in [
        ("ok", &counters.compaction_ok),
        ("error", &counters.compaction_errors),
        ("skipped", &counters.compaction_skipped),
    ] {
        page.value("compaction_events_total", &labels("event", event), counter.load(Ordering::Relaxed) as f64);
    }
    page.gauge("compaction_interval_seconds", "Period of compaction; 0 is never.", interval.as_secs_f64());
    let durations = store.compaction_durations();
    page.head("compaction_duration_seconds", "histogram", "How long compactions took.");
    for (bound, count) in DURATION_BUCKETS_S.into_iter().zip(durations.buckets) {
        page.value("compaction_duration_seconds_bucket", &labels("le", &bound.to_string()), count as f64);
    }
    page.value("compaction_duration_seconds_bucket", &labels("le", "+Inf"), durations.count as f64);
    page.value("compaction_duration_seconds_sum", "", durations.sum_s);
    page.value("compaction_duration_seconds_count", "", durations.count as f64);
}

fn requests(page: &mut Page, store: &Store) {
    let counters = &store.counters;
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    page.counter("longbow_put_rows_total", "Rows received.", load(&counters.put_rows));
    page.counter("longbow_put_messages_total", "Record batches received.", load(&counters.put_messages));
    let rows_max = load(&counters.put_message_rows_max) as f64;
    page.gauge("longbow_put_message_rows_max", "Rows of the largest record batch received.", rows_max);
    let dim = load(&counters.put_message_dim) as f64;
    page.gauge("longbow_put_message_dim", "Components of the vectors last received.", dim);
    page.counter("longbow_slow_down_total", "Puts answered with slow_down.", load(&counters.slow_downs));
    page.counter("longbow_searches_total", "Searches.", load(&counters.searches));
    page.counter("longbow_deletes_total", "Deletes.", load(&counters.deletes));
    page.head(
        "longbow_requests_by_client_total",
        "counter",
        "Requests by client, of which series_leak makes up new ones.",
    );
    for client in 0..=store.leaks.series() {
        page.value("longbow_requests_by_client_total", &labels("client", &format!("c{client}")), 1.0);
    }
    page.gauge("longbow_open_connections", "Open connections.", store.connections.count() as f64);
    page.gauge("longbow_log_bytes", "Bytes of all logs.", load(&store.log_totals.bytes) as f64);
    page.counter("longbow_log_errors_total", "Writes of logs that failed.", load(&store.log_totals.errors));
}

/// `{name="value"}`, escaped.
fn labels(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{{{name}=\"{value}\"}}")
}
