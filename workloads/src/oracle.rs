//! The recall oracle: exact neighbours by walking every live row, which needs no copy of the data because any vector can be recomputed.

use crate::ledger::{Ledger, RowState};
use crate::vectors::{SECOND_VERSION, Vectors};

/// The ids of the `k` nearest live rows of each query, by Euclidean distance.
///
/// O(live · queries · dim) time, O(queries · k + dim) memory.
pub fn exact_neighbours(vectors: Vectors, ledger: &Ledger, query_rows: &[u64], k: usize) -> Vec<Vec<u64>> {
    let queries: Vec<Vec<f32>> = query_rows.iter().map(|row| vectors.vector(*row)).collect();
    let mut nearest: Vec<Vec<(f32, u64)>> = vec![Vec::with_capacity(k + 1); queries.len()];
    for id in ledger.live_ids() {
        let version = if ledger.state(id) == RowState::Replaced { SECOND_VERSION } else { 0 };
        let vector = vectors.vector(id + version);
        for (query, nearest) in queries.iter().zip(&mut nearest) {
            let distance = squared_distance(query, &vector);
            let place = nearest.partition_point(|(other, _)| *other <= distance);
            if place < k {
                nearest.insert(place, (distance, id));
                nearest.truncate(k);
            }
        }
    }
    nearest.into_iter().map(|found| found.into_iter().map(|(_, id)| id).collect()).collect()
}

/// Share of the exact neighbours that were found; `None` when there are none to find.
pub fn recall(exact: &[u64], found: &[u64]) -> Option<f64> {
    let hits = exact.iter().filter(|id| found.contains(id)).count();
    (!exact.is_empty()).then(|| hits as f64 / exact.len() as f64)
}

/// Eight sums side by side, so that the loop vectorises.
fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for ((sum, x), y) in sums.iter_mut().zip(a).zip(b) {
            *sum += (x - y) * (x - y);
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use soak_scenario::Distribution;

    #[test]
    fn a_row_is_its_own_nearest_neighbour() {
        let vectors = Vectors::new(Distribution::Clustered, 20, 1, "soak");
        let mut ledger = Ledger::new(100, 50);
        ledger.set_all(100..150, RowState::Live);
        ledger.set(120, RowState::Deleted);
        let found = exact_neighbours(vectors, &ledger, &[110, 120], 3);
        assert_eq!(found[0][0], 110);
        assert!(!found[1].contains(&120) && found[1].len() == 3);
        ledger.set(110, RowState::Replaced);
        assert_eq!(exact_neighbours(vectors, &ledger, &[110 + SECOND_VERSION], 1)[0], [110]);
        assert_eq!(recall(&[1, 2, 3, 4], &[4, 9, 1]), Some(0.5));
        assert_eq!(recall(&[], &[1]), None);
    }
}
