//! The accuracy that the judges are held to: what each goal asks for, what was measured, and by how much it is missed where it is.

use super::{LEAKS, Simulation, Tally, measure, over_all, seed};
use crate::growth::{Growth, Trend};
use crate::simulated::Family;
use crate::stats::binomial::wilson;
use crate::stats::draws::normal;
use crate::stats::holm;
use crate::trend::{self, Question};

/// The tallies of one family, one for each of [`LEAKS`], and one without a leak over twice the length.
#[derive(Debug, Clone, PartialEq)]
pub struct OfFamily {
    /// Its name.
    pub name: &'static str,
    /// Whether the judge was developed on it.
    pub tuned: bool,
    /// Whether its noise is slower than a twenty-fifth of the series.
    pub slow: bool,
    /// By leak.
    pub tallies: Vec<Tally>,
    /// Without a leak, over twice the length; `None` where that was not measured.
    pub twice: Option<Tally>,
}

impl OfFamily {
    /// Measures every family that is `wanted` by its name.
    pub fn all(simulation: Simulation, twice: bool, wanted: impl Fn(&str) -> bool) -> Vec<Self> {
        let tuned = Family::ALL.into_iter().map(|one| (one, true));
        let families = tuned.chain(Family::HELD_OUT.into_iter().map(|one| (one, false)));
        let longer = Simulation { length_s: 2.0 * simulation.length_s, ..simulation };
        families
            .filter(|((_, name), _)| wanted(name))
            .map(|((family, name), tuned)| Self {
                name,
                tuned,
                slow: family.is_slow(simulation.length_s),
                tallies: LEAKS.iter().map(|leak| measure(family, *leak, simulation)).collect(),
                twice: twice.then(|| measure(family, 0.0, longer)),
            })
            .collect()
    }
}

/// A goal and what was measured of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    /// What is asked.
    pub question: &'static str,
    /// The bound, in words.
    pub target: &'static str,
    /// What was measured, of the worst family where there are several.
    pub measured: String,
    /// Whether it is met.
    pub met: bool,
}

const LEVEL: f64 = 0.95;
/// Draws of floors, and of series whose limit is forecast.
const DRAWS: u64 = 4000;

/// Every goal, over families measured before; the slow ones are not part of the headline.
pub fn goals(families: &[OfFamily], simulation: Simulation) -> Vec<Goal> {
    let fast: Vec<&OfFamily> = families.iter().filter(|family| !family.slow).collect();
    let leak = |leak: f64| LEAKS.iter().position(|other| (other - leak).abs() < 1e-9).unwrap_or(0);
    let (none, two, four) = (leak(0.0), leak(2.0), leak(4.0));
    let mut goals = vec![
        bounded("false fail, no leak", "≤ 2 %", Bound::AtMost(0.02), &fast, |one| {
            (one.tallies[none].fail, one.tallies[none].series)
        }),
        bounded("false pass at a leak of twice the tolerance", "≤ 3 %", Bound::AtMost(0.03), &fast, |one| {
            (one.tallies[two].pass, one.tallies[two].series)
        }),
        of_the_oracle(
            "recall at twice the tolerance",
            &fast,
            |one| one.tallies[two],
            |tally| (tally.fail, tally.oracle[0]),
        ),
        of_the_oracle(
            "recall at four times the tolerance",
            &fast,
            |one| one.tallies[four],
            |tally| (tally.fail, tally.oracle[0]),
        ),
        of_the_oracle(
            "pass rate with no leak, 30 min",
            &fast,
            |one| one.tallies[none],
            |tally| (tally.pass, tally.oracle[1]),
        ),
    ];
    if fast.iter().all(|one| one.twice.is_some()) {
        let passed = |one: &OfFamily| one.twice.map_or((0, 1), |tally| (tally.pass, tally.series));
        goals.push(bounded("pass rate with no leak, 60 min", "≥ 90 %", Bound::AtLeast(0.9), &fast, passed));
    }
    goals.push(matched_states());
    goals.push(forecasts(simulation));
    goals
}

/// The worst family's share of a count, held against a bound: the most that is allowed, or the least.
fn bounded(
    question: &'static str,
    target: &'static str,
    bound: Bound,
    families: &[&OfFamily],
    of: impl Fn(&OfFamily) -> (u64, u64),
) -> Goal {
    let beyond = |one: &&&OfFamily| match bound {
        Bound::AtMost(most) => share(of(one)) - most,
        Bound::AtLeast(least) => least - share(of(one)),
    };
    let worst = families.iter().max_by(|a, b| beyond(a).total_cmp(&beyond(b)));
    let measured = worst.map_or_else(String::new, |one| in_words(one.name, of(one)));
    Goal { question, target, measured, met: worst.is_some_and(|one| beyond(&one) <= 0.0) }
}

/// What a share is held against.
#[derive(Debug, Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// Nine tenths of what the oracle reaches, and 99 % wherever it does so. The families that miss it are named.
fn of_the_oracle(
    question: &'static str,
    families: &[&OfFamily],
    cell: impl Fn(&OfFamily) -> Tally,
    counts: impl Fn(&Tally) -> (u64, u64),
) -> Goal {
    let is_recall = question.starts_with("recall");
    let wanted = |oracle: f64| if is_recall && oracle >= 0.99 { 0.99 } else { 0.9 * oracle };
    let mut missing = Vec::new();
    let mut worst: Option<(f64, String)> = None;
    for family in families {
        let tally = cell(family);
        let (ours, oracles) = counts(&tally);
        let (rate, oracle) = (share((ours, tally.series)), share((oracles, tally.series)));
        let distance = rate - wanted(oracle);
        let told = format!("{}, oracle {:.1} %", in_words(family.name, (ours, tally.series)), 100.0 * oracle);
        if distance < -1e-9 {
            missing.push(format!("{} {:.1} of {:.1} %", family.name, 100.0 * rate, 100.0 * wanted(oracle)));
        }
        if worst.as_ref().is_none_or(|(least, _)| distance < *least) {
            worst = Some((distance, told));
        }
    }
    let told = worst.map_or_else(String::new, |(_, told)| told);
    let measured =
        if missing.is_empty() { told } else { format!("{told}; missed by {}: {}", missing.len(), missing.join(", ")) };
    let target = if is_recall {
        "≥ 90 % of the oracle's; ≥ 99 % where the oracle has it"
    } else {
        "≥ 90 % of the oracle's"
    };
    Goal { question, target, measured, met: missing.is_empty() }
}

/// A leak of one deviation a cycle, eight counted cycles, one variant, a tolerance of a quarter of a deviation.
fn matched_states() -> Goal {
    let cycles: Vec<f64> = (0..8).map(f64::from).collect();
    let found = over_all(DRAWS, |draw| {
        let floors: Vec<f64> =
            (0..8).map(|i| f64::from(i) + normal(9_000_000 + draw * 100 + u64::from(i as u8))).collect();
        let growth = Growth::measure(&cycles, &floors, 0.25);
        growth.is_some_and(|growth| {
            let rejected = growth.p.map(|p| holm::rejected(&[p], crate::judge::ALPHA)[0]);
            matches!(growth.trend(rejected), Trend::Grows { .. })
        })
    });
    let count = found.iter().filter(|found| **found).count() as u64;
    Goal {
        question: "matched states: a leak of one deviation a cycle, 8 counted cycles, tolerance ¼ deviation",
        target: "≥ 95 % found",
        measured: in_words("floors with normal noise", (count, DRAWS)),
        met: share((count, DRAWS)) >= 0.95,
    }
}

/// Families whose limits are forecast: those in which a leak shows.
const FORECAST: [Family; 7] = [
    Family::White,
    Family::Remembering(20),
    Family::Remembering(60),
    Family::Collector,
    Family::WarmUp,
    Family::Compaction,
    Family::Step,
];
const FORECAST_LEAKS: [f64; 3] = [2.0, 3.0, 4.0];

/// Of the intervals given for the time of a limit, the share that holds the moment at which a sample first reaches it.
fn forecasts(simulation: Simulation) -> Goal {
    let each = simulation.series.div_ceil(FORECAST_LEAKS.len() as u64);
    let (mut covered, mut given) = (0, 0);
    for family in FORECAST {
        for leak in FORECAST_LEAKS {
            let outcomes = over_all(each, |i| forecast(family, leak, seed(simulation, i, leak + 100.0), simulation));
            given += outcomes.iter().flatten().count() as u64;
            covered += outcomes.iter().flatten().filter(|inside| **inside).count() as u64;
        }
    }
    let rate = share((covered, given));
    Goal {
        question: "90 % interval of the time at which a limit is reached: coverage",
        target: "87–93 %",
        measured: in_words("seven families, leaks of 2, 3 and 4", (covered, given)),
        met: (0.87..=0.93).contains(&rate),
    }
}

/// Whether the interval held the truth; `None` where no forecast was given, or the limit was reached before it was asked.
fn forecast(family: Family, leak: f64, seed: u64, simulation: Simulation) -> Option<bool> {
    // The series goes on for three lengths after what is judged of it.
    let (times, values) = family.series(seed, 4.0 * simulation.length_s, simulation.step_s, leak);
    let judged = times.partition_point(|time| *time < simulation.length_s);
    let now_s = *times[..judged].last()?;
    let ahead = 0.3 + 2.0 * (seed % 97) as f64 / 97.0;
    let limit = super::LEVEL + leak * (now_s + ahead * simulation.length_s) / 60.0;
    let reached = values.iter().position(|value| *value >= limit)?;
    if reached < judged {
        return None;
    }
    let question = Question {
        times_s: &times[..judged],
        values: &values[..judged],
        tolerance: 1.0 / 60.0,
        live: &[],
        limit: Some(limit),
    };
    let [early, late] = trend::judge(&question).ok()?.forecast?.interval_s;
    let in_s = times[reached] - now_s;
    Some(early.is_none_or(|early| early <= in_s) && late.is_none_or(|late| in_s <= late))
}

fn share((count, of): (u64, u64)) -> f64 {
    count as f64 / of.max(1) as f64
}

/// `white: 1.5 % (0.5–4.3 %)`, with Wilson's interval.
fn in_words(name: &str, (count, of): (u64, u64)) -> String {
    let [low, high] = wilson(count, of, LEVEL).map(|end| 100.0 * end);
    format!("{name}: {:.1} % ({low:.1}–{high:.1} %)", 100.0 * share((count, of)))
}
