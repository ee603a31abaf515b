//! `operation_errors`: which share of the operations of one kind fails in a phase, and why?

use std::collections::BTreeMap;

use soak_record::{ErrorReason, EventKind, Operation, Phase};
use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::observed::Observed;
use crate::outcome::Verdict;

const NEXT: &str = "Send one such request by hand and compare the answer with what the profile expects (`soak export profile`); the reasons are in \
     `events.jsonl` under `operation_errors`.";

/// What became of the operations of a kind in a phase of a cycle.
#[derive(Default)]
struct Account<'a> {
    succeeded: u64,
    failed: u64,
    reasons: &'a [ErrorReason],
}

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let accounts = accounts(observed);
    let share = |account: &Account<'_>| account.failed as f64 / (account.failed + account.succeeded).max(1) as f64;
    let worst = accounts.iter().max_by(|a, b| share(a.1).total_cmp(&share(b.1)));
    let Some(((cycle, phase, operation), account)) = worst else {
        return Evidence::absent("No operation of the load came to an end.");
    };
    let (value, operation) = (share(account), *operation);
    let never = !accounts.iter().any(|((_, _, other), account)| *other == operation && account.succeeded > 0);
    let summary = if account.failed == 0 {
        "No operation of the load failed.".to_owned()
    } else {
        let reason = account.reasons.first().map_or("the reason was not recorded", |reason| &reason.example);
        format!(
            "{} of {} operations of the kind `{}` failed during {} of cycle {cycle}: {reason}.",
            account.failed,
            account.failed + account.succeeded,
            operation.name(),
            phase.words(),
        )
    };
    let phases = format!("{} phases with operations of one kind were counted.", accounts.len());
    let failed = accounts.iter().filter(|(_, account)| account.failed > 0).flat_map(in_words);
    let working = std::iter::once(phases).chain(failed).collect();
    let limit = threshold.at_most;
    Evidence {
        value: Some(value),
        interval: None,
        threshold: limit,
        summary,
        notes: Vec::new(),
        band: None,
        working,
        p: Vec::new(),
        rule: Box::new(move |_| {
            let limit = limit.unwrap_or(f64::INFINITY);
            if value <= limit {
                Ruling::new(Verdict::Pass, format!("Up to {} may fail.", human::percent(limit)))
            } else if never {
                let because = "None of this kind ever succeeded: the profile may not fit this server.";
                Ruling::new(Verdict::Inconclusive, because).next(NEXT)
            } else {
                Ruling::new(Verdict::Fail, format!("At most {} may fail.", human::percent(limit))).next(NEXT)
            }
        }),
    }
}

/// Phases in which no fault was on, by cycle, phase and kind. Puts and deletes are counted by row, because a request may hold many.
fn accounts<'a>(observed: &Observed<'a>) -> BTreeMap<(u32, Phase, Operation), Account<'a>> {
    let mut accounts: BTreeMap<(u32, Phase, Operation), Account<'a>> = BTreeMap::new();
    let mut count = |cycle: u32, phase: Phase, operation: Operation, succeeded: u64, failed: u64| {
        if !observed.is_disturbed(phase, cycle) && succeeded + failed > 0 {
            let account = accounts.entry((cycle, phase, operation)).or_default();
            account.succeeded += succeeded;
            account.failed += failed;
        }
    };
    for event in observed.events() {
        match event {
            EventKind::Ingested { cycle, acked_rows, indeterminate_rows, refused_rows, .. } => {
                let failed = indeterminate_rows + refused_rows;
                count(*cycle, Phase::Ingest, Operation::Put, *acked_rows, failed);
            }
            EventKind::Latency { cycle, phase: phase @ (Phase::Query | Phase::Delete), operation, summary } => {
                if let Some(operation) = of_load(operation) {
                    count(*cycle, *phase, operation, summary.count, summary.errors);
                }
            }
            _ => {}
        }
    }
    for event in observed.events() {
        if let EventKind::OperationErrors { phase, cycle: Some(cycle), operation, reasons, .. } = event
            && let Some(account) = accounts.get_mut(&(*cycle, *phase, *operation))
        {
            account.reasons = reasons;
        }
    }
    accounts
}

fn of_load(name: &str) -> Option<Operation> {
    [Operation::Put, Operation::Search, Operation::Upsert, Operation::Delete].into_iter().find(|one| one.name() == name)
}

fn in_words((place, account): (&(u32, Phase, Operation), &Account<'_>)) -> Vec<String> {
    let (cycle, phase, operation) = place;
    let all = account.failed + account.succeeded;
    let mut lines =
        vec![format!("cycle {cycle}, {}, {}: {} of {all} failed", phase.words(), operation.name(), account.failed)];
    lines.extend(account.reasons.iter().map(|reason| format!("  {} times: {}", reason.count, reason.example)));
    lines
}
