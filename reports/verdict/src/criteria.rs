//! The criteria, in the order of reports. A new one is one file here, one line in the table, and its name in `soak_scenario::criterion`.

mod acknowledged_data;
mod baseline;
mod cardinality;
mod cascade;
mod compaction;
mod compaction_time;
mod connections;
mod datasets;
mod fault_growth;
mod fault_recovery;
mod fault_residue;
mod fault_shown;
mod first_answer;
mod floor;
mod growth_under_load;
mod heap_goal;
mod latency;
mod leaked_goroutines;
mod ledger;
mod log;
mod node;
mod operation_errors;
mod peak;
mod pending;
mod release;
mod resident;
mod tasks;
mod unresponsive_time;
mod unverified_settings;

use soak_scenario::units::Limit;
use soak_scenario::{Injection, Launch, Plan, series};

use crate::evidence::Criterion;

/// Every criterion that can be measured.
pub(crate) const TABLE: &[Criterion] = &[
    Criterion { id: "rss_floor", series: &["rss_anon_bytes"], measure: floor::rss, applies: always },
    Criterion { id: "heap_floor", series: &["heap_bytes"], measure: floor::heap, applies: always },
    Criterion { id: "cache_floor", series: &["cache_bytes"], measure: floor::cache, applies: knows_cache },
    Criterion {
        id: "rss_trend",
        series: &["rss_anon_bytes", "ledger_live_vectors"],
        measure: growth_under_load::measure,
        applies: growth_under_load::applies,
    },
    Criterion {
        id: "compaction_reclaim",
        series: &["rss_anon_bytes", "dataset_bytes"],
        measure: compaction::measure,
        applies: always,
    },
    Criterion { id: "compaction_time", series: &[], measure: compaction_time::time, applies: always },
    Criterion {
        id: "compaction_overdue",
        series: &["tombstone_bytes", "compactions_total"],
        measure: compaction_time::overdue,
        applies: counts_compactions,
    },
    Criterion { id: "goroutine_baseline", series: &["goroutines"], measure: tasks::measure, applies: always },
    Criterion { id: "leaked_goroutines", series: &[], measure: leaked_goroutines::measure, applies: proves_leaks },
    Criterion {
        id: "connection_baseline",
        series: &["connections"],
        measure: connections::measure,
        applies: counts_connections,
    },
    Criterion { id: "pending_baseline", series: &["pending_items"], measure: pending::measure, applies: knows_pending },
    Criterion { id: "dataset_baseline", series: &["datasets"], measure: datasets::measure, applies: counts_datasets },
    Criterion {
        id: "metrics_cardinality",
        series: &[series::OF_THE_PAGE],
        measure: cardinality::measure,
        applies: has_page,
    },
    Criterion { id: "peak_per_ingested", series: &["rss_anon_bytes"], measure: peak::measure, applies: always },
    Criterion {
        id: "node_overhead",
        series: &["graph_bytes", "indexed_vectors"],
        measure: node::measure,
        applies: has_graph,
    },
    Criterion { id: "resident_per_vector", series: &["rss_bytes"], measure: resident::measure, applies: always },
    Criterion { id: "time_to_baseline", series: &["rss_anon_bytes"], measure: release::measure, applies: always },
    Criterion { id: "unresponsive_time", series: &[], measure: unresponsive_time::measure, applies: always },
    Criterion { id: "operation_errors", series: &[], measure: operation_errors::measure, applies: always },
    Criterion { id: "log_errors", series: &[], measure: log::measure, applies: prints },
    Criterion { id: "latency_rise", series: &[], measure: latency::measure, applies: always },
    Criterion {
        id: "heap_goal",
        series: &["heap_objects_bytes"],
        measure: heap_goal::measure,
        applies: has_go_collector,
    },
    Criterion {
        id: "unexplained_memory",
        series: &["cgroup_usage_bytes", "rss_anon_bytes"],
        measure: ledger::measure,
        applies: has_cgroup,
    },
    Criterion { id: "oom_cascade", series: &[], measure: cascade::measure, applies: has_replicas },
    Criterion { id: "fault_shown", series: &[], measure: fault_shown::measure, applies: has_faults },
    Criterion {
        id: "fault_recovery",
        series: &["rss_anon_bytes"],
        measure: fault_recovery::measure,
        applies: has_faults,
    },
    Criterion { id: "first_answer", series: &[], measure: first_answer::measure, applies: has_faults },
    Criterion { id: "acknowledged_data", series: &[], measure: acknowledged_data::measure, applies: has_faults },
    Criterion { id: "fault_residue", series: &[], measure: fault_residue::measure, applies: has_faults },
    Criterion {
        id: "fault_growth",
        series: &["heap_bytes", "rss_anon_bytes"],
        measure: fault_growth::measure,
        applies: leaks,
    },
    Criterion { id: unverified_settings::ID, series: &[], measure: unverified_settings::measure, applies: always },
];

pub(crate) use compaction::left as left_by_compaction;
pub(crate) use fault_shown::doubt as pressure_that_never_was;
pub use floor::{floor_model, more_cycles};
pub(crate) use unverified_settings::{ID as UNVERIFIED_SETTINGS, is_compared};

/// The criteria that can be asked of a plan's target. The others would only say of every variant that they do not apply.
pub(crate) fn of(plan: &Plan) -> impl Iterator<Item = &'static Criterion> {
    TABLE.iter().filter(|criterion| (criterion.applies)(plan))
}

fn always(_: &Plan) -> bool {
    true
}

/// Whether the profile knows the figures of Go's collector.
fn has_go_collector(plan: &Plan) -> bool {
    plan.target.profile.series.contains_key("heap_objects_bytes")
}

/// Whether the profile names where the runtime tells of goroutines that can never run again.
fn proves_leaks(plan: &Plan) -> bool {
    plan.target.profile.endpoints.leaked_tasks.is_some()
}

fn counts_connections(plan: &Plan) -> bool {
    plan.target.profile.claims("connections")
}

fn counts_datasets(plan: &Plan) -> bool {
    plan.target.profile.claims("datasets")
}

fn counts_compactions(plan: &Plan) -> bool {
    plan.target.profile.claims("tombstone_bytes") && plan.target.profile.claims("compactions_total")
}

fn knows_cache(plan: &Plan) -> bool {
    plan.target.profile.claims("cache_bytes")
}

fn knows_pending(plan: &Plan) -> bool {
    plan.target.profile.claims("pending_items")
}

fn has_graph(plan: &Plan) -> bool {
    plan.target.profile.claims("graph_bytes")
}

fn prints(plan: &Plan) -> bool {
    !matches!(plan.target.launch, Launch::Attach(_))
}

fn has_page(plan: &Plan) -> bool {
    plan.target.profile.endpoints.metrics.is_some()
}

/// Whether every variant runs in a cgroup of its own.
fn has_cgroup(plan: &Plan) -> bool {
    let limited = || plan.variants.iter().all(|variant| variant.knobs.memory_limit != Limit::Off);
    matches!(plan.target.launch, Launch::Container(_)) || limited()
}

fn has_replicas(plan: &Plan) -> bool {
    matches!(&plan.target.launch, Launch::Container(launch) if launch.replicas > 1)
}

fn has_faults(plan: &Plan) -> bool {
    !plan.faults.is_empty()
}

fn leaks(plan: &Plan) -> bool {
    plan.faults.values().any(|fault| matches!(fault.inject, Injection::LeakMemory { .. }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_is_the_scenarios_list() {
        let known: Vec<&str> = soak_scenario::criterion::CRITERIA.iter().map(|spec| spec.id).collect();
        let measured: Vec<&str> = super::TABLE.iter().map(|criterion| criterion.id).collect();
        assert_eq!(measured, known);
    }
}
