//! Series as people record them on servers of their own: idle until a load begins, killed and restarted, pinned at a limit, loaded in bursts with pauses. Each has a leak of a known size,
//! under noise of any of the simulated families. The same seed gives the same series.

use crate::simulated::{Family, Random};

/// What happens to the server while it is recorded. Amounts are in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is idle, then loads data in one to three ramps of 3 to 60 samples, and then leaks.
    RampsAfterIdle,
    /// It starts, loads its data, leaks, and is started again, every 8 to 20 minutes.
    Restarts,
    /// It climbs to its limit and stands there. No level at the limit is evidence of anything.
    Pinned,
    /// It takes data in bursts and keeps it, with pauses in which a leak goes on. The amount of data is told.
    BurstsWithPauses,
}

/// A recording with all that the judge is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Seconds.
    pub times_s: Vec<f64>,
    /// MiB.
    pub values: Vec<f64>,
    /// The data that it holds; empty where that is not told.
    pub live: Vec<f64>,
    /// Its limit, where that is told.
    pub limit: Option<f64>,
}

/// Noise that is put on them: every family without a level of its own.
const NOISES: [Family; 16] = [
    Family::White,
    Family::Remembering(20),
    Family::Remembering(60),
    Family::Collector,
    Family::LongMemory,
    Family::HeavyTails,
    Family::Compaction,
    Family::Ties,
    Family::Spikes,
    Family::Missing,
    Family::Swinging,
    Family::Switching,
    Family::Skewed,
    Family::Bursts,
    Family::UnevenPeriod,
    Family::MovingAverage,
];
/// The level of a simulated family.
const LEVEL: f64 = 500.0;
/// The limit of a pinned series, and how far below it the kernel keeps it.
const LIMIT: f64 = 2048.0;

impl Recorded {
    /// All of them, with their names.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::RampsAfterIdle, "ramps after idle"),
        (Self::Restarts, "restarts"),
        (Self::Pinned, "pinned at the limit"),
        (Self::BurstsWithPauses, "bursts with pauses"),
    ];

    /// A recording of this length, sampled every `step_s`, that leaks `leak` MiB a minute.
    pub fn recording(self, seed: u64, length_s: f64, step_s: f64, leak: f64) -> Recording {
        let mut random = Random::new(seed ^ 0x5eed);
        let noise = NOISES[(seed % NOISES.len() as u64) as usize];
        let (times_s, noise) = noise.series(seed, length_s, step_s, 0.0);
        let (mut live, mut limit) = (Vec::new(), None);
        let shape: Vec<f64> = match self {
            Self::RampsAfterIdle => ramps(&mut random, &times_s, length_s, step_s, leak),
            Self::Restarts => restarts(&mut random, &times_s, leak),
            Self::Pinned => {
                limit = Some(LIMIT);
                let reached_s = length_s * (0.1 + 0.6 * random.uniform());
                times_s.iter().map(|time| LIMIT * (0.3 + 0.7 * time / reached_s)).collect()
            }
            Self::BurstsWithPauses => {
                live = bursts(&mut random, &times_s);
                times_s.iter().zip(&live).map(|(time, data)| 220.0 + 1.35 * data + leak * time / 60.0).collect()
            }
        };
        let mut values: Vec<f64> = shape.iter().zip(&noise).map(|(shape, noise)| shape + noise - LEVEL).collect();
        if self == Self::Pinned {
            for value in &mut values {
                *value = value.min(LIMIT - 4.0 * random.uniform());
            }
        }
        Recording { times_s, values, live, limit }
    }
}

/// Idle at 400, then ramps up by 100 to 3000 each. The leak begins with the last.
fn ramps(random: &mut Random, times_s: &[f64], length_s: f64, step_s: f64, leak: f64) -> Vec<f64> {
    let mut ramps = Vec::new();
    let mut from_s = length_s * (0.02 + 0.2 * random.uniform());
    for _ in 0..=((2.99 * random.uniform().powi(2)) as usize) {
        let until_s = from_s + step_s * (3.0 + 57.0 * random.uniform().powi(2));
        ramps.push((from_s, until_s, 100.0 + 2900.0 * random.uniform().powi(2), random.uniform() < 0.5));
        from_s = until_s + length_s * 0.08 * random.uniform();
    }
    let ended_s = ramps.last().map_or(0.0, |ramp| ramp.1);
    let height = |time: f64| -> f64 {
        let of = |(from_s, until_s, height, is_smooth): &(f64, f64, f64, bool)| {
            let part = ((time - from_s) / (until_s - from_s)).clamp(0.0, 1.0);
            height * if *is_smooth { part * part * (3.0 - 2.0 * part) } else { part }
        };
        ramps.iter().map(of).sum()
    };
    times_s.iter().map(|time| 400.0 + height(*time) + leak * (time - ended_s).max(0.0) / 60.0).collect()
}

/// From 150 up to 900 within a minute or two, leaking from there, and back.
fn restarts(random: &mut Random, times_s: &[f64], leak: f64) -> Vec<f64> {
    let (mut started_s, mut until_s) = (0.0, 0.0);
    let loading_s = 20.0 + 100.0 * random.uniform();
    let mut value = |time: f64| {
        if time >= until_s {
            started_s = time;
            until_s = time + 480.0 + 720.0 * random.uniform();
        }
        let age_s = time - started_s;
        150.0 + 750.0 * (age_s / loading_s).min(1.0) + leak * age_s / 60.0
    };
    times_s.iter().map(|time| value(*time)).collect()
}

/// Bursts of 100 to 300 within 2 to 5 minutes, with pauses of 5 to 25 minutes.
fn bursts(random: &mut Random, times_s: &[f64]) -> Vec<f64> {
    let (mut from_s, mut until_s, mut amount, mut held) = (60.0, 240.0, 200.0, 0.0);
    let mut data = |time: f64| {
        if time >= until_s {
            held += amount;
            from_s = until_s + 300.0 + 1200.0 * random.uniform();
            until_s = from_s + 120.0 + 180.0 * random.uniform();
            amount = 100.0 + 200.0 * random.uniform();
        }
        held + amount * ((time - from_s) / (until_s - from_s)).clamp(0.0, 1.0)
    };
    times_s.iter().map(|time| data(*time)).collect()
}
