//! `Q3_K`: 256 values of three bits around zero in sixteen groups, each with a scale of six bits.
//!
//! ```text
//! byte  0   third   32 bytes: bit i of byte l is the third bit of value 32 · i + l
//!      32   quants  64 bytes: the two low bits, laid out as in Q2_K
//!      96   packed  12 bytes: the scales, four bits each and then two bits each (below)
//!     108   d       f16
//!
//! value[k] = d · (scale[g] − 32) · (q[k] − 4),      g = k / 16,   q in 0..=7
//! ```
//!
//! The low four bits of the scale of group g are in byte g mod 8 of `packed`, low nibble for g < 8 and high nibble
//! after; its high two bits are bits 2 · (g div 4) and up of byte 8 + g mod 4.

use super::Quantized;
use crate::array::{combine, map, tabulate};
use crate::cpu::Isa;

/// 110 bytes for 256 values.
#[derive(Clone, Copy)]
pub(super) struct Q3K;

/// The sixteen scales, each still 32 too large.
#[inline(always)]
fn sixes(packed: &[u8; 12]) -> [u8; 16] {
    tabulate(|g| {
        let low = (packed[g % 8] >> (4 * (g / 8))) & 15;
        let high = (packed[8 + g % 4] >> (2 * (g / 4))) & 3;
        low | high << 4
    })
}

impl Quantized for Q3K {
    const BLOCK: usize = 256;
    const BYTES: usize = 110;
    const GROUP: usize = 16;
    const OFFSET: i32 = 4;
    const WIDE: bool = false;
    const LARGEST: i8 = 7;
    const MINIMUM: bool = false;
    type Scale = f32;

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, block: &[u8], codes: &mut [i8], scales: &mut [f32], _: &mut [f32]) {
        fields!(block => third: 32, quants: 64, packed: 12, d: 2);
        let (Some(codes), Some(scales)) = (codes.first_chunk_mut::<256>(), scales.first_chunk_mut::<16>())
        else {
            return;
        };
        let d = isa.half(u16::from_le_bytes(*d));
        *scales = map(sixes(packed), |s| d * f32::from(s as i8 - 32));
        let halves = quants.as_chunks().0.iter().zip(codes.as_chunks_mut::<128>().0);
        for (n, (quants, half)) in halves.enumerate() {
            for (j, codes) in half.as_chunks_mut().0.iter_mut().enumerate() {
                *codes =
                    combine(*quants, *third, |q, t| (q >> (2 * j) & 3 | (t >> (4 * n + j) & 1) << 2) as i8);
            }
        }
    }
}
