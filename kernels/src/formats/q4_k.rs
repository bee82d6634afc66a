//! `Q4_K`: 256 values of four bits in eight groups, each with a scale and a minimum of six bits.
//!
//! ```text
//! byte  0   d       f16
//!       2   dmin    f16
//!       4   packed  12 bytes: eight scales and eight minimums (below)
//!      16   quants  128 bytes: 32 for each two groups, low nibbles the first, high nibbles the second
//!
//! value[k] = d · scale[g] · q[k] − dmin · minimum[g],      g = k / 32,   q in 0..=15
//! ```
//!
//! Groups 0..4 have their scale in the low six bits of bytes 0..4 of `packed` and their minimum in those of bytes
//! 4..8. For groups 4..8, bytes 8..12 hold the low four bits of the scale (low nibble) and of the minimum (high
//! nibble); the two bits above are the top bits of bytes 0..4 and 4..8.

use super::Quantized;
use crate::array::{map, tabulate};
use crate::cpu::Isa;

/// 144 bytes for 256 values.
#[derive(Clone, Copy)]
pub(super) struct Q4K;

/// The eight scales and the eight minimums of `Q4_K` and `Q5_K`.
#[inline(always)]
pub(super) fn sixes(packed: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let [scales, minimums, low] = packed.as_chunks::<4>().0 else { return ([0; 8], [0; 8]) };
    (
        tabulate(|g| if g < 4 { scales[g] & 63 } else { low[g - 4] & 15 | (scales[g - 4] >> 6) << 4 }),
        tabulate(|g| if g < 4 { minimums[g] & 63 } else { low[g - 4] >> 4 | (minimums[g - 4] >> 6) << 4 }),
    )
}

impl Quantized for Q4K {
    const BLOCK: usize = 256;
    const BYTES: usize = 144;
    const GROUP: usize = 32;
    const OFFSET: i32 = 0;
    const WIDE: bool = false;
    const LARGEST: i8 = 15;
    const MINIMUM: bool = true;
    type Scale = f32;

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, block: &[u8], codes: &mut [i8], scales: &mut [f32], minimums: &mut [f32]) {
        fields!(block => d: 2, dmin: 2, packed: 12, quants: 128);
        let (Some(codes), Some(scales), Some(minimums)) =
            (codes.first_chunk_mut::<256>(), scales.first_chunk_mut::<8>(), minimums.first_chunk_mut::<8>())
        else {
            return;
        };
        let (d, dmin) = (isa.half(u16::from_le_bytes(*d)), isa.half(u16::from_le_bytes(*dmin)));
        let (sc, mn) = sixes(packed);
        *scales = map(sc, |sc| d * f32::from(sc));
        *minimums = map(mn, |mn| -(dmin * f32::from(mn)));
        for (quants, codes) in quants.as_chunks::<32>().0.iter().zip(codes.as_chunks_mut::<64>().0) {
            let [low, high] = codes.as_chunks_mut().0 else { return };
            *low = map(*quants, |q| (q & 15) as i8);
            *high = map(*quants, |q| (q >> 4) as i8);
        }
    }
}
