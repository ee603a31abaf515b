//! Shares of yes and no: the Clopper–Pearson interval, and the sign test with its interval for a median.

use super::student::{bisect, incomplete_beta, normal_cdf};

/// Clopper and Pearson's exact two-sided interval of a share, `k` of `n`: its ends are quantiles of Beta(k, n−k+1) and Beta(k+1, n−k).
pub fn clopper_pearson(k: u64, n: u64, level: f64) -> [f64; 2] {
    let half = 0.5 * (1.0 - level);
    let (k, n) = (k.min(n) as f64, n as f64);
    let low = if k == 0.0 { 0.0 } else { bisect(0.0, 1.0, |x| incomplete_beta(k, n - k + 1.0, x) - half) };
    let high = if k >= n { 1.0 } else { bisect(0.0, 1.0, |x| incomplete_beta(k + 1.0, n - k, x) - (1.0 - half)) };
    [low, high]
}

/// Wilson's two-sided interval of a share, `k` of `n`: the shares whose score test does not reject `k` (Wilson 1927).
pub fn wilson(k: u64, n: u64, level: f64) -> [f64; 2] {
    if n == 0 {
        return [0.0, 1.0];
    }
    let z = bisect(0.0, 40.0, |z| normal_cdf(z) - (0.5 + 0.5 * level));
    let (k, n) = (k.min(n) as f64, n as f64);
    let (share, weight) = (k / n, z * z / n);
    let middle = (share + 0.5 * weight) / (1.0 + weight);
    let half = z / (1.0 + weight) * (share * (1.0 - share) / n + 0.25 * weight / n).sqrt();
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

/// P(X ≥ k) of n fair coins: the sign test's p-value when k of n values lie above the median that is tested.
pub fn sign_test(k: usize, n: usize) -> f64 {
    if k == 0 { 1.0 } else { incomplete_beta(k as f64, (n - k.min(n)) as f64 + 1.0, 0.5) }
}

/// Distribution-free one-sided bounds of a median, each of at least `level`: order statistics whose sign test just rejects. `None` where
/// even the extremes do not reach the level (n < 5 at 95 %).
pub fn median_bounds(values: &[f64], level: f64) -> Option<[f64; 2]> {
    let n = values.len();
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    // The median lies below the (r+1)-th value only if at least n−r values lie above it.
    let r = (0..n.div_ceil(2)).take_while(|r| sign_test(n - r, n) <= 1.0 - level).last()?;
    Some([sorted[r], sorted[n - 1 - r]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::reference::{close, values};

    #[test]
    fn intervals_equal_scipys() {
        for case in values()["clopper_pearson"].as_array().unwrap() {
            let found = clopper_pearson(case["k"].as_u64().unwrap(), case["n"].as_u64().unwrap(), 0.95);
            close(found[0], &case["interval"][0]);
            close(found[1], &case["interval"][1]);
        }
    }

    #[test]
    fn six_values_bound_a_median_by_their_extremes() {
        assert!((sign_test(6, 6) - 1.0 / 64.0).abs() < 1e-12);
        assert_eq!(median_bounds(&[3.0, 1.0, 2.0, 6.0, 5.0, 4.0], 0.95), Some([1.0, 6.0]));
        assert_eq!(median_bounds(&[1.0, 2.0, 3.0, 4.0], 0.95), None);
        let eight: Vec<f64> = (1..=8).map(f64::from).collect();
        assert_eq!(median_bounds(&eight, 0.95), Some([2.0, 7.0]));
    }
}
