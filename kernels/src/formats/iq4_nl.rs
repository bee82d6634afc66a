//! `IQ4_NL`: 32 values of four bits that index a table of unevenly spaced levels, with one scale.
//!
//! ```text
//! byte  0   d       f16
//!       2   quants  16 bytes: byte j holds value j (low nibble) and value j + 16 (high nibble)
//!
//! value[k] = d · LEVELS[q[k]],      q in 0..=15
//! ```

use super::Quantized;
use crate::array::map;
use crate::cpu::Isa;

/// 18 bytes for 32 values.
#[derive(Clone, Copy)]
pub(super) struct IQ4NL;

/// The levels of `IQ4_NL` and `IQ4_XS`: denser around zero, where most weights are; the numbers are the specification's.
pub const LEVELS: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// Sixteen bytes as 32 levels: those of all the low nibbles, then those of all the high ones.
#[inline(always)]
pub(super) fn levels<I: Isa>(isa: I, bytes: &[u8; 16], codes: &mut [i8; 32]) {
    if let [low, high] = codes.as_chunks_mut::<16>().0 {
        *low = isa.lookup(&LEVELS, &map(*bytes, |b| b & 15));
        *high = isa.lookup(&LEVELS, &map(*bytes, |b| b >> 4));
    }
}

impl Quantized for IQ4NL {
    const BLOCK: usize = 32;
    const BYTES: usize = 18;
    const GROUP: usize = 32;
    const OFFSET: i32 = 0;
    const WIDE: bool = true;
    const LARGEST: i8 = 127;
    const MINIMUM: bool = false;
    type Scale = u16;

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, block: &[u8], codes: &mut [i8], scales: &mut [u16], _: &mut [u16]) {
        fields!(block => d: 2, quants: 16);
        let (Some(codes), [scale, ..]) = (codes.first_chunk_mut(), scales) else { return };
        *scale = u16::from_le_bytes(*d);
        levels(isa, quants, codes);
    }
}
