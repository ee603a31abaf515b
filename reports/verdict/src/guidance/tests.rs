//! Each misbehaviour leads to its case, a healthy target to none, and what the run did itself is not laid at the target's door.

use soak_record::{Event, EventKind, OomScope, Outcome, Phase};
use soak_scenario::runbook::Case;

use crate::simulation::{Builder, HEALTHY, Target, plan, run};
use crate::{Guidance, RunVerdict, Verdict, judge};

/// Case and beginning of the cause of the first guidance of each variant.
fn cases(verdict: &RunVerdict) -> Vec<(Case, &str)> {
    let first = verdict.variants.iter().filter_map(|variant| variant.guidance.first());
    let mut cases: Vec<_> = first.map(|one| (one.case, one.cause.split(' ').next().unwrap())).collect();
    cases.dedup();
    cases
}

fn first(verdict: &RunVerdict) -> &Guidance {
    verdict.variants.iter().find_map(|variant| variant.guidance.first()).unwrap()
}

#[test]
fn each_misbehaviour_leads_to_its_case() {
    let misbehaviours = [
        ("heap_leak", Target { leak_per_s: 1.0, ..HEALTHY }, (Case::Growth, "objects")),
        ("retain_batches", Target { retained_per_cycle: 8.0, ..HEALTHY }, (Case::Growth, "objects")),
        ("offheap_leak", Target { leak_per_s: 1.0, beside_heap: true, ..HEALTHY }, (Case::HighRss, "memory")),
        ("task_leak", Target { tasks_per_s: 0.5, ..HEALTHY }, (Case::Goroutines, "tasks")),
        ("compaction=fails", Target { reclaim: 0.0, errors: true, ..HEALTHY }, (Case::FailedCompaction, "compaction")),
        ("compaction=noop", Target { reclaim: 0.0, ..HEALTHY }, (Case::FailedCompaction, "compaction")),
        ("compaction=weak", Target { reclaim: 0.25, ..HEALTHY }, (Case::FailedCompaction, "compaction")),
        ("fragment", Target { reclaim: 0.0, pinned: true, ..HEALTHY }, (Case::HighRss, "slab")),
        ("slow_release", Target { release_per_s: 8.0, ..HEALTHY }, (Case::Spikes, "memory")),
        ("mapped_file", Target { mapped: 256.0, ..HEALTHY }, (Case::HighRss, "mapped")),
    ];
    for (name, target, expected) in misbehaviours {
        for seed in 0..5 {
            let verdict = run(Target { seed: 3000 + seed, ..target });
            assert_eq!(cases(&verdict), [expected], "{name}, seed {seed}: {:#?}", verdict.variants[0].guidance);
        }
    }
}

#[test]
fn a_healthy_target_has_no_guidance() {
    for seed in 0..20 {
        let verdict = run(Target { seed, ..HEALTHY });
        assert!(verdict.variants.iter().all(|variant| variant.guidance.is_empty()), "seed {seed}");
        assert!(!serde_json::to_string(&verdict).unwrap().contains("guidance"), "an older reader sees nothing new");
    }
}

#[test]
fn guidance_has_numbers_for_and_against_and_what_to_type() {
    let verdict = run(Target { leak_per_s: 1.0, ..HEALTHY });
    let found = first(&verdict);
    assert_eq!(found.findings, ["rss_floor", "heap_floor"]);
    assert!(found.line().starts_with("looks like Scenario 1: Memory Usage Keeps Growing ("), "{}", found.line());
    let told = found.evidence_for.join("; ");
    for part in ["MiB", "of the growth", "it goes on at rest", "the number of tasks comes back"] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    let tasks = found.alternatives.iter().find(|other| other.cause.starts_with("tasks")).unwrap();
    assert_eq!(tasks.case, Case::Goroutines);
    assert!(tasks.reason().contains("comes back"), "{}", tasks.reason());
    // What the target does not show is not held against a cause.
    let unseen = found.alternatives.iter().find(|other| other.cause.starts_with("connections")).unwrap();
    assert_eq!(unseen.reason(), "nothing that was measured speaks for it");
    let beside = found.alternatives.iter().find(|other| other.case == Case::HighRss).unwrap();
    assert!(beside.reason().contains("and the heap from"), "{}", beside.reason());
    assert!(found.remedies.iter().any(|remedy| remedy.remedy == "gogc_10" && remedy.tried));
    let retained = run(Target { retained_per_cycle: 8.0, ..HEALTHY });
    let told = first(&retained).evidence_for.join("; ");
    assert!(told.contains("nothing grows at rest") && told.contains("of what a cycle puts"), "{told}");
    let text = serde_json::to_string(&verdict).unwrap();
    assert_eq!(serde_json::from_str::<RunVerdict>(&text).unwrap(), verdict);
}

#[test]
fn two_failures_of_different_causes_are_told_apart() {
    let verdict = run(Target { leak_per_s: 1.0, reclaim: 0.0, ..HEALTHY });
    let both: Vec<Case> = verdict.variants[0].guidance.iter().map(|one| one.case).collect();
    assert_eq!(both, [Case::Growth, Case::FailedCompaction]);
}

/// A variant that is killed for memory while data is indexed, after so many counted cycles.
fn killed_after(target: Target, cycles: u32) -> RunVerdict {
    let plan = plan();
    let mut record = Builder::record(&plan, 0, target);
    let next = plan.cycle.warm_up + cycles;
    let of_next =
        |event: &Event| matches!(&event.kind, EventKind::PhaseStarted { cycle: Some(cycle), .. } if *cycle == next);
    let at = record.events.iter().position(of_next).unwrap_or(record.events.len() - 1);
    let at_s = record.events[at].at_s;
    record.events.truncate(at);
    for series in record.series.values_mut() {
        let kept = series.times_s.partition_point(|time_s| *time_s < at_s);
        series.times_s.truncate(kept);
        series.values.truncate(kept);
    }
    record.events.extend(kill().map(|kind| Event { at_s, variant: None, kind }));
    judge("r", &plan, [record])
}

/// A variant that is killed for memory while data is indexed, with these events before its end.
fn killed(before: Vec<EventKind>) -> RunVerdict {
    let plan = plan();
    let mut record = Builder::record(&plan, 0, HEALTHY);
    record.events.truncate(record.events.len() - 1);
    let last = before.into_iter().chain(kill());
    record.events.extend(last.map(|kind| Event { at_s: 90.0, variant: None, kind }));
    judge("r", &plan, [record])
}

/// What is told of a kill for memory while data is indexed.
fn kill() -> impl Iterator<Item = EventKind> {
    let oom = EventKind::Oom {
        scope: OomScope::Target,
        limit_bytes: Some(64 << 20),
        usage_bytes: Some(64 << 20),
        victim: None,
        cgroup: None,
        phase: Some(Phase::Index),
        evidence: Vec::new(),
    };
    let ended = EventKind::VariantEnded { outcome: Outcome::TargetFailed { reason: "killed".to_owned() } };
    [oom, ended].into_iter()
}

#[test]
fn floors_that_rise_until_the_kernel_kills_it_are_growth_also_where_they_are_too_few() {
    // Of seven floors the first is of the warm-up; the kill comes after so many counted ones.
    for kept in [3, 4, 5] {
        let verdict = killed_after(Target { retained_per_cycle: 8.0, ..HEALTHY }, kept);
        let found = first(&verdict);
        assert_eq!(found.case, Case::Growth, "{kept}: {found:#?}");
        let told = [
            found.evidence_against.clone(),
            found.alternatives.iter().map(crate::guidance::Alternative::reason).collect(),
        ]
        .concat()
        .join("; ");
        assert!(!told.contains("do not keep rising"), "{told}");
    }
    let healthy = killed_after(HEALTHY, 3);
    assert_eq!(first(&healthy).case, Case::Spikes, "{:#?}", first(&healthy));
    let against = first(&healthy).alternatives.iter().filter(|one| one.case == Case::Growth);
    assert!(
        against.flat_map(|one| &one.evidence_against).all(|words| !words.contains("keep rising")),
        "three floors show nothing"
    );
}

#[test]
fn a_kill_for_memory_while_indexing_is_a_spike() {
    let verdict = killed(Vec::new());
    assert_eq!(verdict.variants[0].finding("target").unwrap().verdict, Some(Verdict::Fail));
    assert_eq!(cases(&verdict), [(Case::Spikes, "memory")], "{:#?}", verdict.variants[0].guidance);
    assert!(first(&verdict).remedies.iter().any(|remedy| remedy.remedy == "raise_limit"));
}

#[test]
fn what_the_run_did_itself_is_not_the_targets() {
    let balloon = EventKind::FaultApplied {
        id: 1,
        fault: "balloon".to_owned(),
        kind: "balloon".to_owned(),
        settings: String::new(),
        phase: Phase::Index,
        cycle: Some(6),
        took_s: 0.0,
    };
    assert_eq!(cases(&killed(vec![balloon])), []);
}

#[test]
fn the_runbook_is_that_of_the_profile() {
    let mut plan = plan();
    plan.target.profile.name = "guts".to_owned();
    let target = Target { leak_per_s: 1.0, ..HEALTHY };
    let verdict = judge("r", &plan, (0..6).map(|i| Builder::record(&plan, i, target)).collect::<Vec<_>>());
    let found = first(&verdict);
    assert_eq!((found.case, found.section.as_str()), (Case::GutsLeak, "Investigation: Memory Leak"));
    let commands: Vec<&str> = found.remedies.iter().flat_map(|one| one.commands.iter().map(String::as_str)).collect();
    assert!(commands.contains(&"sudo systemctl restart guts-node"), "{commands:?}");
    assert!(found.remedies.iter().any(|one| one.remedy == "drop_caches" && !one.tried));
}
