//! A heap within one block: first fit over a list of holes in the order of their addresses, merged when they meet.
//!
//! ```text
//! hole    next hole, its size
//! taken   nothing: who takes a piece remembers its size
//! ```
//! All sizes are multiples of [`GRAIN`]. The same calls give the same places, in any block that is large enough: so the
//! end of the furthest piece ever taken ([`Heap::peak`]) is exactly the size of a block that would do.
#![allow(unsafe_code, reason = "holes are written into the memory they stand for")]

use core::cell::UnsafeCell;
use core::hint::spin_loop;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};

/// Sizes and places are multiples of this: a hole fits, and so does anything of ordinary alignment.
pub const GRAIN: usize = 16;

/// A hole's first bytes.
struct Hole {
    next: *mut Hole,
    bytes: usize,
}

/// See the module.
pub struct Heap {
    lock: AtomicBool,
    state: UnsafeCell<State>,
    /// Bytes that were asked for and not there, so that they came from elsewhere, if from anywhere.
    beyond: AtomicUsize,
    /// Whether nothing may come from elsewhere.
    strict: bool,
}

struct State {
    start: *mut u8,
    first: *mut Hole,
    /// Bytes in use.
    live: usize,
    peak: usize,
}

// SAFETY: the lock is held while `state`, and the memory it points to, is touched.
unsafe impl Send for Heap {}
// SAFETY: as above.
unsafe impl Sync for Heap {}

impl Heap {
    /// A heap in this memory. What is too much for whole grains is left out.
    ///
    /// # Safety
    /// `start` is a multiple of [`GRAIN`]; the bytes may be written, and nobody else uses them while the heap or a piece
    /// of it is in use.
    pub unsafe fn new(start: *mut u8, bytes: usize) -> Heap {
        let bytes = bytes - bytes % GRAIN;
        let mut first = null_mut();
        if bytes > 0 {
            first = start.cast::<Hole>();
            // SAFETY: `start` is aligned for a hole, whose size is at most a grain's, and there is a grain.
            unsafe {
                first.write(Hole { next: null_mut(), bytes });
                watch::close(start.add(GRAIN), bytes - GRAIN);
            }
        }
        let state = State { start, first, live: 0, peak: 0 };
        Heap {
            lock: AtomicBool::new(false),
            state: UnsafeCell::new(state),
            beyond: AtomicUsize::new(0),
            strict: false,
        }
    }

    /// The same, and what does not fit comes from nowhere else: whoever asks for it gets nothing.
    #[cfg(not(feature = "std"))]
    pub fn alone(self) -> Heap {
        Heap { strict: true, ..self }
    }

    /// Whether nothing may come from elsewhere.
    pub fn is_alone(&self) -> bool {
        self.strict
    }

    /// Takes so many bytes, a multiple of a grain and not 0; nothing where no hole is large enough.
    pub fn take(&self, bytes: usize) -> Option<NonNull<u8>> {
        self.locked(|state| {
            let mut link: *mut *mut Hole = &raw mut state.first;
            // SAFETY: `link` is the state's own or a hole's, and what hangs on it are holes: written by `new` and `give`
            // into memory that is theirs, one grain or more.
            unsafe {
                while let Some(hole) = NonNull::new(*link) {
                    let hole = hole.as_ptr();
                    if (*hole).bytes < bytes {
                        link = &raw mut (*hole).next;
                        continue;
                    }
                    let (next, rest) = ((*hole).next, (*hole).bytes - bytes);
                    watch::open(hole.cast(), bytes + rest.min(GRAIN));
                    *link = if rest == 0 {
                        next
                    } else {
                        let left = hole.byte_add(bytes);
                        left.write(Hole { next, bytes: rest });
                        left
                    };
                    state.live += bytes;
                    state.peak = state.peak.max(hole as usize + bytes - state.start as usize);
                    return NonNull::new(hole.cast());
                }
            }
            self.miss(bytes);
            None
        })
    }

    /// Counts bytes that this heap could not give.
    pub fn miss(&self, bytes: usize) {
        self.beyond.fetch_add(bytes, Relaxed);
    }

    /// Gives a piece back.
    ///
    /// # Safety
    /// It was taken from this heap, with this size, and is not in use any more.
    pub unsafe fn give(&self, piece: NonNull<u8>, bytes: usize) {
        self.locked(|state| {
            state.live -= bytes;
            let new = piece.cast::<Hole>().as_ptr();
            let mut before: *mut Hole = null_mut();
            let mut after = state.first;
            // SAFETY: the list's holes are alive (see `take`); the piece is the heap's again and holds a grain.
            unsafe {
                while !after.is_null() && (after as usize) < new as usize {
                    before = after;
                    after = (*after).next;
                }
                let meets = |hole: *mut Hole, next: *mut Hole| hole as usize + (*hole).bytes == next as usize;
                new.write(Hole { next: after, bytes });
                watch::close(new.byte_add(GRAIN).cast(), bytes - GRAIN);
                if !after.is_null() && meets(new, after) {
                    (*new).bytes += (*after).bytes;
                    (*new).next = (*after).next;
                    watch::close(after.cast(), GRAIN);
                }
                if before.is_null() {
                    state.first = new;
                } else if meets(before, new) {
                    (*before).bytes += (*new).bytes;
                    (*before).next = (*new).next;
                    watch::close(new.cast(), GRAIN);
                } else {
                    (*before).next = new;
                }
            }
        });
    }

    /// The largest piece that can be taken now.
    #[cfg(not(feature = "std"))]
    pub fn largest(&self) -> usize {
        self.locked(|state| {
            let (mut hole, mut most) = (state.first, 0);
            // SAFETY: the list's holes are alive: see `take`.
            while let Some(this) = unsafe { hole.as_ref() } {
                most = most.max(this.bytes);
                hole = this.next;
            }
            most
        })
    }

    /// Bytes in use.
    pub fn live(&self) -> usize {
        self.locked(|state| state.live)
    }

    /// The end of the furthest piece that was ever taken.
    pub fn peak(&self) -> usize {
        self.locked(|state| state.peak)
    }

    /// Bytes that were asked for and not there.
    pub fn beyond(&self) -> u64 {
        self.beyond.load(Relaxed) as u64
    }

    fn locked<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        while self.lock.compare_exchange_weak(false, true, Acquire, Relaxed).is_err() {
            spin_loop();
        }
        // SAFETY: the lock is held, so this is the only reference. `work` does not panic: it is the code above.
        let result = work(unsafe { &mut *self.state.get() });
        self.lock.store(false, Release);
        result
    }
}

/// The memory is its owner's again.
#[cfg(all(ocelli_asan, feature = "std"))]
impl Drop for Heap {
    fn drop(&mut self) {
        self.locked(|state| {
            let mut hole = state.first;
            while !hole.is_null() {
                // SAFETY: the list's holes are alive: see `take`.
                unsafe {
                    let this = hole;
                    hole = (*this).next;
                    watch::open(this.cast(), (*this).bytes);
                }
            }
        });
    }
}

mod watch;

#[cfg(test)]
mod tests;
