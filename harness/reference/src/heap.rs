//! The heap as the allocator sees it: bytes in use, counted exactly, and given back to the system when asked.
//!
//! The system allocator keeps what is freed; [`trim`] gives it back. Counting is per thread and flushed in steps, because one shared counter
//! would slow an index build by half.

#![expect(unsafe_code, reason = "a global allocator and the allocator's own controls are C calls")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering};

/// Bytes allocated and not freed, as far as the threads have flushed their counts.
static IN_USE: AtomicI64 = AtomicI64::new(0);

/// A thread adds its count to [`IN_USE`] when it has drifted this far; so the sum is exact to this many bytes a thread.
const FLUSH_BYTES: i64 = 16 << 10;

thread_local! {
    /// Bytes that this thread allocated less those that it freed, ever. `const`, so that reading it never allocates.
    static NET: Cell<i64> = const { Cell::new(0) };
    /// The part of `NET` that is already in `IN_USE`.
    static FLUSHED: Cell<i64> = const { Cell::new(0) };
}

/// The system allocator, counted. A binary that serves the store makes it the global one.
#[derive(Debug, Default)]
pub struct CountingAllocator;

fn count(bytes: i64) {
    // A thread that is being torn down has no locals left; its last frees go straight to the sum.
    let local = NET.try_with(|net| {
        net.set(net.get() + bytes);
        FLUSHED.try_with(|flushed| {
            let drift = net.get() - flushed.get();
            if drift.abs() >= FLUSH_BYTES {
                flushed.set(net.get());
                IN_USE.fetch_add(drift, Ordering::Relaxed);
            }
        })
    });
    if !matches!(local, Ok(Ok(()))) {
        IN_USE.fetch_add(bytes, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on to the system allocator unchanged; counting neither allocates nor panics.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as i64 - layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Bytes allocated and not freed; 0 in a process whose global allocator is not [`CountingAllocator`].
pub(crate) fn in_use_bytes() -> u64 {
    IN_USE.load(Ordering::Relaxed).max(0) as u64
}

/// Bytes that the calling thread allocated less those that it freed, ever.
pub(crate) fn thread_net_bytes() -> i64 {
    NET.with(Cell::get)
}

/// Gives every free page back to the system.
pub(crate) fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Arenas of the allocator: more than there are threads, so that none is shared. A graph that shares one with whatever else runs has its pages pinned by it.
#[cfg(target_env = "gnu")]
const ARENAS_MAX: libc::c_int = 64;

/// Free memory at the end of an arena that is kept: nearly none, because trimming passes over it in all arenas but the first.
#[cfg(target_env = "gnu")]
const KEPT_AT_END_BYTES: libc::c_int = 128 << 10;

/// Buffers from this size on are mapped on their own.
#[cfg(target_env = "gnu")]
const MAPPED_FROM_BYTES: libc::c_int = 1 << 20;

/// Settings that keep resident memory close to memory in use; the allocator's own defaults move with what is freed, up to 32 MiB. Call once, before
/// the first thread.
pub fn prepare() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no preconditions; an unknown setting is ignored.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS_MAX);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_AT_END_BYTES);
        libc::mallopt(libc::M_TOP_PAD, 0);
    }
}
