//! A bounded rise plus a line: what a floor looks like while pools fill, or after it stepped once, with or without a leak behind it.
//!
//! y = a + b·x + A·g(x) + noise with A ≥ 0 and g one of three families that end: a plateau 1 − exp(−x/τ), a ramp min(x, k)/k, a step
//! 1{x ≥ k}. For each shape (a, b, A) are least squares. The shape is chosen by the smallest residual; against the plain line it must win an
//! F test with 2 and n − 4 degrees of freedom (A and the shape's own parameter). The interval of b is the union of the t intervals of every
//! shape whose residual the best one does not beat (F with 1 and n − 4, 5 %), so that not knowing the shape widens it.
//!
//! Adding c·x to y changes neither residual and moves b by exactly c: the choice cannot hide a steady leak.

use super::student::{f_tail, t_quantile};

/// The family of a bounded rise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// Exponential approach with this time constant.
    Plateau(f64),
    /// Straight up to this x, then flat.
    Ramp(f64),
    /// One jump at this x.
    Step(f64),
}

impl Shape {
    /// The height reached at `x`, of 1.
    pub fn at(self, x: f64) -> f64 {
        match self {
            Self::Plateau(tau) => 1.0 - (-x / tau).exp(),
            Self::Ramp(end) => (x / end).min(1.0),
            Self::Step(at) => f64::from(u8::from(x >= at)),
        }
    }
}

/// A least-squares line and its scatter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Units of y per unit of x.
    pub slope: f64,
    /// Standard error of the slope; n − 2 degrees of freedom.
    pub error: f64,
    /// Sum of squared residuals.
    pub rss: f64,
}

/// The best bounded rise with its line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rise {
    /// How it rises.
    pub shape: Shape,
    /// How far, in units of y.
    pub height: f64,
    /// The line behind it, in units of y per unit of x.
    pub slope: f64,
    /// One-sided 95 % bounds of that line.
    pub bounds: [f64; 2],
    /// Sum of squared residuals.
    pub rss: f64,
    /// p-value of the F test against the plain line.
    pub p: f64,
    /// How much of the rise came with the last unit of x.
    pub last_step: f64,
    /// The last x, from the first.
    pub last_x: f64,
    /// The first x.
    first_x: f64,
    /// The model's value at the first x.
    level: f64,
}

impl Rise {
    /// The model's value.
    pub fn at(&self, x: f64) -> f64 {
        let since = x - self.first_x;
        self.level + self.slope * since + self.height * (self.shape.at(since) - self.shape.at(0.0))
    }

    /// How many more units of x until one of them brings less than `enough`; bounded by 1000.
    pub fn remaining(&self, enough: f64) -> u32 {
        let step = |more: u32| {
            let x = self.last_x + f64::from(more);
            self.height * (self.shape.at(x) - self.shape.at(x - 1.0))
        };
        (1..1000).find(|more| step(*more) < enough).unwrap_or(1000)
    }
}

/// Ordinary least squares; `None` with fewer than three points or without extent in x.
pub fn line(x: &[f64], y: &[f64]) -> Option<Line> {
    let n = x.len();
    if n < 3 || y.len() != n {
        return None;
    }
    let xs = centred(x);
    let ys = centred(y);
    let xx = dot(&xs, &xs);
    if xx <= 0.0 {
        return None;
    }
    let slope = dot(&xs, &ys) / xx;
    let rss = xs.iter().zip(&ys).map(|(x, y)| (y - slope * x).powi(2)).sum::<f64>();
    Some(Line { slope, error: (rss / (n as f64 - 2.0) / xx).sqrt(), rss })
}

/// The best bounded rise; x must be ascending. `None` with fewer than five points, or where no rise fits better than the line.
pub fn fit(x: &[f64], y: &[f64]) -> Option<Rise> {
    let n = x.len();
    let plain = line(x, y)?;
    if n < 5 || plain.rss <= 0.0 {
        return None;
    }
    let df = n as f64 - 4.0;
    let fits: Vec<Fit> = shapes(x).into_iter().filter_map(|shape| fit_shape(x, y, shape)).collect();
    let best = fits.iter().filter(|fit| fit.height > 0.0).min_by(|a, b| a.rss.total_cmp(&b.rss))?;
    // Below rounding a residual is 0, or noise-free data would call every shape but one impossible.
    let least = best.rss.max(plain.rss * 1e-12);
    let p = f_tail((plain.rss - best.rss).max(0.0) / 2.0 / (least / df), 2.0, df);
    // F with (1, df) degrees of freedom is t² with df.
    let cut = least * (1.0 + t_quantile(0.975, df).powi(2) / df);
    let t = t_quantile(0.95, df);
    let bounds =
        fits.iter().filter(|fit| fit.height > 0.0 && fit.rss <= cut).fold([best.slope; 2], |[low, high], fit| {
            let half = t * (fit.rss / df).sqrt() * fit.unit_error;
            [low.min(fit.slope - half), high.max(fit.slope + half)]
        });
    let last = x[n - 1] - x[0];
    let last_step = best.height * (best.shape.at(last) - best.shape.at(last - 1.0));
    // A jump is over once it has happened.
    let last_step = if matches!(best.shape, Shape::Step(_)) { 0.0 } else { last_step };
    Some(Rise {
        shape: best.shape,
        height: best.height,
        slope: best.slope,
        bounds,
        rss: best.rss,
        p,
        last_step,
        last_x: last,
        first_x: x[0],
        level: best.level,
    })
}

/// One shape's least squares.
struct Fit {
    shape: Shape,
    height: f64,
    slope: f64,
    rss: f64,
    /// Standard error of the slope over the residual deviation.
    unit_error: f64,
    /// The value at the first x.
    level: f64,
}

/// Every shape that leaves enough points to see the line behind it.
fn shapes(x: &[f64]) -> Vec<Shape> {
    let n = x.len();
    let first = x[0];
    let extent = x[n - 1] - first;
    let plateaus = [0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0, 4.0, 6.0, 9.0, 13.0, 20.0, 40.0];
    let mut shapes: Vec<Shape> = plateaus.into_iter().filter(|tau| 2.0 * tau <= extent).map(Shape::Plateau).collect();
    shapes.extend(x.iter().take(n.saturating_sub(3)).skip(2).map(|end| Shape::Ramp(end - first)));
    shapes.extend(x.iter().skip(1).map(|at| Shape::Step(at - first)));
    shapes
}

fn fit_shape(x: &[f64], y: &[f64], shape: Shape) -> Option<Fit> {
    let xs = centred(x);
    let ys = centred(y);
    let g = centred(&x.iter().map(|value| shape.at(value - x[0])).collect::<Vec<f64>>());
    let (xx, gg, xg) = (dot(&xs, &xs), dot(&g, &g), dot(&xs, &g));
    let determinant = xx * gg - xg * xg;
    if determinant <= 1e-9 * xx * gg {
        return None;
    }
    let (xy, gy) = (dot(&xs, &ys), dot(&g, &ys));
    let slope = (gg * xy - xg * gy) / determinant;
    let height = (xx * gy - xg * xy) / determinant;
    let residual = |i: usize| ys[i] - slope * xs[i] - height * g[i];
    let rss = (0..x.len()).map(|i| residual(i).powi(2)).sum();
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    let level = mean + slope * xs[0] + height * g[0];
    Some(Fit { shape, height, slope, rss, unit_error: (gg / determinant).sqrt(), level })
}

fn centred(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| value - mean).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn x(n: usize) -> Vec<f64> {
        (0..n).map(|i| i as f64).collect()
    }

    /// A small, fixed, trendless wobble.
    fn wobble(i: usize) -> f64 {
        [0.1, -0.07, 0.02, -0.11, 0.08, -0.03, 0.05, -0.06][i % 8]
    }

    #[test]
    fn a_leak_behind_a_long_filling_is_seen() {
        // Pools fill for seven cycles at 94 a cycle, then 2.8 a cycle for ever.
        let y: Vec<f64> = (0..20).map(|i| 94.0 * f64::min(i as f64, 7.0) + 2.8 * i as f64 + wobble(i)).collect();
        let rise = fit(&x(20), &y).unwrap();
        assert!(rise.p < 1e-6 && rise.last_step == 0.0);
        assert!(rise.bounds[0] > 2.7 && rise.bounds[1] < 2.9, "{rise:?}");
    }

    #[test]
    fn a_plateau_leaves_no_line() {
        let y: Vec<f64> = (0..8).map(|i| 20.0 * (1.0 - (-(i as f64) / 1.3).exp()) + wobble(i)).collect();
        let rise = fit(&x(8), &y).unwrap();
        assert!(rise.p < 0.01 && rise.bounds[1] < 0.5 && rise.last_step < 0.2, "{rise:?}");
    }

    #[test]
    fn a_line_is_not_a_rise() {
        let y: Vec<f64> = (0..8).map(|i| 2.0 * i as f64 + wobble(i)).collect();
        assert!(fit(&x(8), &y).is_none_or(|rise| rise.p > 0.05));
        let line = line(&x(8), &y).unwrap();
        assert!((line.slope - 2.0).abs() < 0.05);
    }

    #[test]
    fn adding_a_line_moves_only_the_line() {
        let y: Vec<f64> = (0..9).map(|i| if i >= 4 { 5.0 } else { 0.0 } + wobble(i)).collect();
        let leaked: Vec<f64> = y.iter().enumerate().map(|(i, y)| y + 3.0 * i as f64).collect();
        let (before, after) = (fit(&x(9), &y).unwrap(), fit(&x(9), &leaked).unwrap());
        assert_eq!(before.shape, Shape::Step(4.0));
        assert!((before.p - after.p).abs() < 1e-9 && (after.slope - before.slope - 3.0).abs() < 1e-9);
    }
}
