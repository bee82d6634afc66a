//! `Q5_0`: as `Q4_0` with twice the steps (n = 16).
//!
//! ```text
//! d = x[k] / −16,  k the first with the largest |x|        q = floor(x · (1 / d) + 16.5), at most 31
//! ```

use super::Encoder;
use super::around::fit;
use super::lanes::{Lanes, columns, groups, half};
use super::q4_0::{around, extreme, nibbles};
use super::weighted::{Spread, Weighted};
use ocelli_kernels::cpu::Isa;

#[derive(Clone, Copy)]
pub(super) struct Q5_0;

/// The fifth bits of 32 codes, the first lowest.
#[inline(always)]
pub(super) fn fifths(codes: &[u8; 32]) -> [u8; 4] {
    let bits = codes.iter().enumerate().fold(0u32, |bits, (k, code)| bits | u32::from(code >> 4 & 1) << k);
    bits.to_le_bytes()
}

impl Encoder for Q5_0 {
    const BLOCK: usize = 32;
    const BYTES: usize = 22;
    const HALVES: &'static [usize] = &[0];

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], block: &mut [u8]) {
        places!(block => d: 2, fifth: 4, quants: 16);
        let Some(values) = values.first_chunk() else { return };
        let scale = extreme(values) / -16.0;
        *d = half(isa, scale);
        let codes = around(values, scale, 16);
        *fifth = fifths(&codes);
        nibbles(&codes, quants);
    }
}

impl Weighted for Q5_0 {
    const BLOCK: usize = 32;
    const BYTES: usize = 22;
    const HALVES: &'static [usize] = &[0];
    const SPREAD: Spread = Spread::Row;

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], weights: &[f32], blocks: &mut [u8]) {
        let x: [Lanes<I>; 32] = columns(isa, values);
        let found = fit(&x, &columns(isa, weights), 16);
        let made = found.scale.values().into_iter().zip(groups(&found.searched(&x)));
        for ((scale, codes), block) in made.zip(blocks.chunks_exact_mut(22)) {
            places!(block => d: 2, fifth: 4, quants: 16);
            *d = half(isa, scale);
            *fifth = fifths(&codes);
            nibbles(&codes, quants);
        }
    }
}
