//! Sixteen weight rows times one activation row: eight rows at a time, since there are registers for no more addresses.
#![allow(unsafe_code, reason = "intrinsics; the token proves the CPU has them")]

use super::{Avx, Dot};
use crate::cpu::Span;
use core::arch::x86_64::*;

/// Four registers of the sums of two rows each, one in the low half and one in the high: lane r is the total of the low half
/// of register r, lane r + 4 that of the high half.
#[inline]
#[target_feature(enable = "avx2")]
fn totals(r: [__m256i; 4]) -> __m256i {
    // Interleave two registers and add: sums of pairs, those of the first register in the even lanes; then of quads.
    let pairs = |a, b| _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let (a, b) = (pairs(r[0], r[1]), pairs(r[2], r[3]));
    _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b))
}

// SAFETY of every block below: as in `avx.rs`.
impl<D: Dot> Avx<D> {
    /// [`Isa::dot_rows`](crate::cpu::Isa::dot_rows) of the eight rows from `first` on.
    #[inline(always)]
    pub(super) fn eight<const WIDE: bool, const WHOLE: bool>(
        self,
        span: &impl Span<Self>,
        first: usize,
        part: usize,
        largest: i8,
    ) -> [__m256i; 2] {
        // SAFETY: see above.
        unsafe {
            let zero = _mm256_setzero_si256();
            let (x, mut sums) = (self.inputs(span, part), [[zero; 4]; 2]);
            for r in 0..4 {
                let codes = self.beside::<WIDE>(span, first + r, part);
                if WHOLE {
                    sums[0][r] = self.0.dot_two::<WIDE>(codes, x, largest);
                } else {
                    sums[0][r] = self.0.dot::<WIDE>(zero, codes[0], x[0]);
                    sums[1][r] = self.0.dot::<WIDE>(zero, codes[1], x[1]);
                }
            }
            [totals(sums[0]), if WHOLE { zero } else { totals(sums[1]) }]
        }
    }

    /// Eight rows times two parts that follow each other: what one byte holds of both is read once.
    #[inline(always)]
    fn two_parts<const WIDE: bool>(
        self,
        span: &impl Span<Self>,
        first: usize,
        part: usize,
        largest: i8,
    ) -> [__m256i; 2] {
        // SAFETY: see above.
        unsafe {
            let x = [self.inputs(span, part), self.inputs(span, part + 1)];
            let mut sums = [[_mm256_setzero_si256(); 4]; 2];
            for r in 0..4 {
                for p in 0..2 {
                    let codes = self.beside::<WIDE>(span, first + r, part + p);
                    sums[p][r] = self.0.dot_two::<WIDE>(codes, x[p], largest);
                }
            }
            [totals(sums[0]), totals(sums[1])]
        }
    }

    /// Eight of the sixteen rows times all parts.
    #[inline(always)]
    pub(super) fn half<const WIDE: bool, const WHOLE: bool>(
        self,
        span: &impl Span<Self>,
        half: usize,
        largest: i8,
        sums: &mut [[[__m256i; 2]; 2]; 8],
    ) {
        for (quad, sums) in sums.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            // One by one: where a part is known, places and shifts are.
            macro_rules! parts {
                ($($part:literal)*) => {$(
                    span.ahead(self, 4 * half + 2 * quad + $part / 2);
                    if WHOLE {
                        let both = self.two_parts::<WIDE>(span, 8 * half, 4 * quad + $part, largest);
                        [sums[$part][0][half], sums[$part + 1][0][half]] = both;
                    } else {
                        let one = self.eight::<WIDE, WHOLE>(span, 8 * half, 4 * quad + $part, largest);
                        let two = self.eight::<WIDE, WHOLE>(span, 8 * half, 4 * quad + $part + 1, largest);
                        [sums[$part][0][half], sums[$part][1][half]] = one;
                        [sums[$part + 1][0][half], sums[$part + 1][1][half]] = two;
                    }
                )*};
            }
            parts!(0 2);
        }
    }

    /// The inputs of a part, each half of them twice: for two rows.
    #[inline(always)]
    fn inputs(self, span: &impl Span<Self>, part: usize) -> [__m256i; 2] {
        let p = span.inputs(part).as_ptr().cast::<__m128i>();
        // SAFETY: see above.
        unsafe {
            let x = [_mm_loadu_si128(p), _mm_loadu_si128(p.add(1))];
            [_mm256_broadcastsi128_si256(x[0]), _mm256_broadcastsi128_si256(x[1])]
        }
    }

    /// The codes of a row beside those of the row four below, so that sums come out in order.
    #[inline(always)]
    fn beside<const WIDE: bool>(self, span: &impl Span<Self>, row: usize, part: usize) -> [__m256i; 2] {
        let [a, b] = span.codes(self, [row, row + 4], part);
        if !WIDE || D::WIDE_BIAS == 0 {
            return [a, b];
        }
        // SAFETY: see above.
        unsafe {
            let bias = _mm256_set1_epi8(-128);
            [_mm256_xor_si256(a, bias), _mm256_xor_si256(b, bias)]
        }
    }
}
