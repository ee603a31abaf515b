//! How often the judge of trends is right, measured on simulated series of which the truth is known; an oracle and the usual tests beside it, on the same series.

mod goals;
mod recordings;

pub use goals::{Goal, OfFamily, goals};
pub use recordings::{OfRecorded, RECORDED_LEAKS, RECORDED_LENGTH_S};

use std::thread;

use crate::baselines::{Baselines, USUAL_ALPHA, USUAL_R_SQUARED, predict_linear};
use crate::oracle;
use crate::outcome::Verdict;
use crate::simulated::Family;
use crate::trend::{self, Question};

/// The growth that is tolerated, in MiB a minute: the unit of leaks.
const TOLERANCE: f64 = 1.0;
/// Leaks that are simulated, in tolerances.
pub const LEAKS: [f64; 5] = [0.0, 0.5, 1.0, 2.0, 4.0];
/// Names of the usual tests, in the order of [`Tally::alarms`].
pub const USUAL: [&str; 5] = ["Mann–Kendall", "Hamed–Rao", "R² > 0.8", "predict_linear", "last − first"];
/// How far ahead `predict_linear` looks, in lengths of the series, and the limit that it is held against: what a leak of one tolerance would reach by then.
const AHEAD: f64 = 4.0;
/// The level of every simulated series, in MiB.
const LEVEL: f64 = 500.0;

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Simulation {
    /// Series of each family and leak.
    pub series: u64,
    /// The first seed.
    pub seed: u64,
    /// Length of a series.
    pub length_s: f64,
    /// Between two samples.
    pub step_s: f64,
}

/// Counts of verdicts over the series of one family and leak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Series.
    pub series: u64,
    /// Failed.
    pub fail: u64,
    /// Passed.
    pub pass: u64,
    /// Failed and passed by the oracle.
    pub oracle: [u64; 2],
    /// Of the usual tests, those that raised an alarm.
    pub alarms: [u64; USUAL.len()],
    /// Leaks that lie within the interval given.
    pub covered: u64,
}

impl Tally {
    /// Neither.
    pub fn inconclusive(&self) -> u64 {
        self.series - self.fail - self.pass
    }

    fn add(mut self, other: &Self) -> Self {
        self.series += other.series;
        self.fail += other.fail;
        self.pass += other.pass;
        self.covered += other.covered;
        self.oracle.iter_mut().zip(other.oracle).for_each(|(slot, more)| *slot += more);
        self.alarms.iter_mut().zip(other.alarms).for_each(|(slot, more)| *slot += more);
        self
    }
}

/// Judges the series of one family with one leak, on all processors.
pub fn measure(family: Family, leak: f64, simulation: Simulation) -> Tally {
    let one = |i: u64| one(family, leak, seed(simulation, i, leak), simulation);
    over_all(simulation.series, one).iter().fold(Tally::default(), Tally::add)
}

/// Another leak is another series, not the same noise once more.
fn seed(simulation: Simulation, i: u64, leak: f64) -> u64 {
    simulation.seed.wrapping_add(i).wrapping_mul(31).wrapping_add((leak * 8.0) as u64)
}

/// What is made of each of the numbers below `count`, on all processors.
fn over_all<T: Send>(count: u64, make: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let (make, part) = (&make, |worker: u64| (worker..count).step_by(workers as usize));
    thread::scope(|scope| {
        let working: Vec<_> =
            (0..workers).map(|worker| scope.spawn(move || part(worker).map(make).collect::<Vec<T>>())).collect();
        // A defect in one is a defect of all.
        working
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

fn one(family: Family, leak: f64, seed: u64, simulation: Simulation) -> Tally {
    let made = family.simulate(seed, simulation.length_s, simulation.step_s, leak * TOLERANCE);
    let (times_s, values) = (&made.times_s, &made.values);
    let tolerance = TOLERANCE / 60.0;
    let mut tally = Tally { series: 1, ..Tally::default() };
    if let Ok(answer) = trend::judge(&Question { times_s, values, tolerance, live: &[], limit: None }) {
        tally.fail = u64::from(answer.verdict == Verdict::Fail);
        tally.pass = u64::from(answer.verdict == Verdict::Pass);
        let [low, high] = answer.interval;
        tally.covered = u64::from((low..=high).contains(&(leak * tolerance)));
    }
    let told = oracle::judge(&made, tolerance);
    tally.oracle = [Verdict::Fail, Verdict::Pass].map(|verdict| u64::from(told == verdict));
    if let Some(usual) = Baselines::of(times_s, values) {
        let rising = usual.least_squares_slope > 0.0;
        let ahead_s = AHEAD * simulation.length_s;
        let limit = LEVEL + tolerance * (simulation.length_s + ahead_s);
        tally.alarms = [
            rising && usual.mann_kendall_p < USUAL_ALPHA,
            rising && usual.hamed_rao_p < USUAL_ALPHA,
            rising && usual.r_squared > USUAL_R_SQUARED,
            predict_linear(times_s, values, ahead_s).is_some_and(|value| value > limit),
            usual.last_minus_first > tolerance,
        ]
        .map(u64::from);
    }
    tally
}
