//! `Q6_K`: 256 values of six bits around zero in sixteen groups, each with a signed byte as scale.
//!
//! ```text
//! byte  0   low     128 bytes: the low four bits; 64 for values 0..128, 64 for values 128..256
//!     128   high    64 bytes: the high two bits; 32 for each half
//!     192   factors 16 × i8, one per group
//!     208   d       f16
//!
//! value[k] = d · factor[g] · (q[k] − 32),      g = k / 16,   q in 0..=63
//! ```
//!
//! Within a half, for l in 0..32: the low nibbles of bytes l and l + 32 of `low` belong to values l and l + 32, the
//! high nibbles to values l + 64 and l + 96; byte l of `high` holds the upper bits of those four, lowest first.

use super::Quantized;
use crate::array::{combine, map};
use crate::cpu::Isa;

/// 210 bytes for 256 values.
#[derive(Clone, Copy)]
pub(super) struct Q6K;

/// The 128 codes of one half.
#[inline(always)]
fn half_block(low: &[u8; 64], high: &[u8; 32], codes: &mut [i8; 128]) {
    let ([a, b], [q0, q1, q2, q3]) = (low.as_chunks::<32>().0, codes.as_chunks_mut::<32>().0) else { return };
    *q0 = combine(*a, *high, |low, high| (low & 15 | (high & 3) << 4) as i8);
    *q1 = combine(*b, *high, |low, high| (low & 15 | (high >> 2 & 3) << 4) as i8);
    *q2 = combine(*a, *high, |low, high| (low >> 4 | (high >> 4 & 3) << 4) as i8);
    *q3 = combine(*b, *high, |low, high| (low >> 4 | (high >> 6) << 4) as i8);
}

impl Quantized for Q6K {
    const BLOCK: usize = 256;
    const BYTES: usize = 210;
    const GROUP: usize = 16;
    const OFFSET: i32 = 32;
    const WIDE: bool = false;
    const LARGEST: i8 = 63;
    const MINIMUM: bool = false;
    type Scale = f32;

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, block: &[u8], codes: &mut [i8], scales: &mut [f32], _: &mut [f32]) {
        fields!(block => low: 128, high: 64, factors: 16, d: 2);
        let (Some(codes), Some(scales)) = (codes.first_chunk_mut::<256>(), scales.first_chunk_mut::<16>())
        else {
            return;
        };
        let d = isa.half(u16::from_le_bytes(*d));
        *scales = map(*factors, |f| d * f32::from(f as i8));
        let halves = low.as_chunks().0.iter().zip(high.as_chunks().0);
        for ((low, high), codes) in halves.zip(codes.as_chunks_mut().0) {
            half_block(low, high, codes);
        }
    }
}
