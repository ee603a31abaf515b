//! Misbehaviours against their ground truth, read from `/proc` and the task dump alone: within 10 % of what was asked for.

use std::time::{Duration, Instant};

use soak_tests::{Kind, Target, until};
use soak_verdict::stats::theil_sen::theil_sen;

use crate::store::Load;

pub(crate) const MIB: f64 = 1_048_576.0;

pub(crate) fn close(what: &str, found: f64, asked: f64) {
    assert!((found / asked - 1.0).abs() <= 0.1, "{what}: {found} instead of {asked}");
}

/// A reading that took longer may be of any moment within it.
const READ_WITHIN: Duration = Duration::from_millis(50);

/// Growth a second of what `read` gives, over this long: the slope through readings all along, so that one that came late does not decide.
pub(crate) fn rate(read: impl Fn() -> f64, over: Duration) -> f64 {
    let began = Instant::now();
    let (mut times, mut values) = (Vec::new(), Vec::new());
    while began.elapsed() < over || times.len() < 10 {
        assert!(began.elapsed() < 4 * over, "only {} readings within {READ_WITHIN:?} each", times.len());
        let asked = Instant::now();
        let value = read();
        let took = asked.elapsed();
        if took <= READ_WITHIN {
            times.push((asked.duration_since(began) + took / 2).as_secs_f64());
            values.push(value);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    theil_sen(&times, &values, 0.95).unwrap().slope
}

fn a_heap_leak_by_time(kind: Kind) {
    let Some(target) = Target::start(kind, &["heap_leak=240MiB/min"]) else { return };
    // Past what the start itself takes.
    let first = target.status_bytes("RssAnon");
    until("the leak shows", || (target.status_bytes("RssAnon") > first + 4.0 * MIB).then_some(()));
    let found = rate(|| target.status_bytes("RssAnon"), Duration::from_secs(8));
    close("bytes a second", found, 4.0 * MIB);
}

fn a_heap_leak_by_operation(kind: Kind) {
    let Some(target) = Target::start(kind, &["heap_leak=512KiB/op"]) else { return };
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

fn retained_batches(kind: Kind) {
    let Some(target) = Target::start(kind, &["retain_batches=50%"]) else { return };
    let load = Load::new(&target, 1024, 512);
    let floor = || {
        load.put(&target, 4096);
        load.drop_dataset();
        target.rest_bytes()
    };
    floor();
    // The slope through six floors: one that lies a few pages off does not decide.
    let (cycles, floors): (Vec<f64>, Vec<f64>) = (0..6).map(|cycle| (f64::from(cycle), floor())).unzip();
    let slope = theil_sen(&cycles, &floors, 0.95).unwrap().slope;
    close("bytes kept of each cycle of 16 MiB", slope, 8.0 * MIB);
}

fn a_slow_release(kind: Kind) {
    let Some(target) = Target::start(kind, &["slow_release=16MiB/s"]) else { return };
    let load = Load::new(&target, 3072, 512);
    load.put(&target, 8192);
    load.drop_dataset();
    target.collect();
    let held = target.status_bytes("RssAnon");
    until("memory begins to come back", || (target.status_bytes("RssAnon") < held - 8.0 * MIB).then_some(()));
    // Of the 96 MiB some 88 are left, for five seconds and a half.
    let found = rate(|| target.status_bytes("RssAnon"), Duration::from_secs(4));
    close("bytes a second", found, -16.0 * MIB);
}

fn a_mapped_file(kind: Kind) {
    let Some(mapped) = Target::start(kind, &["mapped_file=96MiB"]) else { return };
    let Some(plain) = Target::start(kind, &[]) else { return };
    let more = mapped.status_bytes("RssFile") - plain.status_bytes("RssFile");
    close("bytes of mapped files", more, 96.0 * MIB);
    let anon = mapped.status_bytes("RssAnon") - plain.status_bytes("RssAnon");
    assert!(anon.abs() < 4.0 * MIB, "anonymous memory is not touched: {anon}");
}

fn leaked_tasks(kind: Kind) {
    let Some(target) = Target::start(kind, &["task_leak=1200/min"]) else { return };
    let leaked = || target.call("GET", "/debug/pprof/goroutine?debug=2").matches("repair.waitForPeer").count() as f64;
    close("tasks a second", rate(leaked, Duration::from_secs(5)), 20.0);
    let counted = target.metric("go_goroutines");
    assert!(counted >= leaked() - 20.0, "the metrics page counts them too: {counted}");
}

fn an_offheap_leak_by_time(kind: Kind) {
    let Some(target) = Target::start(kind, &["offheap_leak=240MiB/min"]) else { return };
    let first = target.status_bytes("RssAnon");
    until("the leak shows", || (target.status_bytes("RssAnon") > first + 4.0 * MIB).then_some(()));
    let heap = target.metric("go_memstats_heap_inuse_bytes");
    let found = rate(|| target.status_bytes("RssAnon"), Duration::from_secs(8));
    close("bytes a second", found, 4.0 * MIB);
    let grown = target.metric("go_memstats_heap_inuse_bytes") - heap;
    assert!(grown < 8.0 * MIB, "32 MiB were leaked beside the heap, which grew by {grown}");
}

fn a_cache_that_fills_and_then_no_more(kind: Kind) {
    let Some(target) = Target::start(kind, &["cache_fill=8MiB"]) else { return };
    let load = Load::new(&target, 1024, 512);
    let floor = |rows| {
        load.put(&target, rows);
        load.drop_dataset();
        target.rest_bytes()
    };
    // 16 MiB of vectors a cycle, of which a tenth is kept: full after five.
    let empty = floor(512);
    let full = (0..6).map(|_| floor(4096)).fold(0.0, f64::max);
    assert!((6.0 * MIB..12.0 * MIB).contains(&(full - empty)), "{} bytes for a cache of 8 MiB", full - empty);
    let later = floor(4096);
    assert!(later - full < 2.0 * MIB, "it went on to grow, by {}", later - full);
}

fn a_step_is_taken_once(kind: Kind) {
    let Some(target) = Target::start(kind, &["step=48MiB"]) else { return };
    let load = Load::new(&target, 64, 64);
    let floor = || {
        load.put(&target, 64);
        load.drop_dataset();
        target.rest_bytes()
    };
    let before = (0..3).map(|_| floor()).fold(0.0, f64::max);
    let after = floor();
    close("bytes of the step", after - before, 48.0 * MIB);
    let later = floor();
    assert!((later - after).abs() < 2.0 * MIB, "only once: {}", later - after);
}

for_both_stores!(
    a_heap_leak_by_time,
    a_heap_leak_by_operation,
    retained_batches,
    a_slow_release,
    a_mapped_file,
    leaked_tasks,
    an_offheap_leak_by_time,
    a_cache_that_fills_and_then_no_more,
    a_step_is_taken_once
);
