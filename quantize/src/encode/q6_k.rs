//! `Q6_K`: sixteen groups of 16, codes −32..=31 around zero, searched for by `around.rs` with
//!
//! ```text
//! n = 32,  w[i] = x[i]²,  or the columns' importance
//! ```
//!
//! The scale of largest magnitude becomes −128 and the others the nearest 128th part of it, at most 127; then the codes are
//! taken again, nearest for the scales as they are stored. A block of groups below 10⁻¹⁵ is zeros.

use super::Encoder;
use super::around::{NOTHING, fit};
use super::lanes::{Lanes, columns, groups, half, nearest, whole};
use super::weighted::{Spread, Weighted};
use ocelli_kernels::cpu::Isa;

#[derive(Clone, Copy)]
pub(super) struct Q6K;

/// Four low bits in `low`, two high bits in `high`: see the layout in the format's own file.
#[inline(always)]
fn pack(codes: &[u8; 256], low: &mut [u8; 128], high: &mut [u8; 64]) {
    let halves = low.as_chunks_mut::<64>().0.iter_mut().zip(high.as_chunks_mut::<32>().0);
    for (codes, (low, high)) in codes.as_chunks::<128>().0.iter().zip(halves) {
        for l in 0..32 {
            let [a, b, c, d] = [codes[l], codes[l + 32], codes[l + 64], codes[l + 96]];
            low[l] = a & 15 | c << 4;
            low[l + 32] = b & 15 | d << 4;
            high[l] = a >> 4 | b >> 4 << 2 | c >> 4 << 4 | d >> 4 << 6;
        }
    }
}

impl Encoder for Q6K {
    const BLOCK: usize = 256;
    const BYTES: usize = 210;
    const HALVES: &'static [usize] = &[208];

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], block: &mut [u8]) {
        let x: [Lanes<I>; 16] = columns(isa, values);
        encode(isa, &x, &each!(x, |x| x * x), block);
    }
}

impl Weighted for Q6K {
    const BLOCK: usize = 256;
    const BYTES: usize = 210;
    const HALVES: &'static [usize] = &[208];
    const SPREAD: Spread = Spread::None;

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], weights: &[f32], blocks: &mut [u8]) {
        let both = values.chunks_exact(256).zip(weights.chunks_exact(256));
        for ((values, weights), block) in both.zip(blocks.chunks_exact_mut(210)) {
            encode(isa, &columns(isa, values), &columns(isa, weights), block);
        }
    }
}

#[inline(always)]
fn encode<I: Isa>(isa: I, x: &[Lanes<I>; 16], weights: &[Lanes<I>; 16], block: &mut [u8]) {
    places!(block => low: 128, high: 64, factors: 16, d: 2);
    let found = fit(x, weights, 32);
    let scales = found.scale.values();
    let largest = scales.iter().fold(0.0f32, |a, b| if b.abs() > a.abs() { *b } else { a });
    if largest.abs() < NOTHING {
        (*low, *high, *factors, *d) = ([0; 128], [0; 64], [0; 16], [0; 2]);
        return;
    }
    let inverse = -128.0 / largest;
    *d = half(isa, 1.0 / inverse);
    let parts = scales.map(|s| nearest(inverse * s).min(127) as i8);
    *factors = parts.map(|p| p as u8);
    let d = whole(isa, *d);
    let scale = Lanes::new(isa, &parts.map(|p| d * f32::from(p)));
    let codes = groups(&found.codes(x, scale));
    if let Some(codes) = codes.as_flattened().first_chunk() {
        pack(codes, low, high);
    }
}
