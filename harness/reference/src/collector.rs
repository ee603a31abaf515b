//! Reclamation paced as Go paces its collector: what is retired stays until the heap reaches its goal, or until somebody asks.
//!
//! Rust frees at once, so GOGC and GOMEMLIMIT would mean nothing. Here whatever a garbage-collected store would leave behind (decoded batches, old
//! slabs, old graphs) is *retired* instead of dropped, and released together when the heap in use reaches live · (1 + GOGC/100), or GOMEMLIMIT.
//! The pacing is a model of Go's; the memory is real.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use memmap2::MmapMut;

use crate::arena::{SLAB_BYTES, SlabPool};
use crate::heap;

/// Go's smallest heap goal at GOGC = 100.
const GOAL_MIN_BYTES: u64 = 4 << 20;

/// Above the memory limit collections would follow each other without end; Go's limiter allows half the processor, here one in this long.
const LIMITED_PAUSE: Duration = Duration::from_millis(100);

/// Free memory is given back without a collection once the heap has fallen by this much, and not more often than this.
const TRIM_AFTER_BYTES: u64 = 4 << 20;
const TRIM_PAUSE: Duration = Duration::from_secs(1);

/// Go collects at least this often, unless GOGC is off.
const PERIOD: Duration = Duration::from_secs(120);

/// Size of the pieces in which slow release gives memory back.
const BALLAST_PIECE_BYTES: usize = 256 << 10;

/// When memory that is no longer live is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pacing {
    /// Percent of the live heap that may be garbage; `None` is GOGC=off.
    pub gogc: Option<u32>,
    /// GOMEMLIMIT in bytes; `None` is off.
    pub gomemlimit_bytes: Option<u64>,
}

/// The retire list and what paces it.
#[derive(Debug)]
pub(crate) struct Collector {
    pacing: Pacing,
    slabs: Arc<SlabPool>,
    /// Misbehaviour: what was released goes back to the system no faster than this.
    slow_release_bytes_per_s: Option<f64>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    retired: Vec<Retired>,
    retired_bytes: u64,
    goal_bytes: u64,
    cycles: u64,
    pause_seconds: f64,
    last: Instant,
    /// The most that the heap held since free memory was last given back, as far as it was seen.
    highest_bytes: u64,
    /// When that was, apart from collections.
    trimmed: Instant,
    ballast: Vec<MmapMut>,
    ballast_credit_bytes: f64,
}

/// Something that is no longer live; its memory is released when it is dropped.
struct Retired {
    _item: Box<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for Retired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Retired")
    }
}

/// What the collector has done and holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CollectorStats {
    /// Heap in use: allocated, slabs, and what is retired and not released.
    pub heap_bytes: u64,
    /// The heap at which the next collection starts.
    pub goal_bytes: u64,
    /// Retired and not released.
    pub retired_bytes: u64,
    /// Released, but held back from the system by the slow-release misbehaviour.
    pub held_back_bytes: u64,
    /// Collections.
    pub cycles: u64,
    /// Modelled pauses, in seconds.
    pub pause_seconds: f64,
}

impl Collector {
    pub(crate) fn new(pacing: Pacing, slabs: Arc<SlabPool>, slow_release_bytes_per_s: Option<f64>) -> Self {
        let state = State {
            retired: Vec::new(),
            retired_bytes: 0,
            goal_bytes: goal(pacing, 0),
            cycles: 0,
            pause_seconds: 0.0,
            last: Instant::now(),
            highest_bytes: 0,
            trimmed: Instant::now(),
            ballast: Vec::new(),
            ballast_credit_bytes: 0.0,
        };
        Self { pacing, slabs, slow_release_bytes_per_s, state: Mutex::new(state) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Heap in use: allocated, and slabs. Includes what is retired, as Go's does.
    fn heap_bytes(&self) -> u64 {
        heap::in_use_bytes() + (self.slabs.stats().in_use * SLAB_BYTES) as u64
    }

    /// Takes what is no longer live, and collects when that is due. Blocks while it collects.
    pub(crate) fn retire(&self, item: impl Any + Send + Sync, bytes: u64) {
        {
            let mut state = self.state();
            state.retired.push(Retired { _item: Box::new(item) });
            state.retired_bytes += bytes;
        }
        self.collect_if_due();
    }

    /// Collects when the heap has reached its goal or the period is over.
    pub(crate) fn collect_if_due(&self) {
        let heap = self.heap_bytes();
        let due = {
            let state = self.state();
            let limited = self.pacing.gomemlimit_bytes.is_some_and(|limit| heap >= limit);
            let idle = state.last.elapsed();
            let periodic = self.pacing.gogc.is_some() && idle >= PERIOD;
            periodic || (heap >= state.goal_bytes && (!limited || idle >= LIMITED_PAUSE))
        };
        if due {
            self.collect();
        }
    }

    /// Releases everything retired and gives free memory back to the system.
    pub(crate) fn collect(&self) {
        let before = self.heap_bytes();
        let retired = {
            let mut state = self.state();
            state.retired_bytes = 0;
            state.last = Instant::now();
            std::mem::take(&mut state.retired)
        };
        // Dropped outside the lock: a graph's memory is freed on the builders' threads.
        drop(retired);
        heap::trim();
        let live = self.heap_bytes();
        let ballast = match self.slow_release_bytes_per_s {
            Some(_) => ballast(before.saturating_sub(live)),
            None => Vec::new(),
        };
        let mut state = self.state();
        state.goal_bytes = goal(self.pacing, live);
        state.highest_bytes = heap::in_use_bytes();
        state.cycles += 1;
        // A stop of the world as Go's: tens of microseconds, a little more for a large heap. Modelled, and said to be.
        state.pause_seconds += 30e-6 + live as f64 / f64::from(1 << 20) * 0.2e-6;
        state.ballast.extend(ballast);
    }

    /// Gives free memory back when much has been freed since that was last done: what is still in use elsewhere when it is collected (by a search, by the indexer) is
    /// freed later, and not by a collection.
    pub(crate) fn trim_if_fallen(&self) {
        let heap = heap::in_use_bytes();
        {
            let mut state = self.state();
            let fallen = heap + TRIM_AFTER_BYTES <= state.highest_bytes;
            if !fallen || state.trimmed.elapsed() < TRIM_PAUSE {
                state.highest_bytes = state.highest_bytes.max(heap);
                return;
            }
            state.highest_bytes = heap;
            state.trimmed = Instant::now();
        }
        heap::trim();
    }

    /// Gives back what slow release allows for a step of this length.
    pub(crate) fn release_slowly(&self, step: Duration) {
        let Some(rate) = self.slow_release_bytes_per_s else { return };
        let mut state = self.state();
        if state.ballast.is_empty() {
            state.ballast_credit_bytes = 0.0;
            return;
        }
        state.ballast_credit_bytes += rate * step.as_secs_f64();
        let pieces = (state.ballast_credit_bytes / BALLAST_PIECE_BYTES as f64) as usize;
        state.ballast_credit_bytes -= (pieces * BALLAST_PIECE_BYTES) as f64;
        let keep = state.ballast.len().saturating_sub(pieces);
        state.ballast.truncate(keep);
    }

    pub(crate) fn pacing(&self) -> Pacing {
        self.pacing
    }

    pub(crate) fn stats(&self) -> CollectorStats {
        let heap_bytes = self.heap_bytes();
        let state = self.state();
        CollectorStats {
            heap_bytes,
            goal_bytes: state.goal_bytes,
            retired_bytes: state.retired_bytes,
            held_back_bytes: (state.ballast.len() * BALLAST_PIECE_BYTES) as u64,
            cycles: state.cycles,
            pause_seconds: state.pause_seconds,
        }
    }
}

/// The heap at which the next collection starts: live · (1 + GOGC/100), not under 4 MiB · GOGC/100, not over GOMEMLIMIT.
fn goal(pacing: Pacing, live_bytes: u64) -> u64 {
    let by_growth = pacing.gogc.map(|percent| {
        let share = f64::from(percent) / 100.0;
        (live_bytes as f64 * (1.0 + share)).max(GOAL_MIN_BYTES as f64 * share) as u64
    });
    by_growth.unwrap_or(u64::MAX).min(pacing.gomemlimit_bytes.unwrap_or(u64::MAX))
}

/// Touched memory of this size, in pieces.
fn ballast(bytes: u64) -> Vec<MmapMut> {
    let pieces = bytes as usize / BALLAST_PIECE_BYTES;
    let touched = || {
        let mut piece = MmapMut::map_anon(BALLAST_PIECE_BYTES).ok()?;
        piece.fill(1);
        Some(piece)
    };
    (0..pieces).map_while(|_| touched()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_goal_follows_go() {
        let at = |gogc, limit| Pacing { gogc, gomemlimit_bytes: limit };
        assert_eq!(goal(at(Some(100), None), 100 << 20), 200 << 20);
        assert_eq!(goal(at(Some(10), None), 100 << 20), 110 << 20);
        assert_eq!(goal(at(Some(100), None), 0), 4 << 20);
        assert_eq!(goal(at(Some(100), Some(150 << 20)), 100 << 20), 150 << 20);
        assert_eq!(goal(at(None, None), 100 << 20), u64::MAX);
    }

    #[test]
    fn what_is_retired_stays_until_a_collection() {
        let slabs = Arc::new(SlabPool::default());
        let off = Pacing { gogc: None, gomemlimit_bytes: None };
        let collector = Collector::new(off, slabs, None);
        let alive = Arc::new(());
        collector.retire(Arc::clone(&alive), 1 << 30);
        assert_eq!((Arc::strong_count(&alive), collector.stats().retired_bytes), (2, 1 << 30));
        collector.collect();
        assert_eq!((Arc::strong_count(&alive), collector.stats().retired_bytes, collector.stats().cycles), (1, 0, 1));
    }
}
