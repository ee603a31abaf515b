//! A proof: what a machine's runs said of leaks whose size is known, and so what their verdicts are worth.

use serde::Serialize;
use soak_scenario::FLOORS;

use crate::outcome::{DoseVerdict, RunVerdict, Verdict};
use crate::stats::binomial::clopper_pearson;
use crate::stats::location;

/// The leaks that a proof puts in, in tolerances a cycle.
pub const LEAKS: [f64; 5] = [0.0, 0.5, 1.0, 2.0, 4.0];

/// Level of every interval of a share.
const LEVEL: f64 = 0.95;
/// So many of healthy trials may fail, and of leaks of twice the tolerance may pass.
const FALSE_FAILS: f64 = 0.02;
const FALSE_PASSES: f64 = 0.03;
/// What is predicted to be seen is seen this often at least.
const PREDICTED: f64 = 0.9;
/// Fewer trials than would put the share of leaks found above this, with certainty, prove nothing.
const RECALL_SURE: f64 = 0.5;

/// What the size of a leak demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truth {
    /// None, or half the tolerance: has to pass.
    None,
    /// The tolerance itself: any answer is right.
    AtTolerance,
    /// Twice the tolerance or more: has to fail.
    Leak,
}

impl Truth {
    /// The three, in the order of the table.
    pub const ALL: [Self; 3] = [Self::None, Self::AtTolerance, Self::Leak];

    /// Of a leak of so many tolerances.
    pub fn of(tolerances: f64) -> Self {
        match tolerances {
            small if small < 0.75 => Self::None,
            great if great > 1.5 => Self::Leak,
            _ => Self::AtTolerance,
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "no leak (0, ½)",
            Self::AtTolerance => "at the tolerance (1)",
            Self::Leak => "leak (2, 4)",
        }
    }
}

/// One trial, by one criterion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// The run and variant.
    pub variant: String,
    /// The criterion.
    pub criterion: &'static str,
    /// The leak in tolerances a cycle.
    pub tolerances: f64,
    /// In bytes a cycle.
    pub bytes_per_cycle: f64,
    /// The answer.
    pub verdict: Verdict,
    /// What was measured, in bytes a cycle.
    pub value: Option<f64>,
    /// The smallest leak that it was predicted to show, in bytes a cycle.
    pub detectable: Option<f64>,
}

/// So many of so many, with the interval of the share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// How many.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// The exact interval (Clopper and Pearson) of the share at 95 %.
    pub interval: [f64; 2],
}

impl Share {
    fn of(trials: &[&Trial], is: impl Fn(&Trial) -> bool) -> Self {
        let count = trials.iter().filter(|trial| is(trial)).count() as u64;
        let of = trials.len() as u64;
        let interval = if of == 0 { [0.0, 1.0] } else { clopper_pearson(count, of, LEVEL) };
        Self { count, of, interval }
    }
}

/// A row of the table: the answers to one truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Row {
    /// What was put in.
    pub truth: Truth,
    /// Answers.
    pub fail: Share,
    /// Answers.
    pub inconclusive: Share,
    /// Answers.
    pub pass: Share,
}

/// What the trials say of one criterion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfCriterion {
    /// Its id.
    pub criterion: &'static str,
    /// Truth by answer.
    pub table: [Row; 3],
    /// The smallest leak that every trial of it found, in bytes a cycle; `None` where none was found every time.
    pub smallest_found: Option<f64>,
    /// The middle of what trials predicted that they could have detected, in bytes a cycle.
    pub predicted: Option<f64>,
    /// Of the trials with a leak at or above what they predicted, those that found it.
    pub predicted_and_found: Share,
    /// Pass: nothing was answered wrongly, every leak of twice the tolerance was found, often enough, and predictions are not refuted. Fail: more was wrong, or less was found of what was
    /// predicted, than chance explains. Inconclusive otherwise.
    pub verdict: Verdict,
}

/// A proof.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proof {
    /// By criterion.
    pub criteria: Vec<OfCriterion>,
    /// The worst of the criteria.
    pub verdict: Verdict,
    /// All trials, in order.
    pub trials: Vec<Trial>,
}

impl Proof {
    /// What these runs prove.
    pub fn of(runs: &[RunVerdict]) -> Self {
        let trials: Vec<Trial> = runs.iter().flat_map(trials).collect();
        let judged = FLOORS.into_iter().filter(|id| trials.iter().any(|trial| trial.criterion == *id));
        let criteria: Vec<OfCriterion> = judged.map(|id| of_criterion(id, &trials)).collect();
        let verdict = Verdict::over(criteria.iter().map(|one| one.verdict)).unwrap_or(Verdict::Inconclusive);
        Self { criteria, verdict, trials }
    }
}

fn trials(run: &RunVerdict) -> Vec<Trial> {
    let dosed = run.variants.iter().filter_map(|variant| Some((variant, variant.dose.as_ref()?)));
    let of = |(variant, dose): (&crate::VariantVerdict, &DoseVerdict)| {
        let answered = FLOORS.into_iter().filter_map(|id| Some((id, *dose.answers.get(id)?)));
        let trial = |(criterion, seen): (&'static str, crate::Seen)| Trial {
            variant: format!("{}/{}", run.run, variant.id),
            criterion,
            tolerances: dose.tolerances,
            bytes_per_cycle: dose.bytes_per_cycle,
            verdict: seen.verdict,
            value: seen.value,
            detectable: seen.detectable,
        };
        answered.map(trial).collect::<Vec<Trial>>()
    };
    dosed.flat_map(of).collect()
}

fn of_criterion(criterion: &'static str, trials: &[Trial]) -> OfCriterion {
    let own: Vec<&Trial> = trials.iter().filter(|trial| trial.criterion == criterion).collect();
    let table = Truth::ALL.map(|truth| {
        let these: Vec<&Trial> = own.iter().copied().filter(|trial| Truth::of(trial.tolerances) == truth).collect();
        let answered = |verdict| Share::of(&these, |trial| trial.verdict == verdict);
        Row {
            truth,
            fail: answered(Verdict::Fail),
            inconclusive: answered(Verdict::Inconclusive),
            pass: answered(Verdict::Pass),
        }
    });
    let found = |trial: &Trial| trial.verdict == Verdict::Fail;
    let predicted: Vec<f64> = own.iter().filter_map(|trial| trial.detectable).collect();
    let visible: Vec<&Trial> = own
        .iter()
        .copied()
        .filter(|trial| trial.detectable.is_some_and(|least| trial.bytes_per_cycle >= least))
        .collect();
    let predicted_and_found = Share::of(&visible, found);
    OfCriterion {
        criterion,
        table,
        smallest_found: smallest_found(&own),
        predicted: location::median(&predicted),
        predicted_and_found,
        verdict: verdict(&table, &predicted_and_found),
    }
}

/// The least of the leaks that were found in every trial, and so was every greater one.
fn smallest_found(trials: &[&Trial]) -> Option<f64> {
    let mut least = None;
    for leak in LEAKS.into_iter().rev().filter(|leak| *leak > 0.0) {
        let close = |trial: &&&Trial| (trial.tolerances / leak - 1.0).abs() < 0.1;
        let these: Vec<&Trial> = trials.iter().filter(close).copied().collect();
        if these.is_empty() || these.iter().any(|trial| trial.verdict != Verdict::Fail) {
            break;
        }
        least = these.iter().map(|trial| trial.bytes_per_cycle).reduce(f64::min);
    }
    least
}

fn verdict([none, _, leak]: &[Row; 3], predicted_and_found: &Share) -> Verdict {
    // A wrong answer may be chance; more of them than chance explains is a wrong judge.
    let wrong = none.fail.count + leak.pass.count;
    let excluded = none.fail.interval[0] > FALSE_FAILS
        || leak.pass.interval[0] > FALSE_PASSES
        || predicted_and_found.interval[1] < PREDICTED;
    if excluded {
        Verdict::Fail
    } else if wrong == 0
        && none.pass.of > 0
        && leak.fail.count == leak.fail.of
        && none.pass.count == none.pass.of
        && leak.fail.interval[0] > RECALL_SURE
    {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(tolerances: f64, verdict: Verdict, detectable: f64) -> Trial {
        Trial {
            variant: String::new(),
            criterion: "rss_floor",
            tolerances,
            bytes_per_cycle: tolerances * 1e6,
            verdict,
            value: Some(tolerances * 1e6),
            detectable: Some(detectable),
        }
    }

    fn all(rounds: usize, answer: impl Fn(f64) -> Verdict) -> OfCriterion {
        let trials: Vec<Trial> = (0..rounds).flat_map(|_| LEAKS.map(|leak| trial(leak, answer(leak), 1.1e6))).collect();
        of_criterion("rss_floor", &trials)
    }

    #[test]
    fn right_answers_prove() {
        let proof = all(8, |leak| if leak > 1.5 { Verdict::Fail } else { Verdict::Pass });
        assert_eq!(proof.verdict, Verdict::Pass);
        assert_eq!((proof.table[0].pass.count, proof.table[0].pass.of), (16, 16));
        assert_eq!(proof.smallest_found, Some(2e6));
        assert_eq!((proof.predicted_and_found.count, proof.predicted_and_found.of), (16, 16));
    }

    #[test]
    fn a_blind_machine_proves_nothing() {
        let blind = all(8, |_| Verdict::Inconclusive);
        assert_eq!(blind.smallest_found, None);
        // It said that it could have seen what it did not.
        assert_eq!(blind.verdict, Verdict::Fail);
        let trials: Vec<Trial> = LEAKS.map(|leak| trial(leak, Verdict::Inconclusive, 9e6)).into();
        assert_eq!(of_criterion("rss_floor", &trials).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn wrong_answers_disprove() {
        assert_eq!(all(8, |_| Verdict::Fail).verdict, Verdict::Fail);
        assert_eq!(all(8, |_| Verdict::Pass).verdict, Verdict::Fail);
    }

    #[test]
    fn two_rounds_are_too_few() {
        let right = |leak| if leak > 1.5 { Verdict::Fail } else { Verdict::Pass };
        assert_eq!(all(2, right).verdict, Verdict::Inconclusive);
        assert_eq!(all(3, right).verdict, Verdict::Pass);
    }

    #[test]
    fn a_leak_that_was_missed_once_was_not_found() {
        let mut trials: Vec<Trial> = LEAKS.map(|leak| trial(leak, Verdict::Fail, 1e6)).into();
        trials.push(trial(2.0, Verdict::Inconclusive, 3e6));
        let own: Vec<&Trial> = trials.iter().collect();
        assert_eq!(smallest_found(&own), Some(4e6));
    }
}
