//! The whole run loop, against a simulated store under a simulated clock: many seeds in seconds, deaths and interruptions at any moment.

#![expect(clippy::unwrap_used, reason = "tests")]

mod observer;
mod target;

use std::time::Duration;

use observer::{Observed, simulate, simulate_until};
use soak_engine::RunEnd;
use soak_record::{EventKind, LatencySummary, Outcome, Phase};
use soak_scenario::{Plan, Request, load};
use soak_verdict::{FailureCause, RunVerdict, Verdict};
use target::Faults;

const MIB: f64 = 1_048_576.0;

/// Scenario 2 at quick pace, one small variant.
fn plan(edits: &[&str]) -> Plan {
    let mut all = vec![
        "matrix.dim=[64]".to_owned(),
        "matrix.batch_rows=[500]".to_owned(),
        "workload.vectors_per_cycle={default=200000}".to_owned(),
    ];
    all.extend(edits.iter().map(|edit| (*edit).to_owned()));
    load(&Request { scenario: "scenario2", edits: &all, ..Request::default() }).unwrap().plan
}

fn small() -> Plan {
    plan(&["workload.vectors_per_cycle={default=4000}", "matrix.dim=[2048]"])
}

fn failing(verdict: &RunVerdict) -> Vec<&str> {
    let failed = verdict.findings().filter(|(_, finding)| finding.verdict == Some(Verdict::Fail));
    failed.map(|(_, finding)| finding.criterion.as_str()).collect()
}

#[test]
fn a_healthy_store_passes_on_every_seed() {
    let plan = small();
    let mut inconclusive = 0;
    for seed in 0..200 {
        let observed = simulate(&plan, seed, Faults::default());
        let verdict = observed.judge(&plan);
        assert_eq!(failing(&verdict), Vec::<&str>::new(), "seed {seed}: {verdict:#?}");
        inconclusive += usize::from(verdict.verdict == Verdict::Inconclusive);
        assert_eq!(observed.end, RunEnd::Complete);
    }
    assert!(inconclusive <= 4, "{inconclusive} of 200 seeds were inconclusive");
}

#[test]
fn each_fault_fails_by_its_criterion_and_by_no_other() {
    let plan = small();
    let healthy = Faults::default();
    let cases: [(Faults, &[&str]); 4] = [
        (Faults { leak_bytes_per_s: 1.0 * MIB, ..healthy }, &["rss_floor", "heap_floor"]),
        (Faults { leaked_tasks_per_s: 2.0, ..healthy }, &["goroutine_baseline"]),
        (Faults { compaction_does_nothing: true, ..healthy }, &["compaction_reclaim"]),
        (Faults { release_bytes_per_s: Some(8.0 * MIB), ..healthy }, &["time_to_baseline"]),
    ];
    for (faults, expected) in cases {
        for seed in 0..10 {
            let verdict = simulate(&plan, seed, faults).judge(&plan);
            assert_eq!(failing(&verdict), expected, "{faults:?}, seed {seed}: {verdict:#?}");
        }
    }
}

#[test]
fn cycles_go_on_until_pools_have_filled() {
    let plan = plan(&["workload.vectors_per_cycle={default=4000}", "matrix.dim=[2048]", "cycle.at_most=30"]);
    let cycles =
        |observed: &Observed| observed.count(|kind| matches!(kind, EventKind::PhaseEnded { phase: Phase::Settle, .. }));
    let fills = Some((90.0 * MIB, 2.5));
    let (mut passed, mut found) = (0, 0);
    for seed in 0..20 {
        let filling = simulate(&plan, seed, Faults { fills, ..Faults::default() });
        let verdict = filling.judge(&plan);
        assert!((8..=30).contains(&cycles(&filling)), "seed {seed}: {} cycles", cycles(&filling));
        assert_eq!(failing(&verdict), Vec::<&str>::new(), "seed {seed}: {verdict:#?}");
        passed += usize::from(verdict.verdict == Verdict::Pass);
        // The pools hide no leak of five tolerances behind them, which is half of what a warm-up cycle brings.
        let leaking = simulate(&plan, seed, Faults { fills, kept_per_cycle: 5.0 * MIB, ..Faults::default() });
        let verdict = leaking.judge(&plan);
        found += usize::from(failing(&verdict).contains(&"rss_floor"));
        assert_ne!(verdict.verdict, Verdict::Pass, "seed {seed}");
        assert_eq!(cycles(&simulate(&plan, seed, Faults::default())), 7, "nothing is added where nothing fills");
    }
    assert!(passed >= 18 && found >= 18, "{passed} passed, {found} found, of 20");
}

#[test]
fn a_store_that_dies_at_any_moment_ends_the_run_and_fails() {
    let plan = small();
    let length = simulate(&plan, 0, Faults::default()).seconds();
    for seed in 0..60_u32 {
        let dies_at = Duration::from_secs_f64(length * (f64::from(seed) + 0.5) / 60.0);
        let observed = simulate(&plan, u64::from(seed), Faults { dies_at: Some(dies_at), ..Faults::default() });
        // After its stop it may die as it likes.
        let outcome = observed.outcome();
        assert!(matches!(outcome, Outcome::TargetFailed { .. }), "at {dies_at:?}: {outcome:?}");
        let verdict = observed.judge(&plan);
        assert_eq!(verdict.exit_code(), 1, "{verdict:#?}");
        observed.nothing_is_left();
        let died = observed.count(|kind| matches!(kind, EventKind::TargetDied { .. }));
        assert_eq!(died, 1, "a death is told once");
    }
}

#[test]
fn a_person_may_interrupt_at_any_moment() {
    let plan = small();
    let length = simulate(&plan, 0, Faults::default()).seconds();
    for seed in 0..60_u32 {
        let at = Duration::from_secs_f64(length * (f64::from(seed) + 0.5) / 60.0);
        let observed = simulate_until(&plan, u64::from(seed), Faults::default(), Some(at));
        assert_eq!((observed.end.clone(), observed.outcome()), (RunEnd::Interrupted, Outcome::Interrupted));
        observed.nothing_is_left();
        assert!(observed.seconds() < at.as_secs_f64() + 1.0, "it ends soon after");
        assert!(!observed.judge(&plan).complete);
    }
}

/// Faults in every phase, several at once, some drawn and some at a time.
fn chaotic(seed: u64) -> Plan {
    let edits = [
        "faults.a={inject={latency={delay=\"5ms\"}},hold=\"2s\",watch=\"1s\"}",
        "faults.b={inject=\"pause\",hold=\"1s\",watch=\"1s\",after=\"1500ms\"}",
        "faults.c={inject=\"cut\",phase=\"ingest\",hold=\"300ms\",watch=\"200ms\",after=\"0s\"}",
        "faults.d={inject=\"reset\",phase=\"delete\",hold=\"300ms\",watch=\"200ms\",after=\"0s\"}",
        "faults.e={inject=\"stop_load\",at=\"2s\",hold=\"500ms\",watch=\"200ms\"}",
        "workload.query.duration=500ms",
        "workload.vectors_per_cycle={default=4000}",
        "matrix.dim=[2048]",
    ];
    let mut edits = edits.map(str::to_owned).to_vec();
    if !seed.is_multiple_of(3) {
        edits.push("chaos={draw=2,within=\"1s\"}".to_owned());
    }
    load(&Request {
        scenario: "scenario2",
        seed: Some(seed),
        only: Some("dim2048-rows500"),
        edits: &edits,
        ..Request::default()
    })
    .unwrap()
    .plan
}

#[test]
fn faults_are_healed_on_every_way_out() {
    for seed in 0..40 {
        let plan = chaotic(seed);
        let observed = simulate(&plan, seed, Faults::default());
        assert_eq!(observed.end, RunEnd::Complete);
        observed.nothing_is_left();
        assert!(observed.faults[0] >= 3, "seed {seed}: {:?}", observed.faults);
        let verdict = observed.judge(&plan);
        assert_eq!(failing(&verdict), Vec::<&str>::new(), "seed {seed}: {verdict:#?}");
        // A person, and a death, at a moment that goes with the seed.
        let at = Duration::from_secs_f64(observed.seconds() * (seed as f64 + 0.5) / 40.0);
        simulate_until(&plan, seed, Faults::default(), Some(at)).nothing_is_left();
        simulate(&plan, seed, Faults { dies_at: Some(at), ..Faults::default() }).nothing_is_left();
    }
}

#[test]
fn a_store_that_never_acknowledges_is_a_finding_and_no_hang() {
    let plan = small();
    let observed = simulate(&plan, 1, Faults { never_acknowledges: true, ..Faults::default() });
    let gone = |kind: &EventKind| matches!(kind, EventKind::Unresponsive { recovered: false, .. });
    assert_eq!(observed.count(gone), 1);
    assert!(observed.seconds() < 60.0, "{} s", observed.seconds());
    assert!(failing(&observed.judge(&plan)).contains(&"unresponsive_time"));
    observed.nothing_is_left();
}

#[test]
fn a_store_that_answers_too_slowly_for_the_plan_is_given_up_within_its_bound() {
    let slow = ["workload.vectors_per_cycle={default=4000}", "matrix.dim=[2048]", "deadlines.phase=1min"];
    let plan = plan(&[&slow[..], &["deadlines.call=5s", "stop.after=100h"]].concat());
    // Every delete is answered well within the deadline of a call, so that the store is not unresponsive.
    let takes = Some(Duration::from_secs(4));
    let observed = simulate(&plan, 1, Faults { delete_takes: takes, ..Faults::default() });
    assert_eq!(observed.count(|kind| matches!(kind, EventKind::Unresponsive { .. })), 0);
    let overdue = |kind: &EventKind| matches!(kind, EventKind::PhaseOverdue { phase: Phase::Delete, .. });
    assert_eq!(observed.count(overdue), 1);
    let verdict = observed.judge(&plan);
    let target = verdict.findings().find(|(_, finding)| finding.criterion == "target").unwrap().1;
    assert_eq!((target.cause, target.verdict), (Some(FailureCause::Overdue), Some(Verdict::Fail)));
    assert!(target.reason.contains("deadlines.phase"), "{}", target.reason);
    observed.nothing_is_left();
}

#[test]
fn no_run_takes_longer_than_its_plan_says() {
    let plan = plan(&["workload.vectors_per_cycle={default=4000}", "matrix.dim=[2048]", "deadlines.phase=1min"]);
    let longest = soak_engine::longest_duration(&plan).as_secs_f64();
    let pause = (Duration::from_secs(2), Duration::from_secs(1_000_000));
    let all = [
        Faults::default(),
        Faults { delete_takes: Some(Duration::from_secs(9)), ..Faults::default() },
        Faults { never_acknowledges: true, ..Faults::default() },
        Faults { paused: Some(pause), ..Faults::default() },
        Faults { refuses_every: 3, ..Faults::default() },
        Faults { release_bytes_per_s: Some(1.0), ..Faults::default() },
    ];
    for faults in all {
        let took = simulate(&plan, 1, faults).seconds();
        assert!(took < longest, "{faults:?} took {took:.0} s of {longest:.0} s");
    }
}

#[test]
fn a_store_that_answers_at_the_end_of_a_stream_is_not_silent_between_batches() {
    let plan = plan(&[
        "workload.vectors_per_cycle={default=4000}",
        "matrix.dim=[2048]",
        "workload.ingest.schedule={constant=\"12/min\"}",
        "deadlines.call=3s",
    ]);
    let observed = simulate(&plan, 1, Faults { answers_at_the_end: true, ..Faults::default() });
    assert_eq!(observed.count(|kind| matches!(kind, EventKind::Unanswered { .. } | EventKind::Unresponsive { .. })), 0);
    assert_eq!(observed.judge(&plan).verdict, Verdict::Pass, "{:#?}", observed.judge(&plan));
}

#[test]
fn a_store_that_refuses_everything_is_given_up_soon() {
    let plan = small();
    let observed = simulate(&plan, 1, Faults { refuses_every: 1, ..Faults::default() });
    assert!(matches!(observed.outcome(), Outcome::TargetFailed { reason } if reason.contains("no room")));
    assert!(observed.seconds() < 30.0, "{} s", observed.seconds());
    observed.nothing_is_left();
}

#[test]
fn a_store_that_refuses_a_part_passes_nothing() {
    let plan = small();
    let verdict = simulate(&plan, 1, Faults { refuses_every: 5, ..Faults::default() }).judge(&plan);
    assert_eq!(verdict.verdict, Verdict::Inconclusive, "{verdict:#?}");
    let doubted = verdict.findings().filter(|(_, finding)| finding.reason.contains("acknowledged only"));
    assert!(doubted.count() >= 5);
}

#[test]
fn back_pressure_is_honoured_and_counted() {
    let plan = small();
    let hindered = simulate(&plan, 1, Faults { slow_down_every: 4, ..Faults::default() });
    let free = simulate(&plan, 1, Faults::default());
    let account = |observed: &Observed| {
        observed
            .kinds()
            .find_map(|kind| match kind {
                EventKind::Ingested { cycle: 1, back_pressure, seconds, acked_rows, .. } => {
                    Some((*back_pressure, *seconds, *acked_rows))
                }
                _ => None,
            })
            .unwrap()
    };
    let ((asked, slow, rows), (none, fast, _)) = (account(&hindered), account(&free));
    assert_eq!((asked, none, rows), (2, 0, 4000));
    // One pause of 50 ms, as timers have it: they count in milliseconds.
    assert!(slow > fast + 0.045, "{slow} s with, {fast} s without");
    assert_eq!(failing(&hindered.judge(&plan)), Vec::<&str>::new());
}

#[test]
fn a_pause_shows_in_the_corrected_latencies_and_nothing_is_left_out() {
    let plan = plan(&[
        "workload.vectors_per_cycle={default=500}",
        "matrix.dim=[8]",
        "workload.query.duration=60s",
        "workload.query.schedule={constant=\"100/s\"}",
        "workload.query.in_flight=16",
    ]);
    // Where the first query phase begins depends on nothing but the seed.
    let begins = |observed: &Observed| observed.phase_start(Phase::Query, 0);
    let from = begins(&simulate(&plan, 3, Faults::default())) + 20.0;
    let paused = Some((Duration::from_secs_f64(from), Duration::from_secs_f64(from + 5.0)));
    let observed = simulate(&plan, 3, Faults { paused, ..Faults::default() });
    let search: LatencySummary = observed
        .kinds()
        .find_map(|kind| match kind {
            EventKind::Latency { cycle: 0, phase: Phase::Query, summary, .. } => Some(*summary),
            _ => None,
        })
        .unwrap();
    assert!(search.corrected.max_ms >= 4990.0, "{search:?}");
    assert!(search.corrected.p99_ms >= 4000.0, "{search:?}");
    assert!(search.uncorrected.p99_ms < 4000.0, "without correction it hides: {search:?}");
    assert!(search.late_starts >= 400, "operations that could not start when they were due: {search:?}");
    assert_eq!(search.count + search.errors + search.never_started, 6000, "none is forgotten: {search:?}");
}

#[test]
fn the_same_seed_gives_the_same_operations() {
    let plan = plan(&[
        "workload.vectors_per_cycle={default=2000}",
        "matrix.dim=[16]",
        "workload.query.mix={search=80, upsert=15, delete=5}",
        "workload.ingest.upserts=10%",
        "workload.delete=22%",
    ]);
    // The store's own timing differs with its seed; what is asked of it must not.
    let operations = |store_seed| {
        let mut operations = simulate(&plan, store_seed, Faults::default()).operations;
        operations.sort();
        operations
    };
    let (one, other) = (operations(1), operations(2));
    for kind in ["put", "search", "upsert", "delete"] {
        assert!(one.iter().any(|operation| operation.starts_with(kind)), "no {kind} among {}", one.len());
    }
    assert!(one.len() > 2000, "{}", one.len());
    assert!(one == other, "operations depend on the target's timing");
}
