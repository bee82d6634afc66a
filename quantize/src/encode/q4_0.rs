//! `Q4_0`: the value of largest magnitude becomes code 0, which stands for −8; its sign goes into the scale.
//!
//! ```text
//! d = x[k] / −8,  k the first with the largest |x|        q = floor(x · (1 / d) + 8.5), at most 15
//! ```
//!
//! So the one value that matters most is exact (up to the rounding of d), and the other end of the range, which has
//! only seven steps, is the one that is cut. No search. A block of zeros has d = −0 and codes of 8; one so small that
//! 1 / d is infinite has codes of 0. With importance scale and codes are searched for by `around.rs` with n = 8.

use super::Encoder;
use super::around::fit;
use super::lanes::{Lanes, columns, groups, half};
use super::q8_0::magnitude;
use super::weighted::{Spread, Weighted};
use ocelli_kernels::cpu::Isa;

#[derive(Clone, Copy)]
pub(super) struct Q4_0;

/// The first value of the largest magnitude; +0 if all are zero.
#[inline(always)]
pub(super) fn extreme(values: &[f32; 32]) -> f32 {
    let most = magnitude(values);
    let first = values.iter().copied().find(|x| x.abs() == most && most > 0.0);
    first.unwrap_or(0.0)
}

/// Codes around the middle one, `steps`, of a range of which `−steps · d` is one end.
#[inline(always)]
pub(super) fn around(values: &[f32; 32], d: f32, steps: u8) -> [u8; 32] {
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    if inverse.is_infinite() {
        return [0; 32];
    }
    let middle = f32::from(steps) + 0.5;
    let mut codes = [0; 32];
    for (code, x) in codes.iter_mut().zip(values) {
        *code = ((x * inverse + middle) as u8).min(2 * steps - 1);
    }
    codes
}

/// 32 codes' low four bits in sixteen bytes: the first half low, the second half high.
#[inline(always)]
pub(super) fn nibbles(codes: &[u8; 32], quants: &mut [u8; 16]) {
    let [low, high] = codes.as_chunks::<16>().0 else { return };
    for ((to, low), high) in quants.iter_mut().zip(low).zip(high) {
        *to = low & 15 | high << 4;
    }
}

impl Encoder for Q4_0 {
    const BLOCK: usize = 32;
    const BYTES: usize = 18;
    const HALVES: &'static [usize] = &[0];

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], block: &mut [u8]) {
        places!(block => d: 2, quants: 16);
        let Some(values) = values.first_chunk() else { return };
        let scale = extreme(values) / -8.0;
        *d = half(isa, scale);
        nibbles(&around(values, scale, 8), quants);
    }
}

impl Weighted for Q4_0 {
    const BLOCK: usize = 32;
    const BYTES: usize = 18;
    const HALVES: &'static [usize] = &[0];
    const SPREAD: Spread = Spread::Row;

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], weights: &[f32], blocks: &mut [u8]) {
        let x: [Lanes<I>; 32] = columns(isa, values);
        let found = fit(&x, &columns(isa, weights), 8);
        let made = found.scale.values().into_iter().zip(groups(&found.searched(&x)));
        for ((scale, codes), block) in made.zip(blocks.chunks_exact_mut(18)) {
            places!(block => d: 2, quants: 16);
            *d = half(isa, scale);
            nibbles(&codes, quants);
        }
    }
}
