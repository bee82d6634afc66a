//! `Q3_K`: 256 values of three bits around zero in sixteen groups, each with a scale of six bits.
//!
//! ```text
//! byte  0   third   32 bytes: bit i of byte l is the third bit of value 32 · i + l
//!      32   quants  64 bytes: the two low bits, laid out as in Q2_K
//!      96   packed  12 bytes: the scales, four bits each and then two bits each (below)
//!     108   d       f16
//!
//! value[k] = d · (scale[g] − 32) · (q[k] − 4),      g = k / 16,   q in 0..=7
//! ```
//!
//! The low four bits of the scale of group g are in byte g mod 8 of `packed`, low nibble for g < 8 and high nibble
//! after; its high two bits are bits 2 · (g div 4) and up of byte 8 + g mod 4.

use super::{Bytes, Quantized};
use crate::cpu::Isa;
use bytemuck::{Pod, Zeroable};

/// 110 bytes for 256 values.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q3K {
    third: [u8; 32],
    quants: [[u8; 32]; 2],
    packed: [u8; 12],
    d: [u8; 2],
}

impl Quantized for Q3K {
    const BLOCK: usize = 256;
    type Span = [Self; 1];
    const GROUP: usize = 16;
    const OFFSET: i32 = 4;
    const WIDE: bool = false;
    const LARGEST: i8 = 7;
    const MINIMUM: bool = false;
    const FACTORS: bool = true;
    const FACTOR_OFFSET: i8 = 32;

    #[inline(always)]
    fn steps(&self) -> [[u8; 2]; 2] {
        [self.d, [0; 2]]
    }
    #[inline(always)]
    fn packed<'a>(&'a self, room: &'a mut [u8; 16]) -> &'a [u8; 16] {
        if let Some(twelve) = room.first_chunk_mut() {
            *twelve = self.packed;
        }
        room
    }
    #[inline(always)]
    fn factors<B: Bytes>([first, second, high, _]: [B; 4]) -> [[B; 4]; 2] {
        let sixes = [
            first.bits(0, 15).or(high.bits(-4, 48)),
            second.bits(0, 15).or(high.bits(-2, 48)),
            first.bits(4, 15).or(high.bits(0, 48)),
            second.bits(4, 15).or(high.bits(2, 48)),
        ];
        [sixes; 2]
    }
    #[inline(always)]
    fn codes<I: Isa>(of: [&Self; 2], isa: I, part: usize) -> I::C {
        let (half, quarter) = (part / 4 % 2, (part % 4) as i32);
        let quants = isa.bytes([&of[0].quants[half], &of[1].quants[half]]);
        let third = isa.bits(isa.bytes([&of[0].third, &of[1].third]), 4 * half as i32, 15);
        isa.or(isa.bits(quants, 2 * quarter, 3), isa.bits(third, quarter - 2, 4))
    }
}
