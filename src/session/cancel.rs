//! Stopping: from another thread, or at a deadline. And the clock that deadlines and times are measured with: the
//! system's, or one that the caller gives ([`Session::set_clock`](crate::Session::set_clock)); without the feature `std`
//! there is no other.

use crate::error::Error;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use core::time::Duration;
use ocelli_kernels::pool::Interrupt;
use ocelli_tape::Clock;
use ocelli_tape::RunError;

/// A handle that stops a session's work from any thread. Clones stop the same session.
#[derive(Clone, Debug, Default)]
pub struct Stopper(Arc<Flags>);

#[derive(Debug)]
struct Flags {
    stop: AtomicBool,
    deadline: Moments,
    /// The caller's.
    clock: Option<Clock>,
    #[cfg(feature = "std")]
    start: std::time::Instant,
}

impl Default for Flags {
    fn default() -> Flags {
        Flags {
            stop: AtomicBool::new(false),
            deadline: Moments::never(),
            clock: None,
            #[cfg(feature = "std")]
            start: std::time::Instant::now(),
        }
    }
}

impl Flags {
    /// Nanoseconds on the session's clock, where there is one.
    fn now(&self) -> Option<u64> {
        if let Some(clock) = self.clock {
            return Some(clock());
        }
        #[cfg(feature = "std")]
        return Some(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        #[cfg(not(feature = "std"))]
        None
    }
}

/// A moment on a clock.
#[derive(Clone, Copy)]
pub(crate) struct Moment(Option<u64>);

impl Stopper {
    /// One that measures time with this clock.
    pub(crate) fn with_clock(clock: Clock) -> Stopper {
        Stopper(Arc::new(Flags { clock: Some(clock), ..Flags::default() }))
    }

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

    /// Whether there is a clock, without which a deadline never passes and all times are zero.
    pub fn has_clock(&self) -> bool {
        self.0.now().is_some()
    }

    /// Lets work end with [`Error::Deadline`](crate::Error::Deadline) once so much time has passed from now.
    pub fn set_deadline(&self, after: Option<Duration>) {
        let at = after
            .zip(self.0.now())
            .map(|(after, now)| now.saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX)));
        self.0.deadline.set(at.unwrap_or(u64::MAX));
    }

    /// Whether the deadline has passed.
    pub fn is_late(&self) -> bool {
        let deadline = self.0.deadline.get();
        deadline != u64::MAX && self.0.now().is_some_and(|now| now >= deadline)
    }

    /// Now.
    pub(crate) fn moment(&self) -> Moment {
        Moment(self.0.now())
    }

    /// Time since then; zero without a clock.
    pub(crate) fn since(&self, moment: Moment) -> Duration {
        let spent = self.0.now().zip(moment.0).map_or(0, |(now, then)| now.saturating_sub(then));
        Duration::from_nanos(spent)
    }
}

impl Interrupt for Stopper {
    fn stopped(&self) -> bool {
        self.is_stopped() || self.is_late()
    }
}

/// Which of the two reasons to stop it was, where it was one.
pub(crate) fn stopped(stopper: &Stopper, error: RunError) -> Error {
    match error {
        RunError::Stopped if !stopper.is_stopped() && stopper.is_late() => Error::Deadline,
        other => other.into(),
    }
}

/// Nanoseconds that threads share; the largest number is never.
#[cfg(target_has_atomic = "64")]
#[derive(Debug)]
struct Moments(core::sync::atomic::AtomicU64);

#[cfg(target_has_atomic = "64")]
impl Moments {
    fn never() -> Moments {
        Moments(core::sync::atomic::AtomicU64::new(u64::MAX))
    }
    fn set(&self, nanoseconds: u64) {
        self.0.store(nanoseconds, Relaxed);
    }
    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// In two halves, for processors that store no 64 bits at once (Cortex-M). A thread that reads while another sets may
/// see half of each; such targets run one thread, and what sets a deadline there is not an interrupt.
#[cfg(not(target_has_atomic = "64"))]
#[derive(Debug)]
struct Moments([core::sync::atomic::AtomicU32; 2]);

#[cfg(not(target_has_atomic = "64"))]
impl Moments {
    fn never() -> Moments {
        Moments([u32::MAX; 2].map(core::sync::atomic::AtomicU32::new))
    }
    fn set(&self, nanoseconds: u64) {
        let [low, high] = &self.0;
        low.store(nanoseconds as u32, Relaxed);
        high.store((nanoseconds >> 32) as u32, Relaxed);
    }
    fn get(&self) -> u64 {
        let [low, high] = &self.0;
        u64::from(high.load(Relaxed)) << 32 | u64::from(low.load(Relaxed))
    }
}
