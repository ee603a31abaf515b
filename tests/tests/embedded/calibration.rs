//! Misbehaviours against their ground truth, read from `/proc` and the task dump alone: within 10 % of what was asked for.

use std::time::{Duration, Instant};

use soak_tests::{Embedded, until};

use crate::store::Load;

const MIB: f64 = 1_048_576.0;

fn close(what: &str, found: f64, asked: f64) {
    assert!((found / asked - 1.0).abs() <= 0.1, "{what}: {found} instead of {asked}");
}

/// Growth a second of what `read` gives, between two readings this far apart.
fn rate(read: impl Fn() -> f64, apart: Duration) -> f64 {
    let (began, first) = (Instant::now(), read());
    std::thread::sleep(apart);
    let last = read();
    (last - first) / began.elapsed().as_secs_f64()
}

#[test]
fn a_heap_leak_by_time() {
    let target = Embedded::start(&["heap_leak=240MiB/min"]);
    // Past what the start itself takes.
    let first = target.status_bytes("RssAnon");
    until("the leak shows", || (target.status_bytes("RssAnon") > first + 4.0 * MIB).then_some(()));
    let found = rate(|| target.status_bytes("RssAnon"), Duration::from_secs(8));
    close("bytes a second", found, 4.0 * MIB);
}

#[test]
fn a_heap_leak_by_operation() {
    let target = Embedded::start(&["heap_leak=512KiB/op"]);
    let load = Load::new(&target, 16, 16);
    let floor = |rows: u32| {
        load.put(&target, rows);
        load.drop_dataset();
        target.rest_bytes()
    };
    floor(640);
    let before = floor(640);
    let after = floor(1280);
    close("bytes for 80 batches", after - before, 80.0 * 0.5 * MIB);
}

#[test]
fn retained_batches() {
    let target = Embedded::start(&["retain_batches=50%"]);
    let load = Load::new(&target, 1024, 512);
    let floor = || {
        load.put(&target, 4096);
        load.drop_dataset();
        target.rest_bytes()
    };
    floor();
    let before = floor();
    let after = (0..3).map(|_| floor()).fold(0.0, f64::max);
    close("bytes of three cycles of 16 MiB", after - before, 24.0 * MIB);
}

#[test]
fn a_slow_release() {
    let target = Embedded::start(&["slow_release=16MiB/s"]);
    let load = Load::new(&target, 3072, 512);
    load.put(&target, 8192);
    load.drop_dataset();
    target.collect();
    let held = target.status_bytes("RssAnon");
    until("memory begins to come back", || (target.status_bytes("RssAnon") < held - 8.0 * MIB).then_some(()));
    let found = rate(|| target.status_bytes("RssAnon"), Duration::from_secs(5));
    close("bytes a second", found, -16.0 * MIB);
}

#[test]
fn a_mapped_file() {
    let (mapped, plain) = (Embedded::start(&["mapped_file=96MiB"]), Embedded::start(&[]));
    let more = mapped.status_bytes("RssFile") - plain.status_bytes("RssFile");
    close("bytes of mapped files", more, 96.0 * MIB);
    let anon = mapped.status_bytes("RssAnon") - plain.status_bytes("RssAnon");
    assert!(anon.abs() < 4.0 * MIB, "anonymous memory is not touched: {anon}");
}

#[test]
fn leaked_tasks() {
    let target = Embedded::start(&["task_leak=1200/min"]);
    let leaked = || target.call("GET", "/debug/pprof/goroutine?debug=2").matches("repair.waitForPeer").count() as f64;
    close("tasks a second", rate(leaked, Duration::from_secs(5)), 20.0);
    let counted = target.metric("go_goroutines");
    assert!(counted >= leaked() - 20.0, "the metrics page counts them too: {counted}");
}
