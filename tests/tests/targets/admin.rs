//! The runbook's admin endpoints, as an engineer on call would use them.

use std::time::Duration;

use soak_tests::{Kind, Target, until};

use crate::store::Load;

fn count(target: &Target, name: &str) -> u64 {
    target.metric(name) as u64
}

fn compaction_takes_a_dataset_and_drops_what_is_dead(kind: Kind) {
    let Some(target) = Target::start(kind, &[]) else { return };
    let load = Load::new(&target, 64, 200);
    load.put(&target, 2000);
    load.delete(0..500);
    assert!(target.metric("longbow_tombstone_bytes") > 0.0);
    assert_eq!(target.call("POST", "/admin/compact?dataset=test").trim(), "compacted 1");
    assert_eq!(count(&target, "compaction_operations_total"), 1);
    assert_eq!((count(&target, "longbow_tombstone_bytes"), count(&target, "hnsw_nodes")), (0, 1500));
    let page = target.call("GET", "/metrics");
    assert!(page.contains("longbow_dataset_memory_bytes{dataset=\"test\"}"), "a break-down by dataset:\n{page}");
    load.delete(500..1000);
    assert!(target.call("POST", "/admin/compact-all").starts_with("compacted"));
    assert_eq!(count(&target, "longbow_live_vectors"), 1000);
}

fn periodic_compaction_runs_until_it_is_stopped(kind: Kind) {
    let Some(target) = Target::start_with(kind, &[("LONGBOW_COMPACTION_INTERVAL", "200ms")], &[]) else { return };
    let load = Load::new(&target, 64, 200);
    load.put(&target, 1000);
    load.delete(0..400);
    // It may come in the middle of the deletes, and leave a rest that is too small for another.
    until("a compaction by itself", || (target.metric("compaction_operations_total") > 0.5).then_some(()));
    assert!(target.metric("compaction_interval_seconds") > 0.0);
    target.call("POST", "/admin/compaction/stop");
    let ran = target.metric("compaction_operations_total");
    load.delete(400..800);
    // Five periods: that nothing happens cannot be waited for.
    std::thread::sleep(Duration::from_secs(1));
    assert!(target.metric("longbow_tombstone_bytes") > 0.0, "nothing compacts any more");
    assert!((target.metric("compaction_operations_total") - ran).abs() < 0.5);
}

fn leaks_on_request_are_what_was_asked_for(kind: Kind) {
    let Some(target) = Target::start(kind, &[]) else { return };
    let tasks = target.metric("go_goroutines");
    target.call("POST", "/admin/test/leak?tasks=25");
    // Those of the connections that asked end a little later.
    until("25 tasks more", || ((target.metric("go_goroutines") - tasks - 25.0).abs() <= 1.0).then_some(()));
    let before = target.status_bytes("RssAnon");
    target.call("POST", "/admin/test/leak?bytes=32MiB");
    let leaked = target.status_bytes("RssAnon") - before;
    assert!((leaked / (32.0 * 1_048_576.0) - 1.0).abs() < 0.1, "{leaked}");
    target.call("POST", "/admin/vacuum");
}

for_both_stores!(
    compaction_takes_a_dataset_and_drops_what_is_dead,
    periodic_compaction_runs_until_it_is_stopped,
    leaks_on_request_are_what_was_asked_for
);
