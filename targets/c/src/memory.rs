//! The library's allocator: within a call with a handle, memory comes from the handle's block; otherwise from malloc.
//!
//! ```text
//! piece   ... | owner: the heap, or null for malloc | (unused) | what was asked for
//!             `------------- FRONT bytes -----------'
//! ```
//! The owner is written in front of every piece, so a piece may be given back by any thread and during any call: a worker
//! thread ends, a decoded image is dropped. What does not fit the block is taken from malloc and counted
//! ([`Heap::beyond`]), because Rust code in the middle of its work can only end the process when it gets nothing.
//!
//! Whose call it is changes at every border: an entry point without a session allocates from malloc, also where a callback
//! makes it within a session's call; so does the callback itself. And what is allocated while a panic is on its way (its
//! message, the tables of a backtrace) comes from malloc, for it outlives the call.
#![allow(unsafe_code, reason = "an allocator")]

use crate::heap::{GRAIN, Heap};
use crate::system::{System, current, panicking, set_current};
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{NonNull, null};

/// Bytes in front of a piece. At its end, next to the piece, stands the owner.
const FRONT: usize = GRAIN;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

struct Allocator;

/// Lets `work` allocate from a heap.
///
/// What is allocated may outlive the call, but not the heap.
pub fn within<R>(heap: &Heap, work: impl FnOnce() -> R) -> R {
    scoped(heap, work)
}

/// Lets `work` allocate from malloc, whosever call it is.
pub fn outside<R>(work: impl FnOnce() -> R) -> R {
    scoped(null(), work)
}

fn scoped<R>(heap: *const Heap, work: impl FnOnce() -> R) -> R {
    /// Puts the heap of before back, also when `work` panics.
    struct Before(*const Heap);
    impl Drop for Before {
        fn drop(&mut self) {
            set_current(self.0);
        }
    }
    let _before = Before(current());
    set_current(heap);
    work()
}

/// Where a piece lies in what was taken for it.
struct Place {
    /// Bytes before it.
    front: usize,
    /// All bytes, a multiple of a grain.
    bytes: usize,
}

impl Place {
    fn of(layout: Layout) -> Option<Place> {
        let front = FRONT.max(layout.align());
        let bytes = layout.size().checked_add(front)?.checked_next_multiple_of(GRAIN)?;
        Some(Place { front, bytes })
    }

    /// As malloc is asked for it.
    fn layout(&self, align: usize) -> Option<Layout> {
        Layout::from_size_align(self.bytes, align.max(GRAIN)).ok()
    }
}

impl Allocator {
    /// From the heap, where there is one and it has room. More than ordinary alignment is malloc's: the engine, which
    /// aligns its block by hand, does not ask for it.
    fn from_heap(layout: Layout, place: &Place) -> Option<NonNull<u8>> {
        // SAFETY: `within` borrows the heap for as long as it stands in the variable.
        let heap = unsafe { current().as_ref() }?;
        if panicking() {
            return None;
        }
        if layout.align() > GRAIN {
            heap.miss(place.bytes);
            return None;
        }
        let start = heap.take(place.bytes)?;
        // SAFETY: the piece has at least FRONT bytes.
        unsafe { start.cast::<*const Heap>().write(heap) };
        Some(start)
    }

    /// Writes the owner in front of a piece, and gives the piece.
    ///
    /// # Safety
    /// `start` has `front` bytes and more, at least [`FRONT`] of them.
    unsafe fn mark(start: *mut u8, front: usize, owner: *const Heap) -> *mut u8 {
        if start.is_null() {
            return start;
        }
        // SAFETY: as promised; `front` is a multiple of FRONT.
        unsafe {
            let piece = start.add(front);
            piece.sub(FRONT).cast::<*const Heap>().write(owner);
            piece
        }
    }

    /// # Safety
    /// As [`GlobalAlloc::alloc`].
    unsafe fn take(layout: Layout, malloc: unsafe fn(&System, Layout) -> *mut u8) -> (*mut u8, bool) {
        let Some(place) = Place::of(layout) else { return (core::ptr::null_mut(), false) };
        if let Some(start) = Self::from_heap(layout, &place) {
            // SAFETY: `from_heap` gives a piece of `place.bytes`, whose owner it has written, with FRONT in front.
            return (unsafe { start.as_ptr().add(FRONT) }, true);
        }
        // SAFETY: as in `from_heap`.
        let alone = unsafe { current().as_ref() }.is_some_and(Heap::is_alone);
        let Some(whole) = place.layout(layout.align()).filter(|_| !alone) else {
            return (core::ptr::null_mut(), false);
        };
        // SAFETY: the layout is not empty, and the piece has `front` bytes in front.
        (unsafe { Self::mark(malloc(&System, whole), place.front, null()) }, false)
    }
}

// SAFETY: pieces come from a heap or from malloc, which both give memory that nobody else has, aligned as the layout
// says: the first is aligned to a grain, as FRONT is, and alignments above that take the second way, where `front` is the
// alignment. `dealloc` and `realloc` find in front of a piece where it came from. Nothing here unwinds.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { Self::take(layout, System::alloc) }.0
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let (piece, dirty) = unsafe { Self::take(layout, System::alloc_zeroed) };
        if dirty {
            // SAFETY: the piece has the layout's size.
            unsafe { piece.write_bytes(0, layout.size()) };
        }
        piece
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        let Some(place) = Place::of(layout) else { return };
        // SAFETY: the piece came from `take`, with the same layout: its owner stands in front of it, and it begins
        // `front` bytes after what was taken (FRONT for a heap's, whose alignment is ordinary, so that they are equal).
        unsafe {
            let owner = piece.sub(FRONT).cast::<*const Heap>().read();
            let start = piece.sub(place.front);
            match (owner.as_ref(), NonNull::new(start)) {
                (Some(heap), Some(start)) => heap.give(start, place.bytes),
                _ => {
                    if let Some(whole) = place.layout(layout.align()) {
                        System.dealloc(start, whole);
                    }
                }
            }
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else { return core::ptr::null_mut() };
        let (Some(old), Some(new)) = (Place::of(layout), Place::of(wanted)) else {
            return core::ptr::null_mut();
        };
        // SAFETY: as in `dealloc`; what malloc moves includes the owner in front of the piece.
        unsafe {
            let owner = piece.sub(FRONT).cast::<*const Heap>().read();
            if owner.is_null()
                && let Some(whole) = old.layout(layout.align())
            {
                let start = System.realloc(piece.sub(old.front), whole, new.bytes);
                return if start.is_null() { start } else { start.add(new.front) };
            }
            if old.bytes == new.bytes {
                return piece;
            }
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(piece, layout.size().min(size));
                self.dealloc(piece, layout);
            }
            moved
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::panic_in_result_fn)]
    extern crate std;
    use super::*;
    use crate::measure;
    use crate::status::{FAULT, Failure};
    use crate::system::caught;
    use core::hint::black_box;
    use std::boxed::Box;
    use std::string::String;
    use std::vec::Vec;

    /// What a panic has to say outlives the heap that it came out of, and takes nothing of it.
    #[test]
    fn a_panic_lies_in_no_heap() {
        let mut room: Vec<u128> = std::vec![0; 4096];
        let failure = {
            // SAFETY: the memory is aligned, has as many bytes, and is used by nobody else.
            let heap = unsafe { Heap::new(room.as_mut_ptr().cast(), room.len() * 16) };
            let failure = caught(|| -> Result<(), Failure> {
                within(&heap, || {
                    let word = String::from("a long word");
                    assert!(heap.live() > 0);
                    panic!("{word}, and more of it")
                })
            });
            assert_eq!((heap.live(), heap.beyond()), (0, 0));
            failure
        };
        room.fill(u128::MAX);
        drop(room);
        let failure = failure.err().unwrap();
        assert_eq!(
            (failure.status, failure.text.as_str()),
            (FAULT, "a fault in Ocelli: a long word, and more of it")
        );

        // Out of a heap that is gone by the time that somebody listens.
        let failure =
            caught(|| measure::peak(|| panic!("{} is wrong", String::from("something")))).err().unwrap();
        assert_eq!(failure.text.as_str(), "a fault in Ocelli: something is wrong");
        assert!(current().is_null());
    }

    /// Whose memory it is changes at every border, there and back.
    #[test]
    fn memory_is_whose_call_it_is() {
        let mut rooms: [Vec<u128>; 2] = [std::vec![0; 256], std::vec![0; 256]];
        // SAFETY: as above.
        let [one, two] =
            rooms.each_mut().map(|room| unsafe { Heap::new(room.as_mut_ptr().cast(), 256 * 16) });
        let live = || (one.live(), two.live());
        within(&one, || {
            let ones = black_box(Box::new(1u64));
            assert_eq!(live(), (32, 0));
            let outsides = outside(|| {
                let twos = within(&two, || black_box(Box::new(2u64)));
                assert_eq!(live(), (32, 32));
                drop(twos);
                black_box(Box::new(3u64))
            });
            assert_eq!(live(), (32, 0));
            // Given back from anywhere.
            within(&two, || drop(ones));
            assert_eq!(live(), (0, 0));
            drop(outsides);
        });
        assert_eq!((live(), one.beyond(), two.beyond()), ((0, 0), 0, 0));
    }
}
