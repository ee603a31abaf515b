//! One fit: memory as a sum of terms, each with a coefficient that is not negative, in relative error, so that small and large sizes count alike.
//!
//! `y = Σ cⱼ xⱼ · (1 + ε)`: rows are divided by the fitted value and solved again until that stands still (iteratively reweighted least squares, the quasi-likelihood
//! of a variance that goes with the square of the mean). A prediction's relative variance is `σ² (1 + h)` with the leverage h. σ comes of fits that leave a *size* out,
//! all variants of it: those of one size are nearly the same measurement, and a fit that has seen one of them knows the others. So do the degrees of freedom: arrays that
//! grow by doubling make steps, and how they lie between the sizes is seen once a size.

use soak_verdict::stats::student::t_quantile;

use crate::least_squares::{Solution, are_distinct, dot, solve};
use crate::point::Point;
use crate::terms::Term;

/// The level of every interval.
pub(crate) const LEVEL: f64 = 0.95;

/// No fit is believed to be better than this: memory that swings by 1 % is taken for rest by who measures it.
const SIGMA_LEAST: f64 = 0.01;

/// The weights stand still long before.
const ROUNDS: usize = 8;

/// What one variant measured, for a fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    pub(crate) point: Point,
    /// What is held at rest beyond the base, where a term asks for it.
    pub(crate) held: f64,
    pub(crate) bytes: f64,
}

/// A fit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fit {
    pub(crate) terms: Vec<Term>,
    solution: Solution,
    /// Sizes less coefficients.
    pub(crate) df: f64,
    /// Relative standard deviation of the residuals.
    pub(crate) residual: f64,
    /// Relative errors of the variants, each predicted by a fit without its size.
    pub(crate) held_out: Vec<f64>,
    /// Relative standard deviation that predictions reckon with.
    pub(crate) sigma: f64,
}

/// A prediction without its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Predicted {
    pub(crate) bytes: f64,
    /// Relative variance of the fitted mean.
    pub(crate) mean_variance: f64,
}

impl Fit {
    /// The fit over these terms; `None` where they cannot be told apart, or too few variants are left to tell how well it fits.
    pub(crate) fn of(terms: &[Term], all: &[Measured]) -> Option<Self> {
        let sizes = sizes(all);
        // Two more than there are terms: one degree of freedom gives intervals of no use to anybody.
        if sizes.len() < terms.len() + 2 || !are_distinct(&design(terms, all)) {
            return None;
        }
        let solution = reweighted(terms, all)?;
        let df = (sizes.len() - solution.active()) as f64;
        let residual = (solution.squares / (all.len() - solution.active()) as f64).sqrt();
        let (mut held_out, mut squares) = (Vec::new(), 0.0);
        for size in sizes {
            let (of_it, others): (Vec<Measured>, Vec<Measured>) = all.iter().partition(|one| size_of(one) == size);
            let Some(without) = reweighted(terms, &others) else { continue };
            for one in of_it {
                let amounts = amounts(terms, &one);
                let predicted = dot(&amounts, &without.coefficients);
                if predicted > 0.0 {
                    let error = one.bytes / predicted - 1.0;
                    held_out.push(error);
                    squares += error * error / (1.0 + without.leverage(&scaled(&amounts, predicted)));
                }
            }
        }
        let missed = (squares / held_out.len().max(1) as f64).sqrt();
        let sigma = residual.max(missed).max(SIGMA_LEAST);
        Some(Self { terms: terms.to_vec(), solution, df, residual, held_out, sigma })
    }

    /// What the fit says of a point; `None` where it says nothing at all.
    pub(crate) fn predict(&self, point: &Point, held: f64) -> Option<Predicted> {
        let amounts = amounts(&self.terms, &Measured { point: *point, held, bytes: 0.0 });
        let bytes = dot(&amounts, &self.solution.coefficients);
        if bytes.is_nan() || bytes <= 0.0 {
            return None;
        }
        let leverage = self.solution.leverage(&scaled(&amounts, bytes));
        Some(Predicted { bytes, mean_variance: self.sigma.powi(2) * leverage })
    }

    /// Half the width of the interval for one more measurement, relative: `t · √(σ² + that of the mean + what else is uncertain)`.
    pub(crate) fn half_width(&self, mean_variance: f64) -> f64 {
        t_quantile(0.5 + 0.5 * LEVEL, self.df) * (self.sigma.powi(2) + mean_variance).sqrt()
    }

    /// How many bytes one unit of a term takes; 0 where the fit has none of it.
    pub(crate) fn coefficient(&self, term: Term) -> f64 {
        let found = self.terms.iter().position(|one| *one == term);
        found.map_or(0.0, |at| self.solution.coefficients[at])
    }

    /// Root of the mean squared error of the variants that were left out.
    pub(crate) fn held_out_error(&self) -> f64 {
        let squares: f64 = self.held_out.iter().map(|error| error * error).sum();
        (squares / self.held_out.len().max(1) as f64).sqrt()
    }
}

/// What makes a size: vectors and dimension, to the bit.
fn size_of(one: &Measured) -> [u64; 2] {
    [one.point.vectors.to_bits(), one.point.dim.to_bits()]
}

/// The sizes, each once.
pub(crate) fn sizes(all: &[Measured]) -> Vec<[u64; 2]> {
    let mut sizes: Vec<[u64; 2]> = all.iter().map(size_of).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

fn amounts(terms: &[Term], one: &Measured) -> Vec<f64> {
    terms.iter().map(|term| term.amount(&one.point, one.held)).collect()
}

fn scaled(row: &[f64], by: f64) -> Vec<f64> {
    row.iter().map(|value| value / by).collect()
}

fn design(terms: &[Term], all: &[Measured]) -> Vec<Vec<f64>> {
    all.iter().map(|one| scaled(&amounts(terms, one), one.bytes)).collect()
}

fn reweighted(terms: &[Term], all: &[Measured]) -> Option<Solution> {
    let rows: Vec<Vec<f64>> = all.iter().map(|one| amounts(terms, one)).collect();
    let mut means: Vec<f64> = all.iter().map(|one| one.bytes).collect();
    let mut solution = None;
    for _ in 0..ROUNDS {
        let weighted: Vec<Vec<f64>> = rows.iter().zip(&means).map(|(row, mean)| scaled(row, *mean)).collect();
        let y: Vec<f64> = all.iter().zip(&means).map(|(one, mean)| one.bytes / mean).collect();
        let found = solve(&weighted, &y)?;
        for (mean, row) in means.iter_mut().zip(&rows) {
            // A row that the solution gives nothing to keeps its weight.
            let fitted = dot(row, &found.coefficients);
            *mean = if fitted > 0.0 { fitted } else { *mean };
        }
        solution = Some(found);
    }
    solution
}
