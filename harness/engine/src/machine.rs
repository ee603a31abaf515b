//! The order of a variant's run, as a pure state machine: what happened → what to do next. No clock, no IO.

use soak_record::{Outcome, Phase};
use soak_scenario::Cycle;

/// One step of a variant's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Which phase.
    pub phase: Phase,
    /// In which cycle, from 0.
    pub cycle: Option<u32>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The step is done (at the start: nothing yet).
    Done,
    /// The step, or the target under it, failed.
    Failed(Outcome),
    /// A person wants it to end.
    Interrupted,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Do this.
    Do(Step),
    /// It is over, in this way.
    End(Outcome),
}

/// The phases of a cycle, in order.
const CYCLE: [Phase; 9] = [
    Phase::Ingest,
    Phase::Index,
    Phase::Query,
    Phase::Delete,
    Phase::BeforeCompact,
    Phase::Compact,
    Phase::AfterCompact,
    Phase::Clear,
    Phase::Settle,
];

/// The state: where the run is, and how it will end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    cycles: u32,
    warm_up: u32,
    at: Option<Step>,
    outcome: Outcome,
}

impl Machine {
    /// A run that has not begun.
    pub fn new(cycle: &Cycle) -> Self {
        Self { cycles: cycle.count, warm_up: cycle.warm_up, at: None, outcome: Outcome::Completed }
    }

    /// Whether this is the end of the last cycle.
    pub fn is_last(&self, step: Step) -> bool {
        step.phase == Phase::Settle && step.cycle.is_some_and(|cycle| cycle + 1 == self.cycles)
    }

    /// Adds cycles to those that are to come.
    pub fn add_cycles(&mut self, more: u32) {
        self.cycles = self.cycles.saturating_add(more);
    }

    /// Takes what happened. Whatever was booted is stopped on every path, and after the stop there is nothing but the end.
    pub fn next(&mut self, input: Input) -> Command {
        let began = self.at.is_some();
        let stopping = self.at.is_some_and(|step| step.phase == Phase::Stop);
        match input {
            // The first cause is the one that is told.
            Input::Failed(outcome) if self.outcome == Outcome::Completed => self.outcome = outcome,
            Input::Interrupted if self.outcome == Outcome::Completed => self.outcome = Outcome::Interrupted,
            Input::Done | Input::Failed(_) | Input::Interrupted => {}
        }
        let step = match &self.outcome {
            _ if stopping => None,
            Outcome::Completed => self.following(),
            _ => began.then_some(Step { phase: Phase::Stop, cycle: None }),
        };
        match step {
            Some(step) => {
                self.at = Some(step);
                Command::Do(step)
            }
            None => Command::End(self.outcome.clone()),
        }
    }

    /// The step after this one when all goes well.
    fn following(&self) -> Option<Step> {
        let once = |phase| Some(Step { phase, cycle: None });
        let Some(Step { phase, cycle }) = self.at else { return once(Phase::Boot) };
        match (phase, cycle) {
            (Phase::Boot, _) => once(Phase::Attest),
            (Phase::Attest, _) => once(Phase::ColdIdle),
            (Phase::ColdIdle, _) if self.warm_up == 0 => once(Phase::Idle),
            (Phase::ColdIdle, _) => Some(self.cycle(0)),
            (Phase::Idle, _) => Some(self.cycle(self.warm_up)),
            (Phase::Settle, Some(cycle)) if cycle + 1 == self.warm_up => once(Phase::Idle),
            (Phase::Settle, Some(cycle)) => Some(self.cycle(cycle + 1)),
            (Phase::Drain, _) => once(Phase::Stop),
            (Phase::Stop, _) => None,
            (phase, cycle) => {
                let at = CYCLE.iter().position(|other| *other == phase).unwrap_or(CYCLE.len() - 1);
                Some(Step { phase: CYCLE[(at + 1).min(CYCLE.len() - 1)], cycle })
            }
        }
    }

    /// The start of a cycle, or the drain when there are no more.
    fn cycle(&self, cycle: u32) -> Step {
        if cycle < self.cycles {
            Step { phase: Phase::Ingest, cycle: Some(cycle) }
        } else {
            Step { phase: Phase::Drain, cycle: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use soak_scenario::units::Span;

    fn machine(count: u32, warm_up: u32) -> Machine {
        let span = Span::seconds(1);
        Machine::new(&Cycle {
            count,
            at_most: None,
            warm_up,
            window: span,
            settle_at_most: span,
            cold_idle: span,
            idle: span,
            drain_at_most: span,
        })
    }

    fn steps(mut machine: Machine) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Command::Do(step) = machine.next(Input::Done) {
            steps.push(step);
        }
        steps
    }

    #[test]
    fn a_healthy_run_has_every_phase_in_order() {
        let steps = steps(machine(3, 1));
        let phases: Vec<Phase> = steps.iter().map(|step| step.phase).collect();
        assert_eq!(phases[..3], [Phase::Boot, Phase::Attest, Phase::ColdIdle]);
        assert_eq!(phases[3..12], CYCLE);
        assert_eq!(phases[12], Phase::Idle);
        assert_eq!(phases[31..], [Phase::Drain, Phase::Stop]);
        assert_eq!(steps[13].cycle, Some(1));
    }

    #[test]
    fn cycles_can_be_added_at_the_end_of_the_last() {
        let mut machine = machine(2, 1);
        let mut settled = 0;
        while let Command::Do(step) = machine.next(Input::Done) {
            settled += u32::from(step.phase == Phase::Settle);
            if machine.is_last(step) && settled < 5 {
                machine.add_cycles(1);
            }
        }
        assert_eq!(settled, 5);
    }

    proptest! {
        #[test]
        fn what_was_booted_is_stopped_once_and_last(count in 0_u32..5, warm_up in 0_u32..3, inputs in proptest::collection::vec(0_u8..20, 0..80)) {
            let mut machine = machine(count, warm_up);
            let mut did = Vec::new();
            let mut ended = None;
            let all = inputs.into_iter().chain(std::iter::repeat_n(2, 120));
            for input in all {
                let input = match input {
                    0 => Input::Interrupted,
                    1 => Input::Failed(Outcome::TargetFailed { reason: "x".to_owned() }),
                    _ => Input::Done,
                };
                match machine.next(input) {
                    Command::Do(step) => did.push(step.phase),
                    Command::End(outcome) => {
                        ended = Some(outcome);
                        break;
                    }
                }
            }
            prop_assert!(ended.is_some(), "it ends");
            let stops = did.iter().filter(|phase| **phase == Phase::Stop).count();
            prop_assert_eq!(stops, usize::from(!did.is_empty()));
            prop_assert!(did.is_empty() || did.last() == Some(&Phase::Stop));
            if ended == Some(Outcome::Completed) {
                prop_assert_eq!(did.iter().filter(|phase| **phase == Phase::Settle).count() as u32, count);
            }
        }
    }
}
