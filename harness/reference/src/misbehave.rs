//! Leaks with a known size, on request: the ground truth that the harness's own tests are held against.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use memmap2::{Mmap, MmapMut};
use soak_scenario::units::{ByteRate, Bytes, Per};
use soak_scenario::{HeldLock, Misbehave};

use crate::tasks::{Running, Tasks};

/// Small leaks are gathered to this size, so that each touches pages of its own.
pub(crate) const LEAK_PIECE_BYTES: usize = 64 << 10;

/// The share of each batch that a cache keeps until it is full.
const CACHE_SHARE: f64 = 0.1;

/// A step is taken when this dataset is made: in the middle of a run of seven cycles.
const STEP_AT_DATASET: u32 = 4;

/// What has been leaked, kept for ever.
#[derive(Debug, Default)]
pub(crate) struct Leaks {
    settings: Misbehave,
    /// Operations served of the kind that is to wait for ever.
    served: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    heap: Vec<Vec<u8>>,
    heap_owed_bytes: f64,
    tasks: Vec<Running>,
    tasks_owed: f64,
    series: f64,
    retained: Vec<Vec<u8>>,
    retained_owed_bytes: f64,
    offheap: Vec<MmapMut>,
    offheap_owed_bytes: f64,
    cache: Vec<Vec<u8>>,
    cache_owed_bytes: f64,
    datasets: u32,
    _mapped: Option<Mmap>,
}

impl Leaks {
    /// Maps and touches the file, when one is asked for.
    pub(crate) fn new(settings: Misbehave) -> std::io::Result<Self> {
        let mapped = settings.mapped_file.map(|size| map_file(size.0)).transpose()?;
        Ok(Self {
            settings,
            served: AtomicU64::new(0),
            state: Mutex::new(State { _mapped: mapped, ..State::default() }),
        })
    }

    /// Waits for a lock that never opens, where operations of this kind are to.
    pub(crate) async fn pass(&self, operation: HeldLock, tasks: &Arc<Tasks>) {
        if self.settings.held_lock != Some(operation) {
            return;
        }
        if self.served.fetch_add(1, Ordering::Relaxed) >= HeldLock::SERVED {
            let frame: &'static [&'static str] = match operation {
                HeldLock::Put => &["sync.(*RWMutex).RLock", "store.Put"],
                HeldLock::Search => &["sync.(*RWMutex).RLock", "store.Search"],
                HeldLock::Delete => &["sync.(*RWMutex).RLock", "store.Delete"],
                HeldLock::Metrics => &["sync.(*RWMutex).RLock", "store.Metrics"],
            };
            let _waits = tasks.enter(frame, "sync.RWMutex.RLock");
            std::future::pending::<()>().await;
        }
    }

    /// Leaks what a step of this length owes.
    pub(crate) fn step(&self, step: Duration, tasks: &Arc<Tasks>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rate) = self.settings.heap_leak.and_then(ByteRate::bytes_per_second) {
            state.heap_owed_bytes += rate * step.as_secs_f64();
            pay(&mut state);
        }
        if let Some(rate) = self.settings.offheap_leak.and_then(ByteRate::bytes_per_second) {
            state.offheap_owed_bytes += rate * step.as_secs_f64();
            pay_offheap(&mut state);
        }
        if let Some(rate) = self.settings.series_leak {
            state.series += rate.a_second() * step.as_secs_f64();
        }
        if let Some(rate) = self.settings.task_leak {
            state.tasks_owed += rate.a_second() * step.as_secs_f64();
            while state.tasks_owed >= 1.0 {
                state.tasks_owed -= 1.0;
                let leaked = tasks.enter(&["repair.waitForPeer", "repair.start"], "chan receive");
                state.tasks.push(leaked);
            }
        }
    }

    /// Leaks this much now.
    pub(crate) fn at_once(&self, count: u32, bytes: Bytes, tasks: &Arc<Tasks>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let leaked = (0..count).map(|_| tasks.enter(&["repair.waitForPeer", "repair.start"], "chan receive"));
        state.tasks.extend(leaked);
        state.heap.push(touched(bytes.0 as usize));
    }

    /// Leaks what one operation owes.
    pub(crate) fn operation(&self) {
        if let Some(ByteRate { bytes, per: Per::Operation }) = self.settings.heap_leak {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.heap_owed_bytes += bytes.as_f64();
            pay(&mut state);
        }
        if let Some(ByteRate { bytes, per: Per::Operation }) = self.settings.offheap_leak {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.offheap_owed_bytes += bytes.as_f64();
            pay_offheap(&mut state);
        }
    }

    /// Keeps a part of a batch of this size in a cache that is not yet full.
    pub(crate) fn cache(&self, batch_bytes: usize) {
        let Some(most) = self.settings.cache_fill else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let held: usize = state.cache.iter().map(Vec::len).sum();
        state.cache_owed_bytes += batch_bytes as f64 * CACHE_SHARE;
        let bytes = (state.cache_owed_bytes as usize).min((most.0 as usize).saturating_sub(held));
        if bytes >= LEAK_PIECE_BYTES {
            state.cache_owed_bytes = 0.0;
            state.cache.push(touched(bytes));
        }
    }

    /// Notes that a dataset was made, and takes the step when it is due.
    pub(crate) fn dataset_made(&self) {
        let Some(size) = self.settings.step else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.datasets += 1;
        if state.datasets == STEP_AT_DATASET {
            state.heap.push(touched(size.0 as usize));
        }
    }

    /// Keeps the share of a batch of this size that is asked for.
    pub(crate) fn retain(&self, batch_bytes: usize) {
        let Some(share) = self.settings.retain_batches else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.retained_owed_bytes += batch_bytes as f64 * share.0;
        if state.retained_owed_bytes >= LEAK_PIECE_BYTES as f64 {
            let bytes = state.retained_owed_bytes as usize;
            state.retained_owed_bytes -= bytes as f64;
            state.retained.push(touched(bytes));
        }
    }

    pub(crate) fn settings(&self) -> &Misbehave {
        &self.settings
    }

    /// Series of the metrics page leaked so far.
    pub(crate) fn series(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).series as u64
    }

    /// Bytes kept on the heap: leaked, retained, cached.
    pub(crate) fn heap_bytes(&self) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.heap.iter().chain(&state.retained).chain(&state.cache).map(|piece| piece.len() as u64).sum()
    }
}

fn pay(state: &mut State) {
    while state.heap_owed_bytes >= LEAK_PIECE_BYTES as f64 {
        state.heap_owed_bytes -= LEAK_PIECE_BYTES as f64;
        state.heap.push(touched(LEAK_PIECE_BYTES));
    }
}

fn pay_offheap(state: &mut State) {
    while state.offheap_owed_bytes >= LEAK_PIECE_BYTES as f64 {
        state.offheap_owed_bytes -= LEAK_PIECE_BYTES as f64;
        // Where the system gives no memory there is nothing to leak.
        let Ok(mut piece) = MmapMut::map_anon(LEAK_PIECE_BYTES) else { return };
        piece.fill(0xA5);
        state.offheap.push(piece);
    }
}

/// Memory of this size with every byte written.
pub(crate) fn touched(bytes: usize) -> Vec<u8> {
    vec![0xA5; bytes]
}

/// A file of this size without a name, mapped and read from end to end.
#[expect(unsafe_code, reason = "mapping a file; it has no name, so nobody else can change it")]
fn map_file(bytes: u64) -> std::io::Result<Mmap> {
    use std::io::Write as _;
    let path = std::env::temp_dir().join(format!("soak-mapped-{}", std::process::id()));
    let mut file = std::fs::File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    let block = vec![1_u8; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let part = left.min(block.len() as u64);
        file.write_all(&block[..part as usize])?;
        left -= part;
    }
    // SAFETY: the file has lost its name and this is its only handle.
    let map = unsafe { Mmap::map(&file) }?;
    std::hint::black_box(map.iter().step_by(4096).map(|byte| u64::from(*byte)).sum::<u64>());
    Ok(map)
}
