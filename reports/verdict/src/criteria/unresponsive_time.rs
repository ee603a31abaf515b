//! `unresponsive_time`: for how long does no operation of a kind get an answer although some are in flight?

use soak_record::{EventKind, Operation, Phase, TaskGroup};
use soak_scenario::Threshold;

use crate::evidence::{Evidence, Ruling};
use crate::human;
use crate::observed::Observed;
use crate::outcome::Verdict;

const NEXT: &str = "Look at the server's processor time and locks while it was silent: `soak diag` takes a task dump and a profile of a running server.";
const NEXT_DUMP: &str = "Read the task dump in the run's artifacts (folder `unresponsive` of the variant): it names what the server waits for. A server that has \
     reached its memory bound may block writers for ever instead of refusing them.";

/// A wait for an answer.
#[derive(Clone, Copy)]
struct Wait<'a> {
    operation: Operation,
    phase: Phase,
    cycle: Option<u32>,
    seconds: f64,
    /// The evidence, where the wait was longer than a call may take.
    unresponsive: Option<Unresponsive<'a>>,
}

#[derive(Clone, Copy)]
struct Unresponsive<'a> {
    in_flight: u64,
    recovered: bool,
    blocked: &'a [TaskGroup],
}

/// Measures one variant.
pub(super) fn measure(observed: &Observed<'_>, threshold: Threshold) -> Evidence {
    let disturbed = |phase: Phase, cycle: Option<u32>| cycle.is_some_and(|cycle| observed.is_disturbed(phase, cycle));
    let waits: Vec<Wait<'_>> = observed
        .events()
        .filter_map(wait)
        // What a fault holds up is asked of the fault. Where the target stayed away after it, the variant ended for that.
        .filter(|wait| !disturbed(wait.phase, wait.cycle) || wait.unresponsive.is_some_and(|seen| !seen.recovered))
        .collect();
    let ingests = observed.ingests();
    if ingests.is_empty() && waits.is_empty() {
        return Evidence::absent("No ingest phase came to an end: the target was asked nothing.");
    }
    let rows: u64 = ingests.iter().map(|ingest| ingest.acked_rows).sum();
    let slowed: u64 = ingests.iter().map(|ingest| ingest.back_pressure).sum();
    let longest = waits.iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds)).copied();
    let gone = waits.iter().find(|wait| wait.unresponsive.is_some_and(|seen| !seen.recovered)).copied();
    let summary = match gone.or(longest) {
        Some(wait) => in_words(&wait),
        None => format!("Every operation was answered within a second; {rows} rows were acknowledged."),
    };
    let limit = threshold.at_most;
    let next = if waits.iter().any(|wait| wait.unresponsive.is_some_and(|seen| !seen.blocked.is_empty())) {
        NEXT_DUMP
    } else {
        NEXT
    };
    let (is_gone, longest_s) = (gone.is_some(), longest.map_or(0.0, |wait| wait.seconds));
    Evidence {
        value: Some(longest_s),
        interval: None,
        threshold: limit,
        summary,
        notes: if slowed > 0 { vec![format!("The target asked {slowed} times to slow down.")] } else { Vec::new() },
        band: None,
        working: std::iter::once(format!("{rows} rows were acknowledged.")).chain(waits.iter().map(in_words)).collect(),
        p: Vec::new(),
        rule: Box::new(move |_| {
            let limit = limit.unwrap_or(f64::INFINITY);
            let allowed = human::seconds(limit);
            if is_gone {
                Ruling::new(Verdict::Fail, "It did not answer again before the variant was ended.").next(next)
            } else if longest_s > limit {
                Ruling::new(Verdict::Fail, format!("At most {allowed} is allowed.")).next(next)
            } else if rows == 0 {
                Ruling::new(Verdict::Inconclusive, "No row at all was acknowledged.").next(next)
            } else {
                Ruling::new(Verdict::Pass, format!("Up to {allowed} is allowed."))
            }
        }),
    }
}

fn wait(event: &EventKind) -> Option<Wait<'_>> {
    match event {
        EventKind::Unanswered { phase, cycle, operation, seconds } if seconds.is_finite() => {
            Some(Wait { operation: *operation, phase: *phase, cycle: *cycle, seconds: *seconds, unresponsive: None })
        }
        EventKind::Unresponsive { phase, cycle, operation, in_flight, seconds, recovered, blocked, .. } => Some(Wait {
            operation: *operation,
            phase: *phase,
            cycle: *cycle,
            seconds: *seconds,
            unresponsive: Some(Unresponsive { in_flight: *in_flight, recovered: *recovered, blocked }),
        }),
        _ => None,
    }
}

/// One wait, with the blocked stack where it is known.
fn in_words(wait: &Wait<'_>) -> String {
    let place = wait.cycle.map_or_else(String::new, |cycle| format!(" in cycle {cycle}"));
    let (operation, phase, seconds) = (wait.operation.name(), wait.phase.words(), human::seconds(wait.seconds));
    let Some(seen) = wait.unresponsive else {
        return format!("The longest wait for an answer was {seconds} ({operation}, during {phase}{place}).");
    };
    let stack = seen.blocked.first().map_or_else(String::new, |group| {
        let tasks = human::plural(group.count as usize, "task");
        format!(" Blocked: {tasks} in {}.", soak_record::stack::in_short(&group.signature))
    });
    let end = if seen.recovered { "; then it answered again" } else { "" };
    format!(
        "The target was unresponsive during {phase}{place}: no {operation} was answered for {seconds} with {} in flight{end}.{stack}",
        seen.in_flight
    )
}
