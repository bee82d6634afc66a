//! Around every entry point: no panic gets out, and what went wrong is kept for `ocelli_error`.
#![allow(unsafe_code, reason = "a thread's last error is lent to C")]

use crate::status::{Failure, Status, Text, fail};
use core::any::Any;
use core::cell::UnsafeCell;
use core::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// What the last call without a session had to say.
    static LAST: UnsafeCell<Text> = const { UnsafeCell::new(Text::EMPTY) };
}

/// An entry point that keeps its error with the thread.
pub fn entry(work: impl FnOnce() -> Result<Status, Failure>) -> Status {
    caught(work).unwrap_or_else(keep)
}

/// Keeps an error with the thread; gives its number.
pub fn keep(failure: Failure) -> Status {
    let status = failure.status;
    // SAFETY: the variable is this thread's, and nothing else refers to it: C was lent a pointer that is good until
    // this thread's next call.
    let _ = LAST.try_with(|last| unsafe { *last.get() = failure.text });
    status
}

/// This thread's last error.
pub fn last() -> *const c_char {
    // SAFETY: as in `keep`; the place does not move while the thread lives.
    LAST.try_with(|last| unsafe { (*last.get()).as_ptr() }).unwrap_or(c"".as_ptr())
}

/// A panic becomes a failure.
pub fn caught(work: impl FnOnce() -> Result<Status, Failure>) -> Result<Status, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let failure = fail!(FAULT, "a fault in Ocelli: {}", words(&*payload));
        // To drop a payload could panic again.
        core::mem::forget(payload);
        Err(failure)
    })
}

fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
