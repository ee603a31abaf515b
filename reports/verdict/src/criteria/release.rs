//! `time_to_baseline`: how long resident memory needs to come down to the cycle's floor after the data is gone.
//!
//! For each counted cycle: from the end of the clear phase to the first moment from which the running median of three samples stays at or
//! below floor + max(1 MiB, 5 % of what there was to release). A cycle whose window was still falling has not come down: its time is
//! *longer than* what was watched (right-censored). Bounds of the median cycle are order statistics (sign test), because one late cycle says
//! little and censored times have no mean.

use soak_record::Phase;
use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling, Shared};
use crate::human;
use crate::observed::Observed;
use crate::outcome::Verdict;
use crate::stats::binomial::{median_bounds, sign_test};
use crate::stats::location::median;

const SERIES: &str = "rss_anon_bytes";
const LEAST: usize = 5;
const LEAST_BAND: f64 = 1_048_576.0;
const NEXT: &str = "Runbook “High Memory Usage Troubleshooting”, “Scenario 2: Memory Spikes During Indexing” (“Takes hours to return to baseline”): check \
     with “Step 3: Verify GC Behavior” whether memory is kept by the collector's pacing, and that the SlabArena gives unused slabs back.";

/// The time one cycle needed.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Release {
    seconds: f64,
    /// Whether it was still going on when the watch ended.
    censored: bool,
}

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    if let Some(why) = observed.unusable(SERIES) {
        return Evidence::absent(why);
    }
    let releases: Vec<Release> = observed
        .floors(SERIES)
        .into_iter()
        .filter(|floor| floor.counted)
        .filter_map(|floor| release(observed, floor.cycle))
        .collect();
    let times: Vec<f64> = releases.iter().map(|release| release.seconds).collect();
    let (Some(middle), true) = (median(&times), times.len() >= LEAST) else {
        return Evidence::absent(format!(
            "Only {} with a clear phase and a floor after it; {LEAST} are needed.",
            human::plural(times.len(), "counted cycle")
        ));
    };
    let longest = times.iter().copied().fold(0.0, f64::max);
    let censored = releases.iter().filter(|release| release.censored).count();
    let still = match censored {
        0 => String::new(),
        n => format!(
            "; in {n} of {} it had not come down when the watch ended",
            human::plural(times.len(), "counted cycle")
        ),
    };
    let limit = threshold.at_most;
    let late = limit.map_or(0, |limit| times.iter().filter(|seconds| **seconds > limit).count());
    Evidence {
        value: Some(middle),
        interval: median_bounds(&times, 0.95),
        threshold: limit,
        summary: format!(
            "After the data is gone, memory needs {} to come down to the floor (median), {} at the longest{still}.",
            human::seconds(middle),
            human::seconds(longest)
        ),
        notes: Vec::new(),
        band: None,
        working: working(&releases, late, limit),
        p: vec![sign_test(late, times.len())],
        rule: Box::new(move |shared| rule(&releases, limit.unwrap_or(f64::INFINITY), shared)),
    }
}

/// The time of every cycle, and what was computed of them.
fn working(releases: &[Release], late: usize, limit: Option<f64>) -> Vec<String> {
    let mut lines = vec!["From the end of the clear phase to the floor, for each counted cycle:".to_owned()];
    lines.extend(releases.iter().map(|release| {
        let longer = if release.censored { "longer than " } else { "" };
        format!("  {longer}{}", human::seconds(release.seconds))
    }));
    if let Some(limit) = limit {
        lines.push(format!(
            "Sign test: {late} of {} took longer than the {} allowed.",
            releases.len(),
            human::seconds(limit)
        ));
    }
    lines.push("The interval of the median cycle: two of the ordered times, each at least 95 % sure.".to_owned());
    lines
}

fn rule(releases: &[Release], limit: f64, shared: &Shared) -> Ruling {
    let allowed = human::seconds(limit);
    let cycles = human::plural(releases.len(), "counted cycle");
    let late = releases.iter().filter(|release| release.seconds > limit).count();
    // A censored time below the limit may or may not have ended in time.
    let unknown = releases.iter().filter(|release| release.censored && release.seconds <= limit).count();
    let times: Vec<f64> = releases.iter().map(|r| if r.censored { f64::INFINITY } else { r.seconds }).collect();
    let within = median_bounds(&times, 0.95).is_some_and(|[_, high]| high <= limit);
    let ruling = if late == releases.len() || (shared.rejects(0) && 2 * late > releases.len()) {
        Ruling::new(Verdict::Fail, format!("It takes longer than the {allowed} allowed in {late} of {cycles}."))
            .next(NEXT)
    } else if within {
        let but = if late > 0 { format!(", although {late} of {cycles} took longer") } else { String::new() };
        Ruling::new(Verdict::Pass, format!("Up to {allowed} is allowed{but}."))
    } else if unknown > 0 {
        let because = format!(
            "In {unknown} of {cycles} the watch ended before the {allowed} allowed were over: let it settle longer."
        );
        Ruling::new(Verdict::Inconclusive, because).next("Raise `--set cycle.settle_at_most=…` above the threshold.")
    } else {
        Ruling::new(
            Verdict::Inconclusive,
            format!("It takes longer than the {allowed} allowed in {late} of {cycles}, in others not."),
        )
    };
    ruling.detectable(Some(limit).filter(|limit| limit.is_finite()))
}

/// The time of one cycle; `None` without its phases, its floor or samples.
fn release(observed: &Observed<'_>, cycle: u32) -> Option<Release> {
    let [began, gone] = observed.phase(Phase::Clear, cycle)?;
    let floor = observed.level(SERIES, Phase::Settle, Some(cycle))?;
    let series = observed.series(SERIES)?;
    let held = observed.level(SERIES, Phase::AfterCompact, Some(cycle)).map(|level| level.median);
    let held = held.or_else(|| series.within(0.0, began).1.last().copied())?;
    let line = floor.median + f64::max(LEAST_BAND, 0.05 * (held - floor.median));
    let (times, values) = series.within(gone, floor.to_s);
    let below = |i: usize| {
        let around = &values[i.saturating_sub(1)..(i + 2).min(values.len())];
        median(around).is_some_and(|middle| middle <= line)
    };
    let stays = (0..values.len()).rev().take_while(|i| below(*i)).last()?;
    let watched = floor.to_s - gone;
    Some(if floor.at_rest {
        Release { seconds: (times[stays] - gone).max(0.0), censored: false }
    } else {
        Release { seconds: watched.max(0.0), censored: true }
    })
}
