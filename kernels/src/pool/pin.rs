//! Threads kept to processors: Linux and Android.
//!
//! `sched_getaffinity(2)` and `sched_setaffinity(2)`, of the C library that `std` links anyway. A set of processors is an
//! array of machine words: processor n is bit n modulo the word's length of word n divided by it. A process may be allowed
//! fewer processors than the machine has (taskset, containers); no thread is ever kept to another one.
#![allow(unsafe_code, reason = "calls of the system")]

use core::fmt;
use std::vec::Vec;

/// Why threads are not kept to processors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PinError {
    /// Only Linux and Android are asked.
    Unsupported,
    /// More threads than processors that this process may use.
    Processors {
        /// Threads.
        threads: usize,
        /// Processors.
        allowed: usize,
    },
    /// The system says no.
    System {
        /// Its number for why.
        code: i32,
    },
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PinError::Unsupported => f.write_str("threads are kept to processors on Linux and Android only"),
            PinError::Processors { threads, allowed } => {
                write!(f, "{threads} threads cannot be kept to the {allowed} processors that may be used")
            }
            PinError::System { code } => {
                write!(
                    f,
                    "the system does not keep threads to processors: {}",
                    std::io::Error::from_raw_os_error(*code)
                )
            }
        }
    }
}

impl core::error::Error for PinError {}

/// The processors that the calling thread may run on, by their numbers.
///
/// # Errors
/// The system does not say.
pub fn allowed() -> Result<Vec<usize>, PinError> {
    system::get().map(|set| set.processors().collect())
}

/// Keeps the calling thread to a processor.
pub(super) fn keep(processor: usize) -> Result<(), PinError> {
    system::set(processor)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use super::PinError;
    use core::ffi::{c_int, c_ulong};

    const BITS: usize = c_ulong::BITS as usize;

    /// 8192 processors: as many as a kernel can be built for.
    pub(super) struct Set([c_ulong; 8192 / BITS]);

    impl Set {
        pub(super) fn processors(&self) -> impl Iterator<Item = usize> {
            let bit = |n: &usize| self.0.get(n / BITS).is_some_and(|word| word >> (n % BITS) & 1 == 1);
            (0..8192).filter(bit)
        }
    }

    unsafe extern "C" {
        fn sched_getaffinity(thread: c_int, bytes: usize, set: *mut c_ulong) -> c_int;
        fn sched_setaffinity(thread: c_int, bytes: usize, set: *const c_ulong) -> c_int;
    }

    fn why() -> PinError {
        PinError::System { code: std::io::Error::last_os_error().raw_os_error().unwrap_or(0) }
    }

    pub(super) fn get() -> Result<Set, PinError> {
        let mut set = Set([0; 8192 / BITS]);
        // SAFETY: the set is as long as is said; thread 0 is the calling one.
        let result = unsafe { sched_getaffinity(0, size_of_val(&set.0), set.0.as_mut_ptr()) };
        if result < 0 { Err(why()) } else { Ok(set) }
    }

    pub(super) fn set(processor: usize) -> Result<(), PinError> {
        let mut set = Set([0; 8192 / BITS]);
        // EINVAL, as the system would say of a processor that there is not.
        let word = set.0.get_mut(processor / BITS).ok_or(PinError::System { code: 22 })?;
        *word = 1 << (processor % BITS);
        // SAFETY: as above.
        let result = unsafe { sched_setaffinity(0, size_of_val(&set.0), set.0.as_ptr()) };
        if result < 0 { Err(why()) } else { Ok(()) }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use super::PinError;

    pub(super) struct Set;

    impl Set {
        pub(super) fn processors(&self) -> impl Iterator<Item = usize> {
            core::iter::empty()
        }
    }

    pub(super) fn get() -> Result<Set, PinError> {
        Err(PinError::Unsupported)
    }

    pub(super) fn set(_: usize) -> Result<(), PinError> {
        Err(PinError::Unsupported)
    }
}
