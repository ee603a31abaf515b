//! `peak_per_ingested`: how far memory rises above the empty store while a cycle's data is taken in, per byte of vectors.

use std::fmt::Write as _;

use soak_record::Phase;
use soak_scenario::Threshold;
use soak_scenario::units::Limit;

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::observed::Observed;
use crate::outcome::Verdict;
use crate::stats::limit;
use crate::stats::student::{mean_interval, p_mean_above};

/// While data is taken in.
const TAKING_IN: [Phase; 2] = [Phase::Ingest, Phase::Index];

const SERIES: &str = "rss_anon_bytes";
const NEXT: &str = "Runbook “High Memory Usage Troubleshooting”, “Scenario 2: Memory Spikes During Indexing”: compare the variants with 500 and \
     4096 rows a batch; if the small ones stay lower, reduce import_batch_size.";

/// Of the forecast of a limit.
const FORECAST_LEVEL: f64 = 0.9;
/// What lies further ahead is no news.
const FORECAST_CYCLES: f64 = 1000.0;

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    if let Some(why) = observed.unusable(SERIES) {
        return Evidence::absent(why);
    }
    let (ratios, left_out) = ratios(observed, &TAKING_IN);
    let limit = threshold.at_most;
    let Some((mean, interval)) = mean_interval(&ratios, 0.95) else {
        return Evidence::absent(format!(
            "Only {} with an ingest phase, its account and a floor before it; {left_out} left out.",
            human::plural(ratios.len(), "counted cycle")
        ));
    };
    let mut summary = format!(
        "While indexing, memory rises {mean:.2} bytes above the floor per byte of vectors ingested ({:.2} to {:.2}, 95 % sure, {}).",
        interval[0],
        interval[1],
        human::plural(ratios.len(), "counted cycle"),
    );
    let compacting = mean_interval(&self::ratios(observed, &[Phase::Compact]).0, 0.95);
    if let Some((higher, _)) = compacting.filter(|(compacting, _)| *compacting > mean) {
        let _ = write!(summary, " While it compacts, old and new lie side by side, and memory rises {higher:.2}.");
    }
    let p = limit.map_or(1.0, |limit| p_mean_above(&ratios, limit));
    Evidence {
        value: Some(mean),
        interval: Some(interval),
        threshold: limit,
        summary,
        notes: limit_ahead(observed).into_iter().collect(),
        band: None,
        working: working(&ratios, mean, interval, left_out),
        p: vec![p],
        rule: Box::new(move |shared| {
            let limit = limit.unwrap_or(f64::INFINITY);
            let ruling = if interval[1] < limit {
                Ruling::new(Verdict::Pass, format!("Up to {limit:.2} is allowed."))
            } else if shared.rejects(0) && interval[0] > limit {
                Ruling::new(Verdict::Fail, format!("At most {limit:.2} is allowed.")).next(NEXT)
            } else {
                Ruling::new(Verdict::Inconclusive, format!("{limit:.2} is allowed, which lies inside the interval."))
            };
            ruling.detectable(Some(limit + (interval[1] - mean)).filter(|value| value.is_finite()))
        }),
    }
}

/// The ratio of every cycle, and what was computed of them.
fn working(ratios: &[f64], mean: f64, [low, high]: [f64; 2], left_out: usize) -> Vec<String> {
    let each: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.3}")).collect();
    let mut lines = vec![format!(
        "Highest above the level of the neighbouring floors, over bytes of vectors, cycle by cycle: {}.",
        each.join(", ")
    )];
    if left_out > 0 {
        let cycles = human::plural(left_out, "cycle");
        lines.push(format!("{cycles} left out: memory of the cycle before was still on its way back."));
    }
    lines.push(format!(
        "Mean: {mean:.3}, 95 % interval {low:.3} to {high:.3} (Student's t, {} − 1 degrees of freedom).",
        ratios.len()
    ));
    lines
}

/// Kills happen at peaks: when those of the cycles, if they go on rising as they do, reach the target's own limit.
fn limit_ahead(observed: &Observed<'_>) -> Option<String> {
    let Limit::At(limit) = observed.record.variant.knobs.memory_limit else { return None };
    // What the kernel can take back, such as page cache, brings no kill.
    let series = observed.series(SERIES)?;
    let highest = |cycle: u32| {
        let (from, to) = (observed.phase(Phase::Ingest, cycle)?[0], observed.phase(Phase::Settle, cycle)?[1]);
        let (_, values) = series.within(from, to);
        Some((f64::from(cycle), values.iter().copied().reduce(f64::max)?))
    };
    let (x, y): (Vec<f64>, Vec<f64>) = observed.counted_cycles().filter_map(highest).unzip();
    let found = limit::reached(&x, &y, limit.as_f64(), FORECAST_LEVEL)?;
    // What may never come is no forecast.
    (found.interval[1].is_finite() && found.after < FORECAST_CYCLES).then(|| {
        format!(
            "The peaks of anonymous memory rise from cycle to cycle: if that goes on they reach the limit of {} in {:.0} cycles ({:.0} to {:.0}, {:.0} % sure).",
            human::bytes(limit.as_f64()),
            found.after.ceil(),
            found.interval[0].ceil(),
            found.interval[1].ceil(),
            FORECAST_LEVEL * 100.0
        )
    })
}

/// Peak above the local baseline over bytes ingested, of each counted cycle; and how many cycles had to be left out because memory of the
/// cycle before was still on its way back.
fn ratios(observed: &Observed<'_>, phases: &[Phase]) -> (Vec<f64>, usize) {
    let mut left_out = 0;
    let mut ratios = Vec::new();
    for ingest in
        observed.ingests().into_iter().filter(|ingest| observed.is_counted(ingest.cycle) && ingest.bytes > 0.0)
    {
        let before = ingest.cycle.checked_sub(1).and_then(|cycle| observed.level(SERIES, Phase::Settle, Some(cycle)));
        if before.is_some_and(|level| !level.at_rest) {
            left_out += 1;
            continue;
        }
        ratios.extend(peak(observed, ingest.cycle, phases).map(|peak| peak / ingest.bytes));
    }
    (ratios, left_out)
}

/// The greatest height above the local baseline from the start of the first of these phases to the end of the last.
fn peak(observed: &Observed<'_>, cycle: u32, phases: &[Phase]) -> Option<f64> {
    let spans: Vec<[f64; 2]> = phases.iter().filter_map(|phase| observed.phase(*phase, cycle)).collect();
    let (from, to) = (spans.first()?[0], spans.last()?[1]);
    let (times, values) = observed.series(SERIES)?.within(from, to);
    let (at_s, highest) = times.iter().zip(values).max_by(|a, b| a.1.total_cmp(b.1))?;
    Some(highest - observed.baseline(SERIES, cycle, *at_s)?)
}
