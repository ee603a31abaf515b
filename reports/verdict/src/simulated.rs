//! Series that behave as memory does, with a leak of a known size: what a judge is measured on. The same seed gives the same series.

use crate::stats::draws::normal;

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
    /// A load that swings like a sine, its period of no round length.
    Swinging,
    /// Two levels between which it jumps at random: a pool that is there or not.
    Switching,
    /// A rise along a straight line that ends early, as when a cache of fixed size is filled at a steady rate.
    LinearWarmUp,
    /// Up by a step, and down again by as much.
    UpAndDown,
    /// Noise that is skewed: seldom far below, often far above.
    Skewed,
    /// Noise that is three times as great in half of the time as in the other.
    Bursts,
    /// A warm-up under a collector's saw-tooth.
    WarmUpAndCollector,
    /// Up by two steps, and down again by both at once.
    UpUpAndDown,
    /// Noise that is the mean of the last few draws.
    MovingAverage,
    /// A warm-up, and one step.
    WarmUpAndStep,
    /// Heavy tails on periodic compactions.
    HeavyTailsAndCompaction,
    /// Pools that begin to fill in the middle.
    LateFilling,
    /// A period that gets longer and shorter by itself, in noise that remembers.
    UnevenPeriod,
}

/// A simulated series, and what an oracle is told of it.
#[derive(Debug, Clone, Default)]
pub struct Simulated {
    /// Seconds.
    pub times_s: Vec<f64>,
    /// MiB.
    pub values: Vec<f64>,
    /// Shapes of the mean beside level and line, each at these times: known to the oracle but for their heights.
    pub shapes: Vec<Vec<f64>>,
    /// Variance of the noise that does not remember, at these times.
    pub white: Vec<f64>,
    /// Correlation time in seconds and variance of each part of the noise that does.
    pub slow: Vec<(f64, f64)>,
}

impl Family {
    /// The families that the judge of trends was developed on, with their names. The last one's noise is slower than a twenty-fifth of half an hour.
    pub const ALL: [(Self, &'static str); 22] = [
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
        (Self::LinearWarmUp, "linear warm-up"),
        (Self::UpAndDown, "step up and down"),
        (Self::LateFilling, "late filling"),
        (Self::UpUpAndDown, "two steps up, one down"),
        (Self::Remembering(110), "AR(1), 110 s"),
    ];

    /// Families that the judge was never developed on: no setting of it was chosen by them.
    pub const HELD_OUT: [(Self, &'static str); 9] = [
        (Self::Swinging, "swinging load"),
        (Self::Switching, "switching levels"),
        (Self::Skewed, "skewed"),
        (Self::Bursts, "bursts of noise"),
        (Self::WarmUpAndCollector, "warm-up + saw-tooth"),
        (Self::UnevenPeriod, "uneven period + AR(1)"),
        (Self::MovingAverage, "moving average"),
        (Self::WarmUpAndStep, "warm-up + step"),
        (Self::HeavyTailsAndCompaction, "heavy tails + compaction"),
    ];

    /// Whether its noise is slower than a twenty-fifth of a series of this length: no judge that estimates the noise can be held to its level there.
    pub fn is_slow(self, length_s: f64) -> bool {
        match self {
            Self::Remembering(tau_s) => f64::from(tau_s) > length_s / 25.0,
            _ => false,
        }
    }

    /// A series of this length, sampled every `step_s`, that leaks `leak` MiB a minute: times and values.
    pub fn series(self, seed: u64, length_s: f64, step_s: f64, leak: f64) -> (Vec<f64>, Vec<f64>) {
        let made = self.simulate(seed, length_s, step_s, leak);
        (made.times_s, made.values)
    }

    /// The same, with what an oracle is told.
    pub fn simulate(self, seed: u64, length_s: f64, step_s: f64, leak: f64) -> Simulated {
        let mut random = Random::new(seed);
        let times: Vec<f64> = (0..(length_s / step_s) as usize).map(|i| i as f64 * step_s).collect();
        let mut making = Making { random: &mut random, step_s, length_s, made: Simulated::start(&times) };
        self.shape(&mut making);
        let mut made = making.made;
        let line = times.iter().map(|time| 500.0 + leak * time / 60.0);
        made.values.iter_mut().zip(line).for_each(|(value, line)| *value += line);
        match self {
            Self::Ties => {
                made.values.iter_mut().for_each(|value| *value = (*value / 8.0).round() * 8.0);
                made.white.iter_mut().for_each(|variance| *variance += 64.0 / 12.0);
            }
            Self::Missing | Self::MissingAndHeavyTails => {
                let gap = 0.1 * length_s + 0.7 * length_s * random.uniform();
                let kept = |time: &f64| (*time < gap || *time > gap + 180.0) && random.uniform() > 0.2;
                let kept: Vec<bool> = times.iter().map(kept).collect();
                made.keep(&kept);
            }
            _ => {}
        }
        made
    }

    fn shape(self, making: &mut Making<'_>) {
        match self {
            Self::White => making.white(8.0),
            Self::Remembering(tau_s) => making.remembering(f64::from(tau_s), if tau_s < 100 { 7.0 } else { 5.0 }),
            Self::Collector => making.collector(60.0),
            Self::WarmUp => {
                making.warm_up();
                making.remembering(20.0, 4.0);
            }
            Self::Step => {
                making.step();
                making.remembering(20.0, 4.0);
            }
            Self::Staircase => {
                making.staircase();
                making.white(3.0);
            }
            Self::LongMemory => {
                for tau_s in [10.0, 40.0, 140.0] {
                    making.remembering(tau_s, 3.0);
                }
            }
            Self::HeavyTails | Self::MissingAndHeavyTails => making.heavy_tails(5.0),
            Self::Compaction => {
                making.compaction();
                making.remembering(20.0, 3.0);
            }
            Self::Ties => making.white(4.0),
            Self::Spikes => {
                making.white(3.0);
                making.spikes();
            }
            Self::Missing => making.remembering(20.0, 5.0),
            Self::WarmUpAndCompaction => {
                making.warm_up();
                making.compaction();
                making.white(3.0);
            }
            Self::StepAndRemembering => {
                making.step();
                making.remembering(60.0, 5.0);
            }
            Self::SpikesAndCollector => {
                making.collector(40.0);
                making.spikes();
            }
            _ => self.held_out_shape(making),
        }
    }

    fn held_out_shape(self, making: &mut Making<'_>) {
        match self {
            Self::Swinging => {
                making.swinging();
                making.remembering(20.0, 3.0);
            }
            Self::Switching => {
                making.switching();
                making.white(3.0);
            }
            Self::LinearWarmUp => {
                making.linear_warm_up();
                making.white(4.0);
            }
            Self::UpAndDown => {
                making.up_and_down();
                making.remembering(20.0, 3.0);
            }
            Self::Skewed => making.skewed(5.0),
            Self::Bursts => making.bursts(3.0),
            Self::WarmUpAndCollector => {
                making.warm_up();
                making.collector(30.0);
            }
            Self::UnevenPeriod => {
                making.uneven_period();
                making.remembering(20.0, 3.0);
            }
            Self::UpUpAndDown => {
                making.up_up_and_down();
                making.remembering(20.0, 3.0);
            }
            Self::MovingAverage => making.moving_average(6.0),
            Self::WarmUpAndStep => {
                making.warm_up();
                making.step();
                making.white(4.0);
            }
            Self::HeavyTailsAndCompaction => {
                making.compaction();
                making.heavy_tails(4.0);
            }
            Self::LateFilling => {
                making.late_filling();
                making.white(4.0);
            }
            _ => {}
        }
    }
}

impl Simulated {
    fn start(times_s: &[f64]) -> Self {
        let zeros = vec![0.0; times_s.len()];
        Self { times_s: times_s.to_vec(), values: zeros.clone(), white: zeros, ..Self::default() }
    }

    fn keep(&mut self, kept: &[bool]) {
        let columns = [&mut self.times_s, &mut self.values, &mut self.white].into_iter().chain(&mut self.shapes);
        for column in columns {
            let mut which = kept.iter();
            column.retain(|_| *which.next().unwrap_or(&false));
        }
    }
}

/// A series while it is made.
struct Making<'a> {
    random: &'a mut Random,
    step_s: f64,
    length_s: f64,
    made: Simulated,
}

impl Making<'_> {
    /// Adds a shape, which the oracle is told but for its height.
    fn add_shape(&mut self, height: f64, shape: Vec<f64>) {
        self.made.values.iter_mut().zip(&shape).for_each(|(value, part)| *value += height * part);
        self.made.shapes.push(shape);
    }

    /// Adds noise that does not remember, one draw a sample.
    fn add_white(&mut self, variance: f64, draw: impl Fn(&mut Random) -> f64) {
        for (value, white) in self.made.values.iter_mut().zip(&mut self.made.white) {
            *value += draw(self.random);
            *white += variance;
        }
    }

    fn over_time(&self, shape: impl FnMut(&f64) -> f64) -> Vec<f64> {
        self.made.times_s.iter().map(shape).collect()
    }

    fn white(&mut self, deviation: f64) {
        self.add_white(deviation * deviation, |random| deviation * random.normal());
    }

    /// The variance of t with three degrees of freedom is 3.
    fn heavy_tails(&mut self, scale: f64) {
        self.add_white(3.0 * scale * scale, |random| scale * random.student3());
    }

    /// Exponential, less its mean.
    fn skewed(&mut self, scale: f64) {
        self.add_white(scale * scale, |random| scale * (-random.uniform().max(1e-12).ln() - 1.0));
    }

    fn remembering(&mut self, tau_s: f64, deviation: f64) {
        let memory = (-self.step_s / tau_s).exp();
        let mut state = self.random.normal();
        for value in &mut self.made.values {
            *value += deviation * state;
            state = memory * state + (1.0 - memory * memory).sqrt() * self.random.normal();
        }
        self.made.slow.push((tau_s, deviation * deviation));
    }

    fn bursts(&mut self, deviation: f64) {
        let period_s = 120.0 + 120.0 * self.random.uniform();
        for (i, time) in self.made.times_s.iter().enumerate() {
            let scale = if (time / period_s).fract() < 0.5 { 3.0 * deviation } else { deviation };
            self.made.values[i] += scale * self.random.normal();
            self.made.white[i] += scale * scale;
        }
    }

    /// Rises to its height and falls to 0, every 25 to 50 s.
    fn collector(&mut self, height: f64) {
        let (mut from, mut until) = (0.0, 25.0 + 25.0 * self.random.uniform());
        let mut tooth = Vec::new();
        for i in 0..self.made.times_s.len() {
            let time = self.made.times_s[i];
            while time >= until {
                (from, until) = (until, until + 25.0 + 25.0 * self.random.uniform());
            }
            tooth.push((time - from) / (until - from));
            self.made.values[i] += 2.0 * self.random.normal();
            self.made.white[i] += 4.0;
        }
        self.add_shape(height, tooth);
    }

    fn warm_up(&mut self) {
        let tau_s = self.length_s * (0.03 + 0.09 * self.random.uniform());
        let height = 50.0 + 250.0 * self.random.uniform();
        let shape = self.over_time(|time| -(-time / tau_s).exp());
        self.add_shape(height, shape);
    }

    fn linear_warm_up(&mut self) {
        let until_s = self.length_s * (0.1 + 0.2 * self.random.uniform());
        let height = 50.0 + 250.0 * self.random.uniform();
        let shape = self.over_time(|time| (time / until_s).min(1.0));
        self.add_shape(height, shape);
    }

    fn step(&mut self) {
        let at_s = self.length_s * (0.1 + 0.8 * self.random.uniform());
        let height = 20.0 + 130.0 * self.random.uniform();
        let shape = self.over_time(|time| if *time >= at_s { 1.0 } else { 0.0 });
        self.add_shape(height, shape);
    }

    fn up_and_down(&mut self) {
        let from_s = self.length_s * (0.1 + 0.4 * self.random.uniform());
        let to_s = from_s + self.length_s * (0.1 + 0.25 * self.random.uniform());
        let height = 20.0 + 130.0 * self.random.uniform();
        let shape = self.over_time(|time| if *time >= from_s && *time < to_s { 1.0 } else { 0.0 });
        self.add_shape(height, shape);
    }

    fn up_up_and_down(&mut self) {
        let moment = |from: f64, random: &mut Random| self.length_s * (from + 0.25 * random.uniform());
        let moments = [moment(0.05, self.random), moment(0.35, self.random), moment(0.65, self.random)];
        let [first, second, third] = moments;
        for (from, height) in
            [(first, 20.0 + 60.0 * self.random.uniform()), (second, 20.0 + 60.0 * self.random.uniform())]
        {
            let shape = self.over_time(|time| if *time >= from && *time < third { 1.0 } else { 0.0 });
            self.add_shape(height, shape);
        }
    }

    fn late_filling(&mut self) {
        let from_s = self.length_s * (0.2 + 0.3 * self.random.uniform());
        let tau_s = self.length_s * (0.03 + 0.06 * self.random.uniform());
        let height = 50.0 + 150.0 * self.random.uniform();
        let shape = self.over_time(|time| if *time > from_s { 1.0 - (-(time - from_s) / tau_s).exp() } else { 0.0 });
        self.add_shape(height, shape);
    }

    /// The mean of six draws, each of which counts in six samples: to the oracle a part that remembers for as long.
    fn moving_average(&mut self, deviation: f64) {
        let draws: Vec<f64> = (0..self.made.times_s.len() + 5).map(|_| self.random.normal()).collect();
        for (value, window) in self.made.values.iter_mut().zip(draws.windows(6)) {
            *value += deviation * window.iter().sum::<f64>() / 6_f64.sqrt();
        }
        self.made.slow.push((3.0 * self.step_s, deviation * deviation));
    }

    fn staircase(&mut self) {
        let period_s = 240.0 + 120.0 * self.random.uniform();
        let start = self.random.uniform();
        let shape = self.over_time(|time| (5.0 * (time / period_s + start).fract()).floor());
        self.add_shape(30.0, shape);
    }

    fn compaction(&mut self) {
        let start = self.random.uniform();
        let shape = self.over_time(|time| (time / 360.0 + start).fract());
        self.add_shape(80.0, shape);
    }

    fn swinging(&mut self) {
        let period_s = 170.0 + 150.0 * self.random.uniform();
        let start = self.random.uniform();
        let height = 15.0 + 25.0 * self.random.uniform();
        let shape = self.over_time(|time| (std::f64::consts::TAU * (time / period_s + start)).sin());
        self.add_shape(height, shape);
    }

    fn switching(&mut self) {
        let mut up = self.random.uniform() < 0.5;
        let mut shape = Vec::new();
        for _ in 0..self.made.times_s.len() {
            // It stays for a minute in the mean.
            if self.random.uniform() < self.step_s / 60.0 {
                up = !up;
            }
            shape.push(f64::from(u8::from(up)));
        }
        self.add_shape(15.0, shape);
    }

    fn uneven_period(&mut self) {
        let mut phase = self.random.uniform();
        let mut shape = Vec::new();
        for _ in 0..self.made.times_s.len() {
            phase += self.step_s / 240.0 * (1.0 + 0.3 * self.random.normal());
            shape.push(phase.rem_euclid(1.0));
        }
        self.add_shape(50.0, shape);
    }

    /// Three in a hundred stand far above the rest; the oracle is told which, and by how much.
    fn spikes(&mut self) {
        let mut shape = Vec::new();
        for _ in 0..self.made.times_s.len() {
            let spike = self.random.uniform() < 0.03;
            shape.push(if spike { 100.0 + 300.0 * self.random.uniform() } else { 0.0 });
        }
        self.add_shape(1.0, shape);
    }
}

/// A fixed sequence of random numbers.
pub(crate) struct Random {
    seed: u64,
    drawn: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed: seed.wrapping_mul(0x2545_F491_4F6C_DD1D), drawn: 0 }
    }

    fn normal(&mut self) -> f64 {
        self.drawn += 1;
        normal(self.seed.wrapping_add(self.drawn))
    }

    pub(crate) fn uniform(&mut self) -> f64 {
        crate::stats::student::normal_cdf(self.normal())
    }

    fn student3(&mut self) -> f64 {
        let chi: f64 = (0..3).map(|_| self.normal().powi(2)).sum();
        self.normal() / (chi / 3.0).sqrt()
    }
}
