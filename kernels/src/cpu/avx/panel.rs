//! Panels times activation rows as AVX2 alone does it: `vpmaddubsw` multiplies unsigned by signed bytes and adds pairs in 16
//! bits, `vpmaddwd` widens them.
//!
//! **Narrow** codes are unsigned as they are, and so small that several pairs are added before they are widened.
//!
//! **Wide** ones have a sign, which `vpsignb` could pass on to x. But that is a third instruction for the units that
//! multiply, and every row needs it again. A panel keeps them split instead, once for all rows, into magnitudes and signs s:
//! −1 (all bits set) where the code is below zero, 0 elsewhere. Then
//!
//! ```text
//! w · x = |w| · ((x XOR s) − s) = |w| · (x XOR s) + |w| · (−s)
//! ```
//!
//! An exclusive or is nobody's burden, and the last term does not know x: its sum is kept with the panel, where products
//! begin. A pair fits 16 bits: |w| is at most 128 as an unsigned byte, x XOR s at least −128 and at most 127.
//!
//! With nothing else in the way that gives a sixth more on an Ice Lake (149 GOP/s on one core, 127 with `vpsignb`; best of
//! ten), of 768 × 768 weights and 1024 rows an eighth (106, 94; best of thirty). Processors with two units for the three
//! instructions and four for the exclusive or, as AMD's, should gain more; that was not measured. Tried in vain: all eight
//! steps written out, with signs from memory.
#![allow(unsafe_code, reason = "intrinsics; the token proves the CPU has them")]

use super::dot::Pairs;
use crate::cpu::{LANES, SPLIT};
use core::arch::x86_64::*;

/// One load of a panel.
type Codes = [i8; 4 * LANES];
/// Its two registers.
type Sums = [__m256i; 2];

/// Both registers of a load.
#[inline(always)]
fn load(_: Pairs, codes: &Codes) -> Sums {
    let p = codes.as_ptr().cast::<__m256i>();
    // SAFETY: the token proves AVX2; unaligned loads of 32 bytes each from an array of 64.
    unsafe { [_mm256_loadu_si256(p), _mm256_loadu_si256(p.add(1))] }
}

/// Writes both registers.
#[inline(always)]
fn store(_: Pairs, x: Sums, to: &mut Codes) {
    let p = to.as_mut_ptr().cast::<__m256i>();
    // SAFETY: as in `load`.
    unsafe {
        _mm256_storeu_si256(p, x[0]);
        _mm256_storeu_si256(p.add(1), x[1]);
    }
}

// SAFETY of every block below: the token proves AVX2; register operations only.
impl Pairs {
    /// Per four inputs a load of magnitudes and one of signs; at the end where the sums begin.
    #[inline(always)]
    pub(super) fn split(self, codes: &[Codes; 8], to: &mut [Codes; SPLIT]) {
        let [to @ .., start] = to;
        let mut sums = load(self, &[0; 4 * LANES]);
        for (codes, to) in codes.iter().zip(to.as_chunks_mut::<2>().0) {
            let codes = load(self, codes);
            let (mut sizes, mut signs) = (codes, codes);
            for h in 0..2 {
                // SAFETY: see above.
                unsafe {
                    sizes[h] = _mm256_abs_epi8(codes[h]);
                    signs[h] = _mm256_cmpgt_epi8(_mm256_setzero_si256(), codes[h]);
                    let pairs = _mm256_maddubs_epi16(sizes[h], signs[h]);
                    sums[h] = _mm256_add_epi32(sums[h], _mm256_madd_epi16(pairs, _mm256_set1_epi16(-1)));
                }
            }
            store(self, sizes, &mut to[0]);
            store(self, signs, &mut to[1]);
        }
        store(self, sums, start);
    }

    /// All inputs of a group, of codes that were split.
    #[inline(always)]
    pub(super) fn wide<const T: usize>(
        self,
        mut sums: [Sums; T],
        codes: &[Codes; SPLIT],
        x: [&[[i8; 4]]; T],
    ) -> [Sums; T] {
        let [codes @ .., start] = codes;
        let start = load(self, start);
        for t in 0..T {
            // SAFETY: see above.
            sums[t] =
                unsafe { [_mm256_add_epi32(sums[t][0], start[0]), _mm256_add_epi32(sums[t][1], start[1])] };
        }
        for (c, [sizes, signs]) in codes.as_chunks().0.iter().enumerate() {
            let (sizes, signs) = (load(self, sizes), load(self, signs));
            for t in 0..T {
                // SAFETY: see above.
                unsafe {
                    let x = _mm256_set1_epi32(bytemuck::cast(x[t][c]));
                    for h in 0..2 {
                        let pairs = _mm256_maddubs_epi16(sizes[h], _mm256_xor_si256(x, signs[h]));
                        let quads = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
                        sums[t][h] = _mm256_add_epi32(sums[t][h], quads);
                    }
                }
            }
        }
        sums
    }

    /// Narrow codes, of which so many pairs fit 16 bits: 8 of four bits, 4 of five.
    #[inline(always)]
    pub(super) fn narrow<const T: usize>(
        self,
        mut sums: [Sums; T],
        codes: &[Codes],
        x: [&[[i8; 4]]; T],
        fit: usize,
    ) -> [Sums; T] {
        for from in (0..codes.len()).step_by(fit) {
            // SAFETY: see above.
            let mut pairs = unsafe { [[_mm256_setzero_si256(); 2]; T] };
            for c in from..(from + fit).min(codes.len()) {
                let codes = load(self, &codes[c]);
                for t in 0..T {
                    // SAFETY: see above.
                    unsafe {
                        let x = _mm256_set1_epi32(bytemuck::cast(x[t][c]));
                        for h in 0..2 {
                            pairs[t][h] = _mm256_add_epi16(pairs[t][h], _mm256_maddubs_epi16(codes[h], x));
                        }
                    }
                }
            }
            for t in 0..T {
                for h in 0..2 {
                    // SAFETY: see above.
                    unsafe {
                        let quads = _mm256_madd_epi16(pairs[t][h], _mm256_set1_epi16(1));
                        sums[t][h] = _mm256_add_epi32(sums[t][h], quads);
                    }
                }
            }
        }
        sums
    }
}
