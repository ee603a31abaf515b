//! A variant's record as the criteria ask for it: levels of rest windows, phases, accounts of a cycle, local baselines.

use soak_record::{Event, EventKind, Phase, Series, VariantRecord};
use soak_scenario::Plan;

use crate::stats::location::median;

/// The floor of one cycle: the level of a series in the window in which the store is empty and at rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Floor {
    /// The cycle, from 0.
    pub cycle: u32,
    /// Whether it is judged, or part of the warm-up.
    pub counted: bool,
    /// Median of the window, in the series' unit.
    pub value: f64,
    /// Middle of the window, in seconds of run time.
    pub at_s: f64,
    /// Whether the level was at rest: settled, or at least not falling any more.
    pub at_rest: bool,
}

/// More cycles than this are a damaged plan's.
const CYCLES_MAX: u32 = 100_000;

/// The floors of `series`, in order of cycles, the warm-up included.
pub fn floors(plan: &Plan, record: &VariantRecord, series: &str) -> Vec<Floor> {
    Observed::new(plan, record).floors(series)
}

/// A variant's record with its plan.
#[derive(Clone, Copy)]
pub(crate) struct Observed<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) record: &'a VariantRecord,
}

/// The level of a series in a window of rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Level {
    pub(crate) median: f64,
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
    pub(crate) at_rest: bool,
}

/// An ingest phase's account.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ingest {
    pub(crate) cycle: u32,
    pub(crate) bytes: f64,
    pub(crate) acked_rows: u64,
    pub(crate) back_pressure: u64,
}

impl<'a> Observed<'a> {
    pub(crate) fn new(plan: &'a Plan, record: &'a VariantRecord) -> Self {
        Self { plan, record }
    }

    pub(crate) fn events(&self) -> impl DoubleEndedIterator<Item = &'a EventKind> + use<'a> {
        self.record.events.iter().map(|event| &event.kind)
    }

    pub(crate) fn series(&self, name: &str) -> Option<&'a Series> {
        self.record.series.get(name).filter(|series| !series.is_empty())
    }

    /// Whether the cycle is judged.
    pub(crate) fn is_counted(&self, cycle: u32) -> bool {
        cycle >= self.plan.cycle.warm_up
    }

    /// Whether a fault was on in this phase of this cycle: what failed in it is no surprise.
    pub(crate) fn is_disturbed(&self, phase: Phase, cycle: u32) -> bool {
        self.events().any(|event| {
            matches!(event, EventKind::FaultApplied { phase: in_phase, cycle: Some(other), .. }
                if *in_phase == phase && *other == cycle)
        })
    }

    /// Why a series cannot be judged: missing, or zero all the time.
    pub(crate) fn unusable(&self, name: &str) -> Option<String> {
        match self.series(name) {
            None => {
                Some(format!("The series {name} is missing: the target does not export it, or it could not be read."))
            }
            Some(series) if series.values.iter().all(|value| *value == 0.0) => {
                Some(format!("The series {name} is 0 all the time: the target exports it and never sets it."))
            }
            Some(_) => None,
        }
    }

    /// The level of a series in the window of this phase and cycle; the last one where there are several.
    pub(crate) fn level(&self, name: &str, phase: Phase, cycle: Option<u32>) -> Option<Level> {
        let series = self.series(name)?;
        let window = self.events().rev().find_map(|event| match event {
            EventKind::Window { phase: p, cycle: c, from_s, to_s, settled }
                if *p == phase && (cycle.is_none() || *c == cycle) =>
            {
                Some((*from_s, *to_s, *settled))
            }
            _ => None,
        });
        let (from_s, to_s, settled) = window?;
        let (_, values) = series.within(from_s, to_s);
        let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        Some(Level { median: median(&finite)?, from_s, to_s, at_rest: settled || !is_falling(&finite) })
    }

    /// The samples of a series in the window of this phase.
    pub(crate) fn samples(&self, name: &str, phase: Phase) -> Vec<f64> {
        let Some(level) = self.level(name, phase, None) else { return Vec::new() };
        self.series(name).map_or_else(Vec::new, |series| series.within(level.from_s, level.to_s).1.to_vec())
    }

    /// The floors of a series, in order of cycles.
    pub(crate) fn floors(&self, name: &str) -> Vec<Floor> {
        (0..self.last_cycle())
            .filter_map(|cycle| {
                let level = self.level(name, Phase::Settle, Some(cycle))?;
                let at_s = 0.5 * (level.from_s + level.to_s);
                Some(Floor {
                    cycle,
                    counted: self.is_counted(cycle),
                    value: level.median,
                    at_s,
                    at_rest: level.at_rest,
                })
            })
            .collect()
    }

    /// One past the last cycle that a window was recorded in.
    fn last_cycle(&self) -> u32 {
        let cycles = self.events().filter_map(|event| match event {
            EventKind::Window { cycle: Some(cycle), .. } => Some(cycle.saturating_add(1)),
            _ => None,
        });
        // A damaged record may name any cycle; a plan's bound is what there can be.
        cycles.max().unwrap_or(0).min(self.plan.cycle.most()).min(CYCLES_MAX)
    }

    /// The cycles that are judged: those that were planned, and those that were added.
    pub(crate) fn counted_cycles(&self) -> std::ops::Range<u32> {
        self.plan.cycle.warm_up..self.last_cycle().max(self.plan.cycle.count.min(CYCLES_MAX))
    }

    /// When a phase of a cycle began and ended, in seconds of run time.
    pub(crate) fn phase(&self, phase: Phase, cycle: u32) -> Option<[f64; 2]> {
        let find = |wanted: &dyn Fn(&EventKind) -> bool| {
            self.record.events.iter().find(|event| wanted(&event.kind)).map(|event: &Event| event.at_s)
        };
        let start = find(
            &|kind| matches!(kind, EventKind::PhaseStarted { phase: p, cycle: c } if *p == phase && *c == Some(cycle)),
        )?;
        let end = find(
            &|kind| matches!(kind, EventKind::PhaseEnded { phase: p, cycle: c, .. } if *p == phase && *c == Some(cycle)),
        )?;
        (end >= start).then_some([start, end])
    }

    /// The accounts of all ingest phases.
    pub(crate) fn ingests(&self) -> Vec<Ingest> {
        let accounts = self.events().filter_map(|event| match event {
            EventKind::Ingested { cycle, bytes, acked_rows, back_pressure, .. } => Some(Ingest {
                cycle: *cycle,
                bytes: *bytes as f64,
                acked_rows: *acked_rows,
                back_pressure: *back_pressure,
            }),
            _ => None,
        });
        accounts.collect()
    }

    /// Median of the bytes ingested in a counted cycle; 0 when none is known.
    pub(crate) fn bytes_per_cycle(&self) -> f64 {
        let ingests = self.ingests();
        let bytes: Vec<f64> = ingests.iter().filter(|i| self.is_counted(i.cycle)).map(|i| i.bytes).collect();
        median(&bytes).unwrap_or(0.0)
    }

    /// Median length of a cycle in seconds, from floor to floor.
    pub(crate) fn cycle_seconds(&self, name: &str) -> Option<f64> {
        let floors = self.floors(name);
        let lengths: Vec<f64> = floors
            .windows(2)
            .filter(|pair| pair[1].cycle == pair[0].cycle + 1)
            .map(|pair| pair[1].at_s - pair[0].at_s)
            .filter(|length| *length > 0.0)
            .collect();
        median(&lengths)
    }

    /// The level of an empty store around this cycle: between the floor before it and its own, in proportion to time.
    ///
    /// What a leak has added until `at_s` is so not taken for data, for a peak or for a bad compaction. A cycle's own floor that is not at rest is
    /// left out: it still holds what is on its way back to the system.
    pub(crate) fn baseline(&self, name: &str, cycle: u32, at_s: f64) -> Option<f64> {
        let middle = |level: Level| (0.5 * (level.from_s + level.to_s), level.median);
        let before = match cycle.checked_sub(1) {
            Some(previous) => self.level(name, Phase::Settle, Some(previous)),
            None => self.level(name, Phase::Idle, None).filter(|_| cycle > 0),
        };
        let before = before.or_else(|| self.level(name, Phase::ColdIdle, None)).map(middle)?;
        let own = self.level(name, Phase::Settle, Some(cycle)).filter(|own| own.at_rest).map(middle);
        Some(match own {
            Some(own) if own.0 > before.0 => {
                before.1 + (own.1 - before.1) * ((at_s - before.0) / (own.0 - before.0)).clamp(0.0, 1.0)
            }
            _ => before.1,
        })
    }
}

/// Whether the last third of a window lies below its first: memory is still on its way back to the system.
fn is_falling(values: &[f64]) -> bool {
    let third = values.len() / 3;
    let (Some(first), Some(last)) = (median(&values[..third]), median(&values[values.len() - third..])) else {
        return true;
    };
    last < first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falling_is_seen_in_the_thirds() {
        assert!(is_falling(&[9.0, 8.0, 7.0, 6.0, 5.0, 4.0]));
        assert!(!is_falling(&[5.0; 6]));
        assert!(!is_falling(&[4.0, 5.0, 6.0, 7.0, 8.0, 9.0]));
        // Too few samples to tell: not taken for rest.
        assert!(is_falling(&[1.0, 2.0]));
    }
}
