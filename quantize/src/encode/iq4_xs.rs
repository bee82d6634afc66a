//! `IQ4_XS`: eight groups of 32, each searched as a block of `IQ4_NL`.
//!
//! The scale of largest magnitude becomes −32 and the others the nearest 32nd part of it, at most 31:
//!
//! ```text
//! d = −s[j] / 32        scale[g] = clamp(nearest(s[g] / d))        q = the level nearest to x / (d · scale[g])
//! ```
//!
//! (Its d is not rounded to binary16 for that.) Where a scale is 0 codes are those of 0. Two blocks are searched together.

use super::Encoder;
use super::iq4_nl::{Scales, index};
use super::lanes::{Lanes, columns, groups, half, nearest};
use super::q4_0::nibbles;
use super::weighted::{Spread, Weighted};
use ocelli_kernels::cpu::Isa;

#[derive(Clone, Copy)]
pub(super) struct IQ4XS;

/// The scale of a block, and those of its groups in parts of it.
#[inline(always)]
fn parts(scales: &[f32; 8]) -> (f32, [i32; 8]) {
    let largest = scales.iter().fold(0.0f32, |a, b| if b.abs() > a.abs() { *b } else { a });
    let d = -largest / 32.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    (d, scales.map(|s| nearest(inverse * s).clamp(-32, 31)))
}

impl Encoder for IQ4XS {
    const BLOCK: usize = 256;
    const BYTES: usize = 136;
    const TOGETHER: usize = 2;
    const HALVES: &'static [usize] = &[0];

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], blocks: &mut [u8]) {
        encode(isa, values, None, blocks);
    }
}

impl Weighted for IQ4XS {
    const BLOCK: usize = 256;
    const BYTES: usize = 136;
    const HALVES: &'static [usize] = &[0];
    const SPREAD: Spread = Spread::Block(2.0);

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], weights: &[f32], blocks: &mut [u8]) {
        let both = values.chunks_exact(512).zip(weights.chunks_exact(512));
        for ((values, weights), blocks) in both.zip(blocks.chunks_exact_mut(272)) {
            encode(isa, values, Some(weights), blocks);
        }
    }
}

#[inline(always)]
fn encode<I: Isa>(isa: I, values: &[f32], weights: Option<&[f32]>, blocks: &mut [u8]) {
    let x: [Lanes<I>; 32] = columns(isa, values);
    let scales = isa.enter(Scales(values, weights));
    let mut stored = [0.0; 16];
    let of_blocks = scales.as_chunks::<8>().0.iter().zip(stored.as_chunks_mut::<8>().0);
    for ((scales, stored), block) in of_blocks.zip(blocks.chunks_exact_mut(136)) {
        places!(block => d: 2, high: 2, low: 4);
        let (size, parts) = parts(scales);
        *d = half(isa, size);
        let six = |g: usize| (parts[g] + 32) as u32;
        *high = ((0..8).fold(0, |bits, g| bits | six(g) >> 4 << (2 * g)) as u16).to_le_bytes();
        *low = (0..8).fold(0, |bits, g| bits | (six(g) & 15) << (4 * g)).to_le_bytes();
        *stored = parts.map(|part| size * part as f32);
    }
    let stored = Lanes::new(isa, &stored);
    let inverse = stored.abs().positive(stored.same(1.0) / stored, stored.zero());
    let codes = groups(&each!(x, |x| index(inverse * x)));
    for (block, codes) in blocks.chunks_exact_mut(136).zip(codes.as_chunks::<8>().0) {
        places!(block => _head: 8, quants: 128);
        for (quants, codes) in quants.as_chunks_mut().0.iter_mut().zip(codes) {
            nibbles(codes, quants);
        }
    }
}
