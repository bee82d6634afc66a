//! What a caller without an operating system gives the library.
#![allow(unsafe_code, reason = "an entry point")]

use crate::entry::entry;
use crate::status::{OK, Status};
use crate::{system, text};
use core::ffi::c_void;

/// The caller's clock.
pub type ClockMs = Option<unsafe extern "C" fn(user: *mut c_void) -> u64>;

/// `ocelli_platform`.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "the header's")]
pub struct Platform {
    pub size: usize,
    pub memory: *mut c_void,
    pub bytes: usize,
    pub clock_ms: ClockMs,
    pub user: *mut c_void,
}

/// See the header.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocelli_use_platform(platform: *const Platform) -> Status {
    entry(|| {
        // SAFETY: the caller's promise.
        unsafe { system::begin(&text::sized("the platform", platform)?) }.map(|()| OK)
    })
}
