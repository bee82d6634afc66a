//! Floating-point values stored one by one, little-endian: `F32` (IEEE 754 binary32), `F16` (binary16) and `BF16`
//! (the upper half of a binary32).

use super::Float;
#[cfg(feature = "halves")]
use crate::array::tabulate;
use crate::cpu::Isa;

/// Four bytes: IEEE 754 binary32.
#[derive(Clone, Copy)]
pub(super) struct F32;

/// Two bytes: IEEE 754 binary16, subnormals included.
#[cfg(feature = "halves")]
#[derive(Clone, Copy)]
pub(super) struct F16;

/// Two bytes: the sign, exponent and upper seven mantissa bits of a binary32.
#[cfg(feature = "halves")]
#[derive(Clone, Copy)]
pub(super) struct BF16;

impl Float for F32 {
    const BYTES: usize = 4;
    #[inline(always)]
    fn decode<I: Isa>(_: I, bytes: &[u8], out: &mut [f32]) {
        for (y, b) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *y = f32::from_le_bytes(*b);
        }
    }
}

#[cfg(feature = "halves")]
impl Float for F16 {
    const BYTES: usize = 2;
    #[inline(always)]
    fn decode<I: Isa>(isa: I, bytes: &[u8], out: &mut [f32]) {
        let (out, tail) = out.as_chunks_mut::<16>();
        let (bytes, rest) = bytes.as_chunks::<32>();
        for (y, b) in out.iter_mut().zip(bytes) {
            let halves = tabulate(|i| u16::from_le_bytes([b[2 * i], b[2 * i + 1]]));
            isa.store(isa.load_half(&halves), y);
        }
        // A row of fewer than 16 values ends inside a chunk of bytes that belongs to the next row.
        let rest = bytes.get(out.len()).map_or(rest, |b| b.as_slice());
        for (y, b) in tail.iter_mut().zip(rest.as_chunks::<2>().0) {
            *y = isa.half(u16::from_le_bytes(*b));
        }
    }
}

#[cfg(feature = "halves")]
impl Float for BF16 {
    const BYTES: usize = 2;
    #[inline(always)]
    fn decode<I: Isa>(_: I, bytes: &[u8], out: &mut [f32]) {
        for (y, b) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *y = f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16);
        }
    }
}
