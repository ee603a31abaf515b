//! The index: an HNSW graph by `hnsw_rs`, with its memory measured, built and dropped on threads of its own.

use hnsw_rs::prelude::{DistL2, Hnsw};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::heap;

/// Layers that a graph may have.
const LAYERS_MAX: usize = 16;

/// The threads that build graphs. All memory of a graph is allocated and freed on them, which is how it is measured.
///
/// There are two pools, which graphs take in turn: the allocator gives threads arenas of their own, so that a compaction's new graph does not fill the holes of
/// the old one and pin its pages, and the old one's arenas come back whole.
#[derive(Debug)]
pub(crate) struct Builders {
    pools: [ThreadPool; 2],
    graphs: AtomicUsize,
    turn: Mutex<()>,
}

impl Builders {
    /// One thread a core in each pool.
    pub(crate) fn new() -> Result<Self, ThreadPoolBuildError> {
        let pool =
            |side: &'static str| ThreadPoolBuilder::new().thread_name(move |n| format!("index-{side}-{n}")).build();
        Ok(Self { pools: [pool("a")?, pool("b")?], graphs: AtomicUsize::new(0), turn: Mutex::new(()) })
    }

    /// The pool of the next graph.
    fn next_pool(&self) -> usize {
        self.graphs.fetch_add(1, Ordering::Relaxed) % self.pools.len()
    }

    /// Runs `work` on a pool and returns its result with the bytes by which the pool's memory has grown.
    fn measured<R: Send>(&self, pool: usize, work: impl FnOnce() -> R + Send) -> (R, i64) {
        let pool = &self.pools[pool];
        // One job at a time, so that the growth is this job's.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let net = || pool.broadcast(|_| heap::thread_net_bytes()).into_iter().sum::<i64>();
        let before = net();
        let result = pool.install(work);
        (result, net() - before)
    }
}

/// How a graph is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GraphSettings {
    /// Neighbours of a node, twice as many on the ground layer.
    pub m: usize,
    /// Candidates while a node is inserted.
    pub ef_construction: usize,
}

/// A graph over rows of one dataset. Rows cannot be removed; a compaction builds a new one.
pub(crate) struct Graph {
    hnsw: Option<Hnsw<'static, f32, DistL2>>,
    builders: Arc<Builders>,
    pool: usize,
    nodes: usize,
    bytes: i64,
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graph").field("nodes", &self.nodes).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Graph {
    /// An empty graph.
    pub(crate) fn new(builders: Arc<Builders>, settings: GraphSettings) -> Self {
        let pool = builders.next_pool();
        let (hnsw, bytes) =
            builders.measured(pool, || Hnsw::new(settings.m, 1, LAYERS_MAX, settings.ef_construction, DistL2 {}));
        Self { hnsw: Some(hnsw), builders, pool, nodes: 0, bytes }
    }

    /// Inserts rows with their vectors. Searches wait meanwhile: callers hand over small chunks.
    ///
    /// Rows that are inserted at the same time do not see each other. Where they are also each other's only neighbours, as in vectors that come in order
    /// along a line, there may be no way between them afterwards, and a search that is exact elsewhere misses one: some 1 graph of 500 has such a row.
    pub(crate) fn insert(&mut self, rows: &[(Vec<f32>, usize)]) {
        let Some(hnsw) = &self.hnsw else { return };
        let (first, rest) = if self.nodes == 0 { rows.split_at(1.min(rows.len())) } else { (&rows[..0], rows) };
        let ((), grown) = self.builders.measured(self.pool, || {
            // The first node alone: two at once could both find no entry point.
            for (vector, row) in first {
                hnsw.insert((vector, *row));
            }
            rest.par_iter().for_each(|(vector, row)| hnsw.insert((vector, *row)));
        });
        self.nodes += rows.len();
        self.bytes += grown;
    }

    /// The `k` nearest rows with their distances, nearest first.
    pub(crate) fn search(&self, vector: &[f32], k: usize, ef: usize) -> Vec<(usize, f32)> {
        let Some(hnsw) = self.hnsw.as_ref().filter(|_| self.nodes > 0) else { return Vec::new() };
        hnsw.search(vector, k, ef.max(k)).into_iter().map(|found| (found.d_id, found.distance)).collect()
    }

    /// Rows in the graph.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes
    }

    /// The highest layer with a node, from 1; 0 when empty.
    pub(crate) fn layers(&self) -> usize {
        self.hnsw.as_ref().filter(|_| self.nodes > 0).map_or(0, |hnsw| usize::from(hnsw.get_max_level_observed()) + 1)
    }

    /// Memory of the graph, the vectors in it included.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.max(0) as u64
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        let hnsw = self.hnsw.take();
        self.builders.measured(self.pool, move || drop(hnsw));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_row_is_found() {
        let builders = Arc::new(Builders::new().unwrap());
        let mut graph = Graph::new(builders, GraphSettings { m: 16, ef_construction: 100 });
        assert!(graph.search(&[0.0; 8], 3, 32).is_empty());
        // In no order: neighbours that are inserted at the same time may miss each other.
        let rows: Vec<_> = (0..500).map(|n| n * 149 % 500).map(|row| (vec![row as f32; 8], row)).collect();
        graph.insert(&rows);
        let found = graph.search(&[250.2; 8], 3, 64);
        assert_eq!(found.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [250, 251, 249]);
        assert_eq!((graph.nodes(), graph.layers() >= 1), (500, true));
    }
}
