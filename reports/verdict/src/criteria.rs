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

use soak_scenario::{Plan, series};

use crate::evidence::Criterion;

/// Every criterion that can be measured.
pub(crate) const TABLE: &[Criterion] = &[
    Criterion { id: "rss_floor", series: &["rss_anon_bytes"], measure: floor::rss },
    Criterion { id: "heap_floor", series: &["heap_bytes"], measure: floor::heap },
    Criterion { id: "cache_floor", series: &["cache_bytes"], measure: floor::cache },
    Criterion {
        id: "rss_trend",
        series: &["rss_anon_bytes", "ledger_live_vectors"],
        measure: growth_under_load::measure,
    },
    Criterion { id: "compaction_reclaim", series: &["rss_anon_bytes", "dataset_bytes"], measure: compaction::measure },
    Criterion { id: "compaction_time", series: &[], measure: compaction_time::time },
    Criterion {
        id: "compaction_overdue",
        series: &["tombstone_bytes", "compactions_total"],
        measure: compaction_time::overdue,
    },
    Criterion { id: "goroutine_baseline", series: &["goroutines"], measure: tasks::measure },
    Criterion { id: "leaked_goroutines", series: &[], measure: leaked_goroutines::measure },
    Criterion { id: "connection_baseline", series: &["connections"], measure: connections::measure },
    Criterion { id: "pending_baseline", series: &["pending_items"], measure: pending::measure },
    Criterion { id: "dataset_baseline", series: &["datasets"], measure: datasets::measure },
    Criterion { id: "metrics_cardinality", series: &[series::OF_THE_PAGE], measure: cardinality::measure },
    Criterion { id: "peak_per_ingested", series: &["rss_anon_bytes"], measure: peak::measure },
    Criterion { id: "node_overhead", series: &["graph_bytes", "indexed_vectors"], measure: node::measure },
    Criterion { id: "resident_per_vector", series: &["rss_bytes"], measure: resident::measure },
    Criterion { id: "time_to_baseline", series: &["rss_anon_bytes"], measure: release::measure },
    Criterion { id: "unresponsive_time", series: &[], measure: unresponsive_time::measure },
    Criterion { id: "operation_errors", series: &[], measure: operation_errors::measure },
    Criterion { id: "log_errors", series: &[], measure: log::measure },
    Criterion { id: "latency_rise", series: &[], measure: latency::measure },
    Criterion { id: "heap_goal", series: &["heap_objects_bytes"], measure: heap_goal::measure },
    Criterion { id: "unexplained_memory", series: &["cgroup_usage_bytes", "rss_anon_bytes"], measure: ledger::measure },
    Criterion { id: "oom_cascade", series: &[], measure: cascade::measure },
    Criterion { id: "fault_shown", series: &[], measure: fault_shown::measure },
    Criterion { id: "fault_recovery", series: &["rss_anon_bytes"], measure: fault_recovery::measure },
    Criterion { id: "first_answer", series: &[], measure: first_answer::measure },
    Criterion { id: "acknowledged_data", series: &[], measure: acknowledged_data::measure },
    Criterion { id: "fault_residue", series: &[], measure: fault_residue::measure },
    Criterion { id: "fault_growth", series: &["heap_bytes", "rss_anon_bytes"], measure: fault_growth::measure },
    Criterion { id: unverified_settings::ID, series: &[], measure: unverified_settings::measure },
];

pub(crate) use compaction::left as left_by_compaction;
pub(crate) use fault_shown::doubt as pressure_that_never_was;
pub use floor::{floor_model, more_cycles};
pub(crate) use unverified_settings::{ID as UNVERIFIED_SETTINGS, is_compared};

/// The criteria that can be asked of a plan's target.
pub(crate) fn of(plan: &Plan) -> impl Iterator<Item = &'static Criterion> {
    TABLE.iter().filter(|criterion| plan.not_applicable(criterion.id).is_none())
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
