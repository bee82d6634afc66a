//! `IQ4_NL`: codes that index the uneven `LEVELS`. For each block of 32 looked for are a scale s and codes that make
//!
//! ```text
//! Σ w[i] · (s · LEVELS[q[i]] − x[i])²      small,      w[i] = x[i]², or with importance
//! ```
//!
//! With v[i] = LEVELS[q[i]] the best scale for given codes is `s = VX / VV`, `VX = Σ w·v·x`, `VV = Σ w·v²`, and takes
//! `VX² / VV` off the error. Codes come from a guess of the inverse scale: each value takes the level nearest to
//! `k · x[i]`. The first guess is k = 127 / x[j], x[j] the value of largest magnitude, which is beyond the last level, 113; the
//! following put x[j] on the first level and around it: `k = (t − 127) / x[j]` for t = −7..=7. The one that takes most off is
//! kept, and the codes are the levels nearest to x / s. (Its scale is not rounded to binary16 for that.)
//!
//! Sixteen blocks are searched together.

use super::Encoder;
use super::around::{NOTHING, extremes};
use super::lanes::{Lanes, columns, groups, half};
use super::q4_0::nibbles;
use super::weighted::{Spread, Weighted};
use ocelli_kernels::cpu::{Isa, LANES, Task};
use ocelli_kernels::formats::LEVELS;

#[derive(Clone, Copy)]
pub(super) struct IQ4NL;

/// What is halfway between a level and the next; a value on it takes the next.
#[inline(always)]
fn halfway(level: usize) -> f32 {
    0.5 * (f32::from(LEVELS[level]) + f32::from(LEVELS[level + 1]))
}

/// The nearest level.
#[inline(always)]
fn level<I: Isa>(x: Lanes<I>) -> Lanes<I> {
    let mut nearest = x.same(f32::from(LEVELS[0]));
    for k in 0..15 {
        nearest = x.below(x.same(halfway(k)), nearest, x.same(f32::from(LEVELS[k + 1])));
    }
    nearest
}

/// The number of the nearest level.
#[inline(always)]
pub(super) fn index<I: Isa>(x: Lanes<I>) -> Lanes<I> {
    let mut nearest = x.zero();
    for k in 0..15 {
        nearest = x.below(x.same(halfway(k)), nearest, x.same((k + 1) as f32));
    }
    nearest
}

/// `VX` and `VV` of the codes of a guess.
#[inline(always)]
fn sums<I: Isa>(x: &[Lanes<I>; 32], weights: &[Lanes<I>; 32], inverse: Lanes<I>) -> (Lanes<I>, Lanes<I>) {
    let (mut vx, mut vv) = (inverse.zero(), inverse.zero());
    for (x, w) in x.iter().zip(weights) {
        let v = level(inverse * *x);
        (vx, vv) = (vx + *w * v * *x, vv + *w * v * v);
    }
    (vx, vv)
}

/// The scales of sixteen groups of 32, with weights where there are; 0 for a group of nothing. Compiled once for both formats.
pub(super) struct Scales<'a>(pub &'a [f32], pub Option<&'a [f32]>);

impl Task for Scales<'_> {
    type Out = [f32; LANES];
    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> [f32; LANES] {
        let x = columns(isa, self.0);
        let weights = match self.1 {
            Some(weights) => columns(isa, weights),
            None => each!(x, |x| x * x),
        };
        fit(&x, &weights).values()
    }
}

#[inline(always)]
fn fit<I: Isa>(x: &[Lanes<I>; 32], weights: &[Lanes<I>; 32]) -> Lanes<I> {
    let (value, size) = extremes(x);
    let (zero, one, first) = (value.zero(), value.same(1.0), value.same(f32::from(LEVELS[0])));
    let (vx, vv) = sums(x, weights, one / (-value / first));
    let mut scale = vv.positive(vx / vv, zero);
    let mut best = scale * vx;
    for t in -7..=7 {
        let (vx, vv) = sums(x, weights, (first + value.same(t as f32)) / value);
        // VX² / VV > best, without the division.
        let (least, more) = (best * vv, vv.positive(vx * vx, value.same(-1.0)));
        scale = least.below(more, vx / vv, scale);
        best = least.below(more, scale * vx, best);
    }
    size.below(value.same(NOTHING), zero, scale)
}

impl Encoder for IQ4NL {
    const BLOCK: usize = 32;
    const BYTES: usize = 18;
    const TOGETHER: usize = 16;
    const HALVES: &'static [usize] = &[0];

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], blocks: &mut [u8]) {
        encode(isa, values, None, blocks);
    }
}

impl Weighted for IQ4NL {
    const BLOCK: usize = 32;
    const BYTES: usize = 18;
    const HALVES: &'static [usize] = &[0];
    const SPREAD: Spread = Spread::Block(2.0);

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], weights: &[f32], blocks: &mut [u8]) {
        encode(isa, values, Some(weights), blocks);
    }
}

#[inline(always)]
fn encode<I: Isa>(isa: I, values: &[f32], weights: Option<&[f32]>, blocks: &mut [u8]) {
    let x: [Lanes<I>; 32] = columns(isa, values);
    let scales = isa.enter(Scales(values, weights));
    let scale = Lanes::new(isa, &scales);
    let inverse = scale.abs().positive(scale.same(1.0) / scale, scale.zero());
    let codes = groups(&each!(x, |x| index(inverse * x)));
    for ((block, codes), scale) in blocks.chunks_exact_mut(18).zip(&codes).zip(scales) {
        places!(block => d: 2, quants: 16);
        *d = half(isa, scale);
        nibbles(codes, quants);
    }
}
