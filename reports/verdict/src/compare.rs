//! Is one build worse than another? Runs of both, quantity by quantity: better, the same, worse, or not to be told.
//!
//! A difference counts when it is greater than the threshold *and* cannot be chance (Holm's procedure over all quantities and variants that are judged): a difference that is
//! real and small is no reason to stop, and one that is great and may be chance is no proof. The same is only what is shown to be: the whole interval lies within the threshold.

mod course;
mod ratio;
mod side;
mod unlike;

#[cfg(test)]
mod simulated;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::course::{criteria, departed, ending, kept_to_its_plan, several_builds, told};
use self::ratio::{Estimate, Logs, estimates};
use self::side::{check, left_out, notes};
use crate::digest::{Digest, End, QUANTITIES, Quantity, VariantDigest};
use crate::human;
use crate::judge::{ALPHA, rounded};
use crate::outcome::Verdict;
use crate::stats::holm;
use crate::stats::student::{t_quantile, t_tail};

pub use self::course::{AS_PLANNED, CRITERIA, ENDING, EVERY_VARIANT};
pub use self::ratio::CYCLES_LEAST;
pub(crate) use self::side::alike;
pub use self::side::{Side, SideRun, builds_of, unlike, unlike_plans};
pub(crate) use self::unlike::same_settings;

/// The version of a comparison's JSON form.
pub const COMPARISON_SCHEMA: u32 = 2;

/// The level of the intervals: that both ends lie within a threshold is a test at 5 % (two one-sided tests: Schuirmann 1987, <https://doi.org/10.1007/BF01068419>).
const LEVEL: f64 = 0.9;

/// The chance that anything is called worse or better where nothing is: of what is required, and of what is watched. Two runs of one build have to be told from another build
/// 98 times in a hundred, whatever their noise.
const ALPHA_REQUIRED: f64 = 0.015;
const ALPHA_WATCHED: f64 = 0.005;

/// How runs are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// A difference of at most this share is none.
    pub threshold: f64,
    /// The same for single quantities.
    pub thresholds: BTreeMap<String, f64>,
    /// Quantities of which it has to be shown that they are no worse, beside those of memory.
    pub required: Vec<String>,
    /// Quantities that are shown and not judged.
    pub shown: Vec<String>,
    /// Whether the runs of both sides took turns, first with first. Times are judged only of such.
    pub paired: bool,
    /// Compare memory although the machines differ.
    pub across_machines: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threshold: 0.05,
            thresholds: BTreeMap::new(),
            required: Vec::new(),
            shown: Vec::new(),
            paired: false,
            across_machines: false,
        }
    }
}

/// Why runs cannot be compared: a line for each reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomparable(pub Vec<String>);

/// The answer for one quantity in one variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The candidate is better, by more than the threshold, and not by chance.
    Better,
    /// Whatever the difference is, it is less than the threshold.
    Same,
    /// Neither can be said.
    CannotTell,
    /// The candidate is worse, by more than the threshold, and not by chance.
    Worse,
}

impl Answer {
    /// The word, for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Same => "same",
            Self::CannotTell => "cannot tell",
            Self::Worse => "WORSE",
        }
    }
}

/// What an answer counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It has to be shown that it is no worse: what cannot be told makes the comparison inconclusive.
    Required,
    /// Worse fails; what cannot be told is told, and no more.
    Watched,
    /// For information.
    Shown,
}

/// One quantity in one variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The variant's id.
    pub variant: String,
    /// The quantity's name.
    pub quantity: String,
    /// The unit of base and candidate.
    pub unit: String,
    /// The answer.
    pub answer: Answer,
    /// What it counts for.
    pub role: Role,
    /// Geometric mean over cycles and runs of the base.
    pub base: Option<f64>,
    /// The same of the candidate.
    pub candidate: Option<f64>,
    /// Candidate over base, less one.
    pub change: Option<f64>,
    /// Where the true change lies, 90 % sure, and 95 % sure of either end.
    pub interval: Option<[f64; 2]>,
    /// A change of at most this is none.
    pub threshold: f64,
    /// The smallest change that would have been called one.
    pub detectable: Option<f64>,
    /// The chance of such a difference where there is none.
    pub p: Option<f64>,
    /// Why nothing can be said, where it is not the noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Two builds, compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`COMPARISON_SCHEMA`] of the writer.
    pub schema: u32,
    /// Over all rows that are judged: fail where any is worse, else inconclusive where any that is required cannot be told, else pass.
    pub verdict: Verdict,
    /// The scenario's name.
    pub scenario: String,
    /// Its pace.
    pub pace: soak_scenario::Pace,
    /// A change of at most this share is none, where a row has no other.
    pub threshold: f64,
    /// Whether the runs of both sides took turns.
    pub paired: bool,
    /// What is compared against.
    pub base: Side,
    /// What is compared.
    pub candidate: Side,
    /// In the order of the plan, and of the quantities.
    pub rows: Vec<Row>,
    /// Variants that only one side has, so that nothing is said of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Of runs by turns that were interrupted: the rounds that were over, and how many there were to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds_of: Option<[usize; 2]>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Comparison {
    /// The rows with this answer that are judged.
    pub fn judged(&self, answer: Answer) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.role != Role::Shown && row.answer == answer)
    }
}

/// Compares the runs of a candidate with those of a base.
pub fn compare(base: &[Digest], candidate: &[Digest], settings: &Settings) -> Result<Comparison, Incomparable> {
    let (other_machine, variants) = check(base, candidate, settings)?;
    let (Some(first), Some(other)) = (base.first(), candidate.first()) else {
        return Err(Incomparable(vec!["there is nothing to compare".to_owned()]));
    };
    let sides = Sides { base, candidate, settings, other_machine };
    let mut rows: Vec<Row> = criteria(base, candidate).into_iter().collect();
    rows.extend(variants.iter().filter_map(|id| ending(base, candidate, id)));
    let mut departed: Vec<Row> = variants.iter().filter_map(|id| departed(base, candidate, id)).collect();
    departed.extend(several_builds(candidate));
    let mut tests = Vec::new();
    for quantity in QUANTITIES {
        tests.extend(sides.tests(quantity, &variants));
    }
    let measured = rule(tests).into_iter().map(|mut row| {
        // What it is no worse in may be due to what was not as planned. What it is worse in is a finding all the same, as where a run is judged, unless it is the base that was not.
        let doubtful = departed.iter().any(|one| [row.variant.as_str(), EVERY_VARIANT].contains(&one.variant.as_str()));
        if doubtful && (row.answer != Answer::Worse || !kept_to_its_plan(base, &row.variant)) {
            row.answer = Answer::CannotTell;
        }
        row
    });
    rows.extend(measured);
    rows.extend(departed);
    let place = |row: &Row| {
        let quantity = QUANTITIES.iter().position(|quantity| quantity.id == row.quantity);
        (variants.iter().position(|id| *id == row.variant), quantity)
    };
    rows.sort_by_key(place);
    Ok(Comparison {
        schema: COMPARISON_SCHEMA,
        verdict: verdict(&rows),
        scenario: first.plan.scenario.clone(),
        pace: first.plan.pace,
        threshold: settings.threshold,
        paired: settings.paired,
        base: Side::of(base),
        candidate: Side::of(candidate),
        left_out: left_out([first, other], &variants),
        rounds_of: None,
        notes: notes([base, candidate], &variants, settings),
        rows,
    })
}

fn verdict(rows: &[Row]) -> Verdict {
    let answers = |role: Role, answer: Answer| rows.iter().any(|row| row.role == role && row.answer == answer);
    let shown = rows.iter().any(|row| row.role == Role::Required && row.change.is_some());
    if answers(Role::Required, Answer::Worse) || answers(Role::Watched, Answer::Worse) {
        Verdict::Fail
    } else if answers(Role::Required, Answer::CannotTell) || !shown {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    }
}

/// A row whose answer may have to wait for the others.
struct Test {
    row: Row,
    estimate: Option<Estimate>,
    more_is_better: bool,
}

struct Sides<'a> {
    base: &'a [Digest],
    candidate: &'a [Digest],
    settings: &'a Settings,
    /// Why times cannot be compared.
    other_machine: Option<String>,
}

impl Sides<'_> {
    fn role(&self, quantity: &Quantity) -> Role {
        let modelled = self.base.iter().chain(self.candidate).any(|run| {
            quantity.series.iter().any(|series| run.plan.target.profile.modelled.iter().any(|name| name == series))
        });
        let listed = |names: &[String]| names.iter().any(|name| name == quantity.id);
        if modelled || listed(&self.settings.shown) {
            Role::Shown
        } else if quantity.required || listed(&self.settings.required) {
            Role::Required
        } else if quantity.of_time && !self.settings.paired {
            // The moments at which the sides ran differ as well, and how busy the machine was: seen to be half of a throughput, with several runs a side that agreed.
            Role::Shown
        } else {
            Role::Watched
        }
    }

    /// Tests of one quantity over the variants in which either side recorded it.
    fn tests(&self, quantity: &Quantity, variants: &[String]) -> Vec<Test> {
        let (mut tests, mut logs) = (Vec::new(), Vec::new());
        for id in variants {
            let values = [values(self.base, id, quantity), values(self.candidate, id, quantity)];
            if values.iter().flatten().all(|run| run.as_ref().is_ok_and(|values| values.is_empty())) {
                continue;
            }
            let mut test = self.test(quantity, id);
            let doubt = self.other_machine.as_ref().filter(|_| quantity.of_time);
            match doubt.map_or_else(|| logarithms(&values, quantity), |doubt| Err(doubt.clone())) {
                Err(doubt) => test.row.reason = Some(doubt),
                Ok(found) => logs.push((tests.len(), found)),
            }
            tests.push(test);
        }
        let (places, logs): (Vec<usize>, Vec<Logs>) = logs.into_iter().unzip();
        for (at, estimate) in places.into_iter().zip(estimates(&logs, self.settings.paired)) {
            let row = &mut tests[at].row;
            let [base, candidate] = [estimate.base.exp(), estimate.candidate.exp()];
            row.base = Some(rounded(base));
            row.candidate = Some(rounded(candidate));
            row.change = Some(rounded(estimate.difference().exp_m1()));
            row.interval = Some(estimate.interval(LEVEL).map(|end| rounded(end.exp_m1())));
            row.threshold = row.threshold.max(rounded(quantity.least / base));
            row.p = Some((2.0 * t_tail((estimate.difference() / estimate.error).abs(), estimate.df)).min(1.0));
            tests[at].estimate = Some(estimate);
        }
        tests
    }

    fn test(&self, quantity: &Quantity, id: &str) -> Test {
        let threshold = self.settings.thresholds.get(quantity.id).copied().unwrap_or(self.settings.threshold);
        let row = Row {
            unit: quantity.unit.to_owned(),
            role: self.role(quantity),
            threshold,
            reason: None,
            ..told(id, quantity.id, Answer::CannotTell, String::new())
        };
        Test { row, estimate: None, more_is_better: quantity.more_is_better }
    }
}

/// What a run says of a quantity: a value a counted cycle; an error where its variant has no proper end.
type Values<'a> = Result<&'a [Option<f64>], End>;

fn values<'a>(side: &'a [Digest], id: &str, quantity: &Quantity) -> Vec<Values<'a>> {
    let of = |variant: Option<&'a VariantDigest>| match variant {
        Some(variant) if variant.end == End::Completed => Ok(variant.values(quantity.id)),
        Some(variant) => Err(variant.end),
        None => Err(End::Early),
    };
    side.iter().map(|run| of(run.variant(id))).collect()
}

/// The logarithms over the cycles that every run tells of, or why there are none, in words.
fn logarithms(sides: &[Vec<Values<'_>>; 2], quantity: &Quantity) -> Result<Logs, String> {
    for (name, side) in ["base", "candidate"].into_iter().zip(sides) {
        for run in side {
            match run {
                Err(End::TargetFailed) => return Err(format!("The target of the {name} did not come to its end.")),
                Err(_) => return Err(format!("A run of the {name} broke off.")),
                Ok([]) => return Err(format!("It was not recorded of the {name}.")),
                Ok(_) => {}
            }
        }
    }
    let runs: Vec<&[Option<f64>]> = sides.iter().flatten().flatten().copied().collect();
    let told = |cycle: &usize| runs.iter().all(|run| run.get(*cycle).is_some_and(Option::is_some));
    let cycles: Vec<usize> = (0..runs.first().map_or(0, |run| run.len())).filter(told).collect();
    if cycles.len() < CYCLES_LEAST {
        let count = human::plural(cycles.len(), "counted cycle");
        return Err(format!("All runs tell of it at rest in {count} only; {CYCLES_LEAST} are needed."));
    }
    let logs = |side: &Vec<Values<'_>>| -> Vec<Vec<f64>> {
        let run = |run: &&[Option<f64>]| cycles.iter().filter_map(|cycle| run[*cycle]).map(f64::ln).collect();
        side.iter().flatten().map(run).collect()
    };
    let [base, candidate] = sides.each_ref().map(logs);
    let level = base.iter().flatten().sum::<f64>() / (base.len() * cycles.len()) as f64;
    Ok(Logs { base, candidate, allowance: quantity.allowance.of(level.exp()) })
}

/// The answers. Rows that are required share one error rate, and those that are watched another: many of the latter take no power from the former.
fn rule(mut tests: Vec<Test>) -> Vec<Row> {
    for (role, alpha) in [(Role::Required, ALPHA_REQUIRED), (Role::Watched, ALPHA_WATCHED)] {
        let of_role = |test: &Test| test.row.role == role;
        let p_values: Vec<f64> = tests.iter().filter(|test| of_role(test)).filter_map(|test| test.row.p).collect();
        let mut rejected = holm::rejected(&p_values, alpha).into_iter();
        let strictest = alpha / p_values.len().max(1) as f64;
        for test in tests.iter_mut().filter(|test| of_role(test) && test.row.p.is_some()) {
            answer(test, rejected.next().unwrap_or(false), strictest);
        }
    }
    for test in tests.iter_mut().filter(|test| test.row.role == Role::Shown) {
        let by_itself = test.row.p.is_some_and(|p| p <= ALPHA);
        answer(test, by_itself, ALPHA);
    }
    tests.into_iter().map(|test| test.row).collect()
}

/// The answer of one row; `significant` as all of its kind allow.
fn answer(test: &mut Test, significant: bool, strictest: f64) {
    let Some(estimate) = test.estimate else { return };
    let threshold = test.row.threshold.ln_1p();
    let worse = if test.more_is_better { -estimate.difference() } else { estimate.difference() };
    let [low, high] = estimate.interval(LEVEL);
    test.row.answer = if significant && worse > threshold {
        Answer::Worse
    } else if significant && worse < -threshold {
        Answer::Better
    } else if -threshold < low && high < threshold {
        Answer::Same
    } else {
        Answer::CannotTell
    };
    let least = t_quantile(1.0 - 0.5 * strictest, estimate.df) * estimate.error;
    test.row.detectable = Some(rounded(least.max(threshold).exp_m1()));
    test.row.p = test.row.p.map(rounded);
}
