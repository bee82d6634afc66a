//! `Q4_K`: eight groups of 32 with a scale and a minimum each, searched for by `affine.rs` with
//!
//! ```text
//! levels = 15,  p = 2,  w[i] = √(Σx² / 32) + |x[i]|,  k from 14 to 16 over the range
//! ```
//!
//! so that large values count more, but none for nothing. The largest scale and the largest minimum of the block
//! become 63, the others the nearest 63rd part; then the codes are taken again, nearest for the scales as they are
//! stored. Two blocks are searched together: sixteen groups. With importance k goes from 14.1 to 15.9 over the range, and
//! scales and minimums are searched for as well.

use super::Encoder;
use super::affine::{Guess, Search, fit};
use super::lanes::{Lanes, columns, groups, half, nearest, whole};
use super::weighted::{Spread, Weighted, affine};
use ocelli_kernels::cpu::{Isa, Task};

#[derive(Clone, Copy)]
pub(super) struct Q4K;

const SEARCH: Search = Search { levels: 15, first: -1.0, steps: 20, apart: 0.1, absolute: false };

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
    let found = fit(isa, &x, &each!(x, |x| average + x.abs()), search);
    let (scales, minimums) = (found.scale.values(), found.minimum.values());
    let mut out = [NONE; 2];
    for ((out, scales), minimums) in out.iter_mut().zip(scales.as_chunks().0).zip(minimums.as_chunks().0) {
        let (s, m);
        (s, out.d) = parts(isa, scales);
        (m, out.dmin) = parts(isa, minimums);
        out.packed = packed(&s, &m);
    }
    finish(isa, &x, &found.guess, &mut out);
    out
}

/// Blocks to be filled.
const NONE: Eight = Eight { d: [0; 2], dmin: [0; 2], packed: [0; 12], codes: [[0; 32]; 8] };

/// What [`packed`] packs.
#[inline(always)]
fn unpacked(packed: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let (mut s, mut m) = ([0; 8], [0; 8]);
    for g in 0..4 {
        (s[g], m[g]) = (packed[g] & 63, packed[g + 4] & 63);
        s[g + 4] = packed[g + 8] & 15 | packed[g] >> 6 << 4;
        m[g + 4] = packed[g + 8] >> 4 | packed[g + 4] >> 6 << 4;
    }
    (s, m)
}

/// The codes of two blocks for the scales and minimums as they are stored.
#[inline(always)]
fn finish<I: Isa>(isa: I, x: &[Lanes<I>; 32], guess: &Guess<I>, blocks: &mut [Eight; 2]) {
    let (mut scales, mut minimums) = ([0.0; 16], [0.0; 16]);
    let stored = scales.as_chunks_mut::<8>().0.iter_mut().zip(minimums.as_chunks_mut::<8>().0);
    for ((scales, minimums), block) in stored.zip(&*blocks) {
        let (d, dmin) = (whole(isa, block.d), whole(isa, block.dmin));
        let (s, m) = unpacked(&block.packed);
        (*scales, *minimums) = (s.map(|s| d * f32::from(s)), m.map(|m| dmin * f32::from(m)));
    }
    let codes = groups(&guess.refined(x, Lanes::new(isa, &scales), Lanes::new(isa, &minimums)));
    blocks.iter_mut().zip(codes.as_chunks().0).for_each(|(block, codes)| block.codes = *codes);
}

/// Encodes sixteen blocks, minding weights; scales and minimums are at most `most` when they are packed. Compiled once for
/// both formats.
pub(super) struct SixteenBlocks<'a> {
    pub both: (&'a [f32], &'a [f32]),
    pub search: &'a Search,
    pub most: u8,
}

impl Task for SixteenBlocks<'_> {
    type Out = [[Eight; 2]; 8];
    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Self::Out {
        let found = affine::<I, 32, 8>(isa, self.both, self.search, 63);
        let mut out = [[NONE; 2]; 8];
        let pairs = self.both.0.chunks_exact(512).zip(&found.guesses);
        for (p, ((values, guess), blocks)) in pairs.zip(&mut out).enumerate() {
            for (i, block) in blocks.iter_mut().enumerate() {
                let b = 2 * p + i;
                (block.d, block.dmin) = (half(isa, found.d[b]), half(isa, found.dmin[b]));
                let most = |parts: &[u8; 8]| parts.map(|part| part.min(self.most));
                block.packed = packed(&most(&found.scales[b]), &most(&found.minimums[b]));
            }
            finish(isa, &columns(isa, values), guess, blocks);
        }
        out
    }
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
        store(&isa.enter(TwoBlocks(values, &SEARCH)), blocks);
    }
}

#[inline(always)]
fn store(made: &[Eight], blocks: &mut [u8]) {
    for (made, block) in made.iter().zip(blocks.chunks_exact_mut(144)) {
        places!(block => d: 2, dmin: 2, packed: 12, quants: 128);
        (*d, *dmin, *packed) = (made.d, made.dmin, made.packed);
        pairs(&made.codes, quants);
    }
}

const WEIGHTED: Search = Search { levels: 15, first: -0.9, steps: 36, apart: 0.05, absolute: false };

impl Weighted for Q4K {
    const BLOCK: usize = 256;
    const BYTES: usize = 144;
    const HALVES: &'static [usize] = &[0, 2];
    const SPREAD: Spread = Spread::Block(2.0);

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], weights: &[f32], blocks: &mut [u8]) {
        let made = isa.enter(SixteenBlocks { both: (values, weights), search: &WEIGHTED, most: u8::MAX });
        store(made.as_flattened(), blocks);
    }
}
