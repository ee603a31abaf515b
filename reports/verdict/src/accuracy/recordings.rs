//! How often recordings as people have them are judged rightly. A wrong pass counts most: a pipeline that reads it deploys a leak.

use super::{Simulation, TOLERANCE, over_all, seed};
use crate::outcome::Verdict;
use crate::recorded::Recorded;
use crate::trend::{self, Question};

/// Leaks of these recordings, in tolerances.
pub const RECORDED_LEAKS: [f64; 3] = [0.0, 2.0, 5.0];
/// Their length: 100 minutes.
pub const RECORDED_LENGTH_S: f64 = 6000.0;

/// Counts of one kind of recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfRecorded {
    /// Its name.
    pub name: &'static str,
    /// Series of each leak.
    pub series: u64,
    /// Fails and passes by leak.
    pub fails_and_passes: [[u64; 2]; RECORDED_LEAKS.len()],
    /// Passes of a leak; at the limit every pass, because nothing grows there.
    pub false_passes: u64,
}

impl OfRecorded {
    /// Measures every kind that is `wanted` by its name.
    pub fn all(simulation: Simulation, wanted: impl Fn(&str) -> bool) -> Vec<Self> {
        let simulation = Simulation { length_s: RECORDED_LENGTH_S, ..simulation };
        let kinds = Recorded::ALL.into_iter().filter(|(_, name)| wanted(name));
        kinds.map(|(kind, name)| Self::of(kind, name, simulation)).collect()
    }

    fn of(kind: Recorded, name: &'static str, simulation: Simulation) -> Self {
        let fails_and_passes = RECORDED_LEAKS.map(|leak| {
            let verdict = |i: u64| verdict(kind, seed(simulation, i, leak), simulation, leak);
            let verdicts = over_all(simulation.series, verdict);
            [Verdict::Fail, Verdict::Pass].map(|one| verdicts.iter().filter(|found| **found == one).count() as u64)
        });
        let leaking =
            fails_and_passes.iter().zip(RECORDED_LEAKS).filter(|(_, leak)| *leak > 1.0 || kind == Recorded::Pinned);
        let false_passes = leaking.map(|([_, passes], _)| passes).sum();
        Self { name, series: simulation.series, fails_and_passes, false_passes }
    }
}

fn verdict(kind: Recorded, seed: u64, simulation: Simulation, leak: f64) -> Verdict {
    let made = kind.recording(seed, simulation.length_s, simulation.step_s, leak * TOLERANCE);
    let question = Question {
        times_s: &made.times_s,
        values: &made.values,
        tolerance: TOLERANCE / 60.0,
        live: &made.live,
        limit: made.limit,
    };
    let restarts = trend::falls_to_start(&made.values, made.limit);
    let answer =
        if restarts.is_empty() { trend::judge(&question) } else { trend::judge_restarted(&question, &restarts, false) };
    answer.map_or(Verdict::Inconclusive, |answer| answer.verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_leak_passes_and_a_large_one_fails() {
        let simulation = Simulation { series: 8, seed: 500, length_s: 0.0, step_s: 10.0 };
        for kind in OfRecorded::all(simulation, |_| true) {
            assert_eq!(kind.false_passes, 0, "{kind:?}");
            assert_eq!(kind.fails_and_passes[0][0], 0, "{kind:?}: healthy ones fail");
            if ["ramps after idle", "restarts"].contains(&kind.name) {
                let [[_, healthy], _, [found, _]] = kind.fails_and_passes;
                assert!(healthy >= 6 && found >= 7, "{kind:?}");
            }
        }
    }
}
