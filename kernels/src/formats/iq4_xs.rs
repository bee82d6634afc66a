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
use super::iq4_nl::LEVELS;
use crate::cpu::Isa;
use bytemuck::{Pod, Zeroable};

/// 136 bytes for 256 values.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct IQ4XS {
    d: [u8; 2],
    high: [u8; 2],
    low: [u8; 4],
    quants: [[u8; 16]; 8],
}

/// Eight fields of `bits` bits, each to a byte of its own: the upper half of them moves away, then that of each half.
#[inline(always)]
fn apart(mut x: u64, bits: u32) -> u64 {
    for (fields, every) in [(4, 1), (2, 0x0000_0001_0000_0001), (1, 0x0001_0001_0001_0001)] {
        let stays = ((1 << (fields * bits)) - 1) * every;
        x = x & stays | (x >> (fields * bits) & stays) << (8 * fields);
    }
    x
}

impl Quantized for IQ4XS {
    const BLOCK: usize = 256;
    type Span = [Self; 1];
    const GROUP: usize = 32;
    const OFFSET: i32 = 0;
    const WIDE: bool = true;
    const LARGEST: i8 = 127;
    const MINIMUM: bool = false;
    const FACTORS: bool = true;
    const FACTOR_OFFSET: i8 = 32;

    #[inline(always)]
    fn steps(&self) -> [[u8; 2]; 2] {
        [self.d, [0; 2]]
    }
    #[inline(always)]
    fn packed<'a>(&'a self, room: &'a mut [u8; 16]) -> &'a [u8; 16] {
        let (low, high) = (u32::from_le_bytes(self.low), u16::from_le_bytes(self.high));
        if let Some(eight) = room.first_chunk_mut() {
            *eight = (apart(low.into(), 4) | apart(high.into(), 2) << 4).to_le_bytes();
        }
        room
    }
    #[inline(always)]
    fn codes<I: Isa>(of: [&Self; 2], isa: I, part: usize) -> I::C {
        let quants = [&of[0].quants[part % 8], &of[1].quants[part % 8]];
        isa.look_up(&LEVELS, isa.nibbles(quants))
    }
}
