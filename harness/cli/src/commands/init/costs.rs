//! What was not found, and which criteria it costs.

use soak_scenario::runbook::Runbook;
use soak_scenario::{Profile, Protocol};

use super::look::Seen;

/// Something that a run would use and that was not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) what: String,
    pub(super) cost: &'static str,
}

/// A canonical series, and what its absence costs.
const SERIES: [(&str, &str, &str); 8] = [
    (
        "heap_bytes",
        "heap in use (heap_bytes)",
        "heap_floor is not judged; memory is judged by the kernel's figures only",
    ),
    ("goroutines", "number of tasks (goroutines)", "goroutine_baseline is not judged"),
    ("heap_goal_bytes", "heap goal of the collector (heap_goal_bytes)", "heap_goal is not judged"),
    ("datasets", "number of datasets (datasets)", "dataset_baseline is not judged"),
    ("connections", "open connections (connections)", "connection_baseline is not judged"),
    ("pending_items", "waiting jobs (pending_items)", "pending_baseline is not judged"),
    ("cache_bytes", "size of caches (cache_bytes)", "cache_floor is not judged"),
    ("graph_bytes", "memory of the index (graph_bytes)", "node_overhead is not judged"),
];

/// Series that only a store of vectors has.
const OF_STORES: [&str; 2] = ["datasets", "graph_bytes"];

/// What a finished profile lacks.
pub(super) fn of_profile(seen: &Seen, profile: &Profile) -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut lacks = |what: &str, cost| missing.push(Missing { what: what.to_owned(), cost });
    if seen.pid.is_none() && seen.container.is_none() {
        lacks(
            "process of the server (--pid or --container)",
            "resident memory cannot be read: rss_floor, rss_trend, peak_per_ingested, resident_per_vector and time_to_baseline are inconclusive",
        );
    }
    let endpoints = &profile.endpoints;
    let is_store = Runbook::of(profile) != Runbook::Guts;
    if endpoints.metrics.is_none() {
        lacks(
            "metrics page",
            "heap_floor, goroutine_baseline and metrics_cardinality are not judged; memory is read from the kernel only",
        );
    } else {
        for (series, what, cost) in SERIES {
            if !profile.claims(series) && (is_store || !OF_STORES.contains(&series)) {
                lacks(what, cost);
            }
        }
    }
    if endpoints.collect.is_none() && profile.claims("gc_cycles_total") {
        lacks(
            "way to force a collection (endpoints.collect)",
            "heap floors include garbage, so that heap_floor detects only larger leaks",
        );
    }
    if is_store && !endpoints.compacts() && !profile.claims("compactions_total") {
        lacks(
            "way to ask for a compaction, or a count of them (endpoints.compact, compactions_total)",
            "compaction_reclaim and compaction_time are not judged",
        );
    }
    if endpoints.tasks.is_none() {
        lacks("task dump (endpoints.tasks)", "leaked tasks are counted, but their stacks are not named");
    }
    if endpoints.heap_profile.is_none() {
        lacks(
            "heap profile (endpoints.heap_profile)",
            "growing allocation sites are not named in reports and `soak diag`",
        );
    }
    if !profile.attest.contains_key("gogc") && profile.claims("gc_cycles_total") {
        lacks(
            "effective GOGC ([attest] gogc)",
            "the setting gogc stays unverified, and variants of it may be no variants",
        );
    }
    if profile.protocol == Protocol::Flight && seen.meta == seen.data {
        lacks(
            "second Flight address for searches (--grpc twice)",
            "searches and deletes go to the address of puts; if the server has another one, they fail",
        );
    }
    missing
}
