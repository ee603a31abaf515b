//! Does a floor grow from cycle to cycle, by more than is tolerated? Two routes to yes, one model of innocent rises, and what could have
//! been seen.
//!
//! - *By rank*: Kendall's exact test says that there is growth at all (Holm's step of α across the variants) and the lower Theil–Sen bound, at
//!   95 % one-sided, is above the tolerance. Both levels are deliberate. The first holds the family's false alarms where there is no growth; at
//!   six floors it is met by at most one inversion. The second decides on which side of a tolerance that people drew the slope lies; at the
//!   family's level it would be the least of all pairwise slopes, and blind.
//! - *By size*: a t test that the least-squares slope exceeds the tolerance (Holm's step of α, n − 2 degrees of freedom). It sees large growth
//!   whose floors do not rise one by one, which ranks miss. It is tested from the tolerance, so without growth it rejects far below α.
//!
//! Either may be an innocent rise that has ended: pools that fill, one step ([`crate::stats::rise`]). Where that model beats the line (F test, 1 % to
//! excuse a growth, 5 % to resolve a doubt), the line behind the rise is judged instead.

use crate::stats::draws::normal;
use crate::stats::rise::{self, Rise, Shape};
use crate::stats::student::t_tail;
use crate::stats::theil_sen::{self, Slope};
use crate::stats::{kendall, location};

/// One-sided level of the bounds of a slope.
pub(crate) const BOUND_LEVEL: f64 = 0.95;
/// Fewer floors than this have no bound at [`BOUND_LEVEL`].
pub(crate) const LEAST_FLOORS: usize = 4;
const EXCUSE: f64 = 0.01;
const DOUBT: f64 = 0.05;

/// What the floors show, before it is known how many variants share the error rate.
#[derive(Debug, Clone)]
pub(crate) struct Growth {
    n: usize,
    pub(crate) slope: Slope,
    /// Two p-values, by rank and by size.
    pub(crate) p: [f64; 2],
    rise: Option<Rise>,
    /// Standard deviation of a floor around the model.
    pub(crate) noise: f64,
    tolerance: f64,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Trend {
    /// Grows by more than the tolerance; the slope and its lower bound.
    Grows { slope: f64, bounds: [f64; 2] },
    /// Does not.
    Flat,
    /// Rose by this much and then did not any more.
    FlatAfter(Rise),
    /// Rises, and it is too early to say whether it ends: so many more cycles.
    StillFilling { more: u32 },
    /// The floors scatter too much for an answer.
    Unclear,
}

impl Growth {
    /// Measures floors `y` at cycles `x` (ascending); `None` with fewer than [`LEAST_FLOORS`].
    pub(crate) fn measure(x: &[f64], y: &[f64], tolerance: f64) -> Option<Self> {
        let n = x.len();
        if n < LEAST_FLOORS || n != y.len() {
            return None;
        }
        let slope = theil_sen::theil_sen(x, y, BOUND_LEVEL)?;
        let line = rise::line(x, y)?;
        let by_size = if line.error > 0.0 {
            t_tail((line.slope - tolerance) / line.error, n as f64 - 2.0)
        } else {
            f64::from(u8::from(line.slope <= tolerance))
        };
        let rise = rise::fit(x, y);
        let noise = match rise.filter(|rise| rise.p < DOUBT) {
            Some(rise) => (rise.rss / (n as f64 - 4.0)).sqrt(),
            None => (line.rss / (n as f64 - 2.0)).sqrt(),
        };
        Some(Self { n, slope, p: [kendall::p_of_growth(y), by_size], rise, noise, tolerance })
    }

    /// The answer, given which of the two p-values Holm's procedure rejects.
    pub(crate) fn trend(&self, rejected: [bool; 2]) -> Trend {
        let Some(bounds @ [low, high]) = self.slope.bounds else { return Trend::Unclear };
        let grows = (rejected[0] && low > self.tolerance) || rejected[1];
        if !grows && high < self.tolerance {
            return Trend::Flat;
        }
        let level = if grows { EXCUSE } else { DOUBT };
        match self.rise.filter(|rise| rise.p < level) {
            Some(rise) if grows && rise.bounds[0] > self.tolerance => {
                Trend::Grows { slope: rise.slope, bounds: rise.bounds }
            }
            Some(rise) if rise.last_step >= self.tolerance.max(f64::MIN_POSITIVE) => {
                Trend::StillFilling { more: rise.remaining(0.5 * self.tolerance) + 3 }
            }
            Some(rise) if rise.bounds[1] < self.tolerance => Trend::FlatAfter(rise),
            None if grows => Trend::Grows { slope: self.slope.slope, bounds },
            _ => Trend::Unclear,
        }
    }

    /// What was computed, in lines; `told` puts a value into words.
    pub(crate) fn working(&self, told: fn(f64) -> String) -> Vec<String> {
        let bounds = self.slope.bounds.map_or_else(
            || "no bounds with so few".to_owned(),
            |[low, high]| {
                let level = self.slope.level * 100.0;
                format!("bounds {} and {}, each {level:.1} % sure", told(low), told(high))
            },
        );
        let mut lines = vec![
            format!("By rank: Kendall's exact one-sided p = {:.4} of {} values in order.", self.p[0], self.n),
            format!("Theil–Sen slope: {} a cycle, {bounds}.", told(self.slope.slope)),
            format!("By size: p = {:.4} that least squares' slope is no more than the tolerance.", self.p[1]),
            format!("Scatter around the model: {}.", told(self.noise)),
        ];
        lines.push(match self.rise {
            Some(rise) if rise.p < DOUBT => format!(
                "A bounded rise explains it better than a line (F test, p = {:.4}): {} by {}, behind it {} a cycle ({} to {}); its last cycle brought {}.",
                rise.p,
                rise_in_words(rise.shape),
                told(rise.height),
                told(rise.slope),
                told(rise.bounds[0]),
                told(rise.bounds[1]),
                told(rise.last_step),
            ),
            Some(rise) => format!("A bounded rise explains it no better than a line (F test, p = {:.2}).", rise.p),
            None => "No bounded rise explains it better than a line.".to_owned(),
        });
        lines
    }

    /// The model that is judged: its value at a cycle, in the values' unit.
    pub(crate) fn model(&self, x: f64) -> f64 {
        match self.rise.filter(|rise| rise.p < DOUBT) {
            Some(rise) => rise.at(x),
            None => self.slope.intercept + self.slope.slope * x,
        }
    }

    /// The smallest growth per cycle that the route by rank would have found with 95 % probability, at this noise, number of floors and α.
    ///
    /// A leak L turns pairwise noise slopes s₍ᵢ₎ into s₍ᵢ₎ + L. Rank test and bound are both order statistics of these slopes, so the L that a
    /// draw of noise needs is max(tolerance − σ·s₍ₖ₊₁₎, −σ·s₍c₊₁₎); the answer is its 95 % quantile over [`DRAWS`] fixed draws of normal noise.
    /// σ is inflated by 1 + 2/df because it is itself estimated from few floors (chosen by simulation: ≥ 90 % are really found). `None` where no order of n floors reaches α.
    pub(crate) fn detectable(&self, alpha: f64) -> Option<f64> {
        const DRAWS: u64 = 400;
        // Beyond this many floors the needed slopes shrink as n^-3/2, and simulating them would only cost time.
        const SIMULATED: usize = 40;
        let n = self.n.min(SIMULATED);
        let (rank, _) = kendall::critical_inversions(n, alpha)?;
        let (bound, _) = kendall::critical_inversions(n, 1.0 - BOUND_LEVEL)?;
        let shrink = (n as f64 / self.n as f64).powf(1.5);
        let sigma = self.noise * (1.0 + 2.0 / (self.n as f64 - 2.0)) * shrink;
        let x: Vec<f64> = (0..n).map(|i| i as f64).collect();
        let needed: Vec<f64> = (0..DRAWS)
            .filter_map(|draw| {
                let noise: Vec<f64> = (0..n as u64).map(|i| normal(draw * 1000 + i)).collect();
                let slopes = theil_sen::pairwise_slopes(&x, &noise);
                Some(f64::max(self.tolerance - sigma * slopes.get(bound)?, -sigma * slopes.get(rank)?))
            })
            .collect();
        location::quantile(&needed, 0.95)
    }
}

/// How a rise that has ended is told.
pub(crate) fn rise_in_words(shape: Shape) -> &'static str {
    match shape {
        Shape::Step(_) => "stepped up once",
        Shape::Plateau(_) | Shape::Ramp(_) => "filled and stopped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::holm;

    const ALPHA: f64 = 0.05;

    fn cycles(n: usize) -> Vec<f64> {
        (0..n).map(|i| i as f64).collect()
    }

    fn noisy(n: usize, seed: u64, sd: f64, shape: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..n).map(|i| shape(i as f64) + sd * normal(1_000_000 + seed * 1000 + i as u64)).collect()
    }

    fn trend(y: &[f64], tolerance: f64, variants: f64) -> Trend {
        let growth = Growth::measure(&cycles(y.len()), y, tolerance).unwrap();
        growth.trend(growth.p.map(|p| holm::rejected(&[p], ALPHA / variants)[0]))
    }

    /// Share of 1000 seeds for which `holds`.
    fn share(holds: impl Fn(u64) -> bool) -> f64 {
        (0..1000).filter(|seed| holds(*seed)).count() as f64 / 1000.0
    }

    fn grows(trend: Trend) -> bool {
        matches!(trend, Trend::Grows { .. })
    }

    #[test]
    fn healthy_floors_pass() {
        for sd in [0.05, 0.1, 0.2] {
            assert!(share(|seed| trend(&noisy(6, seed, sd, |_| 30.0), 1.0, 6.0) == Trend::Flat) >= 0.99);
        }
        // Even where the noise drowns the tolerance, no more than α is failed.
        assert!(share(|seed| grows(trend(&noisy(6, seed, 5.0, |_| 30.0), 1.0, 1.0))) <= 0.05);
    }

    #[test]
    fn what_is_said_to_be_detectable_is_found() {
        for (n, sd, tolerance, variants) in
            [(6, 0.15, 1.0, 6.0), (6, 1.0, 1.0, 6.0), (8, 1.0, 0.25, 1.0), (20, 1.0, 0.1, 5.0)]
        {
            let found = share(|seed| {
                let healthy = noisy(n, seed, sd, |_| 0.0);
                let growth = Growth::measure(&cycles(n), &healthy, tolerance).unwrap();
                let leak = growth.detectable(ALPHA / variants).unwrap();
                grows(trend(&noisy(n, seed + 5000, sd, |x| leak * x), tolerance, variants))
            });
            assert!(found >= 0.90, "n {n} sd {sd}: {found}");
            let false_fails = share(|seed| grows(trend(&noisy(n, seed, sd, |_| 0.0), tolerance, variants)));
            assert!(false_fails <= 0.02, "n {n} sd {sd}: {false_fails}");
        }
    }

    #[test]
    fn a_leak_of_one_deviation_is_found_in_eight_cycles() {
        let found = share(|seed| grows(trend(&noisy(8, seed, 1.0, |x| x), 0.25, 1.0)));
        assert!(found >= 0.95, "{found}");
    }

    #[test]
    fn innocent_rises_are_not_leaks() {
        for at in 1..6 {
            let step = |x: f64| if x >= f64::from(at) { 8.0 } else { 0.0 };
            assert!(share(|seed| grows(trend(&noisy(6, seed, 0.1, step), 1.0, 6.0))) <= 0.02, "step at {at}");
            let passed = share(|seed| matches!(trend(&noisy(6, seed, 0.1, step), 1.0, 6.0), Trend::FlatAfter(_)));
            assert!(passed >= 0.9, "step at {at}: {passed}");
        }
        let filling = |x: f64| 20.0 * (1.0 - (-x / 1.2).exp());
        assert!(share(|seed| grows(trend(&noisy(6, seed, 0.1, filling), 1.0, 6.0))) <= 0.02);
        let still = |x: f64| 60.0 * (1.0 - (-x / 2.5).exp());
        let inconclusive =
            share(|seed| matches!(trend(&noisy(6, seed, 0.1, still), 1.0, 6.0), Trend::StillFilling { .. }));
        assert!(inconclusive >= 0.9, "{inconclusive}");
    }

    #[test]
    fn growth_in_jumps_is_found_by_its_size() {
        // Two inversions of fifteen pairs: p = .028, not enough for one of six variants.
        let y = [0.0, 20.0, 16.0, 36.0, 32.0, 52.0];
        let growth = Growth::measure(&cycles(6), &y, 1.0).unwrap();
        assert!(growth.p[0] > ALPHA / 6.0 && growth.p[1] < ALPHA / 6.0);
        assert!(grows(trend(&y, 1.0, 6.0)));
    }
}
