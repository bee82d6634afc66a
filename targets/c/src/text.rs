//! What comes in as a pointer and a length.
#![allow(unsafe_code, reason = "a caller's pointers become slices")]

use crate::status::{Failure, fail};
use core::ffi::{CStr, c_char, c_void};
use core::mem::align_of;

/// `OCELLI_Z`: the text ends before its first zero.
pub const Z: usize = usize::MAX;

/// Bytes of a caller.
///
/// # Safety
/// `at` is NULL, or may be read for `length` bytes as long as `'a`.
pub unsafe fn bytes<'a>(what: &str, at: *const c_void, length: usize) -> Result<&'a [u8], Failure> {
    if at.is_null() {
        return Err(fail!(BAD_ARGUMENT, "{what} is NULL"));
    }
    if isize::try_from(length).is_err() {
        return Err(fail!(BAD_ARGUMENT, "the length of {what}, {length}, is more than any memory has"));
    }
    // SAFETY: as promised, and the length is one that a slice may have.
    Ok(unsafe { core::slice::from_raw_parts(at.cast(), length) })
}

/// A caller's text.
///
/// # Safety
/// As [`bytes`]; with the length [`Z`], the text ends with a zero.
pub unsafe fn text<'a>(what: &str, at: *const c_char, length: usize) -> Result<&'a str, Failure> {
    // SAFETY: as promised.
    let bytes = unsafe {
        match length {
            Z if !at.is_null() => CStr::from_ptr(at).to_bytes(),
            Z => bytes(what, at.cast(), 0)?,
            _ => bytes(what, at.cast(), length)?,
        }
    };
    core::str::from_utf8(bytes).map_err(|error| fail!(BAD_TEXT, "{what}: {error}"))
}

/// A place for a result.
///
/// # Safety
/// `at` is NULL, or may be written as long as `'a`.
pub unsafe fn place<T>(what: &str, at: *mut T) -> Result<*mut T, Failure> {
    if at.is_null() {
        return Err(fail!(BAD_ARGUMENT, "{what} is NULL"));
    }
    if !at.addr().is_multiple_of(align_of::<T>()) {
        return Err(fail!(BAD_ARGUMENT, "{what} is not aligned to {} bytes", align_of::<T>()));
    }
    Ok(at)
}

/// A struct that begins with its size, as `known` bytes of it: what a newer header has beyond that is not looked at.
///
/// # Safety
/// `at` is NULL or aligned, and may be read for as many bytes as its size says.
pub unsafe fn sized<T: Copy>(what: &str, at: *const T) -> Result<T, Failure> {
    // SAFETY: nothing is read or written.
    let at = unsafe { place(what, at.cast_mut()) }?;
    // SAFETY: the size comes first in all such structs, and is there.
    let size = unsafe { at.cast::<usize>().read() };
    if size < size_of::<T>() {
        return Err(fail!(
            BAD_ARGUMENT,
            "the size of {what} is {size} and should be {}, sizeof of the type",
            size_of::<T>()
        ));
    }
    // SAFETY: the caller's struct has all of T's bytes; T is plain data.
    Ok(unsafe { at.read() })
}
