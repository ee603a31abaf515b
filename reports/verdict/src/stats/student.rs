//! Student's t, Fisher's F and the normal distribution, through the regularised incomplete beta function; and the mean's t interval.
//!
//! `I_x(a, b)` by Lentz's continued fraction (DLMF §8.17.22), ln Γ by Lanczos' approximation (g = 7, 9 terms), quantiles by bisection on the
//! distribution function: slower than a rational approximation, and as exact as the function itself.

use std::f64::consts::PI;

/// ln Γ(x) for x > 0.
pub fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        return (PI / (PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let sum = TERMS.iter().enumerate().skip(1).fold(TERMS[0], |sum, (i, term)| sum + term / (x + i as f64));
    let t = x + 7.5;
    0.5 * (2.0 * PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The regularised incomplete beta function `I_x(a, b)` for a, b > 0 and x in [0, 1].
pub fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, x) / a
    } else {
        1.0 - front * beta_fraction(b, a, 1.0 - x) / b
    }
}

/// The continued fraction of the incomplete beta function.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let guard = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        let step = d * c;
        fraction *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}

/// P(T ≤ t) of Student's t with `df` degrees of freedom.
pub fn t_cdf(t: f64, df: f64) -> f64 {
    // Near 0 from the middle, far out from the tail: each where it does not cancel.
    if t * t < df {
        return 0.5 + 0.5 * t.signum() * incomplete_beta(0.5, 0.5 * df, t * t / (df + t * t));
    }
    let tail = 0.5 * incomplete_beta(0.5 * df, 0.5, df / (df + t * t));
    if t > 0.0 { 1.0 - tail } else { tail }
}

/// P(T ≥ t): the upper tail without the cancellation of `1 − cdf`.
pub fn t_tail(t: f64, df: f64) -> f64 {
    t_cdf(-t, df)
}

/// The t below which Student's distribution has probability `p` (0 < p < 1).
pub fn t_quantile(p: f64, df: f64) -> f64 {
    if p > 0.5 {
        return -t_quantile(1.0 - p, df);
    }
    let mut low = -1.0;
    while t_cdf(low, df) > p && low > -1e12 {
        low *= 2.0;
    }
    bisect(low, 0.0, |t| t_cdf(t, df) - p)
}

/// P(F ≥ x) of Fisher's F with `a` and `b` degrees of freedom.
pub fn f_tail(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 { 1.0 } else { incomplete_beta(0.5 * b, 0.5 * a, b / (b + a * x)) }
}

/// P(Z ≤ z) of the standard normal: a t with a million degrees of freedom would differ by 1e-6, so by the complementary error function's
/// continued fraction and series.
pub fn normal_cdf(z: f64) -> f64 {
    let x = z.abs();
    let tail = if x < 3.0 {
        let mut term = x;
        let mut sum = x;
        let mut k = 1.0;
        while term.abs() > 1e-18 {
            term *= x * x / (2.0 * k + 1.0);
            sum += term;
            k += 1.0;
        }
        0.5 - sum * (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
    } else {
        let fraction = (1..200).rev().fold(x, |below, k| x + f64::from(k) / below);
        (-0.5 * x * x).exp() / (2.0 * PI).sqrt() / fraction
    };
    if z > 0.0 { 1.0 - tail } else { tail }
}

/// The z below which the standard normal has probability `p` (0 < p < 1).
pub fn normal_quantile(p: f64) -> f64 {
    bisect(-40.0, 40.0, |z| normal_cdf(z) - p)
}

/// Mean and two-sided t interval of the given level; `None` with fewer than two values.
pub fn mean_interval(values: &[f64], level: f64) -> Option<(f64, [f64; 2])> {
    let (mean, error, df) = mean_and_error(values)?;
    let half = t_quantile(0.5 + 0.5 * level, df) * error;
    Some((mean, [mean - half, mean + half]))
}

/// Mean, its standard error s/√n, and n − 1; `None` with fewer than two values.
pub fn mean_and_error(values: &[f64]) -> Option<(f64, f64, f64)> {
    if values.len() < 2 {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Some((mean, (variance / n).sqrt(), n - 1.0))
}

/// One-sided p-value of "the mean is above `bound`"; 0 or 1 where the values do not scatter at all.
pub fn p_mean_above(values: &[f64], bound: f64) -> f64 {
    match mean_and_error(values) {
        None => 1.0,
        Some((mean, error, df)) if error > 0.0 => t_tail((mean - bound) / error, df),
        Some((mean, _, _)) => f64::from(u8::from(mean <= bound)),
    }
}

/// The root of an increasing function between two points.
pub(super) fn bisect(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if f(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::reference::{close, values};

    #[test]
    fn distributions_equal_scipys() {
        let values = values();
        let rows = |name: &str| -> Vec<Vec<f64>> { serde_json::from_value(values[name].clone()).unwrap() };
        for (row, json) in rows("t_cdf").iter().zip(values["t_cdf"].as_array().unwrap()) {
            close(t_cdf(row[0], row[1]), &json[2]);
        }
        for (row, json) in rows("t_quantile").iter().zip(values["t_quantile"].as_array().unwrap()) {
            close(t_quantile(row[0], row[1]), &json[2]);
        }
        for (row, json) in rows("f_cdf").iter().zip(values["f_cdf"].as_array().unwrap()) {
            close(1.0 - f_tail(row[0], row[1], row[2]), &json[3]);
        }
        for (row, json) in rows("normal_quantile").iter().zip(values["normal_quantile"].as_array().unwrap()) {
            close(normal_quantile(row[0]), &json[1]);
        }
    }

    #[test]
    fn the_mean_has_scipys_interval() {
        for case in values()["t_interval"].as_array().unwrap() {
            let series: Vec<f64> = serde_json::from_value(case["values"].clone()).unwrap();
            let (_, interval) = mean_interval(&series, 0.95).unwrap();
            close(interval[0], &case["interval"][0]);
            close(interval[1], &case["interval"][1]);
        }
        assert_eq!(mean_interval(&[1.0], 0.95), None);
    }
}
