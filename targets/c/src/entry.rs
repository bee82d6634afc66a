//! Around every entry point: no panic gets out, and what went wrong is kept for `ocelli_error`.

use crate::memory;
use crate::status::{Failure, Status};
use crate::system;

/// An entry point that keeps its error with the thread. It may be called from a callback, that is within a session's call:
/// what it makes is not that session's.
pub fn entry(work: impl FnOnce() -> Result<Status, Failure>) -> Status {
    system::alone(|| memory::outside(work)).unwrap_or_else(keep)
}

/// Keeps an error with the thread; gives its number.
pub fn keep(failure: Failure) -> Status {
    system::keep(failure.text);
    failure.status
}
