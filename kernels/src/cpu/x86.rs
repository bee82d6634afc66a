//! What all x86 machines do with bytes in the same way.
#![allow(unsafe_code, reason = "unaligned loads and stores of whole arrays")]

use super::LANES;
use crate::array::map;
use core::arch::x86_64::*;

/// [`super::Isa::transpose_bytes`]: interleaving rows eight apart four times turns sixteen.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn transpose_bytes(from: [&[u8; LANES]; LANES], to: &mut [[u8; LANES]; LANES]) {
    let mut rows = [_mm_setzero_si128(); LANES];
    for (register, row) in rows.iter_mut().zip(from) {
        // SAFETY: an unaligned load of sixteen bytes from an array of so many.
        *register = unsafe { _mm_loadu_si128(row.as_ptr().cast()) };
    }
    for _ in 0..4 {
        let old = rows;
        for i in 0..8 {
            rows[2 * i] = _mm_unpacklo_epi8(old[i], old[i + 8]);
            rows[2 * i + 1] = _mm_unpackhi_epi8(old[i], old[i + 8]);
        }
    }
    for (register, column) in rows.into_iter().zip(to) {
        // SAFETY: likewise, a store.
        unsafe { _mm_storeu_si128(column.as_mut_ptr().cast(), register) }
    }
}

/// [`super::Isa::zip_bytes`].
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn zip_bytes(a: &[u8; LANES], b: &[u8; LANES], to: &mut [u8; 2 * LANES]) {
    // SAFETY: unaligned loads and stores of sixteen bytes inside arrays of so many, or twice.
    unsafe {
        let (a, b) = (_mm_loadu_si128(a.as_ptr().cast()), _mm_loadu_si128(b.as_ptr().cast()));
        let p = to.as_mut_ptr().cast::<__m128i>();
        _mm_storeu_si128(p, _mm_unpacklo_epi8(a, b));
        _mm_storeu_si128(p.add(1), _mm_unpackhi_epi8(a, b));
    }
}

/// The sum of sixteen signed bytes: differences of unsigned ones from 0 are summed by one instruction, eight each.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn sum_bytes(bytes: __m128i) -> i16 {
    let halves = _mm_sad_epu8(_mm_xor_si128(bytes, _mm_set1_epi8(-128)), _mm_setzero_si128());
    let sum = _mm_add_epi16(halves, _mm_unpackhi_epi64(halves, halves));
    _mm_extract_epi16::<0>(sum) as i16 - 128 * LANES as i16
}

/// Eight words of two bytes from eight places. Put one by one into a register: a register that is read where several
/// stores wrote waits until they are done.
#[inline]
#[target_feature(enable = "sse4.1")]
pub(super) fn gather(from: &[[u8; 2]; 8]) -> __m128i {
    let [a, b, c, d, e, f, g, h] = map(*from, i16::from_le_bytes);
    _mm_setr_epi16(a, b, c, d, e, f, g, h)
}
