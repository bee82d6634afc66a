//! `Q5_1`: as `Q4_1` with 31 steps.
//!
//! ```text
//! m = min x        d = (max x − m) / 31        q = floor((x − m) · (1 / d) + 0.5)
//! ```

use super::Encoder;
use super::affine::{Search, fit};
use super::lanes::{Lanes, columns, groups, half};
use super::q4_0::nibbles;
use super::q4_1::above;
use super::q5_0::fifths;
use super::weighted::{Spread, Weighted};
use ocelli_kernels::cpu::Isa;

#[derive(Clone, Copy)]
pub(super) struct Q5_1;

impl Encoder for Q5_1 {
    const BLOCK: usize = 32;
    const BYTES: usize = 24;
    const HALVES: &'static [usize] = &[0, 2];

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], block: &mut [u8]) {
        places!(block => d: 2, m: 2, fifth: 4, quants: 16);
        let Some(values) = values.first_chunk() else { return };
        let (least, scale, codes) = above(values, 31);
        (*d, *m) = (half(isa, scale), half(isa, least));
        *fifth = fifths(&codes);
        nibbles(&codes, quants);
    }
}

const WEIGHTED: Search = Search { levels: 31, first: -0.9, steps: 36, apart: 0.05, absolute: false };

impl Weighted for Q5_1 {
    const BLOCK: usize = 32;
    const BYTES: usize = 24;
    const HALVES: &'static [usize] = &[0, 2];
    const SPREAD: Spread = Spread::Row;

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], weights: &[f32], blocks: &mut [u8]) {
        let x: [Lanes<I>; 32] = columns(isa, values);
        let found = fit(isa, &x, &columns(isa, weights), &WEIGHTED);
        let factors = found.scale.values().into_iter().zip((-found.minimum).values());
        let made = factors.zip(groups(&found.guess.codes(&x)));
        for (((scale, least), codes), block) in made.zip(blocks.chunks_exact_mut(24)) {
            places!(block => d: 2, m: 2, fifth: 4, quants: 16);
            *fifth = fifths(&codes);
            (*d, *m) = (half(isa, scale), half(isa, least));
            nibbles(&codes, quants);
        }
    }
}
