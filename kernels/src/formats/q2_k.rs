//! `Q2_K`: 256 values of two bits in sixteen groups, each with a scale and a minimum of four bits.
//!
//! ```text
//! byte  0   groups  16 bytes, one per group: low nibble its scale, high nibble its minimum
//!      16   quants  64 bytes: 32 for values 0..128, 32 for values 128..256
//!      80   d       f16
//!      82   dmin    f16
//!
//! value[k] = d · scale[g] · q[k] − dmin · minimum[g],      g = k / 16,   q in 0..=3
//! ```
//!
//! Within a half, byte l holds values l, l + 32, l + 64, l + 96 in its bits 0-1, 2-3, 4-5, 6-7.

use super::{Bytes, Quantized};
use crate::array::four;
use crate::cpu::Isa;
use bytemuck::{Pod, Zeroable};

/// 84 bytes for 256 values.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q2K {
    groups: [u8; 16],
    quants: [[u8; 32]; 2],
    d: [u8; 2],
    dmin: [u8; 2],
}

impl Quantized for Q2K {
    const BLOCK: usize = 256;
    type Span = [Self; 1];
    const GROUP: usize = 16;
    const OFFSET: i32 = 0;
    const WIDE: bool = false;
    const LARGEST: i8 = 3;
    const MINIMUM: bool = true;
    const FACTORS: bool = true;

    #[inline(always)]
    fn steps(&self) -> [[u8; 2]; 2] {
        [self.d, self.dmin]
    }
    #[inline(always)]
    fn packed<'a>(&'a self, _: &'a mut [u8; 16]) -> &'a [u8; 16] {
        &self.groups
    }
    #[inline(always)]
    fn factors<B: Bytes>(words: [B; 4]) -> [[B; 4]; 2] {
        [four(words, |w| w.bits(0, 15)), four(words, |w| w.bits(4, 15))]
    }
    #[inline(always)]
    fn codes<I: Isa>(of: [&Self; 2], isa: I, part: usize) -> I::C {
        let half = part / 4 % 2;
        let quants = isa.bytes([&of[0].quants[half], &of[1].quants[half]]);
        isa.bits(quants, 2 * (part % 4) as i32, 3)
    }
}
