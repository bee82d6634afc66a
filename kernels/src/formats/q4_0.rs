//! `Q4_0`: 32 values of four bits around zero, with one scale.
//!
//! ```text
//! byte  0   d       f16
//!       2   quants  16 bytes: byte j holds value j (low nibble) and value j + 16 (high nibble)
//!
//! value[k] = d · (q[k] − 8),      q in 0..=15
//! ```

use super::Quantized;
use crate::cpu::Isa;
use bytemuck::{Pod, Zeroable};

/// 18 bytes for 32 values.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q4_0 {
    d: [u8; 2],
    quants: [u8; 16],
}

impl Quantized for Q4_0 {
    const BLOCK: usize = 32;
    type Span = [Self; 8];
    const GROUP: usize = 32;
    const OFFSET: i32 = 8;
    const WIDE: bool = false;
    const LARGEST: i8 = 15;
    const MINIMUM: bool = false;
    const FACTORS: bool = false;

    #[inline(always)]
    fn steps(&self) -> [[u8; 2]; 2] {
        [self.d, [0; 2]]
    }
    #[inline(always)]
    fn codes<I: Isa>(of: [&Self; 2], isa: I, _: usize) -> I::C {
        isa.nibbles([&of[0].quants, &of[1].quants])
    }
}
