//! From recorded runs to a model of memory at rest and of the peak, or to what is missing for one.

use crate::answer::Estimate;
use crate::fit::{Fit, Measured, sizes};
use crate::point::Point;
use crate::recorded::{Identity, LeftOut, Observation, Recorded, differences};
use crate::spread::{Missing, Spread};
use crate::terms::Term;

/// Beyond so many times the fitted range an answer is an extrapolation.
pub(crate) const EXTRAPOLATED: f64 = 10.0;

/// Relative standard deviation of what ten times the range may bring that nobody has seen.
const UNSEEN: f64 = 0.05;

/// How memory goes with size, on one target.
#[derive(Debug, Clone)]
pub struct Model {
    /// What was run.
    pub identity: Identity,
    /// The runs.
    pub runs: Vec<String>,
    /// Whether links of a node reach such a target.
    pub sets_m: bool,
    /// The same of GOGC.
    pub sets_gogc: bool,
    /// The same of GOMEMLIMIT.
    pub sets_gomemlimit: bool,
    /// What was measured.
    pub observations: Vec<Observation>,
    /// What was not, and why.
    pub left_out: Vec<LeftOut>,
    pub(crate) spread: Spread,
    pub(crate) rest: Fit,
    pub(crate) peak: Fit,
}

/// What a model says of a point.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) settled: Option<Estimate>,
    pub(crate) peak: Option<Estimate>,
    /// The greatest factor outside of what was run, and the axis of it.
    pub(crate) beyond: (f64, &'static str),
    pub(crate) missing: Vec<Missing>,
}

impl Model {
    /// The model of these runs, or what is missing for one.
    pub fn of(recorded: &[Recorded]) -> Result<Self, Vec<Missing>> {
        let Some(first) = recorded.first() else {
            return Err(vec![Missing::new("runs", "there is no run", "name run folders: soak run capacity makes one")]);
        };
        let mut missing = differing(recorded);
        let observations: Vec<Observation> = recorded.iter().flat_map(|one| one.observations.clone()).collect();
        let left_out: Vec<LeftOut> = recorded.iter().flat_map(|one| one.left_out.clone()).collect();
        let points: Vec<Point> = observations.iter().map(|one| one.point).collect();
        let spread = Spread::of(&points);
        if observations.is_empty() {
            let why = match left_out.first() {
                Some(one) => format!("no variant tells of memory; {}: {}", one.variant, one.why),
                None => "no variant was run".to_owned(),
            };
            missing.push(Missing::new("runs", why, "run the scenario `capacity` to its end: soak run capacity"));
        } else {
            missing.extend(spread.for_any());
        }
        if !missing.is_empty() {
            return Err(missing);
        }
        let rest_terms = of_rest(&spread, first.sets_m);
        let measured: Vec<Measured> =
            observations.iter().map(|one| Measured { point: one.point, held: 0.0, bytes: one.settled_bytes }).collect();
        let rest = Fit::of(&rest_terms, &measured).ok_or_else(|| vec![too_few(&rest_terms, sizes(&measured).len())])?;
        let peak = peak(&observations, &rest, &spread, (first.sets_m, first.sets_gogc))
            .ok_or_else(|| vec![too_few(&of_peak(&spread, first.sets_gogc), sizes(&measured).len())])?;
        Ok(Self {
            identity: first.identity.clone(),
            runs: recorded.iter().map(|one| one.run.clone()).collect(),
            sets_m: first.sets_m,
            sets_gogc: first.sets_gogc,
            sets_gomemlimit: first.sets_gomemlimit,
            observations,
            left_out,
            spread,
            rest,
            peak,
        })
    }

    /// What it says of a point, and what it cannot.
    pub(crate) fn says(&self, point: &Point) -> Said {
        let mut missing = self.spread.for_rest(point, self.sets_m);
        let beyond = self.spread.beyond(point, true);
        let settled = if missing.is_empty() { self.settled(point) } else { None };
        missing.extend(self.spread.for_peak(point, self.sets_gogc));
        let peak = if missing.is_empty() { self.peak_at(point) } else { None };
        // Two fits know nothing of each other, and what is there at rest is there at the peak.
        let peak = peak.zip(settled).map(|(peak, settled)| peak.at_least(settled));
        Said { settled, peak, beyond, missing }
    }

    fn settled(&self, point: &Point) -> Option<Estimate> {
        let predicted = self.rest.predict(point, 0.0)?;
        let outside = widening(self.spread.beyond(point, false).0, &self.rest);
        Some(Estimate::around(predicted.bytes, self.rest.half_width(predicted.mean_variance + outside)))
    }

    fn peak_at(&self, point: &Point) -> Option<Estimate> {
        let rest = self.rest.predict(point, 0.0)?;
        let held = held(&self.rest, rest.bytes);
        let predicted = self.peak.predict(point, held)?;
        // What is held is itself a prediction: its share of the peak is as uncertain as it is.
        let share = (self.peak.coefficient(Term::Held) + self.peak.coefficient(Term::Garbage) * point.garbage_share())
            * rest.bytes
            / predicted.bytes;
        let of_held = rest.mean_variance * share * share;
        let outside = widening(self.spread.beyond(point, true).0, &self.peak);
        Some(Estimate::around(predicted.bytes, self.peak.half_width(predicted.mean_variance + of_held + outside)))
    }
}

/// Relative variance that is added outside of what was run, for each tenfold: as much as the fit's own, and never less than [`UNSEEN`]. A rule and not a measurement:
/// how a store's structures grow where nobody has looked cannot be measured.
fn widening(beyond: f64, fit: &Fit) -> f64 {
    (fit.sigma.max(UNSEEN) * beyond.log10()).powi(2)
}

/// What is held beyond the base, by the fit of memory at rest.
fn held(rest: &Fit, settled_bytes: f64) -> f64 {
    (settled_bytes - rest.coefficient(Term::Base)).max(0.0)
}

fn of_rest(spread: &Spread, sets_m: bool) -> Vec<Term> {
    let mut terms = vec![Term::Base, Term::Rows];
    terms.extend(spread.dim.vary().then_some(Term::Vectors));
    terms.extend((sets_m && spread.m.vary()).then_some(Term::Links));
    terms
}

/// What goes into a peak beside what is held.
fn of_peak(spread: &Spread, sets_gogc: bool) -> Vec<Term> {
    let mut terms = vec![Term::Base, Term::Held];
    terms.extend(beside(spread, sets_gogc));
    terms
}

fn beside(spread: &Spread, sets_gogc: bool) -> Vec<Term> {
    let mut terms = Vec::new();
    terms.extend(spread.batch_rows.vary().then_some(Term::Batches));
    terms.extend((sets_gogc && spread.gogc.vary()).then_some(Term::Garbage));
    terms.extend(spread.rates_vary().then_some(Term::Queries));
    terms
}

/// The peak as multiples of what is held, or of its parts where those take a peak differently: whichever predicts what was left out better.
fn peak(observations: &[Observation], rest: &Fit, spread: &Spread, (sets_m, sets_gogc): (bool, bool)) -> Option<Fit> {
    let measured: Vec<Measured> = observations
        .iter()
        .map(|one| {
            let settled = rest.predict(&one.point, 0.0).map_or(one.settled_bytes, |predicted| predicted.bytes);
            Measured { point: one.point, held: held(rest, settled), bytes: one.peak_bytes }
        })
        .collect();
    let parts = [of_rest(spread, sets_m), beside(spread, sets_gogc)].concat();
    let candidates = [of_peak(spread, sets_gogc), parts];
    let fits = candidates.iter().filter_map(|terms| Fit::of(terms, &measured));
    fits.min_by(|one, other| one.half_width(0.0).total_cmp(&other.half_width(0.0)))
}

fn too_few(terms: &[Term], sizes: usize) -> Missing {
    let needed = terms.len() + 2;
    if sizes < needed {
        let why = format!(
            "{sizes} sizes (vectors and dimension) are too few for {} parts of memory and an error",
            terms.len()
        );
        let next = format!("run {needed} and more: soak run capacity has enough");
        return Missing::new("sizes", why, next);
    }
    let words: Vec<&str> = terms.iter().map(|term| term.words()).collect();
    let why = format!("in all runs these go together, so that they cannot be told apart: {}", words.join("; "));
    Missing::new(
        "sizes",
        why,
        "run numbers of vectors that are not in proportion to their dimension: soak run capacity",
    )
}

/// What is not the same in all runs: one fit is of one build, set up in one way.
fn differing(recorded: &[Recorded]) -> Vec<Missing> {
    let Some(first) = recorded.first() else { return Vec::new() };
    let missing = |why: String| Missing::new("target", why, "fit runs of one build, set up in one way");
    let mut missing: Vec<Missing> = differences(recorded).into_iter().map(missing).collect();
    if let Some((_, told)) = first.identity.0.iter().find(|(what, told)| *what == "misbehaviour" && told != "none") {
        let why = format!("the target was told to misbehave: {told}");
        missing.push(Missing::new("target", why, "run it healthy"));
    }
    missing
}
