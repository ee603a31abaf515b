//! How often the judge of trends is right, measured on simulated series of which the truth is known; the usual tests beside it, on the same series.

use std::thread;

use crate::baselines::{Baselines, USUAL_ALPHA, USUAL_R_SQUARED};
use crate::outcome::Verdict;
use crate::simulated::Family;
use crate::trend::{self, Question};

/// The growth that is tolerated, in MiB a minute: the unit of leaks.
const TOLERANCE: f64 = 1.0;
/// Leaks that are simulated, in tolerances.
pub const LEAKS: [f64; 5] = [0.0, 0.5, 1.0, 2.0, 4.0];
/// Names of the usual tests, in the order of [`Tally::alarms`].
pub const USUAL: [&str; 4] = ["Mann–Kendall", "Hamed–Rao", "R² > 0.8", "last − first"];

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

    fn add(&mut self, other: &Self) {
        self.series += other.series;
        self.fail += other.fail;
        self.pass += other.pass;
        self.covered += other.covered;
        self.alarms.iter_mut().zip(other.alarms).for_each(|(slot, more)| *slot += more);
    }
}

/// Judges the series of one family with one leak, on all processors.
pub fn measure(family: Family, leak: f64, simulation: Simulation) -> Tally {
    let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let part = |worker: u64| (worker..simulation.series).step_by(workers as usize);
    thread::scope(|scope| {
        let working: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    let mut tally = Tally::default();
                    part(worker)
                        .for_each(|i| tally.add(&one(family, leak, simulation.seed.wrapping_add(i), simulation)));
                    tally
                })
            })
            .collect();
        let mut tally = Tally::default();
        for worker in working {
            // A defect in one is a defect of all.
            tally.add(&worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        tally
    })
}

fn one(family: Family, leak: f64, seed: u64, simulation: Simulation) -> Tally {
    // Another leak is another series, not the same noise once more.
    let seed = seed.wrapping_mul(31).wrapping_add((leak * 8.0) as u64);
    let (times_s, values) = family.series(seed, simulation.length_s, simulation.step_s, leak * TOLERANCE);
    let tolerance = TOLERANCE / 60.0;
    let mut tally = Tally { series: 1, ..Tally::default() };
    if let Ok(answer) =
        trend::judge(&Question { times_s: &times_s, values: &values, tolerance, live: &[], limit: None })
    {
        tally.fail = u64::from(answer.verdict == Verdict::Fail);
        tally.pass = u64::from(answer.verdict == Verdict::Pass);
        let [low, high] = answer.interval;
        tally.covered = u64::from((low..=high).contains(&(leak * tolerance)));
    }
    if let Some(usual) = Baselines::of(&times_s, &values) {
        let rising = usual.least_squares_slope > 0.0;
        tally.alarms = [
            rising && usual.mann_kendall_p < USUAL_ALPHA,
            rising && usual.hamed_rao_p < USUAL_ALPHA,
            rising && usual.r_squared > USUAL_R_SQUARED,
            usual.last_minus_first > tolerance,
        ]
        .map(u64::from);
    }
    tally
}
