//! What all x86 machines do with bytes in the same way.
#![allow(unsafe_code, reason = "unaligned loads and stores of whole arrays")]

use super::LANES;
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

/// [`super::Isa::nibbles`].
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn nibbles(from: &[u8; 16]) -> __m256i {
    // SAFETY: an unaligned load of sixteen bytes from an array of so many.
    let x = unsafe { _mm_loadu_si128(from.as_ptr().cast()) };
    _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16::<4>(x), x), _mm256_set1_epi8(15))
}

/// [`super::Isa::bits`], in words of two bytes: the mask takes away what came over from the other byte.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn bits(x: __m256i, right: i32, mask: u8) -> __m256i {
    let moved = if right < 0 {
        _mm256_sll_epi16(x, _mm_cvtsi32_si128(-right))
    } else {
        _mm256_srl_epi16(x, _mm_cvtsi32_si128(right))
    };
    _mm256_and_si256(moved, _mm256_set1_epi8(mask as i8))
}

/// [`super::Isa::spread`]: each byte to eight places, where one of its bits is looked at.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn spread(bits: [u8; 4], value: u8) -> __m256i {
    let byte = _mm256_set_epi64x(
        0x0303_0303_0303_0303,
        0x0202_0202_0202_0202,
        0x0101_0101_0101_0101,
        0x0000_0000_0000_0000,
    );
    let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
    let bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(i32::from_ne_bytes(bits)), byte);
    let set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
    _mm256_and_si256(set, _mm256_set1_epi8(value as i8))
}

/// [`super::Isa::look_up`].
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn look_up(table: &[i8; 16], x: __m256i) -> __m256i {
    // SAFETY: an unaligned load of sixteen bytes from an array of so many.
    let table = unsafe { _mm_loadu_si128(table.as_ptr().cast()) };
    _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), x)
}
