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
use crate::cpu::Isa;
use bytemuck::{Pod, Zeroable};

/// 22 bytes for 32 values.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q5_0 {
    d: [u8; 2],
    fifth: [u8; 4],
    quants: [u8; 16],
}

/// 32 codes of five bits, from four bytes of fifth bits and sixteen of nibbles.
#[inline(always)]
pub(super) fn fives<I: Isa>(isa: I, fifth: [[u8; 4]; 2], quants: [&[u8; 16]; 2]) -> I::C {
    isa.or(isa.nibbles(quants), isa.spread(fifth, 16))
}

impl Quantized for Q5_0 {
    const BLOCK: usize = 32;
    type Span = [Self; 8];
    const GROUP: usize = 32;
    const OFFSET: i32 = 16;
    const WIDE: bool = false;
    const LARGEST: i8 = 31;
    const MINIMUM: bool = false;
    const FACTORS: bool = false;

    #[inline(always)]
    fn steps(&self) -> [[u8; 2]; 2] {
        [self.d, [0; 2]]
    }
    #[inline(always)]
    fn codes<I: Isa>(of: [&Self; 2], isa: I, _: usize) -> I::C {
        fives(isa, [of[0].fifth, of[1].fifth], [&of[0].quants, &of[1].quants])
    }
}
