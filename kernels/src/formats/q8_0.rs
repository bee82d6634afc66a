//! `Q8_0`: 32 values as signed bytes with one scale.
//!
//! ```text
//! byte  0   d       f16
//!       2   quants  32 × i8
//!
//! value[k] = d · quants[k]
//! ```

use super::Quantized;
use crate::cpu::Isa;
use bytemuck::{Pod, Zeroable};

/// 34 bytes for 32 values.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Q8_0 {
    d: [u8; 2],
    quants: [u8; 32],
}

impl Quantized for Q8_0 {
    const BLOCK: usize = 32;
    type Span = [Self; 8];
    const GROUP: usize = 32;
    const OFFSET: i32 = 0;
    const WIDE: bool = true;
    const LARGEST: i8 = 127;
    const MINIMUM: bool = false;
    const FACTORS: bool = false;

    #[inline(always)]
    fn steps(&self) -> [[u8; 2]; 2] {
        [self.d, [0; 2]]
    }
    #[inline(always)]
    fn codes<I: Isa>(of: [&Self; 2], isa: I, _: usize) -> I::C {
        isa.bytes([&of[0].quants, &of[1].quants])
    }
}
