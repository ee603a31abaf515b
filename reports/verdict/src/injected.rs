//! The faults of a variant, each put together from what was told of it: when it was on, what showed that it took place, what the load saw, what is left.

use std::collections::BTreeMap;

use soak_record::{Event, EventKind, LatencySummary, Phase, Stage};

/// One fault that was injected. Times are seconds of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Injected {
    /// Its number in the variant's run.
    pub id: u32,
    /// Its name in the scenario.
    pub fault: String,
    /// Its kind, as in the catalogue.
    pub kind: String,
    /// Its settings in words.
    pub settings: String,
    /// In which phase.
    pub phase: Phase,
    /// In which cycle.
    pub cycle: Option<u32>,
    /// Start of what it is compared with: the phase, or the end of the watch of the fault before.
    pub compared_from_s: f64,
    /// End of that: when it, or the first of several that are on together, began.
    pub compared_to_s: f64,
    /// When it was on.
    pub applied_s: f64,
    /// When it was healed; absent where that is not told.
    pub healed_s: Option<f64>,
    /// End of the watch, or of what is known.
    pub watched_until_s: f64,
    /// Whether it took place, and what shows it; absent where the run ended before that was asked.
    pub shown: Option<(bool, String)>,
    /// The numbers of that, by name.
    pub figures: BTreeMap<String, f64>,
    /// What is left of it, where it could not be healed.
    pub heal_error: Option<String>,
    /// What the load saw, by stage: how long, and latencies.
    pub load: BTreeMap<Stage, (f64, LatencySummary)>,
    /// The first answer after it, in seconds; the inner `None` where none came.
    pub first_answer: Option<Option<f64>>,
    /// What is not as before, in words; absent where it was not compared.
    pub differences: Option<Vec<String>>,
}

/// Every fault that was injected, in the order in which they began.
pub fn injected(events: &[Event]) -> Vec<Injected> {
    let mut all: Vec<Injected> = Vec::new();
    let mut phase_from_s = 0.0;
    for event in events {
        let at_s = event.at_s;
        match &event.kind {
            EventKind::PhaseStarted { .. } => phase_from_s = at_s,
            EventKind::FaultApplied { id, fault, kind, settings, phase, cycle, took_s } => {
                // While it builds up it is already felt.
                let touched_s = at_s - took_s;
                // What came before in the same phase is over when its watch is; what is not over shares what it is compared with.
                let over = all.iter().map(|one| one.watched_until_s).fold(phase_from_s, f64::max);
                let is_watched =
                    |one: &&Injected| !one.load.contains_key(&Stage::After) || one.watched_until_s > touched_s;
                let together = all.iter().find(is_watched);
                let together = together.filter(|one| one.compared_from_s >= phase_from_s);
                let [from_s, to_s] =
                    together.map_or([over.min(touched_s), touched_s], |one| [one.compared_from_s, one.compared_to_s]);
                all.push(Injected {
                    id: *id,
                    fault: fault.clone(),
                    kind: kind.clone(),
                    settings: settings.clone(),
                    phase: *phase,
                    cycle: *cycle,
                    compared_from_s: from_s,
                    compared_to_s: to_s,
                    applied_s: at_s,
                    healed_s: None,
                    watched_until_s: at_s,
                    shown: None,
                    figures: BTreeMap::new(),
                    heal_error: None,
                    load: BTreeMap::new(),
                    first_answer: None,
                    differences: None,
                });
            }
            kind => {
                if let Some(one) = of(kind).and_then(|id| all.iter_mut().find(|one| one.id == id)) {
                    take(one, at_s, kind);
                }
            }
        }
    }
    all
}

/// The fault that something is told of.
fn of(kind: &EventKind) -> Option<u32> {
    match kind {
        EventKind::FaultShown { id, .. }
        | EventKind::FaultHealed { id, .. }
        | EventKind::FaultLoad { id, .. }
        | EventKind::FirstAnswer { id, .. }
        | EventKind::FaultResidue { id, .. } => Some(*id),
        _ => None,
    }
}

fn take(one: &mut Injected, at_s: f64, kind: &EventKind) {
    match kind {
        EventKind::FaultShown { took_place, words, figures, .. } => {
            one.shown = Some((*took_place, words.clone()));
            one.figures.clone_from(figures);
        }
        EventKind::FaultHealed { error, .. } => {
            one.healed_s = Some(at_s);
            one.watched_until_s = at_s;
            one.heal_error.clone_from(error);
        }
        EventKind::FaultLoad { stage, seconds, summary, .. } => {
            one.load.insert(*stage, (*seconds, *summary));
            if *stage == Stage::After {
                one.watched_until_s = at_s;
            }
        }
        EventKind::FirstAnswer { seconds, .. } => one.first_answer = Some(*seconds),
        EventKind::FaultResidue { differences, .. } => one.differences = Some(differences.clone()),
        _ => {}
    }
}

/// Faults that were due and did not begin: name, cycle, and why.
pub fn skipped(events: &[Event]) -> Vec<(String, Option<u32>, String)> {
    let skipped = events.iter().filter_map(|event| match &event.kind {
        EventKind::FaultSkipped { fault, cycle, reason } => Some((fault.clone(), *cycle, reason.clone())),
        _ => None,
    });
    skipped.collect()
}

impl Injected {
    /// Its name, its kind where that is another, and its settings: `squeeze (limit_shrink, to 60%)`.
    pub fn title(&self) -> String {
        let kind = (self.kind != self.fault).then_some(self.kind.as_str());
        let settings = (!self.settings.is_empty()).then_some(self.settings.as_str());
        let words: Vec<&str> = kind.into_iter().chain(settings).collect();
        if words.is_empty() { self.fault.clone() } else { format!("{} ({})", self.fault, words.join(", ")) }
    }

    /// Whether it was shown to have taken place.
    pub fn took_place(&self) -> bool {
        self.shown.as_ref().is_some_and(|(took_place, _)| *took_place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fault that took so long to build up, was held for two seconds and watched for three.
    fn fault(id: u32, applied_s: f64, took_s: f64) -> Vec<Event> {
        let at = |at_s: f64, kind| Event { at_s, variant: None, kind };
        let (phase, cycle) = (Phase::Query, Some(1));
        let [fault, kind, settings] = ["squeeze", "balloon", ""].map(str::to_owned);
        let summary = LatencySummary::default();
        vec![
            at(applied_s, EventKind::FaultApplied { id, fault, kind, settings, phase, cycle, took_s }),
            at(applied_s + 2.0, EventKind::FaultHealed { id, held_s: 2.0, error: None }),
            at(applied_s + 5.0, EventKind::FaultLoad { id, stage: Stage::After, seconds: 3.0, summary }),
        ]
    }

    fn compared(events: &[Vec<Event>]) -> Vec<[f64; 2]> {
        let mut events = events.concat();
        let began = EventKind::PhaseStarted { phase: Phase::Query, cycle: Some(1) };
        events.push(Event { at_s: 10.0, variant: None, kind: began });
        events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        injected(&events).iter().map(|one| [one.compared_from_s, one.compared_to_s]).collect()
    }

    #[test]
    fn a_fault_is_compared_with_what_came_before_it_and_was_calm() {
        assert_eq!(compared(&[fault(0, 12.0, 0.5), fault(1, 20.0, 0.5)]), [[10.0, 11.5], [17.0, 19.5]]);
        // The second begins to build up at 16.5, before the watch of the first is over at 17, and is on at 17.5.
        assert_eq!(compared(&[fault(0, 12.0, 0.5), fault(1, 17.5, 1.0)]), [[10.0, 11.5], [10.0, 11.5]]);
        assert_eq!(compared(&[fault(0, 12.0, 0.5), fault(1, 13.0, 0.0)]), [[10.0, 11.5], [10.0, 11.5]], "at once");
    }
}
