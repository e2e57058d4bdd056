//! A counting allocator for a whole test binary: what a thread holds, its peak, and its calls.

// Each test binary uses its own part of this.
#![allow(dead_code)]
// The allocator is the one thing in the tests that safe code cannot do.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts for the thread that runs a test: others do not disturb it.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static MOVED: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    HELD.set(HELD.get() + bytes);
    PEAK.set(PEAK.get().max(HELD.get()));
    CALLS.set(CALLS.get() + 1);
}

fn size(layout: Layout) -> isize {
    isize::try_from(layout.size()).unwrap_or(isize::MAX)
}

// SAFETY: every call goes to `System` with the arguments that came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-size(layout));
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        count(isize::try_from(new).unwrap_or(isize::MAX) - size(layout));
        MOVED.set(MOVED.get() + layout.size().min(new));
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, new) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a piece of work did to the heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heap {
    /// Bytes left held.
    pub held: isize,
    /// The most that was held above the start.
    pub peak: isize,
    /// Calls of the allocator.
    pub calls: usize,
    /// Bytes that it was asked to keep while it made buffers larger or smaller.
    pub moved: usize,
}

/// Bytes held by this thread.
pub fn held() -> isize {
    HELD.get()
}

/// Runs `work` and counts.
pub fn counted<T>(work: impl FnOnce() -> T) -> (T, Heap) {
    let (held, calls, moved) = (HELD.get(), CALLS.get(), MOVED.get());
    PEAK.set(held);
    let result = work();
    let heap = Heap {
        held: HELD.get() - held,
        peak: PEAK.get() - held,
        calls: CALLS.get() - calls,
        moved: MOVED.get() - moved,
    };
    (result, heap)
}
