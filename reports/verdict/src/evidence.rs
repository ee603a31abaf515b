//! What a criterion hands to the judge: measurements now, a ruling once it is known what the variants share.

use soak_scenario::Threshold;
use soak_scenario::units::Gogc;

use crate::observed::Observed;
use crate::outcome::Verdict;

/// A criterion: its id in the scenario's list and how it measures one variant.
pub(crate) struct Criterion {
    /// The id, as in [`soak_scenario::criterion::CRITERIA`].
    pub(crate) id: &'static str,
    /// The series that its answer stands on; empty for events alone. One that the profile calls modelled is never judged.
    pub(crate) series: &'static [&'static str],
    /// Measures a variant against a threshold; without one the ruling is not asked for.
    pub(crate) measure: fn(&Observed<'_>, Threshold) -> Evidence,
}

/// What was measured in one variant.
pub(crate) struct Evidence {
    pub(crate) value: Option<f64>,
    pub(crate) interval: Option<[f64; 2]>,
    pub(crate) threshold: Option<f64>,
    /// The measurement in one sentence, without judging it.
    pub(crate) summary: String,
    /// What a reader should know besides.
    pub(crate) notes: Vec<String>,
    /// Where the value lies from cycle to cycle, for criteria that compare a setting's values; the others are shown it.
    pub(crate) band: Option<[f64; 2]>,
    /// How it came about, in lines: what was taken, what was computed.
    pub(crate) working: Vec<String>,
    /// p-values of the routes to a fail; the i-th is corrected together with the i-th of the other variants.
    pub(crate) p: Vec<f64>,
    /// Rules, given what is shared.
    pub(crate) rule: Rule,
}

/// Rules, given what is shared.
pub(crate) type Rule = Box<dyn FnOnce(&Shared) -> Ruling>;

/// What the variants of a criterion share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// For each route, whether Holm's procedure rejects.
    pub(crate) rejected: Vec<bool>,
    /// Holm's first step: α over the number of variants with a p-value.
    pub(crate) alpha: f64,
    /// GOGC and bands of the variants that differ from this one in GOGC alone.
    pub(crate) bands: Vec<(Gogc, [f64; 2])>,
}

impl Shared {
    /// Whether this route is rejected.
    pub(crate) fn rejects(&self, route: usize) -> bool {
        self.rejected.get(route).copied().unwrap_or(false)
    }
}

/// A criterion's answer for one variant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ruling {
    pub(crate) verdict: Verdict,
    /// The clause that follows the summary.
    pub(crate) because: String,
    pub(crate) next: Option<&'static str>,
    /// The smallest value that would have failed.
    pub(crate) detectable: Option<f64>,
    /// Whether the question could be asked of this target; where not, the finding is information.
    pub(crate) asked: bool,
}

impl Ruling {
    pub(crate) fn new(verdict: Verdict, because: impl Into<String>) -> Self {
        Self { verdict, because: because.into(), next: None, detectable: None, asked: true }
    }

    /// The target cannot be asked: no verdict, and why.
    pub(crate) fn not_asked(why: impl Into<String>) -> Self {
        Self { asked: false, ..Self::new(Verdict::Pass, why) }
    }

    pub(crate) fn next(mut self, next: &'static str) -> Self {
        self.next = Some(next);
        self
    }

    pub(crate) fn detectable(mut self, value: Option<f64>) -> Self {
        self.detectable = value;
        self
    }
}

impl Evidence {
    /// Nothing could be measured, and why: inconclusive.
    pub(crate) fn absent(why: impl Into<String>) -> Self {
        Self {
            value: None,
            interval: None,
            threshold: None,
            summary: why.into(),
            notes: Vec::new(),
            band: None,
            working: Vec::new(),
            p: Vec::new(),
            rule: Box::new(|_| Ruling::new(Verdict::Inconclusive, "")),
        }
    }
}

/// The ruling on a value that is known exactly, so that there is neither interval nor p-value: it fails above what is allowed.
pub(crate) fn at_most(value: f64, threshold: Threshold, in_words: fn(f64) -> String, next: &'static str) -> Rule {
    Box::new(move |_| {
        let limit = threshold.at_most.unwrap_or(f64::INFINITY);
        let allowed = in_words(limit);
        let ruling = if value > limit {
            Ruling::new(Verdict::Fail, format!("At most {allowed} is allowed.")).next(next)
        } else {
            Ruling::new(Verdict::Pass, format!("Up to {allowed} is allowed."))
        };
        ruling.detectable(Some(limit).filter(|limit| limit.is_finite()))
    })
}
