//! `Q4_K`: 256 values of four bits in eight groups, each with a scale and a minimum of six bits.
//!
//! ```text
//! byte  0   d       f16
//!       2   dmin    f16
//!       4   packed  12 bytes: eight scales and eight minimums (below)
//!      16   quants  128 bytes: 32 for each two groups, low nibbles the first, high nibbles the second
//!
//! value[k] = d · scale[g] · q[k] − dmin · minimum[g],      g = k / 32,   q in 0..=15
//! ```
//!
//! Groups 0..4 have their scale in the low six bits of bytes 0..4 of `packed` and their minimum in those of bytes
//! 4..8. For groups 4..8, bytes 8..12 hold the low four bits of the scale (low nibble) and of the minimum (high
//! nibble); the two bits above are the top bits of bytes 0..4 and 4..8.

use super::{Bytes, Quantized};
use crate::cpu::Isa;
use bytemuck::{Pod, Zeroable};

/// 144 bytes for 256 values.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q4K {
    head: Head,
    quants: [[u8; 32]; 4],
}

/// The first 16 bytes of `Q4_K` and `Q5_K`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Head {
    d: [u8; 2],
    dmin: [u8; 2],
    packed: [u8; 12],
}

impl Head {
    #[inline(always)]
    pub(super) fn steps(&self) -> [[u8; 2]; 2] {
        [self.d, self.dmin]
    }

    #[inline(always)]
    pub(super) fn bytes(&self) -> &[u8; 16] {
        bytemuck::cast_ref(self)
    }

    /// The eight scales and the eight minimums, four at a time. The first word of the head is the steps.
    #[inline(always)]
    pub(super) fn factors<B: Bytes>([_, scales, minimums, low]: [B; 4]) -> [[B; 4]; 2] {
        let (first, last) = (scales.bits(0, 63), low.bits(0, 15).or(scales.bits(2, 48)));
        let (first_minimum, last_minimum) = (minimums.bits(0, 63), low.bits(4, 15).or(minimums.bits(2, 48)));
        [[first, last, first, last], [first_minimum, last_minimum, first_minimum, last_minimum]]
    }
}

/// The four low bits of values 32 · part and up, of `Q4_K` and `Q5_K`.
#[inline(always)]
pub(super) fn fours<I: Isa>(isa: I, quants: [&[[u8; 32]; 4]; 2], part: usize) -> I::C {
    let at = part / 2 % 4;
    isa.bits(isa.bytes([&quants[0][at], &quants[1][at]]), 4 * (part % 2) as i32, 15)
}

impl Quantized for Q4K {
    const BLOCK: usize = 256;
    type Span = [Self; 1];
    const GROUP: usize = 32;
    const OFFSET: i32 = 0;
    const WIDE: bool = false;
    const LARGEST: i8 = 15;
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
        fours(isa, [&of[0].quants, &of[1].quants], part)
    }
}
