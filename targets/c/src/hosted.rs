//! What an operating system gives: malloc, threads, a clock of its own; and panics that unwind. `bare.rs` is the same
//! without one.
#![allow(unsafe_code, reason = "a thread's last error is lent to C")]

use crate::heap::Heap;
use crate::platform::Platform;
use crate::status::{Failure, Text, fail};
use core::any::Any;
use core::cell::{Cell, UnsafeCell};
use core::ffi::c_char;
use core::ptr::null;
use ocelli::profile::Clock;
pub use std::alloc::System;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// Whose call this thread is in.
    static CURRENT: Cell<*const Heap> = const { Cell::new(null()) };
    /// What the last call without a session had to say.
    static LAST: UnsafeCell<Text> = const { UnsafeCell::new(Text::EMPTY) };
}

/// Whose call this thread is in, or null.
pub fn current() -> *const Heap {
    // The variable is gone when a thread ends.
    CURRENT.try_with(Cell::get).unwrap_or(null())
}

/// Says whose call this thread is in from now on.
pub fn set_current(heap: *const Heap) {
    CURRENT.set(heap);
}

/// Whether a panic is on its way out of this thread.
pub fn panicking() -> bool {
    std::thread::panicking()
}

/// Keeps an error's sentence with the thread.
pub fn keep(text: Text) {
    // SAFETY: the variable is this thread's, and nothing else refers to it: C was lent a pointer that is good until
    // this thread's next call.
    let _ = LAST.try_with(|last| unsafe { *last.get() = text });
}

/// This thread's last error.
pub fn last() -> *const c_char {
    // SAFETY: as in `keep`; the place does not move while the thread lives.
    LAST.try_with(|last| unsafe { (*last.get()).as_ptr() }).unwrap_or(c"".as_ptr())
}

/// The clock to use instead of the system's.
pub fn clock() -> Option<Clock> {
    None
}

/// Takes what a caller gives: nothing is needed here.
///
/// # Safety
/// None is asked for; without an operating system it is.
pub unsafe fn begin(_: &Platform) -> Result<(), Failure> {
    Err(fail!(UNSUPPORTED, "this library has an operating system: its memory and its clock are used"))
}

/// Handles come and go.
pub fn count(_: isize) {}

/// Does a call's work. There may be others at the same time.
pub fn alone<R>(work: impl FnOnce() -> Result<R, Failure>) -> Result<R, Failure> {
    caught(work)
}

/// A panic becomes a failure.
pub fn caught<R>(work: impl FnOnce() -> Result<R, Failure>) -> Result<R, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let failure = fail!(FAULT, "a fault in Ocelli: {}", words(&*payload));
        if !payload.is::<String>() && !payload.is::<&str>() {
            // To drop what somebody else has thrown could panic again.
            core::mem::forget(payload);
        }
        Err(failure)
    })
}

fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
