//! `IQ4_XS`: 256 values of four bits that index the table of `IQ4_NL`, in eight groups, each with a scale of six bits.
//!
//! ```text
//! byte  0   d       f16
//!       2   high    u16: bits 2 · g and up are the high two bits of the scale of group g
//!       4   low     4 bytes: nibble g (low one first) is the low four bits of the scale of group g
//!       8   quants  128 bytes: 16 per group, each 16 laid out as in IQ4_NL
//!
//! value[k] = d · (scale[g] − 32) · LEVELS[q[k]],      g = k / 32,   q in 0..=15
//! ```

use super::Quantized;
use super::iq4_nl::levels;
use crate::cpu::Isa;

/// 136 bytes for 256 values.
#[derive(Clone, Copy)]
pub(super) struct IQ4XS;

impl Quantized for IQ4XS {
    const BLOCK: usize = 256;
    const BYTES: usize = 136;
    const GROUP: usize = 32;
    const OFFSET: i32 = 0;
    const WIDE: bool = true;
    const LARGEST: i8 = 127;
    const MINIMUM: bool = false;
    type Scale = f32;

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, block: &[u8], codes: &mut [i8], scales: &mut [f32], _: &mut [f32]) {
        fields!(block => d: 2, high: 2, low: 4, quants: 128);
        let (Some(codes), Some(scales)) = (codes.first_chunk_mut::<256>(), scales.first_chunk_mut::<8>())
        else {
            return;
        };
        let d = isa.half(u16::from_le_bytes(*d));
        let (high, low) = (u16::from_le_bytes(*high), u32::from_le_bytes(*low));
        for (g, scale) in scales.iter_mut().enumerate() {
            let six = (low >> (4 * g)) as i32 & 15 | (i32::from(high >> (2 * g)) & 3) << 4;
            *scale = d * (six - 32) as f32;
        }
        for (bytes, codes) in quants.as_chunks().0.iter().zip(codes.as_chunks_mut().0) {
            levels(isa, bytes, codes);
        }
    }
}
