//! `Q5_0`: 32 values of five bits around zero, with one scale.
//!
//! ```text
//! byte  0   d       f16
//!       2   fifth   32 bits, lowest first: bit k is the fifth bit of value k
//!       6   quants  16 bytes: byte j holds the low four bits of value j (low nibble) and j + 16 (high nibble)
//!
//! value[k] = d · (q[k] − 16),      q in 0..=31
//! ```

use super::Quantized;
use super::q4_0::nibbles;
use crate::cpu::Isa;

/// 22 bytes for 32 values.
#[derive(Clone, Copy)]
pub(super) struct Q5_0;

/// Adds 16 to code k where bit k is set.
#[inline(always)]
pub(super) fn fifth_bits(bits: &[u8; 4], codes: &mut [i8; 32]) {
    for (eight, byte) in codes.as_chunks_mut::<8>().0.iter_mut().zip(bits) {
        for (i, code) in eight.iter_mut().enumerate() {
            *code |= if byte & (1 << i) != 0 { 16 } else { 0 };
        }
    }
}

impl Quantized for Q5_0 {
    const BLOCK: usize = 32;
    const BYTES: usize = 22;
    const GROUP: usize = 32;
    const OFFSET: i32 = 16;
    const WIDE: bool = false;
    const MINIMUM: bool = false;

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, block: &[u8], codes: &mut [i8], scales: &mut [f32], _: &mut [f32]) {
        fields!(block => d: 2, fifth: 4, quants: 16);
        let (Some(codes), [scale, ..]) = (codes.first_chunk_mut(), scales) else { return };
        *scale = isa.half(u16::from_le_bytes(*d));
        nibbles(quants, codes);
        fifth_bits(fifth, codes);
    }
}
