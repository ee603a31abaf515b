//! How far one build is from another, as the difference of logarithms, and how sure that is.
//!
//! *Cycles are compared with cycles.* The i-th cycle of every run puts the same data into a process of the same age, so that pools that fill, and data that differs from cycle to cycle,
//! are in all of them: what is left of a value once its run's and its cycle's mean are taken off is noise.
//!
//! *Within a run* cycles remember one another: that noise is inflated as a first-order autoregression's, with the correlation pooled over all runs and variants of a quantity
//! and with what is usual, because six cycles alone tell little of it.
//!
//! *Between two processes of one build* there is a difference that one run cannot show. It is an allowance that was measured on other targets, and has the weight of so many runs; the runs
//! at hand move it as far as they tell of it (a variance that is moderated towards a prior: Smyth 2004, <https://doi.org/10.2202/1544-6115.1027>). So one run a side has an answer, and
//! several have a better one.

use crate::stats::student::{f_tail, t_quantile};

/// The allowance weighs as much as an estimate with so many degrees of freedom.
pub(super) const ALLOWANCE_DF: f64 = 12.0;

/// Runs that differ so much are less likely than this by the allowance, which then says nothing any more.
const REFUTED: f64 = 0.05;

/// A mean and a scatter of fewer cycles say nothing.
pub const CYCLES_LEAST: usize = 3;

const CORRELATION_MOST: f64 = 0.8;

/// What cycles remember where the runs at hand tell little of it, and the weight of that in runs: the middle of what was measured on both stores, between nothing and .6.
const CORRELATION_USUAL: f64 = 0.3;
const CORRELATION_WEIGHT: f64 = 4.0;

/// The logarithms of one quantity in one variant, a list a run, all over the same cycles.
#[derive(Debug, Clone, Default)]
pub(super) struct Logs {
    pub(super) base: Vec<Vec<f64>>,
    pub(super) candidate: Vec<Vec<f64>>,
    /// Standard deviation between two processes of one build.
    pub(super) allowance: f64,
}

/// Candidate over base in one variant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    /// Means of the logarithms on both sides.
    pub(super) base: f64,
    pub(super) candidate: f64,
    /// Standard error of their difference, and its degrees of freedom.
    pub(super) error: f64,
    pub(super) df: f64,
}

impl Estimate {
    pub(super) fn difference(&self) -> f64 {
        self.candidate - self.base
    }

    /// The interval of the difference at this level.
    pub(super) fn interval(&self, level: f64) -> [f64; 2] {
        let half = t_quantile(0.5 + 0.5 * level, self.df) * self.error;
        [self.difference() - half, self.difference() + half]
    }
}

/// What is expected of the mean of one run in one variant, before runs are compared.
struct Expected {
    /// Variance of a run's mean, and the degrees of freedom that it is known with.
    variance: f64,
    df: f64,
    /// The part of it that is within a run.
    within: f64,
}

impl Logs {
    /// What is left of every run once the means of runs and of cycles are taken off.
    fn residuals(&self) -> Vec<Vec<f64>> {
        let runs: Vec<&Vec<f64>> = self.base.iter().chain(&self.candidate).collect();
        let of_runs: Vec<f64> = runs.iter().map(|run| mean(run)).collect();
        let cycles = runs.first().map_or(0, |run| run.len());
        let of_cycles: Vec<f64> =
            (0..cycles).map(|cycle| runs.iter().map(|run| run[cycle]).sum::<f64>() / runs.len() as f64).collect();
        let all = mean(&of_runs);
        let left = |(run, of_run): (&&Vec<f64>, &f64)| {
            run.iter().zip(&of_cycles).map(|(value, of_cycle)| value - of_run - of_cycle + all).collect()
        };
        runs.iter().zip(&of_runs).map(left).collect()
    }

    /// Scatter of the run means beyond chance, as a sum of squares in units of `expected`, and its degrees of freedom.
    fn scatter(&self, expected: f64, paired: bool) -> (f64, f64) {
        let (base, candidate) = (means(&self.base), means(&self.candidate));
        if paired {
            let differences: Vec<f64> = base.iter().zip(&candidate).map(|(base, candidate)| candidate - base).collect();
            let (squares, df) = squares(&differences);
            return (squares / (2.0 * expected), df);
        }
        let ((left, left_df), (right, right_df)) = (squares(&base), squares(&candidate));
        ((left + right) / expected, left_df + right_df)
    }
}

/// Estimates of one quantity over its variants, of each of which both sides hold at least one run, and every run [`CYCLES_LEAST`] cycles. Where `paired`, the runs of both
/// sides took turns.
pub(super) fn estimates(variants: &[Logs], paired: bool) -> Vec<Estimate> {
    let residuals: Vec<Vec<Vec<f64>>> = variants.iter().map(Logs::residuals).collect();
    // Residuals of a variant add up to nothing over its runs: one of them is no witness of its own.
    let witnesses: f64 = residuals.iter().map(|runs| runs.len() as f64 - 1.0).sum();
    let correlation = (witnesses * correlation(residuals.iter().flatten()) + CORRELATION_WEIGHT * CORRELATION_USUAL)
        / (witnesses + CORRELATION_WEIGHT);
    let expected: Vec<Expected> =
        variants.iter().zip(&residuals).map(|(logs, left)| expected(left, logs.allowance, correlation)).collect();
    let apart = variants.iter().zip(&expected).map(|(logs, expected)| logs.scatter(expected.variance, paired));
    let (squares, runs_df) = apart.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let estimate = |(logs, expected): (&Logs, &Expected)| {
        // Runs that scatter by more than the allowance explains have a say of their own.
        let (dispersion, df) = if runs_df > 0.0 && f_tail(squares / runs_df, runs_df, ALLOWANCE_DF) < REFUTED {
            (squares / runs_df, runs_df)
        } else {
            ((expected.df + squares) / (expected.df + runs_df), expected.df + runs_df)
        };
        // What is within the runs is there, however alike the means came out.
        let variance = (dispersion * expected.variance).max(expected.within);
        let shares = 1.0 / logs.base.len() as f64 + 1.0 / logs.candidate.len() as f64;
        Estimate {
            base: mean(&means(&logs.base)),
            candidate: mean(&means(&logs.candidate)),
            error: (variance * shares).sqrt(),
            df,
        }
    };
    variants.iter().zip(&expected).map(estimate).collect()
}

fn expected(residuals: &[Vec<f64>], allowance: f64, correlation: f64) -> Expected {
    let n = residuals.first().map_or(0, Vec::len) as f64;
    let degrees = (residuals.len() as f64 - 1.0).max(1.0);
    let squares: f64 = residuals.iter().flatten().map(|left| left * left).sum();
    let factor = inflation(correlation, n);
    // The scatter of cycles that remember one another is too small by the same factor by which their mean is too sure: E s² = σ² (n − f) / (n − 1).
    let variance = squares / (degrees * (n - factor).max(0.5));
    let within = variance * factor / n;
    let between = allowance * allowance;
    let total = between + within;
    let within_df = f64::max(degrees * (n / factor - 1.0), 1.0);
    // Satterthwaite's degrees of freedom of a sum of two variances.
    let df = total * total / (between * between / ALLOWANCE_DF + within * within / within_df);
    Expected { variance: total, df, within }
}

/// By how much the variance of a mean of `n` is more than σ²/n, under a first-order autoregression.
fn inflation(correlation: f64, n: f64) -> f64 {
    let terms = (1..n.round() as u32).map(f64::from).map(|lag| (1.0 - lag / n) * correlation.powf(lag));
    1.0 + 2.0 * terms.sum::<f64>()
}

/// Correlation of neighbouring cycles, pooled over runs and corrected for their shortness: r + (1 + 3 r) / n.
fn correlation<'a>(runs: impl Iterator<Item = &'a Vec<f64>>) -> f64 {
    let (mut weighted, mut weights, mut count) = (0.0, 0.0, 0.0);
    for run in runs {
        let squares: f64 = run.iter().map(|left| left * left).sum();
        if squares > 0.0 {
            let products: f64 = run.windows(2).map(|pair| pair[0] * pair[1]).sum();
            let n = run.len() as f64;
            weighted += n * products / squares;
            weights += n;
            count += 1.0;
        }
    }
    if count == 0.0 {
        return 0.0;
    }
    let (r, n) = (weighted / weights, weights / count);
    (r + (1.0 + 3.0 * r) / n).clamp(0.0, CORRELATION_MOST)
}

fn means(runs: &[Vec<f64>]) -> Vec<f64> {
    runs.iter().map(|run| mean(run)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sum of squares about the mean, and its degrees of freedom.
fn squares(values: &[f64]) -> (f64, f64) {
    let centre = mean(values);
    (values.iter().map(|value| (value - centre).powi(2)).sum(), values.len() as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs whose cycles do not scatter at these levels.
    fn flat(levels: &[f64]) -> Vec<Vec<f64>> {
        levels.iter().map(|level| vec![*level; 6]).collect()
    }

    fn estimate(base: Vec<Vec<f64>>, candidate: Vec<Vec<f64>>, allowance: f64, paired: bool) -> Estimate {
        estimates(&[Logs { base, candidate, allowance }], paired)[0]
    }

    #[test]
    fn without_memory_the_mean_is_as_sure_as_ever() {
        assert!((inflation(0.0, 6.0) - 1.0).abs() < 1e-12);
        // By hand: 1 + 2 (5/6 · .5 + 4/6 · .25 + 3/6 · .125 + 2/6 · .0625 + 1/6 · .03125).
        assert!((inflation(0.5, 6.0) - 2.343_75).abs() < 1e-12);
    }

    #[test]
    fn cycles_that_do_not_scatter_leave_the_allowance_alone() {
        let estimate = estimate(flat(&[1.0]), flat(&[1.1]), 0.02, false);
        assert!((estimate.difference() - 0.1).abs() < 1e-12);
        assert!((estimate.error - 0.02 * 2.0_f64.sqrt()).abs() < 1e-12);
        assert!((estimate.df - ALLOWANCE_DF).abs() < 1e-9);
    }

    #[test]
    fn pools_that_fill_alike_on_both_sides_are_no_noise() {
        let filling = [1.0, 1.2, 1.3, 1.35, 1.37, 1.38];
        let candidate = filling.map(|level| level + 0.1).to_vec();
        let estimate = estimate(vec![filling.to_vec()], vec![candidate], 0.02, false);
        assert!((estimate.difference() - 0.1).abs() < 1e-12);
        assert!((estimate.error - 0.02 * 2.0_f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn runs_that_differ_more_than_the_allowance_say_so() {
        let [alike, apart] = [0.001, 0.1].map(|by| {
            let runs = flat(&[1.0, 1.0 + by, 1.0 - by]);
            estimate(runs.clone(), runs, 0.01, false)
        });
        assert!(alike.error < 0.01 * (2.0_f64 / 3.0).sqrt(), "{alike:?}");
        assert!((alike.df - ALLOWANCE_DF - 4.0).abs() < 1e-9, "{alike:?}");
        // As without any allowance: a standard deviation of .1, three runs a side.
        assert!(
            (apart.error - 0.1 * (2.0_f64 / 3.0).sqrt()).abs() < 1e-9 && (apart.df - 4.0).abs() < 1e-9,
            "{apart:?}"
        );
    }

    #[test]
    fn turns_taken_on_a_machine_that_drifts_cancel_the_drift() {
        let runs = flat(&[1.0, 1.2, 1.4]);
        assert!(estimate(runs.clone(), runs.clone(), 0.01, true).error < 0.01);
        assert!(estimate(runs.clone(), runs, 0.01, false).error > 0.05);
    }
}
