//! `Q8_0`: 32 values as signed bytes with one scale.
//!
//! ```text
//! byte  0   d       f16
//!       2   quants  32 × i8
//!
//! value[k] = d · quants[k]
//! ```

use super::Quantized;
use crate::array::map;
use crate::cpu::Isa;

/// 34 bytes for 32 values.
#[derive(Clone, Copy)]
pub(super) struct Q8_0;

impl Quantized for Q8_0 {
    const BLOCK: usize = 32;
    const BYTES: usize = 34;
    const GROUP: usize = 32;
    const OFFSET: i32 = 0;
    const WIDE: bool = true;
    const LARGEST: i8 = 127;
    const MINIMUM: bool = false;
    type Scale = u16;

    #[inline(always)]
    fn unpack<I: Isa>(_: I, block: &[u8], codes: &mut [i8], scales: &mut [u16], _: &mut [u16]) {
        fields!(block => d: 2, quants: 32);
        let (Some(codes), [scale, ..]) = (codes.first_chunk_mut::<32>(), scales) else { return };
        *scale = u16::from_le_bytes(*d);
        *codes = map(*quants, |q| q as i8);
    }
}
