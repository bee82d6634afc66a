//! Floating-point values stored one by one: `F32` as they are, `F16` and `BF16` rounded to nearest, ties to even.
//!
//! `BF16` is the upper half of a binary32. Rounding to even adds just less than half of what is cut off, and the bit
//! above it: `(bits + 0x7fff + (bits >> 16 & 1)) >> 16`. Values that round to an infinity are refused.

use super::Encoder;
use ocelli_kernels::cpu::{Isa, LANES};

/// Four bytes: IEEE 754 binary32.
#[derive(Clone, Copy)]
pub(super) struct F32;

/// Two bytes: IEEE 754 binary16.
#[derive(Clone, Copy)]
pub(super) struct F16;

/// Two bytes: the upper half of a binary32.
#[derive(Clone, Copy)]
pub(super) struct BF16;

impl Encoder for F32 {
    const BLOCK: usize = 1;
    const BYTES: usize = 4;
    const TOGETHER: usize = LANES;
    const HALVES: &'static [usize] = &[];
    const LIMIT: f32 = f32::INFINITY;

    #[inline(always)]
    fn encode<I: Isa>(_: I, values: &[f32], blocks: &mut [u8]) {
        for (to, x) in blocks.as_chunks_mut::<4>().0.iter_mut().zip(values) {
            *to = x.to_le_bytes();
        }
    }
}

impl Encoder for F16 {
    const BLOCK: usize = 1;
    const BYTES: usize = 2;
    const TOGETHER: usize = LANES;
    const HALVES: &'static [usize] = &[0];
    const LIMIT: f32 = f32::INFINITY;

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], blocks: &mut [u8]) {
        let Some(values) = values.first_chunk() else { return };
        let mut bits = [0; LANES];
        isa.store_half(isa.load(values), &mut bits);
        for (to, bits) in blocks.as_chunks_mut::<2>().0.iter_mut().zip(bits) {
            *to = bits.to_le_bytes();
        }
    }
}

impl Encoder for BF16 {
    const BLOCK: usize = 1;
    const BYTES: usize = 2;
    const TOGETHER: usize = LANES;
    const HALVES: &'static [usize] = &[];
    /// Half a step above the largest: what is not below it rounds to infinity.
    const LIMIT: f32 = f32::from_bits(0x7f7f_8000);

    #[inline(always)]
    fn encode<I: Isa>(_: I, values: &[f32], blocks: &mut [u8]) {
        for (to, x) in blocks.as_chunks_mut::<2>().0.iter_mut().zip(values) {
            let bits = x.to_bits();
            *to = (((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16).to_le_bytes();
        }
    }
}
