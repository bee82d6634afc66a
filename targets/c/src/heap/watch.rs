//! AddressSanitizer is told what is a hole, in a library that is built for it (`targets/c/sanitize`): who uses a piece that
//! was given back, or a block beyond its pieces, is found as with malloc. In any other build nothing is done.

#[cfg(ocelli_asan)]
unsafe extern "C" {
    fn __asan_poison_memory_region(start: *const u8, bytes: usize);
    fn __asan_unpoison_memory_region(start: *const u8, bytes: usize);
}

/// Nobody may touch these bytes from now on.
///
/// # Safety
/// They are the heap's.
#[inline(always)]
#[cfg_attr(not(ocelli_asan), allow(unused_variables))]
pub unsafe fn close(start: *mut u8, bytes: usize) {
    #[cfg(ocelli_asan)]
    // SAFETY: what is noted about them changes nothing in them.
    unsafe {
        __asan_poison_memory_region(start, bytes);
    }
}

/// They may be used.
///
/// # Safety
/// They are the heap's.
#[inline(always)]
#[cfg_attr(not(ocelli_asan), allow(unused_variables))]
pub unsafe fn open(start: *mut u8, bytes: usize) {
    #[cfg(ocelli_asan)]
    // SAFETY: as above.
    unsafe {
        __asan_unpoison_memory_region(start, bytes);
    }
}
