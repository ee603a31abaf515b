//! The leak that is switched on and off, as a chaos run uses it: at the rate that was asked for, and gone when it ends.

use std::time::Duration;

use soak_tests::{Kind, Target, until};

use crate::calibration::{MIB, close, rate};

fn it_leaks_at_the_rate_that_was_asked_for(kind: Kind) {
    let Some(target) = Target::start(kind, &[]) else { return };
    // A rate that is replaced before it can be seen.
    target.call("POST", "/admin/test/leak?tasks_rate=1000/s");
    let said = target.call("POST", "/admin/test/leak?bytes_rate=240MiB/min&tasks_rate=1200/min");
    assert_eq!(said, "leaking 4194304 bytes and 20.000 tasks a second\n");
    let first = target.status_bytes("RssAnon");
    until("the leak shows", || (target.status_bytes("RssAnon") > first + 4.0 * MIB).then_some(()));
    let bytes = rate(|| target.status_bytes("RssAnon"), Duration::from_secs(8));
    close("bytes a second", bytes, 4.0 * MIB);
    let tasks = rate(|| target.metric("longbow_test_leaked_tasks"), Duration::from_secs(6));
    close("tasks a second", tasks, 20.0);
}

fn when_it_ends_everything_is_given_back(kind: Kind) {
    let Some(target) = Target::start(kind, &[]) else { return };
    assert_eq!(target.call("POST", "/admin/test/leak/stop"), "bytes 0\ntasks 0\n", "nothing to end");
    let (idle, tasks) = (target.rest_bytes(), target.metric("go_goroutines"));
    for _ in 0..2 {
        target.call("POST", "/admin/test/leak?bytes_rate=32MiB/s&tasks_rate=100/s");
        until("it leaks", || (target.metric("longbow_test_leaked_bytes") >= 48.0 * MIB).then_some(()));
        assert!(target.status_bytes("RssAnon") > idle + 40.0 * MIB);
        assert!(target.metric("go_goroutines") - tasks > 50.0);
        let ended = target.call("POST", "/admin/test/leak/stop");
        let held = |what: &str| -> f64 {
            ended.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(' ')).unwrap().parse().unwrap()
        };
        assert!(held("bytes") >= 48.0 * MIB && held("tasks") > 50.0, "{ended}");
        assert_eq!(
            (target.metric("longbow_test_leaked_bytes"), target.metric("longbow_test_leaked_tasks")),
            (0.0, 0.0)
        );
        until("tasks end", || (target.metric("go_goroutines") - tasks <= 2.0).then_some(()));
        // Without another collection: stopping is enough.
        until("memory comes back", || (target.status_bytes("RssAnon") < idle + 6.0 * MIB).then_some(()));
    }
    let rest = target.rest_bytes();
    assert!(rest < idle + 4.0 * MIB, "{rest} bytes, {idle} before: it still leaks");
}

fn wrong_parameters_are_refused_with_a_sentence(kind: Kind) {
    let Some(target) = Target::start(kind, &[]) else { return };
    for (query, words) in [
        ("bytes_rate=64MiB", "bytes_rate=64MiB: expected a size above 0 per s, min or h, such as 64MiB/min"),
        ("bytes_rate=1MiB/op", "bytes_rate=1MiB/op: expected"),
        ("bytes_rate", "bytes_rate=: expected"),
        (
            "tasks_rate=0/s",
            "tasks_rate=0/s: expected a number above 0 per s, min or h, such as 600/min, up to 100000/s",
        ),
        ("bytes_rate=1MiB/s&tasks_rate=x", "tasks_rate=x: expected"),
        (
            "byte_rate=1MiB/s",
            "byte_rate is no parameter of a leak: expected tasks and bytes (at once), or tasks_rate and",
        ),
        (
            "tasks=1&bytes_rate=1MiB/s",
            "a leak is either at once (tasks, bytes) or from now on (tasks_rate, bytes_rate)",
        ),
        ("tasks=x", "expected ?tasks=N"),
    ] {
        let (status, said) = target.answer("POST", &format!("/admin/test/leak?{query}"));
        assert!(status == "400" && said.starts_with(words), "{query}: {status} {said}");
    }
    assert_eq!(target.answer("GET", "/admin/test/leak/stop").0, "405");
    assert_eq!(target.call("POST", "/admin/test/leak/stop"), "bytes 0\ntasks 0\n", "none of them leaked");
}

for_both_stores!(
    it_leaks_at_the_rate_that_was_asked_for,
    when_it_ends_everything_is_given_back,
    wrong_parameters_are_refused_with_a_sentence
);
