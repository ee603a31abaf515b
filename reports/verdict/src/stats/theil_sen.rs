//! Theil–Sen: the median of the slopes between all pairs, with bounds from the exact distribution of Kendall's statistic.
//!
//! With N = n(n−1)/2 slopes in order, β ≤ s₍ₖ₎ exactly when the values minus β·x have at most k−1 inversions against growth, so
//! s₍ₖ₊₁₎ with P(inversions ≤ k) ≤ 1−level is a lower bound of at least that level (Sen 1968), and s₍N₋ₖ₎ the upper one. Levels come in
//! steps: at n = 6 the one-sided bound asked for at 95 % attains 97.2 % (20/720), at n = 5 95.8 %. Slopes are in units of y per unit of x.

use super::kendall;
use super::location::median_of_sorted;

/// A slope with one-sided bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// Median of the pairwise slopes.
    pub slope: f64,
    /// Median of `y − slope·x`.
    pub intercept: f64,
    /// Lower and upper one-sided bounds; `None` with too few values for the level asked for.
    pub bounds: Option<[f64; 2]>,
    /// The level that each bound attains; at least what was asked for.
    pub level: f64,
}

/// Slopes between all pairs with different x, in ascending order.
pub fn pairwise_slopes(x: &[f64], y: &[f64]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(x.len() * x.len().saturating_sub(1) / 2);
    for i in 0..x.len().min(y.len()) {
        for j in i + 1..x.len().min(y.len()) {
            if x[j] > x[i] {
                slopes.push((y[j] - y[i]) / (x[j] - x[i]));
            }
        }
    }
    slopes.sort_by(f64::total_cmp);
    slopes
}

/// The slope of `y` over `x` with one-sided bounds of at least `level`; `None` with fewer than two values.
pub fn theil_sen(x: &[f64], y: &[f64], level: f64) -> Option<Slope> {
    let slopes = pairwise_slopes(x, y);
    let slope = median_of_sorted(&slopes)?;
    let mut residuals: Vec<f64> = x.iter().zip(y).map(|(x, y)| y - slope * x).collect();
    residuals.sort_by(f64::total_cmp);
    let intercept = median_of_sorted(&residuals)?;
    let critical = kendall::critical_inversions(x.len(), 1.0 - level).filter(|(k, _)| *k < slopes.len());
    Some(Slope {
        slope,
        intercept,
        bounds: critical.map(|(k, _)| [slopes[k], slopes[slopes.len() - 1 - k]]),
        level: critical.map_or(0.0, |(_, p)| 1.0 - p),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::reference::{close, values};

    #[test]
    fn slope_and_bounds_equal_the_references() {
        for case in values()["kendall"].as_array().unwrap() {
            let y: Vec<f64> = serde_json::from_value(case["values"].clone()).unwrap();
            let x: Vec<f64> = (0..y.len()).map(|i| i as f64).collect();
            let found = theil_sen(&x, &y, 0.95).unwrap();
            close(found.slope, &case["slope"]);
            close(found.level, &case["level"]);
            let bounds = found.bounds.unwrap();
            close(bounds[0], &case["bounds"][0]);
            close(bounds[1], &case["bounds"][1]);
        }
    }

    #[test]
    fn too_few_values_have_no_bounds() {
        assert_eq!(theil_sen(&[0.0], &[1.0], 0.95), None);
        assert_eq!(theil_sen(&[0.0, 1.0, 2.0], &[1.0, 2.0, 3.0], 0.95).unwrap().bounds, None);
    }
}
