//! What a pass stands on: every counted cycle with a floor that was really sampled, and a target that really took the load.

use std::collections::{BTreeMap, BTreeSet};

use soak_record::{EventKind, HandAction, Phase, VariantRecord};
use soak_scenario::Plan;

use crate::criteria::{UNVERIFIED_SETTINGS, pressure_that_never_was};
use crate::ending::Ending;
use crate::human;
use crate::observed::Observed;

/// A series that every judged variant has; its samples stand for the sampler's.
const SAMPLED: &str = "rss_anon_bytes";

/// Part of the samples that a window should hold without which it is hardly sampled.
const SAMPLED_SHARE: f64 = 1.0 / 3.0;

/// Part of the rows or operations that may fail without casting doubt on what was measured.
const FAILED_SHARE: f64 = 0.01;

/// In what a variant was not what was planned, each as a clause. A criterion forgives what does not touch it; whoever compares a variant as a whole forgives nothing but
/// what the scenario itself tolerates. Of one that did not come to its end, which is told elsewhere, only what a person did to it is in question.
pub fn departures(plan: &Plan, record: &VariantRecord) -> Vec<String> {
    let observed = Observed::new(plan, record);
    if !matches!(Ending::of(&observed), Ending::Completed) {
        return by_hand(&observed).into_iter().collect();
    }
    let mut departures = doubts(&observed);
    let untrue = untrue_settings(record);
    let tolerated = plan.criteria.get(UNVERIFIED_SETTINGS).and_then(|threshold| threshold.at_most);
    if tolerated.is_some_and(|tolerated| untrue.len() as f64 > tolerated) {
        departures.extend(untrue);
    }
    let lost = lost(&observed);
    departures.extend(lost.iter().map(|(source, rows)| were_lost(source, *rows)));
    departures.extend(record.broken.iter().map(|file| is_broken(file)));
    departures
}

/// That a variant's target was another build than that of the first variant, as a clause: nothing was shown of either by all.
pub(crate) fn another_build(first: Option<&str>, this: Option<&str>) -> Option<String> {
    let (first, this) = (first?, this?);
    let words =
        || format!("its target is build {}, and that of the first variant {}", human::build(this), human::build(first));
    (first != this).then(words)
}

/// The build of a variant's target, where that was recorded.
pub(crate) fn build<'a>(mut events: impl Iterator<Item = &'a EventKind>) -> Option<&'a str> {
    events.find_map(|event| match event {
        EventKind::TargetStarted { build, .. } => build.as_deref(),
        _ => None,
    })
}

/// Settings that were read back as something else, each as a clause.
pub fn untrue_settings(record: &VariantRecord) -> Vec<String> {
    let untrue = record.events.iter().filter_map(|event| match &event.kind {
        EventKind::Attested { knob, requested, effective, holds: Some(false), .. } => {
            let effective = effective.as_deref().unwrap_or("something else");
            Some(format!("{knob} is {effective}, and {requested} was asked for"))
        }
        _ => None,
    });
    untrue.collect()
}

/// Samples lost by source, once cycles were counted.
pub(crate) fn lost(observed: &Observed<'_>) -> BTreeMap<String, u64> {
    let first = observed.plan.cycle.warm_up;
    let counted_from = observed.phase(Phase::Ingest, first).map_or(f64::INFINITY, |[start, _]| start);
    let mut lost = BTreeMap::new();
    for event in observed.record.events.iter().filter(|event| event.at_s >= counted_from) {
        if let EventKind::SamplesDropped { source, rows } = &event.kind {
            *lost.entry(source.clone()).or_insert(0) += rows;
        }
    }
    lost
}

pub(crate) fn were_lost(source: &str, rows: u64) -> String {
    format!("{} of {source} were lost", human::plural(rows as usize, "sample"))
}

pub(crate) fn is_broken(file: &str) -> String {
    format!("{file} is damaged or cut off")
}

/// Why passes of this variant cannot be trusted, each as a clause.
pub(crate) fn doubts(observed: &Observed<'_>) -> Vec<String> {
    [
        floors(observed),
        rows(observed),
        deletes(observed),
        operations(observed),
        kills(observed),
        by_hand(observed),
        pressure_that_never_was(observed),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a person did to it.
pub(crate) fn by_hand(observed: &Observed<'_>) -> Option<String> {
    let done = observed.events().filter_map(|event| match event {
        // It rested, whenever that was told.
        EventKind::ByHand { action: HandAction::ResumeLoad, .. } => Some(HandAction::PauseLoad),
        EventKind::ByHand { action, error: None, .. } => Some(*action),
        _ => None,
    });
    let done: BTreeSet<HandAction> = done.collect();
    let words: Vec<&str> = done.into_iter().map(HandAction::words).collect();
    (!words.is_empty()).then(|| format!("a person took a hand in it and {}", words.join(" and ")))
}

/// Cycles without a floor, or with one that hardly holds a sample.
fn floors(observed: &Observed<'_>) -> Option<String> {
    let plan = observed.plan;
    let series = observed.series(SAMPLED)?;
    let expected = plan.cycle.window.as_secs_f64() / plan.sampling.process.0.as_secs_f64().max(1e-3);
    let least = (expected * SAMPLED_SHARE).max(3.0);
    let sampled = observed.events().filter(|event| match event {
        EventKind::Window { phase: Phase::Settle, cycle: Some(cycle), from_s, to_s, .. } => {
            observed.is_counted(*cycle) && series.within(*from_s, *to_s).1.len() as f64 >= least
        }
        _ => false,
    });
    let counted = observed.counted_cycles().len();
    let missing = counted.saturating_sub(sampled.count());
    (missing > 0).then(|| {
        format!("{missing} of {} have no floor, or hardly a sample in it", human::plural(counted, "counted cycle"))
    })
}

/// Rows of the counted cycles that the target did not take.
fn rows(observed: &Observed<'_>) -> Option<String> {
    let plan = observed.plan;
    let workload = &plan.workload;
    let rows = workload.rows_per_cycle(observed.record.variant.knobs.dim) as f64;
    let asked = rows * (1.0 + workload.ingest.upserts.0);
    let ingests = observed.ingests();
    let undisturbed = |cycle: u32| observed.is_counted(cycle) && !observed.is_disturbed(Phase::Ingest, cycle);
    let counted: Vec<_> = ingests.iter().filter(|ingest| undisturbed(ingest.cycle)).collect();
    let (asked, acked) =
        (asked * counted.len() as f64, counted.iter().map(|ingest| ingest.acked_rows as f64).sum::<f64>());
    (acked < asked * (1.0 - FAILED_SHARE)).then(|| {
        format!(
            "the target acknowledged only {} of the {} rows that it was to take",
            human::number(acked),
            human::number(asked)
        )
    })
}

/// Deletes that failed.
fn deletes(observed: &Observed<'_>) -> Option<String> {
    let (done, failed) = observed.events().fold((0, 0), |(done, failed), event| match event {
        EventKind::Deleted { cycle, rows, failed: more }
            if observed.is_counted(*cycle) && !observed.is_disturbed(Phase::Delete, *cycle) =>
        {
            (done + rows, failed + more)
        }
        _ => (done, failed),
    });
    too_many(done, failed, "deletes")
}

/// Operations of the query phase that failed.
fn operations(observed: &Observed<'_>) -> Option<String> {
    let (done, failed) = observed.events().fold((0, 0), |(done, failed), event| match event {
        EventKind::Latency { cycle, phase: Phase::Query, summary, .. }
            if observed.is_counted(*cycle) && !observed.is_disturbed(Phase::Query, *cycle) =>
        {
            (done + summary.count, failed + summary.errors)
        }
        _ => (done, failed),
    });
    too_many(done, failed, "operations of the query phases")
}

/// The part of the load that the target did not take, each as a clause.
pub fn load_not_taken(plan: &Plan, record: &VariantRecord) -> Vec<String> {
    let observed = Observed::new(plan, record);
    [rows(&observed), deletes(&observed), operations(&observed), kills(&observed)].into_iter().flatten().collect()
}

/// Kills for memory that did not end the target: a worker that was started anew, say.
fn kills(observed: &Observed<'_>) -> Option<String> {
    let killed = observed.series("cgroup_oom_kills_total")?.values.iter().copied().fold(0.0, f64::max);
    let told = observed.events().any(|event| matches!(event, EventKind::Oom { .. }));
    (killed > 0.0 && !told).then(|| {
        format!("the kernel killed {} of its processes for memory, which went on without", human::number(killed))
    })
}

fn too_many(done: u64, failed: u64, what: &str) -> Option<String> {
    let in_all = done + failed;
    (failed as f64 > FAILED_SHARE * in_all as f64).then(|| format!("{failed} of {in_all} {what} failed"))
}
