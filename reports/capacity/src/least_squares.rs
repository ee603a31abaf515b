//! Least squares with coefficients that are not negative: nothing takes less than no memory.
//!
//! There are at most a handful of columns, so every set of them is tried, and the best whose coefficients are all positive is the exact solution (the Kuhn–Tucker
//! conditions of Lawson and Hanson's NNLS hold there). A column that is left out is one whose coefficient is zero.

/// A solution.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Solution {
    /// A coefficient a column; 0 for those left out.
    pub(crate) coefficients: Vec<f64>,
    /// Sum of the squared residuals.
    pub(crate) squares: f64,
    /// Columns that are in it.
    active: Vec<usize>,
    /// Columns that a prediction's variance is reckoned over: all of them, or those that are in it where not all can be told apart.
    spanned: Vec<usize>,
    /// The lower factor of `XᵀX` over those, each divided by its norm; row by row.
    factor: Vec<Vec<f64>>,
    norms: Vec<f64>,
}

/// Columns whose part that no other explains is smaller than this, squared and relative, cannot be told apart.
const ALIKE: f64 = 1e-6;

impl Solution {
    /// Columns with a coefficient above zero.
    pub(crate) fn active(&self) -> usize {
        self.active.len()
    }

    /// `xᵀ (XᵀX)⁻¹ x`: the variance of a prediction there, in units of the noise's. A coefficient that came out as zero is as uncertain as any other: that nothing was
    /// seen of it is no proof that nothing is there.
    pub(crate) fn leverage(&self, x: &[f64]) -> f64 {
        let scaled: Vec<f64> = self.spanned.iter().map(|&column| x[column] / self.norms[column]).collect();
        forward(&self.factor, &scaled).iter().map(|z| z * z).sum()
    }
}

/// Solves it; `None` where no set of columns can be told apart, or there are no rows. `rows` are of one length.
pub(crate) fn solve(rows: &[Vec<f64>], y: &[f64]) -> Option<Solution> {
    let columns = rows.first()?.len();
    let norms: Vec<f64> = (0..columns).map(|j| rows.iter().map(|row| row[j] * row[j]).sum::<f64>().sqrt()).collect();
    let mut best: Option<Solution> = None;
    for set in 1_u32..1 << columns {
        let active: Vec<usize> = (0..columns).filter(|j| (set >> j) & 1 == 1).collect();
        if active.len() > rows.len() || active.iter().any(|j| norms[*j] <= 0.0) {
            continue;
        }
        let Some(found) = solve_with(rows, y, &active, &norms) else { continue };
        // The smaller set of two that fit alike.
        if best.as_ref().is_none_or(|best| found.squares < best.squares * (1.0 - 1e-12)) {
            best = Some(found);
        }
    }
    let all: Vec<usize> = (0..columns).collect();
    if let (Some(best), true) = (&mut best, rows.len() >= columns && norms.iter().all(|norm| *norm > 0.0))
        && let Some(factor) = cholesky(&gram(rows, &all, &norms))
    {
        (best.spanned, best.factor) = (all, factor);
    }
    best
}

/// Whether every column adds something that the others do not explain.
pub(crate) fn are_distinct(rows: &[Vec<f64>]) -> bool {
    let Some(columns) = rows.first().map(Vec::len) else { return false };
    let norms: Vec<f64> = (0..columns).map(|j| rows.iter().map(|row| row[j] * row[j]).sum::<f64>().sqrt()).collect();
    let all: Vec<usize> = (0..columns).collect();
    norms.iter().all(|norm| *norm > 0.0) && cholesky(&gram(rows, &all, &norms)).is_some()
}

fn gram(rows: &[Vec<f64>], active: &[usize], norms: &[f64]) -> Vec<Vec<f64>> {
    let product = |i: usize, j: usize| rows.iter().map(|row| row[i] * row[j]).sum::<f64>() / (norms[i] * norms[j]);
    active.iter().map(|&i| active.iter().map(|&j| product(i, j)).collect()).collect()
}

/// The unconstrained solution over these columns; `None` where it has a coefficient that is not positive.
fn solve_with(rows: &[Vec<f64>], y: &[f64], active: &[usize], norms: &[f64]) -> Option<Solution> {
    let factor = cholesky(&gram(rows, active, norms))?;
    let right: Vec<f64> =
        active.iter().map(|&j| rows.iter().zip(y).map(|(row, y)| row[j] * y).sum::<f64>() / norms[j]).collect();
    let scaled = backward(&factor, &forward(&factor, &right));
    if scaled.iter().any(|value| *value <= 0.0) {
        return None;
    }
    let mut coefficients = vec![0.0; norms.len()];
    for (&column, value) in active.iter().zip(scaled) {
        coefficients[column] = value / norms[column];
    }
    let residual = |(row, y): (&Vec<f64>, &f64)| y - dot(row, &coefficients);
    let squares = rows.iter().zip(y).map(|pair| residual(pair).powi(2)).sum();
    let active = active.to_vec();
    Some(Solution { coefficients, squares, spanned: active.clone(), active, factor, norms: norms.to_vec() })
}

/// The sum of products.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The lower Cholesky factor of a matrix with a diagonal of ones; `None` where a column is all but explained by those before it.
fn cholesky(matrix: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let mut factor: Vec<Vec<f64>> = Vec::new();
    for (i, row) in matrix.iter().enumerate() {
        let mut line = Vec::with_capacity(i + 1);
        for (above, entry) in factor.iter().zip(row) {
            let known = line.len();
            let value = (entry - dot(&line, above)) / above[known];
            line.push(value);
        }
        let rest = row[i] - dot(&line, &line);
        if rest < ALIKE {
            return None;
        }
        line.push(rest.sqrt());
        factor.push(line);
    }
    Some(factor)
}

/// Solves `L z = b`.
fn forward(factor: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let mut z: Vec<f64> = Vec::with_capacity(b.len());
    for (line, b) in factor.iter().zip(b) {
        let known = z.len();
        let value = (b - dot(line, &z)) / line[known];
        z.push(value);
    }
    z
}

/// Solves `Lᵀ x = z`.
fn backward(factor: &[Vec<f64>], z: &[f64]) -> Vec<f64> {
    let mut x = z.to_vec();
    for i in (0..x.len()).rev() {
        let later: f64 = (i + 1..x.len()).map(|k| factor[k][i] * x[k]).sum();
        x[i] = (x[i] - later) / factor[i][i];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_comes_out() {
        let rows: Vec<Vec<f64>> = (1..8).map(|i| vec![1.0, f64::from(i), f64::from(i * i)]).collect();
        let y: Vec<f64> = rows.iter().map(|row| dot(row, &[3.0, 0.5, 2.0])).collect();
        let found = solve(&rows, &y).unwrap();
        for (found, wanted) in found.coefficients.iter().zip([3.0, 0.5, 2.0]) {
            assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
        }
        assert!(found.squares < 1e-15 && found.active() == 3);
    }

    #[test]
    fn nothing_is_negative() {
        // By plain least squares the slope of the second column would be -1.
        let rows: Vec<Vec<f64>> = (1..6).map(|i| vec![1.0, f64::from(i)]).collect();
        let y: Vec<f64> = (1..6).map(|i| 10.0 - f64::from(i)).collect();
        let found = solve(&rows, &y).unwrap();
        assert!(found.coefficients[1].abs() < 1e-300, "{found:?}");
        assert!((found.coefficients[0] - 7.0).abs() < 1e-9, "the mean is what is left: {found:?}");
    }

    #[test]
    fn the_leverage_is_the_textbooks() {
        // A line through x = 1 … 5: 1/n + (x − 3)²/10.
        let rows: Vec<Vec<f64>> = (1..6).map(|i| vec![1.0, f64::from(i)]).collect();
        let y = [1.1, 1.9, 3.2, 3.9, 5.1];
        let found = solve(&rows, &y).unwrap();
        assert!((found.leverage(&[1.0, 3.0]) - 0.2).abs() < 1e-9);
        assert!((found.leverage(&[1.0, 7.0]) - 1.8).abs() < 1e-9);
    }

    #[test]
    fn what_was_not_seen_is_as_uncertain_as_what_was() {
        // The slope is not negative, so it is zero; far away it may still be something.
        let rows: Vec<Vec<f64>> = (1..6).map(|i| vec![1.0, f64::from(i)]).collect();
        let y: Vec<f64> = (1..6).map(|i| 10.0 - f64::from(i)).collect();
        let found = solve(&rows, &y).unwrap();
        assert!((found.leverage(&[1.0, 7.0]) - 1.8).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn columns_in_proportion_are_alike() {
        let rows: Vec<Vec<f64>> = (1..6).map(|i| vec![1.0, f64::from(i), f64::from(2 * i)]).collect();
        assert!(!are_distinct(&rows));
        assert!(are_distinct(&rows.iter().map(|row| row[..2].to_vec()).collect::<Vec<_>>()));
    }
}
