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
use super::q5_0::codes_of;
use crate::cpu::Isa;

/// 24 bytes for 32 values.
#[derive(Clone, Copy)]
pub(super) struct Q5_1;

impl Quantized for Q5_1 {
    const BLOCK: usize = 32;
    const BYTES: usize = 24;
    const GROUP: usize = 32;
    const OFFSET: i32 = 0;
    const WIDE: bool = false;
    const LARGEST: i8 = 31;
    const MINIMUM: bool = true;
    type Scale = u16;

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, block: &[u8], codes: &mut [i8], scales: &mut [u16], minimums: &mut [u16]) {
        fields!(block => d: 2, m: 2, fifth: 4, quants: 16);
        let (Some(codes), [scale, ..], [minimum, ..]) = (codes.first_chunk_mut(), scales, minimums) else {
            return;
        };
        *scale = u16::from_le_bytes(*d);
        *minimum = u16::from_le_bytes(*m);
        codes_of(isa, fifth, quants, codes);
    }
}
