//! What a store of things holds, as far as the load knows: things have names, and no list.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Things that were made, and those among them that may still be there.
#[derive(Debug, Default)]
pub(super) struct Things(Mutex<Made>);

#[derive(Debug, Default)]
struct Made {
    all: BTreeSet<u64>,
    live: BTreeSet<u64>,
}

impl Things {
    fn made(&self) -> MutexGuard<'_, Made> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One was asked for, and may be there.
    pub(super) fn add(&self, id: u64) {
        let mut made = self.made();
        if made.live.is_empty() {
            // What was removed before is of an earlier cycle.
            made.all.clear();
        }
        made.all.insert(id);
        made.live.insert(id);
    }

    /// One is not there.
    pub(super) fn remove(&self, id: u64) {
        self.made().live.remove(&id);
    }

    /// All that were made since the store was last empty.
    pub(super) fn all(&self) -> Vec<u64> {
        self.made().all.iter().copied().collect()
    }

    /// One that may be there, evenly drawn as `row` is; `None` of none.
    pub(super) fn any(&self, row: u64) -> Option<u64> {
        let made = self.made();
        let (first, last) = (made.live.first().copied()?, made.live.last().copied()?);
        let from = first + row % (last - first + 1);
        Some(made.live.range(from..).next().copied().unwrap_or(first))
    }
}
