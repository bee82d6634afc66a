//! `Q8_0`: the largest magnitude becomes code 127, everything else the nearest code.
//!
//! ```text
//! d = max|x| / 127        q = round(x · (1 / d)),      ties away from zero
//! ```
//!
//! No search: the error of a value is at most half of d. Blocks smaller than about 10⁻³⁶, where 1 / d is infinite, get
//! codes of zero.

use super::Encoder;
use super::lanes::half;
use ocelli_kernels::cpu::Isa;

#[derive(Clone, Copy)]
pub(super) struct Q8_0;

/// The largest magnitude.
#[inline(always)]
pub(super) fn magnitude(values: &[f32; 32]) -> f32 {
    let mut most = [0.0f32; 16];
    for part in values.as_chunks::<16>().0 {
        for (most, x) in most.iter_mut().zip(part) {
            *most = if *most < x.abs() { x.abs() } else { *most };
        }
    }
    most.iter().fold(0.0, |a, b| if a < *b { *b } else { a })
}

/// 1 / d, and 0 for a `d` of 0 or one too small to have an inverse.
#[inline(always)]
pub(super) fn inverse(d: f32) -> f32 {
    let inverse = 1.0 / d;
    if inverse.is_finite() { inverse } else { 0.0 }
}

impl Encoder for Q8_0 {
    const BLOCK: usize = 32;
    const BYTES: usize = 34;
    const HALVES: &'static [usize] = &[0];

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], block: &mut [u8]) {
        places!(block => d: 2, codes: 32);
        let Some(values) = values.first_chunk::<32>() else { return };
        let scale = magnitude(values) / 127.0;
        let inverse = inverse(scale);
        *d = half(isa, scale);
        for (code, x) in codes.iter_mut().zip(values) {
            *code = (x * inverse).round() as i8 as u8;
        }
    }
}
