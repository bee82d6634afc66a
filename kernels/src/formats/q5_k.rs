//! `Q5_K`: 256 values of five bits in eight groups, each with a scale and a minimum of six bits.
//!
//! ```text
//! byte  0   d       f16
//!       2   dmin    f16
//!       4   packed  12 bytes: eight scales and eight minimums, as in Q4_K
//!      16   fifth   32 bytes: bit g of byte l is the fifth bit of value 32 · g + l
//!      48   quants  128 bytes: the low four bits, laid out as in Q4_K
//!
//! value[k] = d · scale[g] · q[k] − dmin · minimum[g],      g = k / 32,   q in 0..=31
//! ```

use super::Quantized;
use super::q4_k::sixes;
use crate::array::{combine, map};
use crate::cpu::Isa;

/// 176 bytes for 256 values.
#[derive(Clone, Copy)]
pub(super) struct Q5K;

impl Quantized for Q5K {
    const BLOCK: usize = 256;
    const BYTES: usize = 176;
    const GROUP: usize = 32;
    const OFFSET: i32 = 0;
    const WIDE: bool = false;
    const LARGEST: i8 = 31;
    const MINIMUM: bool = true;
    type Scale = f32;

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, block: &[u8], codes: &mut [i8], scales: &mut [f32], minimums: &mut [f32]) {
        fields!(block => d: 2, dmin: 2, packed: 12, fifth: 32, quants: 128);
        let (Some(codes), Some(scales), Some(minimums)) =
            (codes.first_chunk_mut::<256>(), scales.first_chunk_mut::<8>(), minimums.first_chunk_mut::<8>())
        else {
            return;
        };
        let (d, dmin) = (isa.half(u16::from_le_bytes(*d)), isa.half(u16::from_le_bytes(*dmin)));
        let (sc, mn) = sixes(packed);
        *scales = map(sc, |sc| d * f32::from(sc));
        *minimums = map(mn, |mn| -(dmin * f32::from(mn)));
        let pairs = quants.as_chunks().0.iter().zip(codes.as_chunks_mut::<64>().0);
        for (i, (quants, codes)) in pairs.enumerate() {
            let [low, high] = codes.as_chunks_mut().0 else { return };
            *low = combine(*quants, *fifth, |q, f| (q & 15 | (f >> (2 * i) & 1) << 4) as i8);
            *high = combine(*quants, *fifth, |q, f| (q >> 4 | (f >> (2 * i + 1) & 1) << 4) as i8);
        }
    }
}
