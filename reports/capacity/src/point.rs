//! Where a deployment stands, in what memory goes with.

use serde::Serialize;

/// What memory goes with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Vectors held.
    pub vectors: f64,
    /// Components of a vector.
    pub dim: f64,
    /// Neighbours of a graph node.
    pub m: f64,
    /// Rows of one message.
    pub batch_rows: f64,
    /// Messages on their way at once.
    pub streams: f64,
    /// Searches a second.
    pub qps: f64,
    /// Percent of the live heap that may be garbage; `None` is GOGC=off.
    pub gogc: Option<f64>,
}

/// Whether two settings are the same: they are whole numbers, and no arithmetic has touched them.
pub(crate) fn same(one: f64, other: f64) -> bool {
    one.total_cmp(&other).is_eq()
}

/// The value that is there most often; the least of several.
pub(crate) fn most_common(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    let count = |value: f64| values.iter().filter(|other| same(**other, value)).count();
    let better = |best: f64, value: f64| {
        if count(value) > count(best) || (count(value) == count(best) && value < best) { value } else { best }
    };
    values.iter().copied().reduce(better)
}

/// Bytes of a component.
const COMPONENT_BYTES: f64 = 4.0;

impl Point {
    /// Bytes of one vector.
    pub fn vector_bytes(&self) -> f64 {
        self.dim * COMPONENT_BYTES
    }

    /// Bytes of all vectors.
    pub fn data_bytes(&self) -> f64 {
        self.vectors * self.vector_bytes()
    }

    /// Bytes of the vectors that are on their way at once; no message has more rows than there are.
    pub fn batch_bytes(&self) -> f64 {
        self.batch_rows.min(self.vectors) * self.vector_bytes() * self.streams
    }

    /// Garbage that the collector allows, as a share of what is live; 0 where nothing bounds it but a limit.
    pub fn garbage_share(&self) -> f64 {
        self.gogc.unwrap_or(0.0) / 100.0
    }
}
