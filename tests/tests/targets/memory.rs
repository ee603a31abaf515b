//! Memory that is really given back.

use soak_tests::{Kind, Target};

use crate::store::Load;

const MIB: f64 = 1_048_576.0;

fn a_store_that_has_dropped_everything_is_back_at_its_warm_baseline(kind: Kind) {
    let Some(target) = Target::start(kind, &[]) else { return };
    let load = Load::new(&target, 768, 512);
    let cycle = |rows| {
        load.put(&target, rows);
        let held = target.status_bytes("RssAnon");
        load.drop_dataset();
        held
    };
    cycle(4096);
    let baseline = target.rest_bytes();
    let held = (0..3).map(|_| cycle(8192)).fold(0.0, f64::max);
    assert!(held > baseline + 40.0 * MIB, "it held {held} bytes of data, {baseline} without");
    let allowed = baseline + f64::max(0.1 * baseline, 4.0 * MIB);
    let after = target.rest_bytes();
    assert!(after <= allowed, "{after} bytes, {allowed} would do");
    let page = target.call("GET", "/metrics");
    assert!(page.contains("longbow_total_datasets 0"), "{page}");
}

fn counters_are_there_from_zero(kind: Kind) {
    let Some(target) = Target::start(kind, &[]) else { return };
    let page = target.call("GET", "/metrics");
    for name in [
        "compaction_operations_total 0",
        "compaction_events_total{event=\"error\"} 0",
        "compaction_events_total{event=\"ok\"} 0",
        "compaction_duration_seconds_count 0",
        "longbow_put_rows_total 0",
        "longbow_total_datasets 0",
        "hnsw_nodes 0",
        "graph_memory_bytes 0",
        "slab_pool_bytes 0",
        "longbow_test_leaked_bytes 0",
        "longbow_test_leaked_tasks 0",
        "longbow_log_bytes 0",
        "longbow_log_errors_total 0",
    ] {
        assert!(page.lines().any(|line| line == name), "{name} is not on the page:\n{page}");
    }
    assert!(target.metric("go_goroutines") >= 4.0);
}

for_both_stores!(a_store_that_has_dropped_everything_is_back_at_its_warm_baseline, counters_are_there_from_zero);
