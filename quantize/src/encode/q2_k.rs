//! `Q2_K`: sixteen groups of 16 with a scale and a minimum each, searched for by `affine.rs` with
//!
//! ```text
//! levels = 3,  p = 1,  w[i] = |x[i]|,  k from 2.5 to 4 over the range
//! ```
//!
//! The largest scale and the largest minimum of the block become 15, the others the nearest sixteenth part:
//!
//! ```text
//! d = max s / 15     scale[g] = nearest(s[g] · 15 / max s)       dmin, minimum[g] alike
//! ```
//!
//! Then the codes are taken again, nearest for the scales as they are stored. With importance p = 2, k goes from 2.1 to 3.9 over
//! the range, and scales and minimums are searched for as well.

use super::Encoder;
use super::affine::{Guess, Search, fit};
use super::lanes::{Lanes, columns, groups, half, nearest, whole};
use super::weighted::{Spread, Weighted, affine};
use ocelli_kernels::cpu::Isa;

#[derive(Clone, Copy)]
pub(super) struct Q2K;

const SEARCH: Search = Search { levels: 3, first: -0.5, steps: 15, apart: 0.1, absolute: true };

/// Positive numbers as sixteenth parts of the largest, and what a part is.
#[inline(always)]
fn parts<I: Isa>(isa: I, numbers: [f32; 16]) -> ([u8; 16], [u8; 2]) {
    let most = numbers.iter().fold(0.0f32, |a, b| if *b > a { *b } else { a });
    if most > 0.0 {
        let inverse = 15.0 / most;
        (numbers.map(|x| nearest(inverse * x) as u8), half(isa, most / 15.0))
    } else {
        ([0; 16], half(isa, 0.0))
    }
}

/// Two-bit codes: in each half of the block, byte l holds those of values l, l + 32, l + 64 and l + 96.
#[inline(always)]
pub(super) fn twos(codes: &[u8; 256], quants: &mut [u8; 64]) {
    for (codes, quants) in codes.as_chunks::<128>().0.iter().zip(quants.as_chunks_mut::<32>().0) {
        for (l, to) in quants.iter_mut().enumerate() {
            *to = codes[l] | codes[l + 32] << 2 | codes[l + 64] << 4 | codes[l + 96] << 6;
        }
    }
}

impl Encoder for Q2K {
    const BLOCK: usize = 256;
    const BYTES: usize = 84;
    const HALVES: &'static [usize] = &[80, 82];

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], block: &mut [u8]) {
        places!(block => parts_of: 16, quants: 64, d: 2, dmin: 2);
        let x: [Lanes<I>; 16] = columns(isa, values);
        let found = fit(isa, &x, &each!(x, |x| x.abs()), &SEARCH);
        let (scales, minimums);
        (scales, *d) = parts(isa, found.scale.values());
        (minimums, *dmin) = parts(isa, found.minimum.values());
        for ((to, s), m) in parts_of.iter_mut().zip(scales).zip(minimums) {
            *to = s | m << 4;
        }
        finish(isa, &x, &found.guess, (parts_of, [*d, *dmin]), quants);
    }
}

/// The codes for the scales and minimums as they are stored.
#[inline(always)]
fn finish<I: Isa>(
    isa: I,
    x: &[Lanes<I>; 16],
    guess: &Guess<I>,
    (parts, factors): (&[u8; 16], [[u8; 2]; 2]),
    quants: &mut [u8; 64],
) {
    let [d, dmin] = factors.map(|half| whole(isa, half));
    let scale = Lanes::new(isa, &parts.map(|p| d * f32::from(p & 15)));
    let minimum = Lanes::new(isa, &parts.map(|p| dmin * f32::from(p >> 4)));
    let codes = groups(&guess.refined(x, scale, minimum));
    if let Some(codes) = codes.as_flattened().first_chunk() {
        twos(codes, quants);
    }
}

const WEIGHTED: Search = Search { levels: 3, first: -0.9, steps: 36, apart: 0.05, absolute: false };

impl Weighted for Q2K {
    const BLOCK: usize = 256;
    const BYTES: usize = 84;
    const HALVES: &'static [usize] = &[80, 82];
    const SPREAD: Spread = Spread::Block(1.0);

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], weights: &[f32], blocks: &mut [u8]) {
        let found = affine::<I, 16, 16>(isa, (values, weights), &WEIGHTED, 15);
        let blocks = blocks.chunks_exact_mut(84).zip(values.chunks_exact(256));
        for (b, (block, x)) in blocks.enumerate() {
            places!(block => parts_of: 16, quants: 64, d: 2, dmin: 2);
            (*d, *dmin) = (half(isa, found.d[b]), half(isa, found.dmin[b]));
            for ((to, s), m) in parts_of.iter_mut().zip(found.scales[b]).zip(found.minimums[b]) {
                *to = s | m << 4;
            }
            finish(isa, &columns(isa, x), &found.guesses[b], (parts_of, [*d, *dmin]), quants);
        }
    }
}
