//! Holm's step-down procedure: which of several hypotheses are rejected, so that the chance of any false rejection stays below α.

/// For each p-value whether it is rejected at family-wise level `alpha`: in ascending order, the i-th of m (from 0) as long as
/// p ≤ α/(m−i) (Holm 1979). A p that equals its step up to rounding counts.
pub fn rejected(p_values: &[f64], alpha: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut rejected = vec![false; p_values.len()];
    for (rank, index) in order.into_iter().enumerate() {
        if p_values[index] > alpha / (p_values.len() - rank) as f64 * (1.0 + 1e-9) {
            break;
        }
        rejected[index] = true;
    }
    rejected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_grow_as_hypotheses_fall() {
        assert_eq!(rejected(&[0.04, 0.001, 0.02], 0.05), [true, true, true]);
        assert_eq!(rejected(&[0.04, 0.03, 0.02], 0.05), [false, false, false]);
        assert_eq!(rejected(&[1.0, 6.0 / 720.0, 1.0, 1.0, 1.0, 1.0], 0.05), [false, true, false, false, false, false]);
        assert!(rejected(&[], 0.05).is_empty());
    }
}
