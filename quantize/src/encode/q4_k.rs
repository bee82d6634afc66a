//! `Q4_K`: eight groups of 32 with a scale and a minimum each, searched for by `affine.rs` with
//!
//! ```text
//! levels = 15,  p = 2,  w[i] = √(Σx² / 32) + |x[i]|,  k from 14 to 16 over the range
//! ```
//!
//! so that large values count more, but none for nothing. The largest scale and the largest minimum of the block
//! become 63, the others the nearest 63rd part; then the codes are taken again, nearest for the scales as they are
//! stored. Two blocks are searched together: sixteen groups.

use super::Encoder;
use super::affine::{Search, fit};
use super::lanes::{Lanes, columns, each, groups, half, nearest, whole};
use ocelli_kernels::cpu::{Isa, Task};

#[derive(Clone, Copy)]
pub(super) struct Q4K;

const SEARCH: Search = Search { levels: 15, first: -1.0, steps: 20, absolute: false };

/// What `Q4_K` and `Q5_K` blocks have in common.
#[derive(Clone, Copy)]
pub(super) struct Eight {
    pub d: [u8; 2],
    pub dmin: [u8; 2],
    /// Scales and minimums, six bits each.
    pub packed: [u8; 12],
    pub codes: [[u8; 32]; 8],
}

/// Positive numbers as 63rd parts of the largest, and what a part is.
#[inline(always)]
fn parts<I: Isa>(isa: I, numbers: &[f32; 8]) -> ([u8; 8], [u8; 2]) {
    let most = numbers.iter().fold(0.0f32, |a, b| if *b > a { *b } else { a });
    let inverse = if most > 0.0 { 63.0 / most } else { 0.0 };
    (numbers.map(|x| (nearest(inverse * x) as u8).min(63)), half(isa, most / 63.0))
}

/// The first four scales, then minimums, in the low six bits of four bytes each, the upper two bits of the last four
/// above them; then the low four bits of the last four scales and minimums.
#[inline(always)]
fn packed(s: &[u8; 8], m: &[u8; 8]) -> [u8; 12] {
    let mut out = [0; 12];
    for g in 0..4 {
        out[g] = s[g] | s[g + 4] >> 4 << 6;
        out[g + 4] = m[g] | m[g + 4] >> 4 << 6;
        out[g + 8] = s[g + 4] & 15 | m[g + 4] << 4;
    }
    out
}

/// Encodes two blocks. Compiled once for both formats.
pub(super) struct TwoBlocks<'a>(pub &'a [f32], pub &'a Search);

impl Task for TwoBlocks<'_> {
    type Out = [Eight; 2];
    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> [Eight; 2] {
        two_blocks(isa, self.0, self.1)
    }
}

#[inline(always)]
fn two_blocks<I: Isa>(isa: I, values: &[f32], search: &Search) -> [Eight; 2] {
    let x: [Lanes<I>; 32] = columns(isa, values);
    let mut squares = Lanes::all(isa, 0.0);
    for x in &x {
        squares = squares + *x * *x;
    }
    let average = (squares / Lanes::all(isa, 32.0)).sqrt();
    let found = fit(isa, &x, &each(&x, |x| average + x.abs()), search);
    let (scales, minimums) = (found.scale.values(), found.minimum.values());
    let mut out = [Eight { d: [0; 2], dmin: [0; 2], packed: [0; 12], codes: [[0; 32]; 8] }; 2];
    let (mut stored, mut below) = ([0.0; 16], [0.0; 16]);
    for (b, out) in out.iter_mut().enumerate() {
        let (Some(scales), Some(minimums)) = (scales.as_chunks().0.get(b), minimums.as_chunks().0.get(b))
        else {
            continue;
        };
        let (s, m);
        (s, out.d) = parts(isa, scales);
        (m, out.dmin) = parts(isa, minimums);
        out.packed = packed(&s, &m);
        let (d, dmin) = (whole(isa, out.d), whole(isa, out.dmin));
        for g in 0..8 {
            (stored[8 * b + g], below[8 * b + g]) = (d * f32::from(s[g]), dmin * f32::from(m[g]));
        }
    }
    let codes = groups(&found.codes(&x, Lanes::new(isa, &stored), Lanes::new(isa, &below)));
    out.iter_mut().zip(codes.as_chunks().0).for_each(|(out, codes)| out.codes = *codes);
    out
}

/// The low four bits of the codes: 32 bytes for each two groups, the first low and the second high.
#[inline(always)]
pub(super) fn pairs(codes: &[[u8; 32]; 8], quants: &mut [u8; 128]) {
    for (codes, quants) in codes.as_chunks::<2>().0.iter().zip(quants.as_chunks_mut::<32>().0) {
        for ((to, low), high) in quants.iter_mut().zip(&codes[0]).zip(&codes[1]) {
            *to = low & 15 | high << 4;
        }
    }
}

impl Encoder for Q4K {
    const BLOCK: usize = 256;
    const BYTES: usize = 144;
    const TOGETHER: usize = 2;
    const HALVES: &'static [usize] = &[0, 2];

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], blocks: &mut [u8]) {
        let made = isa.enter(TwoBlocks(values, &SEARCH));
        for (made, block) in made.iter().zip(blocks.chunks_exact_mut(144)) {
            places!(block => d: 2, dmin: 2, packed: 12, quants: 128);
            (*d, *dmin, *packed) = (made.d, made.dmin, made.packed);
            pairs(&made.codes, quants);
        }
    }
}
