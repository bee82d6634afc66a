//! `Q5_1`: 32 values of five bits above a minimum, with one scale.
//!
//! ```text
//! byte  0   d       f16
//!       2   m       f16
//!       4   fifth   32 bits, lowest first: bit k is the fifth bit of value k
//!       8   quants  16 bytes: byte j holds the low four bits of value j (low nibble) and j + 16 (high nibble)
//!
//! value[k] = d · q[k] + m,      q in 0..=31
//! ```

use super::Quantized;
use super::q5_0::fives;
use crate::cpu::Isa;
use bytemuck::{Pod, Zeroable};

/// 24 bytes for 32 values.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q5_1 {
    d: [u8; 2],
    m: [u8; 2],
    fifth: [u8; 4],
    quants: [u8; 16],
}

impl Quantized for Q5_1 {
    const BLOCK: usize = 32;
    type Span = [Self; 8];
    const GROUP: usize = 32;
    const OFFSET: i32 = 0;
    const WIDE: bool = false;
    const LARGEST: i8 = 31;
    const MINIMUM: bool = true;
    const FACTORS: bool = false;

    #[inline(always)]
    fn steps(&self) -> [[u8; 2]; 2] {
        [self.d, self.m]
    }
    #[inline(always)]
    fn codes<I: Isa>(of: [&Self; 2], isa: I, _: usize) -> I::C {
        fives(isa, [of[0].fifth, of[1].fifth], [&of[0].quants, &of[1].quants])
    }
}
