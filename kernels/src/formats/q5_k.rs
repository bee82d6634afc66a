//! `Q5_K`: 256 values of five bits in eight groups, each with a scale and a minimum of six bits.
//!
//! ```text
//! byte  0   d       f16
//!       2   dmin    f16
//!       4   packed  12 bytes: eight scales and eight minimums, as in Q4_K
//!      16   fifth   32 bytes: bit g of byte l is the fifth bit of value 32 · g + l
//!      48   quants  128 bytes: the low four bits, laid out as in Q4_K
//!
//! value[k] = d · scale[g] · q[k] − dmin · minimum[g],      g = k / 32,   q in 0..=31
//! ```

use super::q4_k::{Head, fours};
use super::{Bytes, Quantized};
use crate::cpu::Isa;
use bytemuck::{Pod, Zeroable};

/// 176 bytes for 256 values.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q5K {
    head: Head,
    fifth: [u8; 32],
    quants: [[u8; 32]; 4],
}

impl Quantized for Q5K {
    const BLOCK: usize = 256;
    type Span = [Self; 1];
    const GROUP: usize = 32;
    const OFFSET: i32 = 0;
    const WIDE: bool = false;
    const LARGEST: i8 = 31;
    const MINIMUM: bool = true;
    const FACTORS: bool = true;

    #[inline(always)]
    fn steps(&self) -> [[u8; 2]; 2] {
        self.head.steps()
    }
    #[inline(always)]
    fn packed<'a>(&'a self, _: &'a mut [u8; 16]) -> &'a [u8; 16] {
        self.head.bytes()
    }
    #[inline(always)]
    fn factors<B: Bytes>(words: [B; 4]) -> [[B; 4]; 2] {
        Head::factors(words)
    }
    #[inline(always)]
    fn codes<I: Isa>(of: [&Self; 2], isa: I, part: usize) -> I::C {
        let fifth = isa.bits(isa.bytes([&of[0].fifth, &of[1].fifth]), 4 * (part / 4 % 2) as i32, 15);
        let fours = fours(isa, [&of[0].quants, &of[1].quants], part);
        isa.or(fours, isa.bits(fifth, (part % 4) as i32 - 4, 16))
    }
}
