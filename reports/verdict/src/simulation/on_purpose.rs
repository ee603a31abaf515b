//! Runs that something was put into on purpose: where it is seen the run stands, and where it is not, passes are taken back.

use soak_scenario::{PositiveControl, Variant};

use super::{Builder, HEALTHY, Target, plan};
use crate::{CONTROL, RunVerdict, Verdict, judge};

/// A run of six healthy variants, and a control of three tolerances that keeps so many MiB a cycle in truth.
fn controlled(kept: f64) -> RunVerdict {
    let mut plan = plan();
    let control = plan.dosed(&plan.variants[2], 3.0, "dim2-rows500-control".to_owned()).unwrap();
    plan.variants.push(control);
    let kept = |i: usize| if i == 6 { kept } else { 0.0 };
    let target = |i: usize| Target { seed: 40 + i as u64, retained_per_cycle: kept(i), ..HEALTHY };
    judge("run-1", &plan, (0..7).map(|i| Builder::record(&plan, i, target(i))).collect::<Vec<_>>())
}

#[test]
fn a_control_that_is_found_is_no_fail() {
    let verdict = controlled(3.0);
    assert_eq!((verdict.verdict, verdict.judged().count(), verdict.exit_code()), (Verdict::Pass, 6, 0));
    let control = verdict.variants.last().unwrap();
    let dose = control.dose.as_ref().unwrap();
    assert!(dose.answers.values().all(|seen| seen.verdict == Verdict::Fail), "{dose:?}");
    let finding = control.finding(CONTROL).unwrap();
    assert_eq!(finding.verdict, Some(Verdict::Pass), "{}", finding.reason);
    assert!(
        finding.reason.contains("3.00 MiB a cycle") && finding.reason.contains("rss_floor says fail"),
        "{}",
        finding.reason
    );
    let others = control.findings.iter().filter(|other| other.criterion != CONTROL);
    assert!(others.clone().count() >= 8 && others.clone().all(|other| other.verdict.is_none() && other.informational));
}

#[test]
fn a_control_that_is_not_found_takes_the_passes_of_the_floors() {
    let verdict = controlled(0.0);
    assert_eq!((verdict.verdict, verdict.exit_code()), (Verdict::Inconclusive, 3));
    let control = verdict.variants.last().unwrap().finding(CONTROL).unwrap();
    assert!(
        control.reason.contains("could not have seen such a leak by heap_floor and rss_floor"),
        "{}",
        control.reason
    );
    for variant in verdict.judged() {
        for id in ["rss_floor", "heap_floor"] {
            let finding = variant.finding(id).unwrap();
            assert_eq!(finding.verdict, Some(Verdict::Inconclusive), "{}", finding.reason);
            assert!(finding.reason.contains("was not found"), "{}", finding.reason);
        }
        assert_eq!(variant.finding("goroutine_baseline").unwrap().verdict, Some(Verdict::Pass));
    }
}

#[test]
fn what_leaks_beside_a_control_fails_all_the_same() {
    let mut plan = plan();
    let control = plan.dosed(&plan.variants[0], 2.0, "control".to_owned()).unwrap();
    plan.variants.push(control);
    let leak = |i: usize| Target { seed: 60 + i as u64, retained_per_cycle: if i == 1 { 5.0 } else { 0.0 }, ..HEALTHY };
    // The control's own record shows nothing.
    let verdict = judge("run-1", &plan, (0..7).map(|i| Builder::record(&plan, i, leak(i))).collect::<Vec<_>>());
    assert_eq!((verdict.verdict, verdict.exit_code()), (Verdict::Fail, 1));
    assert_eq!(verdict.variants[1].finding("rss_floor").unwrap().verdict, Some(Verdict::Fail));
    assert_eq!(verdict.variants[0].finding("rss_floor").unwrap().verdict, Some(Verdict::Inconclusive));
}

/// Six healthy variants, and one that starts so many tasks a second in truth, for these criteria to see.
fn misbehaving(tasks_per_s: f64, seen_by: [&str; 2]) -> RunVerdict {
    let mut plan = plan();
    let control: PositiveControl = serde_json::from_value(serde_json::json!({
        "misbehave": { "task_leak": "60/min" }, "seen_by": seen_by,
    }))
    .unwrap();
    let own = Variant { id: "own".to_owned(), control: Some(control), ..plan.variants[0].clone() };
    plan.variants.push(own);
    let tasks = |i: usize| if i == 6 { tasks_per_s } else { 0.0 };
    let target = |i: usize| Target { seed: 80 + i as u64, tasks_per_s: tasks(i), ..HEALTHY };
    judge("run-1", &plan, (0..7).map(|i| Builder::record(&plan, i, target(i))).collect::<Vec<_>>())
}

#[test]
fn a_misbehaviour_that_is_seen_is_no_fail() {
    let verdict = misbehaving(1.0, ["goroutine_baseline", "goroutine_baseline"]);
    assert_eq!((verdict.verdict, verdict.judged().count(), verdict.exit_code()), (Verdict::Pass, 6, 0));
    let own = verdict.variants.last().unwrap();
    let found = own.control.as_ref().unwrap();
    assert_eq!(found.answers.values().collect::<Vec<_>>(), [&Some(Verdict::Fail)]);
    let finding = own.finding(CONTROL).unwrap();
    assert_eq!(finding.verdict, Some(Verdict::Pass), "{}", finding.reason);
    assert!(finding.reason.contains("task_leak=60/min. goroutine_baseline says fail"), "{}", finding.reason);
    assert!(own.guidance.is_empty(), "what was put in on purpose needs no explanation");
    let others = own.findings.iter().filter(|other| other.criterion != CONTROL);
    assert!(others.clone().count() >= 8 && others.clone().all(|other| other.verdict.is_none() && other.informational));
}

#[test]
fn a_criterion_that_does_not_see_its_misbehaviour_loses_its_passes() {
    let verdict = misbehaving(1.0, ["goroutine_baseline", "compaction_reclaim"]);
    assert_eq!((verdict.verdict, verdict.exit_code()), (Verdict::Inconclusive, 3));
    let own = verdict.variants.last().unwrap().finding(CONTROL).unwrap();
    assert_eq!((own.verdict, own.value), (Some(Verdict::Inconclusive), Some(1.0)), "{}", own.reason);
    assert!(own.reason.contains("could not have seen such a misbehaviour by compaction_reclaim"), "{}", own.reason);
    for variant in verdict.judged() {
        let blind = variant.finding("compaction_reclaim").unwrap();
        assert_eq!(blind.verdict, Some(Verdict::Inconclusive), "{}", blind.reason);
        assert!(blind.reason.contains("task_leak=60/min, which was put in on purpose (own)"), "{}", blind.reason);
        for id in ["goroutine_baseline", "rss_floor"] {
            assert_eq!(variant.finding(id).unwrap().verdict, Some(Verdict::Pass));
        }
    }
}
