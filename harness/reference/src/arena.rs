//! A slab arena for vectors: 1 MiB slabs mapped from the system, filled in order, given back with `madvise`.

use std::sync::{Arc, Mutex, PoisonError};

use memmap2::{MmapMut, UncheckedAdvice};

/// Size of a slab. The runbook's default.
pub(crate) const SLAB_BYTES: usize = 1 << 20;

/// Slabs given back to the system but still mapped, ready for use; beyond this many they are unmapped.
const POOLED_SLABS_MAX: usize = 64;

/// Where slabs come from and go back to.
#[derive(Debug, Default)]
pub(crate) struct SlabPool {
    state: Mutex<PoolState>,
}

#[derive(Debug, Default)]
struct PoolState {
    free: Vec<MmapMut>,
    in_use: usize,
}

/// What a slab pool holds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PoolStats {
    /// Slabs that hold data.
    pub in_use: usize,
    /// Slabs given back to the system and kept mapped.
    pub pooled: usize,
}

impl SlabPool {
    fn take(self: &Arc<Self>, size: usize) -> std::io::Result<Slab> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let pooled = if size == SLAB_BYTES { state.free.pop() } else { None };
        let map = match pooled {
            Some(map) => map,
            None => MmapMut::map_anon(size)?,
        };
        state.in_use += size / SLAB_BYTES;
        Ok(Slab { map: Some(map), pool: Arc::clone(self) })
    }

    fn give_back(&self, map: MmapMut) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.in_use -= map.len() / SLAB_BYTES;
        if map.len() == SLAB_BYTES && state.free.len() < POOLED_SLABS_MAX && release(&map) {
            state.free.push(map);
        }
    }

    /// What the pool holds now.
    pub(crate) fn stats(&self) -> PoolStats {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        PoolStats { in_use: state.in_use, pooled: state.free.len() }
    }
}

/// Tells the system to take the pages of a slab; they read as zero when touched again.
#[expect(unsafe_code, reason = "madvise(MADV_DONTNEED) changes the contents of the mapping")]
fn release(map: &MmapMut) -> bool {
    // SAFETY: the slab has no owner any more, so nobody relies on its contents.
    unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) }.is_ok()
}

/// A run of memory from the system; goes back to its pool when dropped.
#[derive(Debug)]
struct Slab {
    map: Option<MmapMut>,
    pool: Arc<SlabPool>,
}

impl Slab {
    fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.map.as_deref_mut().unwrap_or_default()
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        if let Some(map) = self.map.take() {
            self.pool.give_back(map);
        }
    }
}

/// Vectors of one dimension, appended one after the other. Rows never move and never span two slabs.
#[derive(Debug)]
pub(crate) struct VectorArena {
    pool: Arc<SlabPool>,
    slabs: Vec<Slab>,
    dim: usize,
    slab_bytes: usize,
    rows_per_slab: usize,
    rows: usize,
}

impl VectorArena {
    /// An empty arena for vectors of `dim` components.
    pub(crate) fn new(pool: Arc<SlabPool>, dim: usize) -> Self {
        let row_bytes = dim * size_of::<f32>();
        let slab_bytes = row_bytes.div_ceil(SLAB_BYTES).max(1) * SLAB_BYTES;
        Self { pool, slabs: Vec::new(), dim, slab_bytes, rows_per_slab: slab_bytes / row_bytes, rows: 0 }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// Components of a vector.
    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    /// Rows that lie together in a slab.
    pub(crate) fn rows_per_slab(&self) -> usize {
        self.rows_per_slab
    }

    /// Bytes held from the system.
    pub(crate) fn bytes(&self) -> u64 {
        (self.slabs.len() * self.slab_bytes) as u64
    }

    /// Appends a vector of `dim` components. Fails when the system has no more memory.
    pub(crate) fn push(&mut self, vector: &[f32]) -> std::io::Result<()> {
        debug_assert_eq!(vector.len(), self.dim, "the caller has checked the dimension");
        let place = self.rows % self.rows_per_slab;
        if place == 0 {
            self.slabs.push(self.pool.take(self.slab_bytes)?);
        }
        if let Some(slab) = self.slabs.last_mut() {
            let row_bytes = self.dim * size_of::<f32>();
            let row = &mut slab.bytes_mut()[place * row_bytes..][..row_bytes];
            for (to, component) in row.chunks_exact_mut(size_of::<f32>()).zip(vector) {
                to.copy_from_slice(&component.to_le_bytes());
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Copies the vector of `row` into `into`, which it replaces.
    pub(crate) fn read(&self, row: usize, into: &mut Vec<f32>) {
        let row_bytes = self.dim * size_of::<f32>();
        let bytes =
            &self.slabs[row / self.rows_per_slab].bytes()[(row % self.rows_per_slab) * row_bytes..][..row_bytes];
        into.clear();
        into.extend(bytes.chunks_exact(size_of::<f32>()).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back_across_slabs_and_slabs_are_reused() {
        let pool = Arc::new(SlabPool::default());
        let mut arena = VectorArena::new(Arc::clone(&pool), 3072);
        let rows = arena.rows_per_slab() + 2;
        for row in 0..rows {
            arena.push(&vec![row as f32; 3072]).unwrap();
        }
        let mut vector = Vec::new();
        arena.read(rows - 1, &mut vector);
        assert_eq!(vector, vec![(rows - 1) as f32; 3072]);
        assert_eq!((arena.bytes(), pool.stats().in_use), (2 << 20, 2));
        drop(arena);
        assert_eq!((pool.stats().in_use, pool.stats().pooled), (0, 2));
        let mut again = VectorArena::new(Arc::clone(&pool), 128);
        again.push(&[1.0; 128]).unwrap();
        assert_eq!((pool.stats().in_use, pool.stats().pooled), (1, 1));
    }

    #[test]
    fn a_vector_larger_than_a_slab_has_a_slab_of_its_own() {
        let pool = Arc::new(SlabPool::default());
        let mut arena = VectorArena::new(Arc::clone(&pool), 300_000);
        arena.push(&vec![7.0; 300_000]).unwrap();
        arena.push(&vec![8.0; 300_000]).unwrap();
        let mut vector = Vec::new();
        arena.read(1, &mut vector);
        assert_eq!((vector.len(), vector[299_999], arena.bytes()), (300_000, 8.0, 4 << 20));
        drop(arena);
        assert_eq!(pool.stats().in_use, 0);
    }
}
