//! `fault_recovery`: after a fault is healed, how long until memory and tasks are back where they were?

use soak_record::Phase;
use soak_scenario::{Threshold, recovery_window_s};

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::injected::{Injected, injected};
use crate::observed::Observed;
use crate::outcome::Verdict;
use crate::stats::location::median;
use crate::stats::recovery::{Baseline, Recovery, recovered_within, recovery};

const NEXT: &str = "Runbook “High Memory Usage Troubleshooting”, “Recovery Verification”: RSS stable or decreasing, goroutines back to baseline; then “First Response \
     Actions”: stop ingestion, force compaction, restart.";

/// Memory that differs by less than this share from what it was is the same: what was held up is done all at once afterwards, and the allocator's arenas
/// keep what that took.
const SAME_SHARE: f64 = 0.05;

/// Without a tolerance of its own, memory that differs by less than this is the same, in bytes.
const SAME_BYTES: f64 = 1_048_576.0;

/// Tasks beyond those before that are the harness's own calls.
const SAME_TASKS: f64 = 2.0;

const LEVEL: f64 = 0.95;

/// The way back of one series after one fault.
struct Back {
    what: String,
    recovery: Option<Recovery>,
}

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let faults = injected(&observed.record.events);
    let all: Vec<Back> = faults.iter().flat_map(|fault| ways_back(observed, fault)).collect();
    if all.is_empty() {
        return Evidence::absent("No fault was healed and watched.");
    }
    let known: Vec<Recovery> = all.iter().filter_map(|back| back.recovery).collect();
    let objective = threshold.at_most.unwrap_or(f64::INFINITY);
    let longest = known.iter().map(|one| match one {
        Recovery::Between(_, seconds) | Recovery::LongerThan(seconds) => *seconds,
    });
    let longest = longest
        .fold(None, |longest: Option<f64>, seconds| Some(longest.map_or(seconds, |longest| longest.max(seconds))));
    let share = recovered_within(&known, objective, LEVEL);
    let late = all.iter().find(|back| back.recovery.and_then(|one| one.is_within(objective)) == Some(false)).map(line);
    let unknown = all.iter().find(|back| back.recovery.and_then(|one| one.is_within(objective)).is_none()).map(line);
    let within = known.iter().filter(|one| one.is_within(objective) == Some(true)).count();
    let odds = share.map_or_else(String::new, |[low, high]| {
        format!(" The chance to be back in time lies between {} and {}.", human::percent(low), human::percent(high))
    });
    Evidence {
        value: longest,
        interval: None,
        threshold: threshold.at_most,
        summary: format!(
            "{within} of {} were back in time.{odds}",
            human::plural(all.len(), "way back").replace("way backs", "ways back")
        ),
        notes: Vec::new(),
        band: None,
        working: all.iter().map(line).collect(),
        p: Vec::new(),
        rule: Box::new(move |_| {
            let allowed = human::seconds(objective);
            match (late, unknown) {
                (Some(late), _) => Ruling::new(Verdict::Fail, format!("{late}; {allowed} are allowed.")).next(NEXT),
                (None, Some(unknown)) => {
                    Ruling::new(Verdict::Inconclusive, format!("{unknown}; {allowed} are allowed.")).next(NEXT)
                }
                (None, None) => Ruling::new(Verdict::Pass, format!("{allowed} are allowed.")),
            }
        }),
    }
}

fn line(back: &Back) -> String {
    let took = match back.recovery {
        Some(Recovery::Between(_, seconds)) => format!("back after {}", human::seconds(seconds)),
        Some(Recovery::LongerThan(seconds)) => {
            format!("not back within the {} that were watched", human::seconds(seconds))
        }
        None => "too little was sampled to tell".to_owned(),
    };
    format!("{}: {took}", back.what)
}

/// How far the heap was below its goal before a fault. A garbage collector lets memory rise to the goal and fall again at any time, also without a fault.
fn collector_room(observed: &Observed<'_>, fault: &Injected) -> f64 {
    let before = |name: &str| {
        let (_, values) = observed.series(name)?.within(fault.compared_from_s, fault.compared_to_s);
        median(values)
    };
    before("heap_goal_bytes").zip(before("heap_bytes")).map_or(0.0, |(goal, heap)| (goal - heap).max(0.0))
}

/// Of memory, and of tasks where the target tells them.
fn ways_back(observed: &Observed<'_>, fault: &Injected) -> Vec<Back> {
    let Some(healed_s) = fault.healed_s.filter(|healed_s| fault.watched_until_s > *healed_s) else { return Vec::new() };
    let tolerance = observed.plan.floor_tolerance(&observed.record.variant.knobs).unwrap_or(SAME_BYTES);
    let watched = [("rss_anon_bytes", "memory"), ("goroutines", "tasks")];
    let back = |(name, what): (&str, &str)| {
        // While batches are put, indexed or compacted memory goes with the data, and there is no level to come back to.
        let moves = name != "goroutines" && fault.phase != Phase::Query;
        let series = observed.series(name).filter(|_| !moves)?;
        let (_, before) = series.within(fault.compared_from_s, fault.compared_to_s);
        let delta = if name == "goroutines" {
            SAME_TASKS
        } else {
            tolerance.max(SAME_SHARE * median(before).unwrap_or(0.0)) + collector_room(observed, fault)
        };
        let baseline = Baseline::of(before, delta);
        if baseline.is_none() && fault.phase != Phase::Query {
            // It began with the phase: there was no level before it.
            return None;
        }
        let (times, values) = series.within(healed_s, fault.watched_until_s);
        let hold_s = recovery_window_s(fault.watched_until_s - healed_s);
        let recovery = baseline.and_then(|baseline| recovery(times, values, healed_s, hold_s, baseline));
        let cycle = fault.cycle.map_or_else(String::new, |cycle| format!(", cycle {cycle}"));
        Some(Back { what: format!("{}{cycle}, {what}", fault.title()), recovery })
    };
    watched.into_iter().filter_map(back).collect()
}
