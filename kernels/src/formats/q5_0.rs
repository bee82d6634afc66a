//! `Q5_0`: 32 values of five bits around zero, with one scale.
//!
//! ```text
//! byte  0   d       f16
//!       2   fifth   32 bits, lowest first: bit k is the fifth bit of value k
//!       6   quants  16 bytes: byte j holds the low four bits of value j (low nibble) and j + 16 (high nibble)
//!
//! value[k] = d · (q[k] − 16),      q in 0..=31
//! ```

use super::Quantized;
use crate::array::{combine, map};
use crate::cpu::Isa;

/// 22 bytes for 32 values.
#[derive(Clone, Copy)]
pub(super) struct Q5_0;

/// Sixteen codes of five bits, from their nibbles and two of the four bytes of fifth bits: those named by `bytes`.
#[inline(always)]
fn fives<I: Isa>(isa: I, fifth: [u8; 4], bytes: [u8; 2], nibbles: [u8; 16]) -> [i8; 16] {
    const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    let ([f0, f1, f2, f3], [a, b]) = (map(fifth, |byte| byte as i8), bytes);
    let table = [f0, f1, f2, f3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let spread = isa.lookup(&table, &[a, a, a, a, a, a, a, a, b, b, b, b, b, b, b, b]);
    // 127 carries the bit that is left, whichever it is, to the top. (A comparison would say it more plainly, but
    // compilers turn that into shifts of each byte by another number, which few machines have.)
    let sixteens = combine(spread, BITS, |byte, bit| ((byte as u8 & bit) + 127) >> 3 & 16);
    combine(nibbles, sixteens, |low, sixteen| (low | sixteen) as i8)
}

/// 32 codes of five bits, from four bytes of fifth bits and sixteen of nibbles.
#[inline(always)]
pub(super) fn codes_of<I: Isa>(isa: I, fifth: &[u8; 4], quants: &[u8; 16], codes: &mut [i8; 32]) {
    let [low, high] = codes.as_chunks_mut::<16>().0 else { return };
    *low = fives(isa, *fifth, [0, 1], map(*quants, |q| q & 15));
    *high = fives(isa, *fifth, [2, 3], map(*quants, |q| q >> 4));
}

impl Quantized for Q5_0 {
    const BLOCK: usize = 32;
    const BYTES: usize = 22;
    const GROUP: usize = 32;
    const OFFSET: i32 = 16;
    const WIDE: bool = false;
    const LARGEST: i8 = 31;
    const MINIMUM: bool = false;
    type Scale = u16;

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, block: &[u8], codes: &mut [i8], scales: &mut [u16], _: &mut [u16]) {
        fields!(block => d: 2, fifth: 4, quants: 16);
        let (Some(codes), [scale, ..]) = (codes.first_chunk_mut(), scales) else { return };
        *scale = u16::from_le_bytes(*d);
        codes_of(isa, fifth, quants, codes);
    }
}
