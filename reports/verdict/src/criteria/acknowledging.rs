//! `acknowledging`: does the target go on answering? Silence without back-pressure and without an error is a failure of its own.

use soak_record::EventKind;
use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::observed::{Ingest, Observed};
use crate::outcome::Verdict;

const NEXT: &str = "Runbook “High Memory Usage Troubleshooting”, “Step 3: Verify GC Behavior” for pauses, and “Step 2: Check Compaction Status”; a \
     store that reached its memory bound may block writers for ever instead of refusing them.";

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let silences: Vec<(u32, f64, bool)> = observed
        .events()
        .filter_map(|event| match event {
            EventKind::Silence { cycle, seconds, gave_up } if seconds.is_finite() => Some((*cycle, *seconds, *gave_up)),
            _ => None,
        })
        .collect();
    let ingests = observed.ingests();
    let longest = silences.iter().max_by(|a, b| a.1.total_cmp(&b.1)).copied();
    let gave_up = silences.iter().find(|silence| silence.2).copied();
    if ingests.is_empty() && longest.is_none() {
        return Evidence::absent("No ingest phase came to an end: nothing was asked of the target.");
    }
    let rows: u64 = ingests.iter().map(|ingest| ingest.acked_rows).sum();
    let slowed: u64 = ingests.iter().map(|ingest| ingest.back_pressure).sum();
    let seconds = longest.map_or(0.0, |silence| silence.1);
    let silence = match longest {
        Some((cycle, seconds, _)) => format!("The longest silence was {} in cycle {cycle}", human::seconds(seconds)),
        None => "The target never fell silent".to_owned(),
    };
    let working = working(&ingests, &silences);
    let limit = threshold.at_most;
    Evidence {
        value: Some(seconds),
        interval: None,
        threshold: limit,
        summary: format!("{silence}; {rows} rows were acknowledged, with {slowed} requests to slow down."),
        notes: Vec::new(),
        band: None,
        working,
        p: Vec::new(),
        rule: Box::new(move |_| {
            let limit = limit.unwrap_or(f64::INFINITY);
            let allowed = human::seconds(limit);
            if let Some((cycle, seconds, _)) = gave_up {
                let because =
                    format!("The harness gave up waiting after {} in cycle {cycle}.", human::seconds(seconds));
                Ruling::new(Verdict::Fail, because).next(NEXT)
            } else if seconds > limit {
                Ruling::new(Verdict::Fail, format!("At most {allowed} is allowed.")).next(NEXT)
            } else if rows == 0 {
                Ruling::new(Verdict::Inconclusive, "Nothing at all was acknowledged.").next(NEXT)
            } else {
                Ruling::new(Verdict::Pass, format!("Up to {allowed} is allowed."))
            }
        }),
    }
}

/// What was acknowledged in each cycle, and every silence.
fn working(ingests: &[Ingest], silences: &[(u32, f64, bool)]) -> Vec<String> {
    let mut lines = vec!["Acknowledged, cycle by cycle:".to_owned()];
    lines.extend(ingests.iter().map(|ingest| {
        let slowed = human::plural(ingest.back_pressure as usize, "request");
        format!("  cycle {}: {} rows, {slowed} to slow down", ingest.cycle, ingest.acked_rows)
    }));
    lines.extend(silences.iter().map(|(cycle, seconds, gave_up)| {
        let end = if *gave_up { "; the harness gave up" } else { "" };
        format!("Silent in cycle {cycle} for {}{end}.", human::seconds(*seconds))
    }));
    lines
}
