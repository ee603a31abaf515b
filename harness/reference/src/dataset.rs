//! One dataset: rows in an arena, tombstones, an index that catches up, and compaction that rebuilds both.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::arena::{SlabPool, VectorArena};
use crate::graph::{Builders, Graph, GraphSettings};
use crate::wal::{Log, LogError};

/// Rows indexed in one go. Searches wait as long, so it is small.
const INDEX_CHUNK_ROWS: usize = 128;

/// What a client calls a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum RowId {
    /// An `int64` id.
    Int(i64),
    /// A `utf8` id.
    Text(Box<str>),
}

/// One dataset.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) name: String,
    slabs: Arc<SlabPool>,
    builders: Arc<Builders>,
    settings: GraphSettings,
    /// Held by whoever builds the graph: the indexer for a chunk, a compaction to its end. Row numbers are stable under it.
    building: Mutex<()>,
    /// Locked before rows are changed, so that the log has changes in the order in which they are made; `None` where nothing outlives the process.
    log: Mutex<Option<Log>>,
    // Locked before `graph` by whoever needs both.
    rows: RwLock<Rows>,
    graph: RwLock<Graph>,
    dropped: AtomicBool,
}

#[derive(Debug)]
struct Rows {
    arena: VectorArena,
    ids: Vec<RowId>,
    dead: Vec<bool>,
    dead_count: usize,
    by_id: HashMap<RowId, usize>,
    /// Rows `0..indexed` are in the graph, or were dead when their turn came.
    indexed: usize,
}

/// What a dataset holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DatasetStats {
    pub dim: usize,
    pub live: usize,
    pub dead: usize,
    pub waiting: usize,
    pub nodes: usize,
    pub layers: usize,
    pub arena_bytes: u64,
    pub graph_bytes: u64,
    /// Memory that a compaction could give back: the dead rows' share of arena and graph.
    pub tombstone_bytes: u64,
}

impl DatasetStats {
    /// Arena and graph together.
    pub(crate) fn bytes(self) -> u64 {
        self.arena_bytes + self.graph_bytes
    }
}

/// Why rows cannot be changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error("the system gave no memory: {0}")]
    Memory(#[from] std::io::Error),
    #[error("{0}")]
    Log(#[from] LogError),
}

/// How a compaction goes about its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thoroughness {
    /// All dead rows go.
    Full,
    /// Every fourth dead row goes: a misbehaviour.
    Weak,
    /// Only slabs without a live row could go, and a random delete leaves none: a misbehaviour.
    Pinned,
}

impl Dataset {
    pub(crate) fn new(
        name: &str,
        dim: usize,
        slabs: Arc<SlabPool>,
        builders: Arc<Builders>,
        settings: GraphSettings,
    ) -> Self {
        let rows = Rows::new(Arc::clone(&slabs), dim);
        let graph = Graph::new(Arc::clone(&builders), settings);
        Self {
            name: name.to_owned(),
            slabs,
            builders,
            settings,
            building: Mutex::new(()),
            log: Mutex::new(None),
            rows: RwLock::new(rows),
            graph: RwLock::new(graph),
            dropped: AtomicBool::new(false),
        }
    }

    fn rows(&self) -> RwLockReadGuard<'_, Rows> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn rows_mut(&self) -> RwLockWriteGuard<'_, Rows> {
        self.rows.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn graph(&self) -> RwLockReadGuard<'_, Graph> {
        self.graph.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn building(&self) -> MutexGuard<'_, ()> {
        self.building.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, Option<Log>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn dim(&self) -> usize {
        self.rows().arena.dim()
    }

    /// Logs every change from here on.
    pub(crate) fn keep_log(&self, log: Log) {
        *self.log() = Some(log);
    }

    /// Puts rows; an id that is there already is replaced. `vectors` holds `ids.len() · dim` components.
    pub(crate) fn put(&self, ids: Vec<RowId>, vectors: &[f32]) -> Result<(), ChangeError> {
        let mut log = self.log();
        if let Some(log) = &mut *log {
            log.put(&ids, vectors)?;
        }
        let mut rows = self.rows_mut();
        let dim = rows.arena.dim();
        for (id, vector) in ids.into_iter().zip(vectors.chunks_exact(dim)) {
            rows.push(id, vector)?;
        }
        Ok(())
    }

    /// Deletes the row of this id. Whether there was one.
    pub(crate) fn delete(&self, id: &RowId) -> Result<bool, LogError> {
        let mut log = self.log();
        if !self.rows().by_id.contains_key(id) {
            return Ok(false);
        }
        if let Some(log) = &mut *log {
            log.delete(id)?;
        }
        let mut rows = self.rows_mut();
        let found = rows.by_id.remove(id);
        Ok(found.inspect(|row| rows.bury(*row)).is_some())
    }

    /// Deletes the `number`-th row of the arena. Whether there was one that lived.
    pub(crate) fn delete_row(&self, number: usize) -> Result<bool, LogError> {
        let id = {
            let rows = self.rows();
            if rows.dead.get(number).is_none_or(|dead| *dead) {
                return Ok(false);
            }
            rows.ids[number].clone()
        };
        self.delete(&id)
    }

    /// Removes the log, and says that nobody will want the index any more.
    pub(crate) fn abandon(&self) -> Result<(), LogError> {
        if let Some(log) = &mut *self.log() {
            log.remove()?;
        }
        self.dropped.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Indexes the next chunk of rows. Whether more are waiting.
    pub(crate) fn index_some(&self) -> bool {
        let _turn = self.building();
        if self.dropped.load(Ordering::Relaxed) {
            return false;
        }
        let (chunk, to) = {
            let rows = self.rows();
            let to = (rows.indexed + INDEX_CHUNK_ROWS).min(rows.arena.len());
            (rows.copy_live(rows.indexed..to), to)
        };
        self.graph.write().unwrap_or_else(PoisonError::into_inner).insert(&chunk);
        let mut rows = self.rows_mut();
        rows.indexed = to;
        rows.indexed < rows.arena.len()
    }

    /// The `k` nearest live rows with their distances, nearest first. Rows that are not yet indexed are not found.
    pub(crate) fn search(&self, vector: &[f32], k: usize) -> Vec<(RowId, f32)> {
        let rows = self.rows();
        let graph = self.graph();
        // Dead rows are still in the graph and take places among the nearest; ask for as many more.
        let mut wanted = k + (k * rows.dead_count).div_ceil(rows.arena.len().max(1)) + 8;
        loop {
            let found = graph.search(vector, wanted, (2 * wanted).max(64));
            let live: Vec<_> = found.into_iter().filter(|(row, _)| !rows.dead[*row]).take(k).collect();
            // Where the dead lie close together, the nearest living row may be far beyond them.
            if live.len() == k || wanted >= graph.nodes() {
                return live.into_iter().map(|(row, distance)| (rows.ids[row].clone(), distance)).collect();
            }
            wanted = (4 * wanted).min(graph.nodes());
        }
    }

    /// The first `limit` live rows: ids and vectors.
    pub(crate) fn scan(&self, limit: usize) -> Vec<(RowId, Vec<f32>)> {
        let rows = self.rows();
        let live = (0..rows.arena.len()).filter(|row| !rows.dead[*row]).take(limit);
        live.map(|row| (rows.ids[row].clone(), rows.vector(row))).collect()
    }

    /// Rebuilds arena and graph from the live rows and returns what is no longer needed, with its size; `None` when there was nothing to do.
    ///
    /// Puts, deletes and searches go on meanwhile; the indexer waits. Where the log cannot be rewritten, nothing is.
    pub(crate) fn compact(&self, how: Thoroughness) -> Result<Option<(Replaced, u64)>, ChangeError> {
        let _turn = self.building();
        let kept = {
            let rows = self.rows();
            if rows.dead_count == 0 || how == Thoroughness::Pinned && !rows.has_empty_slab() {
                return Ok(None);
            }
            rows.kept(how)
        };
        self.rewrite_log()?;
        let mut fresh = Rows::new(Arc::clone(&self.slabs), self.dim());
        let mut graph = Graph::new(Arc::clone(&self.builders), self.settings);
        for chunk in kept.chunks(INDEX_CHUNK_ROWS) {
            let first = fresh.arena.len();
            self.rows().copy_into(chunk, &mut fresh)?;
            graph.insert(&fresh.copy_all(first..fresh.arena.len()));
        }
        fresh.indexed = fresh.arena.len();
        let mut rows = self.rows_mut();
        rows.catch_up(&kept, &mut fresh)?;
        let old_bytes = rows.arena.bytes() + self.graph().bytes();
        let old_rows = std::mem::replace(&mut *rows, fresh);
        let old_graph = std::mem::replace(&mut *self.graph.write().unwrap_or_else(PoisonError::into_inner), graph);
        Ok(Some((Replaced { _rows: old_rows, _graph: old_graph }, old_bytes)))
    }

    /// Rewrites the log to what lives. Rows keep their numbers meanwhile, because whoever calls holds `building`.
    fn rewrite_log(&self) -> Result<(), LogError> {
        let (mut rewrite, live) = {
            let log = self.log();
            let Some(log) = &*log else { return Ok(()) };
            (log.begin_rewrite(self.dim())?, self.rows().kept(Thoroughness::Full))
        };
        for chunk in live.chunks(INDEX_CHUNK_ROWS) {
            let (ids, vectors) = self.rows().copy(chunk);
            rewrite.put(&ids, &vectors)?;
        }
        self.log().as_mut().map_or(Ok(()), |log| log.finish_rewrite(rewrite))
    }

    pub(crate) fn stats(&self) -> DatasetStats {
        let rows = self.rows();
        let graph = self.graph();
        let (arena_bytes, graph_bytes) = (rows.arena.bytes(), graph.bytes());
        let dead_share = rows.dead_count as f64 / rows.arena.len().max(1) as f64;
        DatasetStats {
            dim: rows.arena.dim(),
            live: rows.arena.len() - rows.dead_count,
            dead: rows.dead_count,
            waiting: rows.arena.len() - rows.indexed,
            nodes: graph.nodes(),
            layers: graph.layers(),
            arena_bytes,
            graph_bytes,
            tombstone_bytes: ((arena_bytes + graph_bytes) as f64 * dead_share) as u64,
        }
    }
}

/// What a compaction replaced; dropped when it is collected.
#[derive(Debug)]
pub(crate) struct Replaced {
    _rows: Rows,
    _graph: Graph,
}

impl Rows {
    fn new(slabs: Arc<SlabPool>, dim: usize) -> Self {
        Self {
            arena: VectorArena::new(slabs, dim),
            ids: Vec::new(),
            dead: Vec::new(),
            dead_count: 0,
            by_id: HashMap::new(),
            indexed: 0,
        }
    }

    fn push(&mut self, id: RowId, vector: &[f32]) -> std::io::Result<()> {
        self.arena.push(vector)?;
        let row = self.ids.len();
        self.ids.push(id.clone());
        self.dead.push(false);
        if let Some(old) = self.by_id.insert(id, row) {
            self.bury(old);
        }
        Ok(())
    }

    fn bury(&mut self, row: usize) {
        if !std::mem::replace(&mut self.dead[row], true) {
            self.dead_count += 1;
        }
    }

    fn vector(&self, row: usize) -> Vec<f32> {
        let mut vector = Vec::with_capacity(self.arena.dim());
        self.arena.read(row, &mut vector);
        vector
    }

    fn copy_live(&self, range: std::ops::Range<usize>) -> Vec<(Vec<f32>, usize)> {
        range.filter(|row| !self.dead[*row]).map(|row| (self.vector(row), row)).collect()
    }

    fn copy_all(&self, range: std::ops::Range<usize>) -> Vec<(Vec<f32>, usize)> {
        range.map(|row| (self.vector(row), row)).collect()
    }

    /// The ids and vectors of these rows.
    fn copy(&self, rows: &[usize]) -> (Vec<RowId>, Vec<f32>) {
        let ids = rows.iter().map(|row| self.ids[*row].clone()).collect();
        (ids, rows.iter().flat_map(|row| self.vector(*row)).collect())
    }

    fn has_empty_slab(&self) -> bool {
        self.dead.chunks(self.arena.rows_per_slab()).any(|slab| slab.iter().all(|dead| *dead))
    }

    /// The rows that a compaction keeps, in order.
    fn kept(&self, how: Thoroughness) -> Vec<usize> {
        let mut dead_seen = 0_usize;
        let stays = |row: &usize| {
            let dead = self.dead[*row];
            dead_seen += usize::from(dead);
            !dead || how == Thoroughness::Weak && !dead_seen.is_multiple_of(4)
        };
        (0..self.arena.len()).filter(stays).collect()
    }

    fn copy_into(&self, rows: &[usize], fresh: &mut Self) -> std::io::Result<()> {
        let mut vector = Vec::new();
        for &row in rows {
            self.arena.read(row, &mut vector);
            fresh.append_as(self, row, &vector)?;
        }
        Ok(())
    }

    /// Appends `row` of `old`, dead or alive as it is there.
    fn append_as(&mut self, old: &Self, row: usize, vector: &[f32]) -> std::io::Result<()> {
        self.arena.push(vector)?;
        let here = self.ids.len();
        self.ids.push(old.ids[row].clone());
        self.dead.push(old.dead[row]);
        if old.dead[row] {
            self.dead_count += 1;
        } else {
            self.by_id.insert(old.ids[row].clone(), here);
        }
        Ok(())
    }

    /// Brings `fresh`, made of the rows `kept`, up to what has happened since: rows that died, rows that came.
    fn catch_up(&self, kept: &[usize], fresh: &mut Self) -> std::io::Result<()> {
        for (here, &row) in kept.iter().enumerate() {
            if self.dead[row] && !fresh.dead[here] {
                fresh.bury(here);
                // The id may by now belong to a newer row, which is appended below and takes it over.
                fresh.by_id.remove(&self.ids[row]);
            }
        }
        let seen = kept.last().map_or(0, |last| last + 1);
        let mut vector = Vec::new();
        for row in seen..self.arena.len() {
            if !self.dead[row] {
                self.arena.read(row, &mut vector);
                fresh.append_as(self, row, &vector)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows whose vectors are their ids, put in no order: neighbours that are indexed at the same time may miss each other.
    fn dataset(rows: i64) -> Dataset {
        let settings = GraphSettings { m: 16, ef_construction: 64 };
        let dataset = Dataset::new("d", 16, Arc::default(), Arc::new(Builders::new().unwrap()), settings);
        let ids: Vec<i64> = (0..rows).map(|n| n * 37 % rows).collect();
        let vectors: Vec<f32> = ids.iter().flat_map(|id| [*id as f32; 16]).collect();
        dataset.put(ids.into_iter().map(RowId::Int).collect(), &vectors).unwrap();
        while dataset.index_some() {}
        dataset
    }

    #[test]
    fn dead_rows_are_not_found_and_compaction_drops_them() {
        let dataset = dataset(400);
        for id in 100..212 {
            assert!(dataset.delete(&RowId::Int(id)).unwrap());
        }
        assert!(!dataset.delete(&RowId::Int(100)).unwrap());
        assert_eq!(dataset.search(&[150.0; 16], 1)[0].0, RowId::Int(212 - 113), "the nearest living row");
        let before = dataset.stats();
        assert_eq!((before.live, before.dead, before.nodes), (288, 112, 400));
        assert!(dataset.compact(Thoroughness::Full).unwrap().is_some());
        let after = dataset.stats();
        assert_eq!((after.live, after.dead, after.nodes, after.waiting), (288, 0, 288, 0));
        assert_eq!(dataset.search(&[300.0; 16], 1)[0].0, RowId::Int(300));
        assert!(dataset.compact(Thoroughness::Full).unwrap().is_none(), "nothing left to do");
    }

    #[test]
    fn bad_compactions_are_as_bad_as_they_say() {
        let weak = dataset(400);
        (0..112).for_each(|id| assert!(weak.delete(&RowId::Int(id)).unwrap()));
        weak.compact(Thoroughness::Weak).unwrap();
        assert_eq!((weak.stats().live, weak.stats().dead), (288, 84));
        let pinned = dataset(400);
        (0..112).for_each(|id| assert!(pinned.delete(&RowId::Int(id * 3)).unwrap()));
        assert!(pinned.compact(Thoroughness::Pinned).unwrap().is_none());
        assert_eq!(pinned.stats().dead, 112);
    }

    #[test]
    fn an_id_put_twice_is_one_row() {
        let dataset = dataset(50);
        let first = dataset.rows().by_id[&RowId::Int(7)];
        dataset.put(vec![RowId::Int(7)], &[30.5; 16]).unwrap();
        while dataset.index_some() {}
        assert_eq!((dataset.stats().live, dataset.stats().dead), (50, 1));
        assert_eq!(dataset.search(&[30.5; 16], 1)[0].0, RowId::Int(7));
        let deleted = [50, 50, first].map(|row| dataset.delete_row(row).unwrap());
        assert_eq!(deleted, [true, false, false]);
    }

    #[test]
    fn what_happens_during_a_compaction_is_not_lost() {
        let dataset = dataset(100);
        dataset.delete(&RowId::Int(1)).unwrap();
        let rows = dataset.rows();
        let kept = rows.kept(Thoroughness::Full);
        let mut fresh = Rows::new(Arc::default(), 16);
        rows.copy_into(&kept, &mut fresh).unwrap();
        drop(rows);
        dataset.delete(&RowId::Int(2)).unwrap();
        dataset.put(vec![RowId::Int(3), RowId::Int(500)], &[5.0; 32]).unwrap();
        dataset.rows().catch_up(&kept, &mut fresh).unwrap();
        assert_eq!(fresh.arena.len() - fresh.dead_count, 99);
        assert_eq!(fresh.by_id[&RowId::Int(500)], fresh.arena.len() - 1);
        assert_eq!(fresh.vector(fresh.by_id[&RowId::Int(3)]), vec![5.0; 16]);
        assert!(!fresh.by_id.contains_key(&RowId::Int(2)));
    }
}
