//! `Q4_1`: 32 values of four bits above a minimum, with one scale.
//!
//! ```text
//! byte  0   d       f16
//!       2   m       f16
//!       4   quants  16 bytes: byte j holds value j (low nibble) and value j + 16 (high nibble)
//!
//! value[k] = d · q[k] + m,      q in 0..=15
//! ```

use super::Quantized;
use super::q4_0::nibbles;
use crate::cpu::Isa;

/// 20 bytes for 32 values.
#[derive(Clone, Copy)]
pub(super) struct Q4_1;

impl Quantized for Q4_1 {
    const BLOCK: usize = 32;
    const BYTES: usize = 20;
    const GROUP: usize = 32;
    const OFFSET: i32 = 0;
    const WIDE: bool = false;
    const LARGEST: i8 = 15;
    const MINIMUM: bool = true;
    type Scale = u16;

    #[inline(always)]
    fn unpack<I: Isa>(_: I, block: &[u8], codes: &mut [i8], scales: &mut [u16], minimums: &mut [u16]) {
        fields!(block => d: 2, m: 2, quants: 16);
        let (Some(codes), [scale, ..], [minimum, ..]) = (codes.first_chunk_mut(), scales, minimums) else {
            return;
        };
        *scale = u16::from_le_bytes(*d);
        *minimum = u16::from_le_bytes(*m);
        nibbles(quants, codes);
    }
}
