//! Stopping: from another thread, or at a deadline.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use ocelli_kernels::pool::Interrupt;

/// A handle that stops a session's work from any thread. Clones stop the same session.
#[derive(Clone, Debug, Default)]
pub struct Stopper(Arc<Flags>);

#[derive(Debug)]
struct Flags {
    stop: AtomicBool,
    /// Milliseconds on the session's clock; `u64::MAX` is never.
    deadline: AtomicU64,
    #[cfg(feature = "std")]
    start: std::time::Instant,
}

impl Default for Flags {
    fn default() -> Flags {
        Flags {
            stop: AtomicBool::new(false),
            deadline: AtomicU64::new(u64::MAX),
            #[cfg(feature = "std")]
            start: std::time::Instant::now(),
        }
    }
}

impl Stopper {
    /// Asks the session to stop. It does within one tile of the operation it is in; reading or answering ends with
    /// [`Error::Stopped`](crate::Error::Stopped). What was complete stays.
    pub fn stop(&self) {
        self.0.stop.store(true, Relaxed);
    }

    /// Takes a request to stop back, so that the session can go on.
    pub fn clear(&self) {
        self.0.stop.store(false, Relaxed);
    }

    /// Whether a stop was asked for.
    pub fn is_stopped(&self) -> bool {
        self.0.stop.load(Relaxed)
    }

    /// Lets work end with [`Error::Deadline`](crate::Error::Deadline) once so much time has passed from now.
    #[cfg(feature = "std")]
    pub fn set_deadline(&self, after: Option<core::time::Duration>) {
        let at = |after| u64::try_from((self.0.start.elapsed() + after).as_millis()).unwrap_or(u64::MAX);
        self.0.deadline.store(after.map_or(u64::MAX, at), Relaxed);
    }

    /// Whether the deadline has passed.
    pub fn is_late(&self) -> bool {
        let deadline = self.0.deadline.load(Relaxed);
        deadline != u64::MAX && self.now() >= deadline
    }

    #[cfg(feature = "std")]
    fn now(&self) -> u64 {
        u64::try_from(self.0.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    #[cfg(not(feature = "std"))]
    fn now(&self) -> u64 {
        0
    }
}

impl Interrupt for Stopper {
    fn stopped(&self) -> bool {
        self.is_stopped() || self.is_late()
    }
}
