//! `Q4_0`: 32 values of four bits around zero, with one scale.
//!
//! ```text
//! byte  0   d       f16
//!       2   quants  16 bytes: byte j holds value j (low nibble) and value j + 16 (high nibble)
//!
//! value[k] = d · (q[k] − 8),      q in 0..=15
//! ```

use super::Quantized;
use crate::array::map;
use crate::cpu::Isa;

/// 18 bytes for 32 values.
#[derive(Clone, Copy)]
pub(super) struct Q4_0;

/// Sixteen bytes as 32 nibbles: all the low ones, then all the high ones.
#[inline(always)]
pub(super) fn nibbles(bytes: &[u8; 16], codes: &mut [i8; 32]) {
    let [low, high] = codes.as_chunks_mut::<16>().0 else { return };
    *low = map(*bytes, |q| (q & 15) as i8);
    *high = map(*bytes, |q| (q >> 4) as i8);
}

impl Quantized for Q4_0 {
    const BLOCK: usize = 32;
    const BYTES: usize = 18;
    const GROUP: usize = 32;
    const OFFSET: i32 = 8;
    const WIDE: bool = false;
    const LARGEST: i8 = 15;
    const MINIMUM: bool = false;
    type Scale = u16;

    #[inline(always)]
    fn unpack<I: Isa>(_: I, block: &[u8], codes: &mut [i8], scales: &mut [u16], _: &mut [u16]) {
        fields!(block => d: 2, quants: 16);
        let (Some(codes), [scale, ..]) = (codes.first_chunk_mut(), scales) else { return };
        *scale = u16::from_le_bytes(*d);
        nibbles(quants, codes);
    }
}
