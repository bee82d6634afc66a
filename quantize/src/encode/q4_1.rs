//! `Q4_1`: the range of the block is cut into fifteen equal steps.
//!
//! ```text
//! m = min x        d = (max x − m) / 15        q = floor((x − m) · (1 / d) + 0.5), at most 15
//! ```
//!
//! Both ends are exact up to the rounding of d and m. No search. With importance `affine.rs` searches, with k from 14.1 to
//! 15.9 over the range.

use super::Encoder;
use super::affine::{Search, fit};
use super::lanes::{Lanes, columns, groups, half};
use super::q4_0::nibbles;
use super::q8_0::inverse;
use super::weighted::{Spread, Weighted};
use ocelli_kernels::cpu::Isa;

#[derive(Clone, Copy)]
pub(super) struct Q4_1;

/// The smallest and the largest value; of zeros of both signs the first, which is the sign that is stored.
#[inline(always)]
fn range(values: &[f32; 32]) -> (f32, f32) {
    let (mut least, mut most) = ([f32::INFINITY; 16], [f32::NEG_INFINITY; 16]);
    for part in values.as_chunks::<16>().0 {
        for ((least, most), x) in least.iter_mut().zip(&mut most).zip(part) {
            *least = if *x < *least { *x } else { *least };
            *most = if *x > *most { *x } else { *most };
        }
    }
    let least = least.iter().fold(f32::INFINITY, |a, b| a.min(*b));
    let most = most.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
    (values.iter().copied().find(|x| *x == least).unwrap_or(least), most)
}

/// The minimum, the scale and the codes, the largest of which is `levels`.
#[inline(always)]
pub(super) fn above(values: &[f32; 32], levels: u8) -> (f32, f32, [u8; 32]) {
    let (least, most) = range(values);
    let scale = (most - least) / f32::from(levels);
    let inverse = inverse(scale);
    let mut codes = [0; 32];
    for (code, x) in codes.iter_mut().zip(values) {
        *code = (((x - least) * inverse + 0.5) as u8).min(levels);
    }
    (least, scale, codes)
}

impl Encoder for Q4_1 {
    const BLOCK: usize = 32;
    const BYTES: usize = 20;
    const HALVES: &'static [usize] = &[0, 2];

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], block: &mut [u8]) {
        places!(block => d: 2, m: 2, quants: 16);
        let Some(values) = values.first_chunk() else { return };
        let (least, scale, codes) = above(values, 15);
        (*d, *m) = (half(isa, scale), half(isa, least));
        nibbles(&codes, quants);
    }
}

const WEIGHTED: Search = Search { levels: 15, first: -0.9, steps: 36, apart: 0.05, absolute: false };

impl Weighted for Q4_1 {
    const BLOCK: usize = 32;
    const BYTES: usize = 20;
    const HALVES: &'static [usize] = &[0, 2];
    const SPREAD: Spread = Spread::Row;

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], weights: &[f32], blocks: &mut [u8]) {
        let x: [Lanes<I>; 32] = columns(isa, values);
        let found = fit(isa, &x, &columns(isa, weights), &WEIGHTED);
        let factors = found.scale.values().into_iter().zip((-found.minimum).values());
        let made = factors.zip(groups(&found.guess.codes(&x)));
        for (((scale, least), codes), block) in made.zip(blocks.chunks_exact_mut(20)) {
            places!(block => d: 2, m: 2, quants: 16);
            (*d, *m) = (half(isa, scale), half(isa, least));
            nibbles(&codes, quants);
        }
    }
}
