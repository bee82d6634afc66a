//! `Q2_K`: 256 values of two bits in sixteen groups, each with a scale and a minimum of four bits.
//!
//! ```text
//! byte  0   groups  16 bytes, one per group: low nibble its scale, high nibble its minimum
//!      16   quants  64 bytes: 32 for values 0..128, 32 for values 128..256
//!      80   d       f16
//!      82   dmin    f16
//!
//! value[k] = d · scale[g] · q[k] − dmin · minimum[g],      g = k / 16,   q in 0..=3
//! ```
//!
//! Within a half, byte l holds values l, l + 32, l + 64, l + 96 in its bits 0-1, 2-3, 4-5, 6-7.

use super::Quantized;
use crate::array::map;
use crate::cpu::Isa;

/// 84 bytes for 256 values.
#[derive(Clone, Copy)]
pub(super) struct Q2K;

impl Quantized for Q2K {
    const BLOCK: usize = 256;
    const BYTES: usize = 84;
    const GROUP: usize = 16;
    const OFFSET: i32 = 0;
    const WIDE: bool = false;
    const LARGEST: i8 = 3;
    const MINIMUM: bool = true;
    type Scale = f32;

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, block: &[u8], codes: &mut [i8], scales: &mut [f32], minimums: &mut [f32]) {
        fields!(block => groups: 16, quants: 64, d: 2, dmin: 2);
        let (Some(codes), Some(scales), Some(minimums)) = (
            codes.first_chunk_mut::<256>(),
            scales.first_chunk_mut::<16>(),
            minimums.first_chunk_mut::<16>(),
        ) else {
            return;
        };
        let (d, dmin) = (isa.half(u16::from_le_bytes(*d)), isa.half(u16::from_le_bytes(*dmin)));
        *scales = map(*groups, |g| d * f32::from(g & 15));
        *minimums = map(*groups, |g| -(dmin * f32::from(g >> 4)));
        for (quants, half) in quants.as_chunks().0.iter().zip(codes.as_chunks_mut::<128>().0) {
            for (j, codes) in half.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                *codes = map(*quants, |q| (q >> (2 * j) & 3) as i8);
            }
        }
    }
}
