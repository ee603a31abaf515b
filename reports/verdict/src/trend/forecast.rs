//! When will the series reach its limit, if it goes on as it does?
//!
//! Each component of the posterior is fitted once more, its coefficients without their priors. Its trend at a later moment is a combination of them, so that its distribution is
//! Student's t, with the doubt about level and slope in it and the correlation between the two (as Fieller's interval has it). What reaches a limit is not the trend but the first sample
//! that stands far enough above it: so futures are drawn, each with a component by its weight and a trend by its distribution, and in each stretch of time to come the highest that a sample
//! stood above the trend in a stretch of as long before. The quantiles of the times at which they reach the limit are the answer.

use super::basis::dot;
use super::posterior::{Component, Design};
use super::shape;
use crate::stats::draws::mixed;
use crate::stats::student::t_quantile;

/// Components of less weight add nothing that shows.
const WEIGHT_AT_LEAST: f64 = 1e-3;
/// Nobody plans further ahead than this many lengths of what was measured.
const LENGTHS_AHEAD: f64 = 200.0;
/// Stretches that the measured time is cut into.
const STRETCHES: usize = 20;
/// Futures that are drawn.
const FUTURES: u64 = 400;

/// When a limit will be reached, in seconds from the last sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// The middle of what is likely.
    pub in_s: f64,
    /// In which it lies with 90 %; without an upper end where it may never be reached.
    pub interval_s: [Option<f64>; 2],
}

/// Samples as they were read, in the units of the design.
pub(crate) struct Samples<'a> {
    /// Seconds since the first.
    pub(crate) times_s: &'a [f64],
    pub(crate) values: &'a [f64],
}

/// The forecast; `None` where the limit is less likely than not to be reached within [`LENGTHS_AHEAD`].
pub(crate) fn of(design: &Design<'_>, components: &[Component], samples: &Samples<'_>, limit: f64) -> Option<Forecast> {
    let trends: Vec<(f64, Trend)> = components
        .iter()
        .filter(|one| one.weight >= WEIGHT_AT_LEAST)
        .filter_map(|one| Some((one.weight, Trend::of(design, one)?)))
        .collect();
    let all: f64 = trends.iter().map(|(weight, _)| weight).sum();
    let (_, heaviest) = trends.first()?;
    let last_s = *samples.times_s.last()?;
    let stretch_s = last_s / STRETCHES as f64;
    let peaks = peaks(heaviest, samples, stretch_s);
    let future = |draw: u64| {
        let wanted = all * (draw as f64 + 0.5) / FUTURES as f64;
        let mut so_far = 0.0;
        let chosen = trends.iter().find(|(weight, _)| {
            so_far += weight;
            so_far >= wanted
        });
        let (_, trend) = chosen.or(trends.last())?;
        reached(trend, &peaks, limit, (last_s, stretch_s), draw)
    };
    let mut times_s: Vec<f64> = (0..FUTURES).map(|draw| future(draw).unwrap_or(f64::INFINITY)).collect();
    times_s.sort_by(f64::total_cmp);
    let at = |p: f64| times_s.get((p * FUTURES as f64) as usize).copied().filter(|time| time.is_finite());
    Some(Forecast { in_s: at(0.5)?, interval_s: [at(0.05), at(0.95)] })
}

/// The highest that the samples of each stretch stand above the trend.
fn peaks(trend: &Trend, samples: &Samples<'_>, stretch_s: f64) -> Vec<f64> {
    let mut peaks = [f64::NEG_INFINITY; STRETCHES];
    for (time, value) in samples.times_s.iter().zip(samples.values) {
        let peak = &mut peaks[((time / stretch_s) as usize).min(STRETCHES - 1)];
        *peak = peak.max(value - trend.at(*time).0);
    }
    peaks.into_iter().filter(|peak| peak.is_finite()).collect()
}

/// When one future reaches the limit, in seconds after the last sample.
fn reached(trend: &Trend, peaks: &[f64], limit: f64, (last_s, stretch_s): (f64, f64), draw: u64) -> Option<f64> {
    let quantile = t_quantile(radical_inverse(draw + 1), trend.df);
    let value = |stretch: u64| {
        let (mean, error) = trend.at(last_s + (stretch as f64 + 0.5) * stretch_s);
        mean + quantile * error
    };
    let horizon = (LENGTHS_AHEAD * STRETCHES as f64) as u64;
    let highest = peaks.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if value(0) + highest < limit && value(horizon) + highest < limit {
        return None;
    }
    // Before this the highest peak there was does not reach it.
    let (mut low, mut high) = (0, if value(0) + highest < limit { horizon } else { 0 });
    while low < high {
        let middle = u64::midpoint(low, high);
        if value(middle) + highest < limit { low = middle + 1 } else { high = middle }
    }
    let drawn = |stretch: u64| mixed(draw.wrapping_mul(1 << 20).wrapping_add(stretch));
    let stretch = (low..=horizon).find(|stretch| {
        let peak = peaks[(drawn(*stretch) % peaks.len() as u64) as usize];
        value(*stretch) + peak >= limit
    })?;
    let part = (drawn(stretch) >> 40) as f64 / (1_u64 << 24) as f64;
    Some((stretch as f64 + part) * stretch_s)
}

/// The i-th of a sequence that fills the unit interval evenly (van der Corput's, base 2).
fn radical_inverse(i: u64) -> f64 {
    (i.reverse_bits() >> 11) as f64 / (1_u64 << 53) as f64
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
        let keep = |k: &usize| *k == 0 || *k >= before;
        let kept: Vec<usize> = (0..columns.len()).filter(keep).collect();
        let inverse = kept.iter().map(|i| kept.iter().map(|j| inverse[*i][*j]).collect()).collect();
        let coefficients = kept.iter().map(|i| coefficients[*i]).collect();
        Some(Self { end_s, component: *component, coefficients, inverse, variance, df })
    }

    /// The trend's mean and its error at a moment since the start.
    fn at(&self, at_s: f64) -> (f64, f64) {
        let row: Vec<f64> = std::iter::once(1.0)
            .chain(moving(&self.component.shape, &[at_s], self.end_s).into_iter().map(|column| column[0]))
            .collect();
        let mean = dot(&row, &self.coefficients);
        let spread: f64 = row.iter().zip(&self.inverse).map(|(share, line)| share * dot(line, &row)).sum();
        (mean, (self.variance * spread).max(0.0).sqrt())
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
    let filling = shape.filling.map(|filling| less(shape::filling(times_s, filling), filling.at(end_s)));
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
