//! Columns made perpendicular to one another, and what is left of others beside them (Gram and Schmidt).

/// A column that is left with less than this share of its square adds nothing.
const DEPENDENT: f64 = 1e-10;

/// Columns of length 1, each perpendicular to the others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Basis(Vec<Vec<f64>>);

impl Basis {
    /// Takes a column in; the square of what was left of it, or `None` when it is made of those before it.
    pub(crate) fn add(&mut self, column: Vec<f64>) -> Option<f64> {
        let before = dot(&column, &column);
        let mut column = self.cleared(column);
        let left = dot(&column, &column);
        if left <= DEPENDENT * before {
            return None;
        }
        let length = left.sqrt();
        for value in &mut column {
            *value /= length;
        }
        self.0.push(column);
        Some(left)
    }

    /// A column without what it shares with these.
    pub(crate) fn cleared(&self, mut column: Vec<f64>) -> Vec<f64> {
        for unit in &self.0 {
            let along = dot(&column, unit);
            for (value, unit) in column.iter_mut().zip(unit) {
                *value -= along * unit;
            }
        }
        column
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The inner product.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_perpendicular() {
        let mut basis = Basis::default();
        assert!((basis.add(vec![1.0, 1.0, 1.0, 1.0]).unwrap() - 4.0).abs() < 1e-12);
        assert!((basis.add(vec![0.0, 1.0, 2.0, 3.0]).unwrap() - 5.0).abs() < 1e-12);
        assert_eq!(basis.add(vec![3.0, 5.0, 7.0, 9.0]), None, "made of the two");
        let left = basis.cleared(vec![0.0, 1.0, 4.0, 9.0]);
        assert!(dot(&left, &[1.0; 4]).abs() < 1e-12 && dot(&left, &[0.0, 1.0, 2.0, 3.0]).abs() < 1e-12);
        assert_eq!(basis.len(), 2);
    }
}
