//! The usual tests for a trend, printed beside the verdict and never judging: each is known to fail where memory is concerned (warm-ups, steps and noise that remembers raise
//! false alarms with all but the third, which misses leaks behind a saw-tooth).

use crate::stats::student::normal_cdf;

/// A p-value below this is the usual alarm.
pub const USUAL_ALPHA: f64 = 0.05;
/// And this coefficient of determination.
pub const USUAL_R_SQUARED: f64 = 0.8;

/// What the usual tests say of a series. Slopes are in units of the values per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baselines {
    /// Mann and Kendall's test, two-sided.
    pub mann_kendall_p: f64,
    /// The same with Hamed and Rao's correction for autocorrelation.
    pub hamed_rao_p: f64,
    /// Slope by least squares, which is Prometheus' `deriv`.
    pub least_squares_slope: f64,
    /// Its coefficient of determination.
    pub r_squared: f64,
    /// The last value less the first, over the time between them.
    pub last_minus_first: f64,
}

impl Baselines {
    /// Of values at these times, in seconds; `None` with fewer than three.
    pub fn of(times_s: &[f64], values: &[f64]) -> Option<Self> {
        if values.len() < 3 {
            return None;
        }
        let (slope, _, r_squared) = least_squares(times_s, values)?;
        let kendall = MannKendall::of(values);
        let seconds = times_s[times_s.len() - 1] - times_s[0];
        Some(Self {
            mann_kendall_p: kendall.p(kendall.variance),
            hamed_rao_p: kendall.p(kendall.variance * autocorrelation_factor(values)),
            least_squares_slope: slope,
            r_squared,
            last_minus_first: (values[values.len() - 1] - values[0]) / seconds,
        })
    }
}

/// Prometheus' `predict_linear`: the line by least squares, so many seconds after the last sample. `None` with fewer than two samples; a series that never
/// changes stays where it is.
pub fn predict_linear(times_s: &[f64], values: &[f64], ahead_s: f64) -> Option<f64> {
    let (slope, at_last, _) = least_squares(times_s, values)?;
    Some(at_last + slope * ahead_s)
}

/// Slope, the line's value at the last time, and R².
fn least_squares(times_s: &[f64], values: &[f64]) -> Option<(f64, f64, f64)> {
    let n = values.len() as f64;
    let last = *times_s.last()?;
    if values.len() < 2 {
        return None;
    }
    let mean = |numbers: &mut dyn Iterator<Item = f64>| numbers.sum::<f64>() / n;
    let (mean_t, mean_v) = (mean(&mut times_s.iter().map(|time| time - last)), mean(&mut values.iter().copied()));
    let centred = || times_s.iter().zip(values).map(|(time, value)| (time - last - mean_t, value - mean_v));
    let (tt, tv, vv) = centred().fold((0.0, 0.0, 0.0), |(tt, tv, vv), (t, v)| (tt + t * t, tv + t * v, vv + v * v));
    if tt <= 0.0 {
        return None;
    }
    let slope = tv / tt;
    let r_squared = if vv > 0.0 { tv * tv / (tt * vv) } else { 0.0 };
    Some((slope, mean_v - slope * mean_t, r_squared))
}

/// S = Σ sign(later − earlier), and its variance without a trend, corrected for ties.
struct MannKendall {
    s: f64,
    variance: f64,
}

impl MannKendall {
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let signs = values
            .iter()
            .enumerate()
            .flat_map(|(i, earlier)| values[i + 1..].iter().map(move |later| sign(later - earlier)));
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let size = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
        let ties: f64 = sorted.chunk_by(|a, b| a.total_cmp(b).is_eq()).map(|tied| size(tied.len() as f64)).sum();
        Self { s: signs.sum(), variance: (size(n) - ties) / 18.0 }
    }

    /// Two-sided, with the correction for continuity.
    fn p(&self, variance: f64) -> f64 {
        if self.s == 0.0 || variance <= 0.0 {
            return 1.0;
        }
        let z = (self.s - self.s.signum()) / variance.sqrt();
        2.0 * normal_cdf(-z.abs())
    }
}

fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

/// Hamed and Rao (1998), equation 9, as pymannkendall has it: 1 + 2/(n(n−1)(n−2))·Σ (n−i)(n−i−1)(n−i−2)·ρᵢ over the lags whose rank autocorrelation ρ, after Theil and Sen's
/// line is taken off, is significant at 5 %.
fn autocorrelation_factor(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let x: Vec<f64> = (0..values.len()).map(|i| i as f64).collect();
    let slope = crate::stats::theil_sen::theil_sen(&x, values, 0.95).map_or(0.0, |found| found.slope);
    let detrended: Vec<f64> = values.iter().zip(&x).map(|(value, x)| value - slope * (x + 1.0)).collect();
    let ranks = ranks(&detrended);
    let mean = ranks.iter().sum::<f64>() / n;
    let centred: Vec<f64> = ranks.iter().map(|rank| rank - mean).collect();
    let whole: f64 = centred.iter().map(|value| value * value).sum();
    let significant = 1.959_963_984_540_054 / n.sqrt();
    let sum: f64 = (1..values.len())
        .map(|lag| {
            let correlation = centred.iter().zip(&centred[lag..]).map(|(a, b)| a * b).sum::<f64>() / whole;
            let lag = lag as f64;
            if correlation.abs() > significant {
                (n - lag) * (n - lag - 1.0) * (n - lag - 2.0) * correlation
            } else {
                0.0
            }
        })
        .sum();
    1.0 + 2.0 / (n * (n - 1.0) * (n - 2.0)) * sum
}

/// Ranks from 1; tied values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    for tied in order.chunk_by(|a, b| values[*a].total_cmp(&values[*b]).is_eq()) {
        let rank = from as f64 + 0.5 * (tied.len() as f64 + 1.0);
        for place in tied {
            ranks[*place] = rank;
        }
        from += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::reference::{close, values};

    #[test]
    fn the_usual_tests_equal_their_references() {
        for case in values()["baselines"].as_array().unwrap() {
            let series: Vec<f64> = serde_json::from_value(case["values"].clone()).unwrap();
            let times: Vec<f64> = (0..series.len()).map(|i| i as f64 * 10.0).collect();
            let found = Baselines::of(&times, &series).unwrap();
            close(found.mann_kendall_p, &case["mann_kendall_p"]);
            close(found.hamed_rao_p, &case["hamed_rao_p"]);
            close(found.least_squares_slope, &case["slope"]);
            close(found.r_squared, &case["r_squared"]);
            close(predict_linear(&times, &series, 3600.0).unwrap(), &case["in_an_hour"]);
        }
    }

    #[test]
    fn a_constant_series_stays_where_it_is() {
        assert_eq!(predict_linear(&[0.0, 10.0, 20.0], &[7.0, 7.0, 7.0], 3600.0), Some(7.0));
        assert_eq!(predict_linear(&[0.0], &[7.0], 3600.0), None);
        assert!(Baselines::of(&[0.0, 10.0, 20.0, 30.0], &[7.0; 4]).unwrap().mann_kendall_p >= 1.0);
    }
}
