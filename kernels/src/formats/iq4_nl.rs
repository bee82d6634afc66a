//! `IQ4_NL`: 32 values of four bits that index a table of unevenly spaced levels, with one scale.
//!
//! ```text
//! byte  0   d       f16
//!       2   quants  16 bytes: byte j holds value j (low nibble) and value j + 16 (high nibble)
//!
//! value[k] = d · LEVELS[q[k]],      q in 0..=15
//! ```

use super::Quantized;
use crate::cpu::Isa;
use bytemuck::{Pod, Zeroable};

/// 18 bytes for 32 values.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct IQ4NL {
    d: [u8; 2],
    quants: [u8; 16],
}

/// The levels of `IQ4_NL` and `IQ4_XS`: denser around zero, where most weights are; the numbers are the specification's.
pub const LEVELS: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

impl Quantized for IQ4NL {
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
        isa.look_up(&LEVELS, isa.nibbles([&of[0].quants, &of[1].quants]))
    }
}
