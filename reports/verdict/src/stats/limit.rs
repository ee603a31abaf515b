//! When a line reaches a limit: t = (L − ŷ)/b from the last value on, with Fieller's interval (Fieller 1954), which knows that the line's value is as uncertain as its slope.
//!
//! The interval holds every t for which a t test does not reject that the line is at L there: (ŷ + b·t − L)² ≤ q²·Var(ŷ + b·t). Where the slope is not clearly above 0 there is no upper end.

use super::student::t_quantile;

/// When a limit is reached, in units of x after the last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reached {
    /// The best estimate.
    pub after: f64,
    /// Ends of the interval; without an upper one where it may never be.
    pub interval: [f64; 2],
}

/// When the least-squares line of these values reaches `limit`; `None` with fewer than four, without extent in x, or where it does not rise. An upper end that is infinite is none.
pub fn reached(x: &[f64], y: &[f64], limit: f64, level: f64) -> Option<Reached> {
    let n = x.len() as f64;
    if x.len() < 4 || x.len() != y.len() {
        return None;
    }
    let (mean_x, mean_y) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let centred = || x.iter().zip(y).map(|(x, y)| (x - mean_x, y - mean_y));
    let (xx, xy) = centred().fold((0.0, 0.0), |(xx, xy), (x, y)| (xx + x * x, xy + x * y));
    if xx <= 0.0 {
        return None;
    }
    let slope = xy / xx;
    let variance = centred().map(|(x, y)| (y - slope * x).powi(2)).sum::<f64>() / (n - 2.0);
    if slope <= 0.0 {
        return None;
    }
    let last = x.last()? - mean_x;
    let q = t_quantile(0.5 + 0.5 * level, n - 2.0);
    // In u = x − mean: (slope·u − d)² ≤ q²·variance·(1/n + u²/xx), a quadratic a·u² − 2·h·u + c ≤ 0.
    let d = limit - mean_y;
    let wide = q * q * variance;
    let (a, h, c) = (slope * slope - wide / xx, slope * d, d * d - wide / n);
    let after = (d / slope - last).max(0.0);
    if after <= 0.0 {
        return Some(Reached {
            after,
            interval: [
                0.0,
                if a > 0.0 { 0.0_f64.max((h + (h * h - a * c).max(0.0).sqrt()) / a - last) } else { f64::INFINITY },
            ],
        });
    }
    let root = (h * h - a * c).max(0.0).sqrt();
    let interval = if a > 0.0 {
        [(h - root) / a - last, (h + root) / a - last]
    } else {
        // A slope that may be 0: the limit may never be reached, and the lower end is the root on this side.
        [if h + root > 0.0 { c / (h + root) - last } else { 0.0 }, f64::INFINITY]
    };
    Some(Reached { after, interval: interval.map(|end| end.max(0.0)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::draws::normal;

    #[test]
    fn an_exact_line_has_an_exact_answer() {
        let x: Vec<f64> = (0..6).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|x| 100.0 + 3.0 * x).collect();
        let found = reached(&x, &y, 145.0, 0.9).unwrap();
        assert!(
            (found.after - 10.0).abs() < 1e-9 && found.interval.iter().all(|end| (end - 10.0).abs() < 1e-6),
            "{found:?}"
        );
        assert_eq!(reached(&x, &[5.0; 6], 10.0, 0.9), None);
        assert_eq!(reached(&x[..3], &y[..3], 10.0, 0.9), None);
    }

    #[test]
    fn the_interval_holds_the_truth_as_often_as_it_says() {
        let x: Vec<f64> = (0..8).map(f64::from).collect();
        let covers = |seed: u64| {
            let y: Vec<f64> =
                x.iter().zip(0_u64..).map(|(x, i)| 2.0 * x + normal(7_000_000 + seed * 100 + i)).collect();
            let truth = (60.0 - 14.0) / 2.0;
            reached(&x, &y, 60.0, 0.9).is_some_and(|found| found.interval[0] <= truth && truth <= found.interval[1])
        };
        let covered = (0..2000).filter(|seed| covers(*seed)).count();
        assert!((1740..=1860).contains(&covered), "{covered} of 2000 at 90 %");
    }

    #[test]
    fn a_slope_that_may_be_none_has_no_upper_end() {
        let x: Vec<f64> = (0..6).map(f64::from).collect();
        let y = [10.0, 14.0, 9.0, 13.0, 10.0, 14.0];
        let found = reached(&x, &y, 40.0, 0.9).unwrap();
        assert!(found.interval[1].is_infinite() && found.interval[0] < found.after, "{found:?}");
    }
}
