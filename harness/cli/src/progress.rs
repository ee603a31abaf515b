//! Progress of a run: bars on a terminal, plain lines off one, JSON Lines for programs. Each listens to the same events.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use soak_engine::Listener;
use soak_record::{Event, EventKind, OomScope, Outcome, Phase, stack};
use soak_scenario::Plan;
use soak_verdict::human;

use crate::output;

/// Steps of a variant beside its cycles: boot, attest, cold idle, idle, drain, stop.
const STEPS_BESIDE: u64 = 6;

/// Steps of a cycle.
const STEPS_A_CYCLE: u64 = 9;

/// What a person follows a run by: bars on a terminal, plain lines off one.
pub(crate) fn for_a_person(plan: &Plan) -> Box<dyn Listener> {
    if output::stderr_is_terminal() { Box::new(Bars::new(plan)) } else { Box::new(PlainLines::new(plan)) }
}

/// Every event as a line of JSON on standard output.
pub(crate) struct JsonLines;

impl Listener for JsonLines {
    fn event(&self, event: &Event) {
        // A reader that closed the pipe has seen enough; the run goes on, for its record.
        let _ = output::print_json(serde_json::to_string(event));
    }
}

/// A bar for the whole run, with variant and phase, drawn on standard error.
pub(crate) struct Bars {
    bar: ProgressBar,
    of_a_variant: u64,
    state: Mutex<(u64, String)>,
}

impl Bars {
    pub(crate) fn new(plan: &Plan) -> Self {
        let of_a_variant = STEPS_BESIDE + STEPS_A_CYCLE * u64::from(plan.cycle.count);
        let bar = ProgressBar::new(of_a_variant * plan.variants.len() as u64);
        let template = "{wide_bar} {percent:>3} %  {elapsed} gone, about {eta} left\n{msg}";
        // The template is a constant; a mistake in it would only cost looks.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(250));
        Self { bar, of_a_variant, state: Mutex::default() }
    }
}

impl Listener for Bars {
    fn event(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &event.kind {
            EventKind::VariantStarted { index, of } => {
                // A variant that ended early left steps out.
                self.bar.set_position(u64::from(*index) * self.of_a_variant);
                state.0 = u64::from(*index);
                state.1 = format!("{} ({} of {of})", event.variant.as_deref().unwrap_or_default(), index + 1);
            }
            EventKind::PhaseStarted { phase, cycle } => {
                let cycle = cycle.map_or_else(String::new, |cycle| format!(", cycle {cycle}"));
                self.bar.set_message(format!("{}: {}{cycle}", state.1, phase_words(*phase)));
            }
            EventKind::PhaseEnded { .. } => self.bar.inc(1),
            EventKind::RunEnded { .. } => self.bar.finish_and_clear(),
            _ => {
                if let Some(line) = notable(event) {
                    self.bar.println(line);
                }
            }
        }
    }
}

/// A line for each variant, each cycle, and whatever went wrong, on standard error.
pub(crate) struct PlainLines {
    cycles: u32,
    began: Mutex<BTreeMap<String, f64>>,
}

impl PlainLines {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self { cycles: plan.cycle.count, began: Mutex::default() }
    }
}

impl Listener for PlainLines {
    fn event(&self, event: &Event) {
        let variant = event.variant.clone().unwrap_or_default();
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        let line = match &event.kind {
            EventKind::VariantStarted { index, of } => {
                began.insert(variant.clone(), event.at_s);
                Some(format!("{variant}: variant {} of {of}", index + 1))
            }
            EventKind::PhaseStarted { phase: Phase::Ingest, cycle: Some(cycle) } => {
                began.insert("cycle".to_owned(), event.at_s);
                let last = self.cycles.saturating_sub(1);
                (*cycle == 0).then(|| format!("{variant}: cycles 0 to {last}"))
            }
            EventKind::PhaseEnded { phase: Phase::Settle, cycle: Some(cycle), .. } => {
                let took = event.at_s - began.get("cycle").copied().unwrap_or(event.at_s);
                Some(format!("{variant}: cycle {cycle} took {}", human::seconds(took)))
            }
            EventKind::VariantEnded { outcome: Outcome::Completed } => {
                let took = event.at_s - began.get(&variant).copied().unwrap_or(event.at_s);
                Some(format!("{variant}: done in {}", human::seconds(took)))
            }
            _ => notable(event),
        };
        if let Some(line) = line {
            output::say(&format!("[{:7.1} s] {line}\n", event.at_s));
        }
    }
}

/// Shorter waits for an answer are in the record and not on the terminal.
const WORTH_TELLING_S: f64 = 5.0;

/// What a person should see at once.
pub(crate) fn notable(event: &Event) -> Option<String> {
    let variant = event.variant.as_deref().unwrap_or("run");
    let text = match &event.kind {
        EventKind::Attested { knob, requested, effective, holds: Some(false), .. } => {
            let effective = effective.as_deref().unwrap_or("unknown");
            format!("{knob} is {effective}, {requested} was asked for")
        }
        EventKind::Unanswered { operation, seconds, .. } if *seconds >= WORTH_TELLING_S => {
            format!("no {} was answered for {}", operation.name(), human::seconds(*seconds))
        }
        EventKind::Unresponsive { operation, in_flight, seconds, recovered, blocked, .. } => {
            let stack = blocked.first().map_or_else(String::new, |group| {
                let tasks = human::plural(group.count as usize, "task");
                format!("; blocked: {tasks} in {}", stack::in_short(&group.signature))
            });
            let (operation, seconds) = (operation.name(), human::seconds(*seconds));
            let end = if *recovered { ", then it answered again" } else { "" };
            format!("unresponsive: no {operation} was answered for {seconds}, with {in_flight} in flight{end}{stack}")
        }
        EventKind::PhaseOverdue { phase, limit_s, .. } => {
            format!("{} was not over after {}, the most that the plan allows", phase.words(), human::seconds(*limit_s))
        }
        EventKind::OperationFailed { operation, error } => format!("{} failed: {error}", operation.name()),
        EventKind::Compacted { error: Some(error), .. } => format!("compaction failed: {error}"),
        EventKind::TargetDied { how, last_lines } => {
            let last = last_lines.last().map_or_else(String::new, |line| format!("; the last line it printed: {line}"));
            format!("the target died: {how}{last}")
        }
        EventKind::Oom { scope: OomScope::Target, limit_bytes: Some(limit), .. } => {
            format!("killed for memory at its limit of {}", human::bytes(*limit as f64))
        }
        EventKind::Oom { evidence, .. } => format!("killed for memory? {}", evidence.join("; ")),
        EventKind::ByHand { action, error: None, .. } => format!("somebody {}", action.words()),
        EventKind::ByHand { action, error: Some(error), .. } => format!("somebody {}: {error}", action.words()),
        EventKind::CyclesAdded { more, .. } => format!("its floors are still filling: {more} more cycles"),
        EventKind::SamplesDropped { source, rows } => format!("{rows} samples of {source} were lost"),
        EventKind::VariantEnded { outcome: Outcome::TargetFailed { reason } } => format!("the target failed: {reason}"),
        EventKind::VariantEnded { outcome: Outcome::PlatformFailed { reason } } => format!("cannot go on: {reason}"),
        EventKind::VariantEnded { outcome: Outcome::Interrupted } => "interrupted".to_owned(),
        EventKind::VariantEnded { outcome: Outcome::Stopped { reason } } => format!("stopped: {reason}"),
        _ => return fault(&event.kind).map(|text| format!("{variant}: {text}")),
    };
    Some(format!("{variant}: {text}"))
}

/// What is told of faults.
fn fault(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::FaultApplied { fault, settings, .. } if settings.is_empty() => format!("{fault} is on"),
        EventKind::FaultApplied { fault, settings, .. } => format!("{fault} is on ({settings})"),
        EventKind::FaultShown { took_place: true, words, .. } => format!("shown: {words}"),
        EventKind::FaultShown { took_place: false, words, .. } => format!("NOT shown: {words}"),
        EventKind::FaultHealed { error: Some(error), .. } => format!("it cannot be healed: {error}"),
        EventKind::FaultSkipped { fault, reason, .. } => format!("{fault} did not begin: {reason}"),
        EventKind::FirstAnswer { seconds: None, .. } => "no answer while it was watched".to_owned(),
        EventKind::FaultResidue { differences, .. } if !differences.is_empty() => {
            format!("not as before: {}", differences.join("; "))
        }
        EventKind::Integrity { lost, doubled, resurrected, .. } if lost + doubled + resurrected > 0 => {
            format!(
                "{lost} acknowledged rows are lost, {doubled} are there twice, {resurrected} deleted or dropped rows are back"
            )
        }
        _ => return None,
    })
}

fn phase_words(phase: Phase) -> &'static str {
    match phase {
        Phase::Boot => "booting",
        Phase::Attest => "reading settings back",
        Phase::ColdIdle => "idle, cold",
        Phase::Ingest => "ingest",
        Phase::Index => "indexing",
        Phase::Query => "queries",
        Phase::Delete => "deletes",
        Phase::BeforeCompact => "settling before compaction",
        Phase::Compact => "compaction",
        Phase::AfterCompact => "settling after compaction",
        Phase::Clear => "dropping the data",
        Phase::Settle => "settling, empty",
        Phase::Idle => "idle, warm",
        Phase::Drain => "draining",
        Phase::Stop => "stopping",
    }
}
