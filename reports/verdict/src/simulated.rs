//! Series that behave as memory does, with a leak of a known size: what a judge is measured on. The same seed gives the same series.

use crate::growth::normal;

/// What a series does beside growing. Amounts are in MiB on a level of 500; times in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Independent noise.
    White,
    /// Noise that remembers for this many seconds.
    Remembering(u32),
    /// A collector's saw-tooth: irregular, with a few samples in each tooth.
    Collector,
    /// Pools that fill in the first minutes.
    WarmUp,
    /// One step.
    Step,
    /// Data that comes in stairs and goes at once, again and again.
    Staircase,
    /// Noise with memory at every scale.
    LongMemory,
    /// Student's t with three degrees of freedom.
    HeavyTails,
    /// A compaction every six minutes.
    Compaction,
    /// Values rounded to a few.
    Ties,
    /// Single scrapes far above the rest.
    Spikes,
    /// A fifth of the scrapes lost, and three minutes in one piece.
    Missing,
    /// A warm-up under compactions.
    WarmUpAndCompaction,
    /// A step in noise that remembers.
    StepAndRemembering,
    /// Spikes on a saw-tooth.
    SpikesAndCollector,
    /// Heavy tails and lost scrapes.
    MissingAndHeavyTails,
}

impl Family {
    /// Every family, with its name. The last one's noise is slower than a twenty-fifth of half an hour.
    pub const ALL: [(Self, &'static str); 18] = [
        (Self::White, "white"),
        (Self::Remembering(20), "AR(1), 20 s"),
        (Self::Remembering(60), "AR(1), 60 s"),
        (Self::Collector, "GC saw-tooth"),
        (Self::WarmUp, "warm-up plateau"),
        (Self::Step, "single step"),
        (Self::Staircase, "staircase that returns"),
        (Self::LongMemory, "long memory"),
        (Self::HeavyTails, "heavy tails"),
        (Self::Compaction, "periodic compaction"),
        (Self::Ties, "ties"),
        (Self::Spikes, "spikes"),
        (Self::Missing, "missing scrapes"),
        (Self::WarmUpAndCompaction, "warm-up + compaction"),
        (Self::StepAndRemembering, "step + AR(1)"),
        (Self::SpikesAndCollector, "spikes + saw-tooth"),
        (Self::MissingAndHeavyTails, "missing + heavy tails"),
        (Self::Remembering(110), "AR(1), 110 s"),
    ];

    /// A series of this length, sampled every `step_s`, that leaks `leak` MiB a minute: times and values.
    pub fn series(self, seed: u64, length_s: f64, step_s: f64, leak: f64) -> (Vec<f64>, Vec<f64>) {
        let mut random = Random::new(seed);
        let times: Vec<f64> = (0..(length_s / step_s) as usize).map(|i| i as f64 * step_s).collect();
        let shape = self.values(&times, length_s, step_s, &mut random);
        let values = times.iter().zip(shape).map(|(time, value)| 500.0 + value + leak * time / 60.0);
        let mut kept: Vec<(f64, f64)> = times.iter().copied().zip(values).collect();
        match self {
            Self::Ties => kept.iter_mut().for_each(|(_, value)| *value = (*value / 8.0).round() * 8.0),
            Self::Missing | Self::MissingAndHeavyTails => {
                let gap = 0.1 * length_s + 0.7 * length_s * random.uniform();
                kept.retain(|(time, _)| (*time < gap || *time > gap + 180.0) && random.uniform() > 0.2);
            }
            _ => {}
        }
        kept.into_iter().unzip()
    }

    fn values(self, times: &[f64], length_s: f64, step_s: f64, random: &mut Random) -> Vec<f64> {
        let n = times.len();
        match self {
            Self::White => white(n, 8.0, random),
            Self::Remembering(tau_s) => {
                remembering(n, f64::from(tau_s), step_s, if tau_s < 100 { 7.0 } else { 5.0 }, random)
            }
            Self::Collector => collector(times, 60.0, random),
            Self::WarmUp => sum(&[warm_up(times, length_s, random), remembering(n, 20.0, step_s, 4.0, random)]),
            Self::Step => sum(&[step(times, length_s, random), remembering(n, 20.0, step_s, 4.0, random)]),
            Self::Staircase => sum(&[staircase(times, random), white(n, 3.0, random)]),
            Self::LongMemory => sum(&[
                remembering(n, 10.0, step_s, 3.0, random),
                remembering(n, 40.0, step_s, 3.0, random),
                remembering(n, 140.0, step_s, 3.0, random),
            ]),
            Self::HeavyTails | Self::MissingAndHeavyTails => (0..n).map(|_| 5.0 * random.student3()).collect(),
            Self::Compaction => sum(&[compaction(times, random), remembering(n, 20.0, step_s, 3.0, random)]),
            Self::Ties => white(n, 4.0, random),
            Self::Spikes => spikes(white(n, 3.0, random), random),
            Self::Missing => remembering(n, 20.0, step_s, 5.0, random),
            Self::WarmUpAndCompaction => {
                sum(&[warm_up(times, length_s, random), compaction(times, random), white(n, 3.0, random)])
            }
            Self::StepAndRemembering => {
                sum(&[step(times, length_s, random), remembering(n, 60.0, step_s, 5.0, random)])
            }
            Self::SpikesAndCollector => spikes(collector(times, 40.0, random), random),
        }
    }
}

fn sum(parts: &[Vec<f64>]) -> Vec<f64> {
    (0..parts[0].len()).map(|i| parts.iter().map(|part| part[i]).sum()).collect()
}

fn white(n: usize, deviation: f64, random: &mut Random) -> Vec<f64> {
    (0..n).map(|_| deviation * random.normal()).collect()
}

fn remembering(n: usize, tau_s: f64, step_s: f64, deviation: f64, random: &mut Random) -> Vec<f64> {
    let memory = (-step_s / tau_s).exp();
    let mut state = random.normal();
    let next = |_| {
        let value = state;
        state = memory * state + (1.0 - memory * memory).sqrt() * random.normal();
        deviation * value
    };
    (0..n).map(next).collect()
}

/// Rises to its height and falls to 0, every 25 to 50 s.
fn collector(times: &[f64], height: f64, random: &mut Random) -> Vec<f64> {
    let (mut from, mut until) = (0.0, 25.0 + 25.0 * random.uniform());
    let value = |time: &f64| {
        while *time >= until {
            (from, until) = (until, until + 25.0 + 25.0 * random.uniform());
        }
        height * (time - from) / (until - from) + 2.0 * random.normal()
    };
    times.iter().map(value).collect()
}

fn warm_up(times: &[f64], length_s: f64, random: &mut Random) -> Vec<f64> {
    let tau_s = length_s * (0.03 + 0.09 * random.uniform());
    let height = 50.0 + 250.0 * random.uniform();
    times.iter().map(|time| -height * (-time / tau_s).exp()).collect()
}

fn step(times: &[f64], length_s: f64, random: &mut Random) -> Vec<f64> {
    let at_s = length_s * (0.1 + 0.8 * random.uniform());
    let height = 20.0 + 130.0 * random.uniform();
    times.iter().map(|time| if *time >= at_s { height } else { 0.0 }).collect()
}

fn staircase(times: &[f64], random: &mut Random) -> Vec<f64> {
    let period_s = 240.0 + 120.0 * random.uniform();
    let start = random.uniform();
    times.iter().map(|time| 30.0 * (5.0 * (time / period_s + start).fract()).floor()).collect()
}

fn compaction(times: &[f64], random: &mut Random) -> Vec<f64> {
    let start = random.uniform();
    times.iter().map(|time| 80.0 * (time / 360.0 + start).fract()).collect()
}

fn spikes(mut values: Vec<f64>, random: &mut Random) -> Vec<f64> {
    for value in &mut values {
        if random.uniform() < 0.03 {
            *value += 100.0 + 300.0 * random.uniform();
        }
    }
    values
}

/// A fixed sequence of random numbers.
struct Random {
    seed: u64,
    drawn: u64,
}

impl Random {
    fn new(seed: u64) -> Self {
        Self { seed: seed.wrapping_mul(0x2545_F491_4F6C_DD1D), drawn: 0 }
    }

    fn normal(&mut self) -> f64 {
        self.drawn += 1;
        normal(self.seed.wrapping_add(self.drawn))
    }

    fn uniform(&mut self) -> f64 {
        crate::stats::student::normal_cdf(self.normal())
    }

    fn student3(&mut self) -> f64 {
        let chi: f64 = (0..3).map(|_| self.normal().powi(2)).sum();
        self.normal() / (chi / 3.0).sqrt()
    }
}
