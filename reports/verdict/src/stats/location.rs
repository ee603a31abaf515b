//! Where values lie and how far they scatter, by order alone: median, quantile, median absolute deviation. Units are those of the values.

/// The quantile `q` (0 to 1) with linear interpolation between order statistics (Hyndman and Fan's type 7, numpy's default); `None` for
/// no values. Values that are not finite must have been left out.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile_of_sorted(&sorted, q)
}

/// [`quantile`] of values in ascending order.
pub fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = q.clamp(0.0, 1.0) * last as f64;
    let low = place.floor() as usize;
    let high = (low + 1).min(last);
    Some(sorted[low] + (sorted[high] - sorted[low]) * (place - low as f64))
}

/// The median; `None` for no values.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The median of values in ascending order.
pub fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    quantile_of_sorted(sorted, 0.5)
}

/// Median absolute deviation from the median, unscaled: 1.4826 × it estimates a normal standard deviation.
pub fn mad(values: &[f64]) -> Option<f64> {
    let centre = median(values)?;
    let deviations: Vec<f64> = values.iter().map(|value| (value - centre).abs()).collect();
    median(&deviations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::reference::{close, values};

    #[test]
    fn quantiles_and_deviations_equal_the_references() {
        for case in values()["quantile"].as_array().unwrap() {
            let series: Vec<f64> = serde_json::from_value(case["values"].clone()).unwrap();
            close(quantile(&series, case["q"].as_f64().unwrap()).unwrap(), &case["value"]);
        }
        for case in values()["mad"].as_array().unwrap() {
            let series: Vec<f64> = serde_json::from_value(case["values"].clone()).unwrap();
            close(mad(&series).unwrap(), &case["value"]);
        }
        assert_eq!(median(&[]), None);
    }
}
