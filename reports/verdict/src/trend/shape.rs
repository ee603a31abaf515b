//! What may happen to a memory series: it stays, rises along a line, steps once, fills up and stops, or several of these at once.

/// A shape of the mean beside its level: which of the columns it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    /// A line: the leak.
    pub(crate) line: bool,
    /// One step, at this moment.
    pub(crate) step_at_s: Option<f64>,
    /// A filling-up.
    pub(crate) filling: Option<Filling>,
}

/// How pools fill: ever more slowly, or at a steady rate until they are full. Seconds since the start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Filling {
    /// With this time constant.
    Slowing(f64),
    /// Until this moment.
    Steady(f64),
    /// Ever more slowly, from a moment on: a second cache, when the load changes.
    Late { from_s: f64, tau_s: f64 },
}

impl Filling {
    /// The height reached, of 1.
    pub(crate) fn at(self, time_s: f64) -> f64 {
        match self {
            Self::Slowing(tau_s) => -f64::exp_m1(-time_s / tau_s),
            Self::Steady(until_s) => (time_s / until_s).min(1.0),
            Self::Late { from_s, tau_s } => -f64::exp_m1(-(time_s - from_s).max(0.0) / tau_s),
        }
    }

    /// Its rate of growth at a moment, per second.
    fn rate_at(self, time_s: f64) -> f64 {
        match self {
            Self::Slowing(tau_s) => (-time_s / tau_s).exp() / tau_s,
            Self::Steady(until_s) => f64::from(u8::from(time_s < until_s)) / until_s,
            Self::Late { from_s, tau_s } if time_s > from_s => (-(time_s - from_s) / tau_s).exp() / tau_s,
            Self::Late { .. } => 0.0,
        }
    }

    /// Whether it is still under way at the end of a series of this length.
    fn is_under_way(self, length_s: f64) -> bool {
        match self {
            Self::Slowing(tau_s) => ENDED_AFTER * tau_s > length_s,
            Self::Steady(until_s) => until_s > length_s,
            Self::Late { from_s, tau_s } => from_s + ENDED_AFTER * tau_s > length_s,
        }
    }
}

/// A filling-up has ended when four time constants have passed: what is left of it is less than a fiftieth.
const ENDED_AFTER: f64 = 4.0;

/// How finely shapes are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grid {
    /// Enough to see what noise there is.
    Coarse,
    /// Every moment between two samples, and time constants so close that one of them fits.
    Fine,
}

impl Shape {
    /// The level alone.
    pub(crate) const LEVEL: Self = Self { line: false, step_at_s: None, filling: None };

    /// Every shape for samples at these times, with its prior weight. A line and none are equally likely beforehand, and so is what lies
    /// beside it: nothing (.4), a filling-up (.3: most slow down, a fifth are steady, a tenth begin late), a step (.2), both (.1). Moments of a step are alike; a filling-up is the likelier the quicker it is, because pools
    /// fill in the first minutes, and what fills for longer than it is watched is a leak to whoever watches.
    pub(crate) fn all(times_s: &[f64], grid: Grid) -> Vec<(Self, f64)> {
        let length_s = times_s.last().copied().unwrap_or(0.0);
        let steps = steps(times_s, grid);
        let fillings = fillings(length_s, grid);
        let mut beside = vec![(Self::LEVEL, 0.4)];
        beside.extend(
            fillings.iter().map(|(filling, share)| (Self { filling: Some(*filling), ..Self::LEVEL }, 0.3 * share)),
        );
        let each = 1.0 / steps.len().max(1) as f64;
        beside.extend(steps.iter().map(|at| (Self { step_at_s: Some(*at), ..Self::LEVEL }, 0.2 * each)));
        // One that begins late looks like a step and a filling-up already.
        for (filling, share) in fillings.iter().filter(|(filling, _)| !matches!(filling, Filling::Late { .. })) {
            let pair =
                |at: &f64| (Self { line: false, step_at_s: Some(*at), filling: Some(*filling) }, 0.1 * each * share);
            beside.extend(steps.iter().map(pair));
        }
        let with = |line| beside.iter().map(move |(shape, weight)| (Self { line, ..*shape }, 0.5 * weight));
        with(false).chain(with(true)).collect()
    }

    /// What its coefficients (in the order of its columns: line, step, filling-up) add to the rate of growth at this moment.
    pub(crate) fn rate_at(&self, at_s: f64) -> [f64; 3] {
        let still = self.filling.map(|filling| filling.rate_at(at_s));
        let parts = [self.line.then_some(1.0), self.step_at_s.map(|_| 0.0), still];
        let mut rate = [0.0; 3];
        parts.into_iter().flatten().zip(&mut rate).for_each(|(part, slot)| *slot = part);
        rate
    }

    /// Whether a filling-up is still under way at the end of a series of this length.
    pub(crate) fn is_filling(&self, length_s: f64) -> bool {
        self.filling.is_some_and(|filling| filling.is_under_way(length_s))
    }

    /// The name for people.
    pub(crate) fn name(&self) -> &'static str {
        match (self.line, self.step_at_s.is_some(), self.filling.is_some()) {
            (false, false, false) => "level",
            (false, true, false) => "step",
            (false, false, true) => "plateau",
            (false, true, true) => "plateau and step",
            (true, false, false) => "leak",
            (true, true, false) => "leak and step",
            (true, false, true) => "leak and plateau",
            (true, true, true) => "leak, plateau and step",
        }
    }
}

/// Moments of a step.
fn steps(times_s: &[f64], grid: Grid) -> Vec<f64> {
    let between: Vec<f64> = times_s.windows(2).map(|pair| 0.5 * (pair[0] + pair[1])).collect();
    let every = match grid {
        Grid::Coarse => between.len() / 24,
        Grid::Fine => 1,
    };
    between.into_iter().skip(every.max(1) / 2).step_by(every.max(1)).collect()
}

/// Fillings-up with their shares. Time constants are evenly spaced by ratio from a hundredth of the length to all of it, the quick ones likelier. Those that fill at a steady rate end
/// in the first three quarters, rather early than late: what ends later cannot be told from what goes on. Those that begin late do so anywhere in the first three quarters.
fn fillings(length_s: f64, grid: Grid) -> Vec<(Filling, f64)> {
    let (slowing, steady, [late, taus_of_late]) = match grid {
        Grid::Coarse => (9, 9, [7, 4]),
        Grid::Fine => (49, 45, [45, 10]),
    };
    let taus: Vec<f64> =
        (0..slowing).map(|i| length_s * 0.01_f64.powf(1.0 - f64::from(i) / f64::from(slowing - 1))).collect();
    let all: f64 = taus.iter().map(|tau| tau.recip()).sum();
    let slowing = taus.into_iter().map(|tau| (Filling::Slowing(tau), 0.7 * tau.recip() / all));
    let part = |i: i32, of: i32| length_s * 0.75 * f64::from(i) / f64::from(of);
    let all_steady: f64 = (1..=steady).map(|i| f64::from(i).recip()).sum();
    let steady_ones = (1..=steady).map(|i| (Filling::Steady(part(i, steady)), 0.2 / f64::from(i) / all_steady));
    let each = 0.1 / f64::from(late * taus_of_late);
    let late_ones = (1..=late).flat_map(|i| {
        let tau = move |k: i32| length_s * 0.02 * 8.0_f64.powf(f64::from(k) / f64::from(taus_of_late - 1));
        (0..taus_of_late).map(move |k| (Filling::Late { from_s: part(i, late), tau_s: tau(k) }, each))
    });
    slowing.chain(steady_ones).chain(late_ones).collect()
}

/// A step up at a moment.
pub(crate) fn step(times_s: &[f64], at_s: f64) -> Vec<f64> {
    times_s.iter().map(|time| f64::from(u8::from(*time >= at_s))).collect()
}

/// A filling-up to 1.
pub(crate) fn filling(times_s: &[f64], filling: Filling) -> Vec<f64> {
    times_s.iter().map(|time| filling.at(*time)).collect()
}
