//! Kendall's exact one-sided test for growth: how improbable is this much order, if the values came in any order?
//!
//! Under the hypothesis of no growth all n! orders are equally likely. With I the number of inversions (pairs of which the later is not
//! greater), p = P(inversions ≤ I). The distribution follows from the recurrence "the k-th value passes 0..k−1 of those before it":
//! `P_k(i) = (1/k)·Σ_{j<k} P_{k−1}(i−j)` (Kendall 1938; Knuth, TAOCP 3, §5.1.1).
//!
//! The permutation distribution is exact only without ties. A tie is counted as an inversion, which can only make p greater: with ties the
//! test is conservative.

use super::student::{normal_cdf, normal_quantile};

/// Beyond this many values the normal approximation with continuity correction is used; its error there is below 1e-4.
pub const EXACT_UP_TO: usize = 200;

/// P(inversions = i) for i = 0..=n(n−1)/2 in a random order of n distinct values. Sums to 1.
pub fn inversion_distribution(n: usize) -> Vec<f64> {
    let mut distribution = vec![1.0];
    for k in 2..=n {
        let length = distribution.len() + k - 1;
        let mut grown = vec![0.0; length];
        let mut window = 0.0;
        for (i, slot) in grown.iter_mut().enumerate() {
            window += distribution.get(i).copied().unwrap_or(0.0);
            if i >= k {
                window -= distribution.get(i - k).copied().unwrap_or(0.0);
            }
            *slot = f64::max(window, 0.0) / k as f64;
        }
        distribution = grown;
    }
    distribution
}

/// Number of pairs of which the later value is not greater than the earlier.
pub fn inversions(values: &[f64]) -> usize {
    let pairs = values.iter().enumerate().flat_map(|(i, a)| values[i + 1..].iter().map(move |b| (a, b)));
    pairs.filter(|(earlier, later)| *later <= *earlier).count()
}

/// One-sided p-value of growth, in the order given; 1 for fewer than two values.
pub fn p_of_growth(values: &[f64]) -> f64 {
    p_of_inversions(values.len(), inversions(values))
}

/// P(inversions ≤ `inversions`) in a random order of `n` distinct values.
pub fn p_of_inversions(n: usize, inversions: usize) -> f64 {
    if n < 2 {
        return 1.0;
    }
    if n > EXACT_UP_TO {
        let (mean, deviation) = moments(n);
        return normal_cdf((inversions as f64 + 0.5 - mean) / deviation);
    }
    inversion_distribution(n).iter().take(inversions + 1).sum::<f64>().min(1.0)
}

/// The greatest number of inversions whose p is at most `alpha`, with that p; `None` when even perfect order is not improbable enough.
pub fn critical_inversions(n: usize, alpha: f64) -> Option<(usize, f64)> {
    if n > EXACT_UP_TO {
        let (mean, deviation) = moments(n);
        let count = (mean - 0.5 + deviation * normal_quantile(alpha)).floor().max(0.0) as usize;
        return Some((count, p_of_inversions(n, count)));
    }
    let mut below = 0.0;
    let mut found = None;
    for (i, probability) in inversion_distribution(n).iter().enumerate() {
        below += probability;
        // A p that equals α up to rounding (6/720 against .05/6) counts.
        if below > alpha * (1.0 + 1e-9) {
            break;
        }
        found = Some((i, below));
    }
    found
}

/// Mean and standard deviation of the number of inversions: n(n−1)/4 and √(n(n−1)(2n+5)/72).
fn moments(n: usize) -> (f64, f64) {
    let size = n as f64;
    (size * (size - 1.0) / 4.0, (size * (size - 1.0) * (2.0 * size + 5.0) / 72.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::reference::{close, values};

    #[test]
    fn p_equals_scipys() {
        for case in values()["kendall"].as_array().unwrap() {
            let series: Vec<f64> = serde_json::from_value(case["values"].clone()).unwrap();
            close(p_of_growth(&series), &case["p"]);
            let pairs = series.len() * (series.len() - 1) / 2;
            close(pairs as f64 - 2.0 * inversions(&series) as f64, &case["s"]);
        }
    }

    #[test]
    fn all_rising_is_one_in_n_factorial() {
        assert!((p_of_growth(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) - 1.0 / 720.0).abs() < 1e-15);
        assert_eq!(critical_inversions(6, 0.05 / 6.0).unwrap().0, 1);
        assert_eq!(critical_inversions(3, 0.05), None);
    }

    #[test]
    fn the_approximation_joins_the_exact_distribution() {
        let (exact, p) = critical_inversions(EXACT_UP_TO, 0.05).unwrap();
        let (near, q) = critical_inversions(EXACT_UP_TO + 1, 0.05).unwrap();
        assert!((p - q).abs() < 1e-3 && near > exact && near < exact + 150, "{exact} {near}");
    }

    #[test]
    fn a_tie_never_speaks_for_growth() {
        assert!(p_of_growth(&[1.0, 2.0, 2.0, 4.0]) > p_of_growth(&[1.0, 2.0, 3.0, 4.0]));
        assert!((p_of_growth(&[5.0; 6]) - 1.0).abs() < 1e-12);
    }
}
