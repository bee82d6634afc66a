//! Without an operating system (`hosted.rs` is the same with one): memory and a clock that the caller gives, and a way out of a panic.
//!
//! **Memory.** [`System`] stands where malloc does: a heap in the one block given to `ocelli_use_platform`. Without such a
//! block it has nothing to give; handles in blocks of the caller's do not need it.
//!
//! **Panics.** Nothing unwinds here. [`caught`] saves the registers that a call preserves and calls; a panic puts them
//! back ([`crate::escape`]), and the call has ended. What was between is not dropped: values there are lost, the pieces of
//! heap they had stay taken, and whoever catches gives up the whole heap that was in use. So no state is looked at again
//! that a panic may have left half changed.
//!
//! **One call at a time** is in the library, `ocelli_cancel` excepted, which touches two words: a second one, of another
//! task or of an interrupt, gets `OCELLI_BUSY` ([`alone`]).
#![allow(unsafe_code, reason = "an allocator over a caller's memory, a caller's clock")]

use crate::escape::{self, Frame};
use crate::heap::{GRAIN, Heap};
use crate::platform::{ClockMs, Platform};
use crate::status::{Failure, Text, fail};
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ffi::{c_char, c_void};
use core::fmt::Write;
use core::panic::PanicInfo;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering::*};
use ocelli::profile::Clock;

/// What was given. Touched by the one call there is at a time, and by the clock it asks.
struct Given(UnsafeCell<State>);

struct State {
    heap: Option<Heap>,
    /// Handles that are alive.
    handles: isize,
    clock: ClockMs,
    user: *mut c_void,
    /// What the last panic had to say.
    panic: Text,
    /// What the last call without a session had to say.
    last: Text,
}

// SAFETY: one call at a time is in the library (`alone`), and only calls touch this.
unsafe impl Sync for Given {}

static GIVEN: Given = Given(UnsafeCell::new(State {
    heap: None,
    handles: 0,
    clock: None,
    user: null_mut(),
    panic: Text::EMPTY,
    last: Text::EMPTY,
}));
/// Whose call it is.
static CURRENT: AtomicPtr<Heap> = AtomicPtr::new(null_mut());
static IN_CALL: AtomicBool = AtomicBool::new(false);
/// Where a panic goes.
static FRAME: AtomicPtr<Frame> = AtomicPtr::new(null_mut());

/// The state, for a moment: no two references to it are alive at a time.
fn state<R>(look: impl FnOnce(&mut State) -> R) -> R {
    // SAFETY: one call at a time, and `look` below calls nothing that would come here again.
    look(unsafe { &mut *GIVEN.0.get() })
}

/// Takes what a caller gives.
///
/// # Safety
/// The memory is the library's from now on; the clock may be called with `user`.
pub unsafe fn begin(given: &Platform) -> Result<(), Failure> {
    if state(|state| state.handles > 0) {
        return Err(fail!(BUSY, "the memory given before has handles in it"));
    }
    let heap = match NonNull::new(given.memory.cast::<u8>()) {
        None if given.bytes == 0 => None,
        None => return Err(fail!(BAD_ARGUMENT, "memory is NULL and has {} bytes", given.bytes)),
        Some(_) if isize::try_from(given.bytes).is_err() => {
            return Err(fail!(BAD_ARGUMENT, "no memory has {} bytes", given.bytes));
        }
        Some(start) => {
            let pad = start.align_offset(GRAIN).min(given.bytes);
            // SAFETY: as promised; the padding is within the block.
            Some(unsafe { Heap::new(start.as_ptr().add(pad), given.bytes - pad) })
        }
    };
    state(|state| (state.heap, state.clock, state.user) = (heap, given.clock_ms, given.user));
    Ok(())
}

/// Whose call this is, or null.
pub fn current() -> *const Heap {
    CURRENT.load(Relaxed)
}

/// Says whose call it is from now on.
pub fn set_current(heap: *const Heap) {
    CURRENT.store(heap.cast_mut(), Relaxed);
}

/// Whether a panic is on its way out: here nothing runs until it is.
pub fn panicking() -> bool {
    false
}

/// Keeps an error's sentence, unless a call is at work, which this one has interrupted.
pub fn keep(text: Text) {
    if !IN_CALL.load(Acquire) {
        state(|state| state.last = text);
    }
}

/// The last error.
pub fn last() -> *const c_char {
    state(|state| state.last.as_ptr())
}

/// Nanoseconds of the caller's clock.
fn now() -> u64 {
    let (clock, user) = state(|state| (state.clock, state.user));
    // SAFETY: the caller has promised that it may be called.
    clock.map_or(0, |clock| unsafe { clock(user) }).saturating_mul(1_000_000)
}

/// The caller's clock.
pub fn clock() -> Option<Clock> {
    state(|state| state.clock.is_some()).then_some(now as Clock)
}

/// The largest piece that there is now.
pub fn largest() -> usize {
    state(|state| state.heap.as_ref().map_or(0, Heap::largest))
}

/// Handles come and go: while there are any, what was given stays.
pub fn count(more: isize) {
    state(|state| state.handles += more);
}

/// Does a call's work, unless another one is in the library.
pub fn alone<R>(work: impl FnOnce() -> Result<R, Failure>) -> Result<R, Failure> {
    if IN_CALL.swap(true, Acquire) {
        return Err(fail!(BUSY, "another call is in the library"));
    }
    let result = caught(work);
    IN_CALL.store(false, Release);
    result
}

/// What is to be done, and what came of it.
struct Job<F, R> {
    work: Option<F>,
    result: Option<R>,
}

extern "C" fn run<F: FnOnce() -> R, R>(job: *mut c_void) {
    // SAFETY: `caught` gives its own job of these types, which nobody else uses meanwhile.
    let job = unsafe { &mut *job.cast::<Job<F, R>>() };
    if let Some(work) = job.work.take() {
        job.result = Some(work());
    }
}

/// A panic becomes a failure.
pub fn caught<R>(work: impl FnOnce() -> Result<R, Failure>) -> Result<R, Failure> {
    fn with<F: FnOnce() -> R, R>(work: F) -> Option<R> {
        let mut job = Job { work: Some(work), result: None };
        enter(run::<F, R>, (&raw mut job).cast());
        job.result
    }
    with(work).unwrap_or_else(|| Err(panicked()))
}

/// Calls, with a way out.
fn enter(call: extern "C" fn(*mut c_void), with: *mut c_void) {
    let mut frame = Frame::EMPTY;
    let (before, heap) = (FRAME.swap(&raw mut frame, AcqRel), current());
    // SAFETY: the frame lives until this call has ended, whichever way.
    unsafe { escape::enter(&raw mut frame, call, with) };
    FRAME.store(before, Release);
    set_current(heap);
}

fn panicked() -> Failure {
    state(|state| {
        let what = state.panic.as_str();
        // The words of `alloc::handle_alloc_error`.
        let memory = what.starts_with("memory allocation of");
        if memory { fail!(NO_MEMORY, "{what}") } else { fail!(FAULT, "a fault in Ocelli: {what}") }
    })
}

/// The way out, if there is one; else the machine stands still, which a watchdog sees.
#[cfg(target_os = "none")]
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let frame = FRAME.load(Acquire);
    if frame.is_null() {
        loop {
            core::hint::spin_loop();
        }
    }
    state(|state| {
        state.panic = Text::EMPTY;
        // Cannot fail: what does not fit is cut off.
        let _ = write!(state.panic, "{}", info.message());
        if let Some(at) = info.location() {
            let _ = write!(state.panic, " ({}:{})", at.file(), at.line());
        }
    });
    // SAFETY: the frame is the innermost `caught`'s, whose call has not ended.
    unsafe { escape::leave(frame) }
}

/// Where malloc would be.
pub struct System;

impl System {
    /// Bytes for a layout: with more than ordinary alignment, a grain in front, where the piece's beginning is kept.
    fn bytes(layout: Layout) -> Option<usize> {
        let more = if layout.align() > GRAIN { layout.align() + GRAIN } else { 0 };
        layout.size().checked_add(more)?.max(1).checked_next_multiple_of(GRAIN)
    }
}

// SAFETY: pieces come from the heap, which gives memory that nobody else has, in grains; larger alignments are made
// within a piece that is longer by one and a grain. Nothing here unwinds.
unsafe impl GlobalAlloc for System {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(bytes) = Self::bytes(layout) else { return null_mut() };
        let Some(piece) = state(|state| state.heap.as_ref()?.take(bytes)) else { return null_mut() };
        let start = piece.as_ptr();
        if layout.align() <= GRAIN {
            return start;
        }
        // SAFETY: the piece is longer by the alignment and a grain; the grain before the aligned place is in it.
        unsafe {
            let at = start.add(GRAIN);
            let at = at.add(at.align_offset(layout.align()));
            at.sub(GRAIN).cast::<*mut u8>().write(start);
            at
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        let Some(bytes) = Self::bytes(layout) else { return };
        // SAFETY: `alloc` gave the piece, with the same layout.
        unsafe {
            let start =
                if layout.align() > GRAIN { piece.sub(GRAIN).cast::<*mut u8>().read() } else { piece };
            if let Some(start) = NonNull::new(start) {
                state(|state| {
                    if let Some(heap) = &state.heap {
                        heap.give(start, bytes);
                    }
                });
            }
        }
    }
}
