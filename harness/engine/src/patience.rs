//! When the planned cycles are over: are the floors still filling, so that more of them are worth while? Whoever judges says; the engine only asks.

use soak_scenario::{Plan, Variant};

/// How many more cycles are worth while, given the floors of anonymous memory so far (cycle, bytes), the warm-up included.
pub type MoreCycles = fn(&Plan, &Variant, &[(u32, f64)]) -> u32;

/// The median of a window's samples; `None` of none.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len().is_multiple_of(2) { 0.5 * (values[middle - 1] + upper) } else { upper })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_stands_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![3.0, 1.0, 2.0, 10.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}
