#![allow(clippy::unwrap_used, unsafe_code)]
extern crate std;
use super::*;
use std::thread::scope;
use std::vec::Vec;

/// Grains of memory, aligned as they are.
fn memory(bytes: usize) -> Vec<u128> {
    std::vec![0; bytes / size_of::<u128>()]
}

/// Takes and gives pieces in an order of its own, and writes to all of them: none is another's.
fn use_heap(heap: &Heap, mark: u8, rounds: usize) {
    let mut state = u64::from(mark) << 32 | 1;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut pieces: Vec<(NonNull<u8>, usize)> = Vec::new();
    for _ in 0..rounds {
        if pieces.len() < 12 && random(3) > 0 {
            let bytes = GRAIN * (1 + random(20));
            if let Some(piece) = heap.take(bytes) {
                // SAFETY: it was just taken.
                unsafe { piece.write_bytes(mark, bytes) };
                pieces.push((piece, bytes));
            }
        } else if !pieces.is_empty() {
            let (piece, bytes) = pieces.swap_remove(random(pieces.len()));
            // SAFETY: it was taken, with this size, and is given back once.
            unsafe {
                assert!((0..bytes).all(|at| piece.add(at).read() == mark));
                heap.give(piece, bytes);
            }
        }
    }
    for (piece, bytes) in pieces {
        // SAFETY: as above.
        unsafe { heap.give(piece, bytes) };
    }
}

#[test]
fn pieces_are_their_owners_and_holes_meet_again() {
    for grains in [0, 1, 2, 7, 300] {
        let bytes = grains * GRAIN;
        let mut room = memory(bytes + GRAIN);
        // SAFETY: the memory is aligned, has as many bytes, and is used by nobody else.
        let heap = unsafe { Heap::new(room.as_mut_ptr().cast(), bytes + GRAIN / 2) };
        use_heap(&heap, 7, 400);
        scope(|scope| {
            for mark in [1, 2] {
                let heap = &heap;
                scope.spawn(move || use_heap(heap, mark, 400));
            }
        });
        assert_eq!(heap.live(), 0);
        assert!(heap.peak() <= bytes);
        // Everything is one hole again, and not a grain more.
        if bytes > 0 {
            let whole = heap.take(bytes).unwrap();
            assert_eq!((heap.live(), heap.peak()), (bytes, bytes));
            // SAFETY: just taken.
            unsafe { heap.give(whole, bytes) };
        }
        let beyond = heap.beyond();
        assert!(heap.take(bytes + GRAIN).is_none());
        assert_eq!(heap.beyond(), beyond + (bytes + GRAIN) as u64);
    }
}

/// What is a hole, AddressSanitizer knows, to the byte: all but what the heap itself keeps in it.
#[cfg(ocelli_asan)]
#[test]
fn holes_are_closed_and_pieces_open() {
    unsafe extern "C" {
        fn __asan_address_is_poisoned(at: *const u8) -> i32;
    }
    let mut room = memory(10 * GRAIN);
    let start: *mut u8 = room.as_mut_ptr().cast();
    // SAFETY: only asked.
    let open = || (0..10 * GRAIN).filter(|at| unsafe { __asan_address_is_poisoned(start.add(*at)) } == 0);
    {
        // SAFETY: the memory is aligned, has as many bytes, and is used by nobody else.
        let heap = unsafe { Heap::new(start, 10 * GRAIN) };
        let is_open = |grains: &[usize]| open().eq(grains.iter().flat_map(|g| g * GRAIN..(g + 1) * GRAIN));
        assert!(is_open(&[0]));
        let [one, two, three] = [2, 3, 1].map(|grains| heap.take(grains * GRAIN).unwrap());
        assert!(is_open(&[0, 1, 2, 3, 4, 5, 6]));
        // SAFETY: each was taken with this size.
        unsafe {
            heap.give(one, 2 * GRAIN);
            assert!(is_open(&[0, 2, 3, 4, 5, 6]));
            heap.give(three, GRAIN);
            assert!(is_open(&[0, 2, 3, 4, 5]));
            heap.give(two, 3 * GRAIN);
            assert!(is_open(&[0]));
        }
        assert!(heap.take(9 * GRAIN).is_some() && is_open(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    }
    assert_eq!(open().count(), 10 * GRAIN);
}
