//! `node_overhead`: how many bytes the index takes for each node, the vector not counted.

use soak_record::Phase;
use soak_scenario::Threshold;

use crate::evidence::{Evidence, at_most};
use crate::human;
use crate::observed::Observed;
use crate::stats::location::median;

const GRAPH: &str = "graph_bytes";
const NODES: &str = "indexed_vectors";
const NEXT: &str = "Runbook “High Memory Usage Troubleshooting”, “Step 4: Examine HNSW Graph Health”: fewer neighbours a node (hnsw_max_connections), and \
     whether the graph was compacted.";

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    if let Some(why) = [GRAPH, NODES].into_iter().find_map(|name| observed.unusable(name)) {
        return Evidence::absent(why);
    }
    let vector = f64::from(observed.record.variant.knobs.dim) * 4.0;
    let level =
        |name: &str, cycle: u32| observed.level(name, Phase::AfterCompact, Some(cycle)).map(|level| level.median);
    let per_node: Vec<f64> = observed
        .counted_cycles()
        .filter_map(|cycle| Some(level(GRAPH, cycle)? / level(NODES, cycle).filter(|nodes| *nodes > 0.0)?))
        .collect();
    let Some(per_node) = median(&per_node) else {
        return Evidence::absent("No counted cycle has a window at rest after compaction with rows in the index.");
    };
    // Some indexes hold a copy of the vector, others only refer to it; one that takes less than a vector cannot hold it.
    let holds_vector = per_node >= vector;
    let overhead = if holds_vector { per_node - vector } else { per_node };
    let how = if holds_vector {
        format!(", beside its copy of the vector of {}", human::bytes(vector))
    } else {
        String::new()
    };
    Evidence {
        value: Some(overhead),
        interval: None,
        threshold: threshold.at_most,
        summary: format!("The index takes {} B a node{how}.", human::number(overhead.round())),
        notes: Vec::new(),
        band: None,
        working: Vec::new(),
        p: Vec::new(),
        rule: at_most(overhead, threshold, |bytes| format!("{} B", human::number(bytes)), NEXT),
    }
}
