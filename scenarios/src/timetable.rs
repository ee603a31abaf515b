//! When which fault is due: a pure function of the plan, so that the same seed gives the same timetable, and `soak plan` can print it.

use std::time::Duration;

use crate::fault::{Fault, FaultPhase};
use crate::matrix::data_seed;
use crate::plan::{Plan, Variant};
use crate::units::Span;

/// Added to a variant's seed, so that lots do not go with the data.
const LOT_SEED: u64 = 0x6c6f_7473_0000_0000;

/// A fault that is due.
#[derive(Debug, Clone, PartialEq)]
pub struct Due<'a> {
    /// Its name in the scenario.
    pub name: &'a str,
    /// The fault.
    pub fault: &'a Fault,
    /// In which phase of the cycle it begins.
    pub phase: FaultPhase,
    /// How long after the phase began.
    pub after: Span,
}

impl Plan {
    /// What is due in a cycle of a variant, in the order in which it begins. Warm-up cycles have none.
    pub fn due(&self, variant: &Variant, cycle: u32) -> Vec<Due<'_>> {
        let Some(counted) = cycle.checked_sub(self.cycle.warm_up) else { return Vec::new() };
        if variant.is_control() {
            // A variant that shows what the run can see is disturbed by nothing else.
            return Vec::new();
        }
        let mut due = if self.chaos.draw > 0 { self.drawn(variant, cycle) } else { self.regular(counted) };
        due.sort_by_key(|due| (due.phase as u8, due.after));
        due
    }

    /// Faults that are due once, at a time since the target was started.
    pub fn due_at(&self, variant: &Variant) -> Vec<(&str, &Fault, Span)> {
        if variant.is_control() {
            return Vec::new();
        }
        let timed = self.faults.iter().filter_map(|(name, fault)| Some((name.as_str(), fault, fault.at?)));
        let mut timed: Vec<_> = timed.collect();
        timed.sort_by_key(|(_, _, at)| *at);
        timed
    }

    fn regular(&self, counted: u32) -> Vec<Due<'_>> {
        let regular =
            self.faults.iter().filter(|(_, fault)| fault.at.is_none() && counted.is_multiple_of(fault.every.max(1)));
        regular.map(|(name, fault)| Due { name, fault, phase: fault.phase, after: fault.after }).collect()
    }

    /// Drawn faults come one after the other: each in its own phase, and in one phase each after the way back of the one before.
    fn drawn(&self, variant: &Variant, cycle: u32) -> Vec<Due<'_>> {
        let mut lots = Lots(data_seed(variant.seed ^ LOT_SEED, cycle));
        let mut pool: Vec<(&String, &Fault)> = self.faults.iter().filter(|(_, fault)| fault.at.is_none()).collect();
        let mut free = [Duration::ZERO; FaultPhase::ALL.len()];
        let mut due = Vec::new();
        while due.len() < self.chaos.draw as usize && !pool.is_empty() {
            let (name, fault) = pool.swap_remove(lots.below(pool.len()));
            let moment = self.chaos.within.0.mul_f64(lots.share());
            let free = &mut free[fault.phase as usize];
            let after = (fault.after.0 + moment).max(*free);
            // Whole milliseconds: what is printed is what is done.
            let after = Duration::from_millis(after.as_millis() as u64);
            *free = after + fault.hold.0 + fault.watch.0;
            due.push(Due { name, fault, phase: fault.phase, after: Span(after) });
        }
        due
    }
}

/// A sequence of lots from a seed.
struct Lots(u64);

impl Lots {
    fn next(&mut self) -> u64 {
        self.0 = data_seed(self.0, 1);
        self.0
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    /// From 0 up to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
