//! Codes of two weight rows side by side: sixteen of one, sixteen of the other.
#![allow(unsafe_code, reason = "unaligned loads of whole arrays")]

use core::arch::x86_64::*;

/// Sixteen bytes of one row, and sixteen of another.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn beside(a: &[u8; 16], b: &[u8; 16]) -> __m256i {
    // SAFETY: unaligned loads of sixteen bytes from arrays of so many.
    unsafe { _mm256_loadu2_m128i(b.as_ptr().cast(), a.as_ptr().cast()) }
}

/// [`crate::cpu::Isa::bits`], in words of two bytes: the mask takes away what came over from the other byte.
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

/// [`crate::cpu::Isa::spread`]: each byte to eight places, where one of its bits is looked at.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn spread(bits: [[u8; 4]; 2], value: u8) -> [__m256i; 2] {
    let [a, b] = bits.map(i32::from_ne_bytes);
    let rows = _mm256_blend_epi32::<0xf0>(_mm256_set1_epi32(a), _mm256_set1_epi32(b));
    let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
    let half = |first: i64, second: i64| {
        let bytes = _mm256_shuffle_epi8(rows, _mm256_setr_epi64x(first, second, first, second));
        let set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
        _mm256_and_si256(set, _mm256_set1_epi8(value as i8))
    };
    [half(0, 0x0101_0101_0101_0101), half(0x0202_0202_0202_0202, 0x0303_0303_0303_0303)]
}

/// The four columns of words of eight rows: row r beside row r + 4, so that they come out in order.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn columns(rows: &[&[u8; 16]; 8]) -> [__m256i; 4] {
    let [a, b] = [beside(rows[0], rows[4]), beside(rows[1], rows[5])];
    let [c, d] = [beside(rows[2], rows[6]), beside(rows[3], rows[7])];
    let (ab, ab_high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let (cd, cd_high) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
    [
        _mm256_unpacklo_epi64(ab, cd),
        _mm256_unpackhi_epi64(ab, cd),
        _mm256_unpacklo_epi64(ab_high, cd_high),
        _mm256_unpackhi_epi64(ab_high, cd_high),
    ]
}
