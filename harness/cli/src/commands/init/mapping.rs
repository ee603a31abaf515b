//! Canonical series and knobs, by the metrics that runtimes and common libraries export them as.

use soak_diagnosis::metrics_page::{Line, Selector};

/// A series or a knob, and the metrics that hold it, the best one first.
struct Rule {
    name: &'static str,
    metrics: &'static [&'static str],
}

const fn rule(name: &'static str, metrics: &'static [&'static str]) -> Rule {
    Rule { name, metrics }
}

/// Go's names are of `client_golang`'s collectors; JVM's of the Prometheus client and of Micrometer; Rust's of tokio-metrics and of exporters of
/// jemalloc's statistics; Python's of `prometheus_client`. The unit of each is that of the canonical series.
const SERIES: &[Rule] = &[
    rule(
        "heap_bytes",
        &[
            "go_gc_heap_live_bytes",
            "go_memstats_heap_alloc_bytes",
            "jvm_memory_used_bytes{area=\"heap\"}",
            "jvm_memory_bytes_used{area=\"heap\"}",
            "jemalloc_allocated_bytes",
            "jemalloc_allocated",
            "memory_allocated_bytes",
        ],
    ),
    rule("heap_objects_bytes", &["go_memory_classes_heap_objects_bytes"]),
    rule("heap_goal_bytes", &["go_gc_heap_goal_bytes", "go_memstats_next_gc_bytes"]),
    rule("heap_unused_bytes", &["go_memory_classes_heap_unused_bytes"]),
    rule("heap_free_bytes", &["go_memory_classes_heap_free_bytes"]),
    rule(
        "runtime_bytes",
        &[
            "go_memory_classes_total_bytes",
            "go_memstats_sys_bytes",
            "jvm_memory_committed_bytes",
            "jvm_memory_bytes_committed",
            "jemalloc_mapped_bytes",
            "jemalloc_mapped",
        ],
    ),
    rule("released_bytes", &["go_memory_classes_heap_released_bytes", "go_memstats_heap_released_bytes"]),
    rule("gc_roots_stack_bytes", &["go_gc_scan_stack_bytes"]),
    rule("gc_roots_globals_bytes", &["go_gc_scan_globals_bytes"]),
    rule(
        "goroutines",
        &[
            "go_goroutines",
            "tokio_num_alive_tasks",
            "tokio_runtime_alive_tasks",
            "jvm_threads_live_threads",
            "jvm_threads_current",
        ],
    ),
    rule(
        "gc_cycles_total",
        &[
            "go_gc_duration_seconds_count",
            "jvm_gc_collection_seconds_count",
            "jvm_gc_pause_seconds_count",
            "python_gc_collections_total",
        ],
    ),
    rule(
        "gc_pause_seconds_total",
        &["go_gc_duration_seconds_sum", "jvm_gc_collection_seconds_sum", "jvm_gc_pause_seconds_sum"],
    ),
    rule("gc_pause_max_seconds", &["go_gc_duration_seconds{quantile=\"1\"}", "jvm_gc_pause_seconds_max"]),
    rule("gogc_percent", &["go_gc_gogc_percent"]),
    rule("gomemlimit_bytes", &["go_gc_gomemlimit_bytes"]),
];

/// Knobs that a server's page reads back.
const KNOBS: &[Rule] = &[rule("gogc", &["go_gc_gogc_percent"]), rule("gomemlimit", &["go_gc_gomemlimit_bytes"])];

/// Endings of a metric's name that mean one series in every server that has it.
const ENDINGS: &[(&str, &[&str])] =
    &[("connections", &["_http_active_connections", "_open_connections", "_active_connections", "_connections_open"])];

/// Words in a metric's name that may mean a series. Only a person can tell, so they are offered as comments.
const WORDS: &[(&str, &[&str])] = &[
    ("datasets", &["collections", "active_datasets", "indices_total"]),
    ("live_vectors", &["vectors_total", "vector_count", "objects_total", "points_total", "object_count"]),
    ("compactions_total", &["compactions_total", "compaction_count", "compaction_runs_total"]),
    ("compaction_errors_total", &["compaction_errors_total", "compaction_failure_count"]),
    ("cache_bytes", &["cache_size_bytes", "cache_bytes"]),
    ("pending_items", &["queue_depth", "queue_size", "pending_"]),
    ("put_rows_total", &["objects_processed_total", "rows_inserted_total", "rows_processed_total"]),
];

/// A series or a knob that is on the page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mapped {
    pub(super) name: &'static str,
    pub(super) metric: String,
    /// Its value when the page was read.
    pub(super) value: f64,
}

impl Mapped {
    /// What a reader should know of the value.
    pub(super) fn remark(&self) -> Option<&'static str> {
        match self.name {
            "gogc" | "gogc_percent" if self.value > 1e18 => Some("now -1 as an unsigned number: GOGC is off"),
            "gomemlimit" | "gomemlimit_bytes" if self.value > 9e18 => Some("now no limit"),
            _ if self.value == 0.0 => Some("now 0: a gauge that stays 0 makes its criteria inconclusive"),
            _ => None,
        }
    }
}

/// The series of the page.
pub(super) fn series(lines: &[Line<'_>]) -> Vec<Mapped> {
    let mut found = read(SERIES, lines);
    for (name, endings) in ENDINGS {
        let matching = |line: &&Line<'_>| endings.iter().any(|ending| line.name.ends_with(ending));
        if let Some(line) = lines.iter().find(matching) {
            found.extend(one(name, line.name, lines));
        }
    }
    found
}

/// The knobs that the page reads back.
pub(super) fn knobs(lines: &[Line<'_>]) -> Vec<Mapped> {
    read(KNOBS, lines)
}

/// Metrics that may be a series. None of those that are buckets of a histogram.
pub(super) fn guesses(lines: &[Line<'_>], mapped: &[Mapped]) -> Vec<Mapped> {
    let mut found = Vec::new();
    for (name, words) in WORDS.iter().filter(|(name, _)| mapped.iter().all(|one| one.name != *name)) {
        let matching =
            |line: &&Line<'_>| !line.name.ends_with("_bucket") && words.iter().any(|word| line.name.contains(word));
        if let Some(line) = lines.iter().find(matching) {
            found.extend(one(name, line.name, lines));
        }
    }
    found
}

fn read(rules: &[Rule], lines: &[Line<'_>]) -> Vec<Mapped> {
    let of = |rule: &Rule| rule.metrics.iter().find_map(|metric| one(rule.name, metric, lines));
    rules.iter().filter_map(of).collect()
}

fn one(name: &'static str, metric: &str, lines: &[Line<'_>]) -> Option<Mapped> {
    let value = Selector::parse(metric)?.read(lines)?;
    Some(Mapped { name, metric: metric.to_owned(), value })
}
