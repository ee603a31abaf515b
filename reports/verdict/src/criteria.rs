//! The criteria, in the order of reports. A new one is one file here, one line in the table, and its name in `soak_scenario::criterion`.

mod acknowledging;
mod attested;
mod compaction;
mod floor;
mod peak;
mod release;
mod tasks;

use crate::evidence::Criterion;

/// Every criterion that can be measured.
pub(crate) const TABLE: &[Criterion] = &[
    Criterion { id: "rss_floor", series: &["rss_anon_bytes"], measure: floor::rss },
    Criterion { id: "heap_floor", series: &["heap_bytes"], measure: floor::heap },
    Criterion { id: "compaction_reclaim", series: &["rss_anon_bytes"], measure: compaction::measure },
    Criterion { id: "goroutine_baseline", series: &["goroutines"], measure: tasks::measure },
    Criterion { id: "peak_per_ingested", series: &["rss_anon_bytes"], measure: peak::measure },
    Criterion { id: "time_to_baseline", series: &["rss_anon_bytes"], measure: release::measure },
    Criterion { id: "acknowledging", series: &[], measure: acknowledging::measure },
    Criterion { id: attested::ID, series: &[], measure: attested::measure },
];

pub(crate) use attested::ID as ATTESTED;

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_is_the_scenarios_list() {
        let known: Vec<&str> = soak_scenario::criterion::CRITERIA.iter().map(|spec| spec.id).collect();
        let measured: Vec<&str> = super::TABLE.iter().map(|criterion| criterion.id).collect();
        assert_eq!(measured, known);
    }
}
