//! `latency_rise`: does the same search take longer from cycle to cycle, and does memory rise with it?

use soak_record::{EventKind, Phase};
use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::observed::Observed;
use crate::outcome::Verdict;
use crate::stats::kendall::p_of_growth;
use crate::stats::location::median;

/// Fewer cycles show no rise at any level.
const LEAST: usize = 5;
const NEXT: &str = "Runbook “High Memory Usage”, “Symptoms”: where memory rises too, follow rss_floor and heap_floor first; where it does not, look at the \
     collector's pauses (“Step 3: Verify GC Behavior”) and the processor.";

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let medians: Vec<(u32, f64)> = observed
        .events()
        .filter_map(|event| match event {
            EventKind::Latency { cycle, phase: Phase::Query, operation, summary }
                if operation == "search"
                    && summary.count > 0
                    && observed.is_counted(*cycle)
                    && !observed.is_disturbed(Phase::Query, *cycle) =>
            {
                Some((*cycle, summary.uncorrected.p50_ms))
            }
            _ => None,
        })
        .collect();
    let values: Vec<f64> = medians.iter().map(|(_, median)| *median).collect();
    if values.len() < LEAST {
        return Evidence::absent(format!(
            "Only {} with searches; {LEAST} are needed to tell a rise.",
            human::plural(values.len(), "counted cycle")
        ));
    }
    let half = values.len() / 2;
    let (early, late) = (median(&values[..half]).unwrap_or(0.0), median(&values[values.len() - half..]).unwrap_or(0.0));
    let rise = if early > 0.0 { late / early - 1.0 } else { 0.0 };
    let p = p_of_growth(&values);
    let floors: Vec<f64> = observed
        .floors("rss_anon_bytes")
        .into_iter()
        .filter(|floor| medians.iter().any(|(cycle, _)| *cycle == floor.cycle))
        .map(|floor| floor.value)
        .collect();
    let memory = if floors.len() == values.len() && p_of_growth(&floors) < crate::judge::ALPHA {
        "Memory rises with it."
    } else {
        "Memory does not rise with it."
    };
    let limit = threshold.at_most;
    Evidence {
        value: Some(rise),
        interval: None,
        threshold: limit,
        summary: format!(
            "The median search took {early:.3} ms in the first half of the counted cycles and {late:.3} ms in the last: {} {}.",
            human::percent(rise.abs()),
            if rise < 0.0 { "less" } else { "more" },
        ),
        notes: Vec::new(),
        band: None,
        working: medians.iter().map(|(cycle, ms)| format!("cycle {cycle}: median {ms:.3} ms")).collect(),
        p: vec![p],
        rule: Box::new(move |shared| {
            let limit = limit.unwrap_or(f64::INFINITY);
            let allowed = human::percent(limit);
            let ruling = if rise > limit && shared.rejects(0) {
                Ruling::new(
                    Verdict::Fail,
                    format!("It rises from cycle to cycle; at most {allowed} is allowed. {memory}"),
                )
                .next(NEXT)
            } else {
                Ruling::new(Verdict::Pass, format!("Up to {allowed}, or what comes and goes, is allowed."))
            };
            ruling.detectable(Some(limit).filter(|limit| limit.is_finite()))
        }),
    }
}
