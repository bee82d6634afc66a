//! How much heap something takes: it is done in larger and larger heaps until one is large enough. A heap gives the same
//! places whatever its size, so what was used of that one is the answer to the byte.
#![allow(unsafe_code, reason = "lends memory to a heap")]

use crate::heap::{GRAIN, Heap};
use crate::memory;
use crate::status::{Failure, fail};
#[cfg(not(feature = "std"))]
use crate::system;
use alloc::vec::Vec;

/// Where the search begins.
#[cfg(feature = "std")]
const FIRST: usize = 1 << 22;

/// The heap that `work` takes at any one time. It must drop all that it makes.
#[cfg(feature = "std")]
pub fn peak(work: impl Fn() -> Result<(), Failure>) -> Result<usize, Failure> {
    let mut bytes = FIRST;
    loop {
        let mut trial: Vec<u8> = memory::outside(|| {
            let mut trial = Vec::new();
            let failed = |_| fail!(NO_MEMORY, "{bytes} bytes to try something in cannot be had");
            trial.try_reserve_exact(bytes + GRAIN).map_err(failed).map(|()| trial)
        })?;
        let start = trial.as_mut_ptr();
        // SAFETY: the vector's memory is touched by nobody else, lives longer than the heap, and has a grain more.
        let heap = unsafe { Heap::new(start.add(start.align_offset(GRAIN)), bytes) };
        memory::within(&heap, &work)?;
        debug_assert_eq!(heap.live(), 0);
        if heap.beyond() == 0 {
            return Ok(heap.peak());
        }
        bytes = bytes.saturating_mul(4);
    }
}

/// The heap that `work` takes at any one time. It must drop all that it makes.
///
/// It is tried in the largest piece of what stands for malloc, once; what does not fit there is not there.
#[cfg(not(feature = "std"))]
pub fn peak(work: impl Fn() -> Result<(), Failure>) -> Result<usize, Failure> {
    let mut trial: Vec<u8> = Vec::new();
    // Its owner stands in front of a piece, and the heap in it begins at a whole grain.
    let bytes = system::largest().saturating_sub(4 * GRAIN);
    memory::outside(|| trial.try_reserve_exact(bytes + GRAIN))
        .map_err(|_| fail!(NO_MEMORY, "{bytes} bytes to try something in cannot be had"))?;
    let start = trial.as_mut_ptr();
    // SAFETY: as above.
    let heap = unsafe { Heap::new(start.add(start.align_offset(GRAIN)), bytes) }.alone();
    system::caught(|| memory::within(&heap, &work))?;
    Ok(heap.peak())
}
