//! `Q6_K`: 256 values of six bits around zero in sixteen groups, each with a signed byte as scale.
//!
//! ```text
//! byte  0   low     128 bytes: the low four bits; 64 for values 0..128, 64 for values 128..256
//!     128   high    64 bytes: the high two bits; 32 for each half
//!     192   factors 16 × i8, one per group
//!     208   d       f16
//!
//! value[k] = d · factor[g] · (q[k] − 32),      g = k / 16,   q in 0..=63
//! ```
//!
//! Within a half, for l in 0..32: the low nibbles of bytes l and l + 32 of `low` belong to values l and l + 32, the
//! high nibbles to values l + 64 and l + 96; byte l of `high` holds the upper bits of those four, lowest first.

use super::Quantized;
use crate::cpu::Isa;
use bytemuck::{Pod, Zeroable};

/// 210 bytes for 256 values.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q6K {
    low: [[[u8; 32]; 2]; 2],
    high: [[u8; 32]; 2],
    factors: [u8; 16],
    d: [u8; 2],
}

impl Quantized for Q6K {
    const BLOCK: usize = 256;
    type Span = [Self; 1];
    const GROUP: usize = 16;
    const OFFSET: i32 = 32;
    const WIDE: bool = false;
    const LARGEST: i8 = 63;
    const MINIMUM: bool = false;
    const FACTORS: bool = true;

    #[inline(always)]
    fn steps(&self) -> [[u8; 2]; 2] {
        [self.d, [0; 2]]
    }
    #[inline(always)]
    fn packed<'a>(&'a self, _: &'a mut [u8; 16]) -> &'a [u8; 16] {
        &self.factors
    }
    #[inline(always)]
    fn codes<I: Isa>(of: [&Self; 2], isa: I, part: usize) -> I::C {
        let (half, quarter) = (part / 4 % 2, part % 4);
        let low = isa.bytes([&of[0].low[half][quarter % 2], &of[1].low[half][quarter % 2]]);
        let high = isa.bytes([&of[0].high[half], &of[1].high[half]]);
        isa.or(isa.bits(low, 4 * (quarter / 2) as i32, 15), isa.bits(high, 2 * quarter as i32 - 4, 48))
    }
}
