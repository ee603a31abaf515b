//! When will the series reach its limit, if it goes on as it does?
//!
//! Each component of the posterior is fitted once more, its coefficients without their priors. Its trend at a later moment is a combination of them, so that its distribution is
//! Student's t, with the doubt about level and slope in it and the correlation between the two (as Fieller's interval has it). P(above at that moment) is the mixture of the
//! components' probabilities, and the quantiles of the time are where it first passes .05, .5 and .95. What is reached first is a peak, not the trend: the limit is lowered by
//! what the series stands above its trend in its highest samples.

use super::basis::dot;
use super::posterior::{Component, Design};
use super::shape;
use crate::stats::location::quantile;
use crate::stats::student::t_tail;

/// Components of less weight add nothing that shows.
const WEIGHT_AT_LEAST: f64 = 1e-3;
/// Nobody plans further ahead than this many lengths of what was measured.
const LENGTHS_AHEAD: f64 = 200.0;
/// The part of the samples below which the height of a peak is read.
const PEAK: f64 = 0.98;

/// When a limit will be reached, in seconds from the last sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// The middle of what is likely.
    pub in_s: f64,
    /// In which it lies with 90 %; without an upper end where it may never be reached.
    pub interval_s: [Option<f64>; 2],
}

impl Forecast {
    /// The same, counted from a moment that is so much later.
    pub(crate) fn after(self, later_s: f64) -> Self {
        let less = |in_s: f64| (in_s - later_s).max(0.0);
        Self { in_s: less(self.in_s), interval_s: self.interval_s.map(|end| end.map(less)) }
    }
}

/// The forecast; `None` where the limit is less likely than not to be reached within [`LENGTHS_AHEAD`].
pub(crate) fn of(design: &Design<'_>, components: &[Component], limit: f64) -> Option<Forecast> {
    let trends: Vec<(f64, Trend)> = components
        .iter()
        .filter(|one| one.weight >= WEIGHT_AT_LEAST)
        .filter_map(|one| Some((one.weight, Trend::of(design, one)?)))
        .collect();
    let weight: f64 = trends.iter().map(|(weight, _)| weight).sum();
    let (_, first) = trends.first()?;
    let peak = quantile(&first.left, PEAK)?.max(0.0);
    let reached = |in_s: f64| {
        trends.iter().map(|(weight, trend)| weight * trend.is_above(limit - peak, in_s)).sum::<f64>() / weight
    };
    let horizon_s = LENGTHS_AHEAD * design.times_s.last()?;
    let at = |p: f64| {
        if reached(horizon_s) < p {
            return None;
        }
        let (mut low, mut high) = (0.0, horizon_s);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if reached(middle) < p { low = middle } else { high = middle }
        }
        Some(high)
    };
    Some(Forecast { in_s: at(0.5)?, interval_s: [at(0.05), at(0.95)] })
}

/// One component's trend beyond the end.
struct Trend {
    end_s: f64,
    component: Component,
    /// Level at the end (as the nuisances' mean has it), line, step, filling-up.
    coefficients: Vec<f64>,
    /// The inverse of X′X, and the variance of the noise.
    inverse: Vec<Vec<f64>>,
    variance: f64,
    df: f64,
    /// What the trend leaves of the series.
    left: Vec<f64>,
}

impl Trend {
    fn of(design: &Design<'_>, component: &Component) -> Option<Self> {
        let end_s = *design.times_s.last()?;
        let filter = component.noise.filter(design.times_s);
        let mut columns = vec![vec![1.0; design.times_s.len()]];
        columns.extend(design.nuisances.iter().map(|nuisance| centred(nuisance)));
        let before = columns.len();
        columns.extend(moving(&component.shape, design.times_s, end_s));
        let whitened: Vec<Vec<f64>> = columns.iter().map(|column| filter.whiten(column)).collect();
        let values = filter.whiten(design.values);
        let inverse = inverse(&products(&whitened))?;
        let with_values: Vec<f64> = whitened.iter().map(|column| dot(column, &values)).collect();
        let coefficients: Vec<f64> = inverse.iter().map(|row| dot(row, &with_values)).collect();
        let df = (values.len() - columns.len()) as f64;
        let fitted = |i: usize| coefficients.iter().zip(&whitened).map(|(b, column)| b * column[i]).sum::<f64>();
        let variance = (0..values.len()).map(|i| (values[i] - fitted(i)).powi(2)).sum::<f64>() / df.max(1.0);
        // The nuisances' swing belongs to the peaks, not to the trend.
        let trend = |i: usize| {
            let of = |k: usize| coefficients[k] * columns[k][i];
            of(0) + (before..columns.len()).map(of).sum::<f64>()
        };
        let left = (0..values.len()).map(|i| design.values[i] - trend(i)).collect();
        let keep = |k: &usize| *k == 0 || *k >= before;
        let kept: Vec<usize> = (0..columns.len()).filter(keep).collect();
        let inverse = kept.iter().map(|i| kept.iter().map(|j| inverse[*i][*j]).collect()).collect();
        let coefficients = kept.iter().map(|i| coefficients[*i]).collect();
        Some(Self { end_s, component: *component, coefficients, inverse, variance, df, left })
    }

    /// P(the trend is above `bound` so long after the end).
    fn is_above(&self, bound: f64, in_s: f64) -> f64 {
        let row: Vec<f64> = std::iter::once(1.0)
            .chain(moving(&self.component.shape, &[self.end_s + in_s], self.end_s).into_iter().map(|column| column[0]))
            .collect();
        let mean = dot(&row, &self.coefficients);
        let spread: f64 = row.iter().zip(&self.inverse).map(|(share, line)| share * dot(line, &row)).sum();
        let error = (self.variance * spread).sqrt();
        if error > 0.0 { t_tail((bound - mean) / error, self.df) } else { f64::from(u8::from(mean > bound)) }
    }
}

/// The columns of a shape, all 0 at the end, so that the level is the level there.
fn moving(shape: &shape::Shape, times_s: &[f64], end_s: f64) -> Vec<Vec<f64>> {
    let less = |mut column: Vec<f64>, at_end: f64| {
        for value in &mut column {
            *value -= at_end;
        }
        column
    };
    let line = shape.line.then(|| less(times_s.to_vec(), end_s));
    let step = shape.step_at_s.map(|at_s| less(shape::step(times_s, at_s), 1.0));
    let filling = shape.filling_s.map(|tau_s| less(shape::filling(times_s, tau_s), shape::filling(&[end_s], tau_s)[0]));
    [line, step, filling].into_iter().flatten().collect()
}

fn centred(column: &[f64]) -> Vec<f64> {
    let mean = column.iter().sum::<f64>() / column.len() as f64;
    column.iter().map(|value| value - mean).collect()
}

fn products(columns: &[Vec<f64>]) -> Vec<Vec<f64>> {
    columns.iter().map(|a| columns.iter().map(|b| dot(a, b)).collect()).collect()
}

/// The inverse of a symmetric, positive matrix, by Gauss and Jordan's elimination after scaling to a unit diagonal; `None` where it has none.
fn inverse(matrix: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let n = matrix.len();
    let scale: Vec<f64> = (0..n).map(|i| matrix[i][i].sqrt().recip()).collect();
    let mut left: Vec<Vec<f64>> =
        (0..n).map(|i| (0..n).map(|j| matrix[i][j] * scale[i] * scale[j]).collect()).collect();
    let mut right: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for pivot in 0..n {
        let by = left[pivot][pivot];
        if by.is_nan() || by <= 1e-12 {
            return None;
        }
        for j in 0..n {
            left[pivot][j] /= by;
            right[pivot][j] /= by;
        }
        let (row, also) = (left[pivot].clone(), right[pivot].clone());
        for i in (0..n).filter(|i| *i != pivot) {
            let times = left[i][pivot];
            for j in 0..n {
                left[i][j] -= times * row[j];
                right[i][j] -= times * also[j];
            }
        }
    }
    Some((0..n).map(|i| (0..n).map(|j| right[i][j] * scale[i] * scale[j]).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_undoes_its_matrix() {
        let matrix = vec![vec![4.0, 2.0, 0.5], vec![2.0, 3.0, 1.0], vec![0.5, 1.0, 2.0]];
        let inverse = inverse(&matrix).unwrap();
        for (i, row) in matrix.iter().enumerate() {
            // The inverse is symmetric: its rows are its columns.
            for (j, column) in inverse.iter().enumerate() {
                assert!((dot(row, column) - f64::from(u8::from(i == j))).abs() < 1e-12);
            }
        }
        assert_eq!(super::inverse(&[vec![1.0, 1.0], vec![1.0, 1.0]]), None);
    }
}
