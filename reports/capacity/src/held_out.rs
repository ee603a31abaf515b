//! Predictions held against runs that were no part of the fit.

use serde::Serialize;
use soak_verdict::{Verdict, human};

use crate::answer::Estimate;
use crate::model::{EXTRAPOLATED, Model};
use crate::recorded::Recorded;

/// A prediction beside what was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The run.
    pub run: String,
    /// The variant.
    pub variant: String,
    /// `settled` or `peak`.
    pub of: &'static str,
    /// What was predicted; absent where the model cannot say.
    pub predicted: Option<Estimate>,
    /// What was measured.
    pub measured: f64,
    /// Whether it lies in the interval.
    pub inside: bool,
    /// How far beyond what was run it is, as a factor.
    pub beyond: f64,
}

/// Predictions that a fit is held against, at least; the share of them that has to be right; and the widest half of an interval, relative.
const HELD_OUT_LEAST: usize = 20;
const INSIDE_LEAST: f64 = 0.9;
const HALF_WIDTH_MOST: f64 = 0.2;

/// How many of some predictions were right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tally {
    /// Predictions inside of their interval.
    pub inside: usize,
    /// All that there are; where the model cannot say, there is none.
    pub of: usize,
    /// The widest half of an interval, relative, of those within the fitted range.
    pub half_width_most: f64,
    /// The greatest error, relative to what was predicted.
    pub error_most: f64,
}

/// Runs that were not fitted, held against the fit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeldOut {
    /// Of memory at rest, within the fitted range.
    pub settled: Tally,
    /// Of the peak, within the fitted range.
    pub peak: Tally,
    /// Of both, beyond the range.
    pub outside: Tally,
    /// Measurements, of either, for which the model has no prediction.
    pub unanswered: usize,
    /// Each.
    pub predictions: Vec<Prediction>,
}

/// A point is within the range up to here: a batch that is a few rows longer is no extrapolation.
const WITHIN: f64 = 1.0 + 1e-9;

impl HeldOut {
    /// Holds runs against a model; what is not of the same target is in the predictions all the same, so the caller compares identities first.
    pub fn of(model: &Model, runs: &[Recorded]) -> Self {
        let mut predictions = Vec::new();
        for observation in runs.iter().flat_map(|run| &run.observations) {
            let said = model.says(&observation.point);
            let both =
                [("settled", said.settled, observation.settled_bytes), ("peak", said.peak, observation.peak_bytes)];
            for (of, predicted, measured) in both {
                let beyond = model.spread.beyond(&observation.point, of == "peak").0;
                let inside = predicted.is_some_and(|one| one.interval[0] <= measured && measured <= one.interval[1]);
                let (run, variant) = (observation.run.clone(), observation.variant.clone());
                predictions.push(Prediction { run, variant, of, predicted, measured, inside, beyond });
            }
        }
        let within = |one: &&Prediction| one.beyond <= WITHIN;
        Self {
            settled: tally(predictions.iter().filter(within).filter(|one| one.of == "settled")),
            peak: tally(predictions.iter().filter(within).filter(|one| one.of == "peak")),
            unanswered: predictions.iter().filter(|one| one.predicted.is_none()).count(),
            outside: tally(predictions.iter().filter(|one| one.beyond > WITHIN && one.beyond <= EXTRAPOLATED)),
            predictions,
        }
    }
}

impl HeldOut {
    /// Whether the predictions stand: enough of them, right, and narrow. Pass, fail, or inconclusive, and why in a sentence.
    pub fn verdict(&self) -> (Verdict, String) {
        let both = [("at rest", self.settled), ("of the peak", self.peak)];
        if let Some((what, tally)) = both.into_iter().find(|(_, tally)| tally.of < HELD_OUT_LEAST) {
            let why = format!(
                "{} within the fitted range {what}, and {HELD_OUT_LEAST} are needed to tell whether predictions stand",
                human::plural(tally.of, "prediction")
            );
            return (Verdict::Inconclusive, why);
        }
        for (what, tally) in both {
            if (tally.inside as f64) < INSIDE_LEAST * tally.of as f64 {
                let why = format!(
                    "{} of {} {what} are inside of their interval, and {} have to be",
                    tally.inside,
                    tally.of,
                    human::percent(INSIDE_LEAST)
                );
                return (Verdict::Fail, why);
            }
            if tally.half_width_most > HALF_WIDTH_MOST {
                let why = format!(
                    "the widest half of an interval {what} is {}, and {} is the most that tells something",
                    human::percent(tally.half_width_most),
                    human::percent(HALF_WIDTH_MOST)
                );
                return (Verdict::Fail, why);
            }
        }
        if self.unanswered > 0 {
            return (
                Verdict::Inconclusive,
                format!("there is no prediction for {}", human::plural(self.unanswered, "measurement")),
            );
        }
        (Verdict::Pass, "enough predictions, right and narrow".to_owned())
    }
}

fn tally<'a>(predictions: impl Iterator<Item = &'a Prediction>) -> Tally {
    let mut tally = Tally { inside: 0, of: 0, half_width_most: 0.0, error_most: 0.0 };
    for one in predictions {
        let Some(predicted) = one.predicted else { continue };
        tally.of += 1;
        tally.inside += usize::from(one.inside);
        tally.half_width_most = tally.half_width_most.max(predicted.half_width());
        tally.error_most = tally.error_most.max((one.measured / predicted.value - 1.0).abs());
    }
    tally
}
