//! Block formats: how weights are stored in a file.
//!
//! One file per format holds its whole truth: the byte layout, and how a block *unpacks* into the form every
//! kernel computes with. A quantized block becomes small integer **codes** with one `f32` **scale** (and, for some
//! formats, one **minimum**) per group of 16 or 32 values:
//!
//! ```text
//! value[k] = scale[g] · (code[k] − OFFSET) + minimum[g],      g = k / GROUP
//! ```
//! Blocks of 32 store both as they are; blocks of 256 store two steps, and small integers that scale them for each group.
//!
//! Decoding to `f32` is this formula and nothing else, so there is one definition per format. A block is a struct of
//! byte arrays, which is read where the file lies in memory; its codes come out 32 at a time, in the registers of an
//! instruction set ([`Isa::C`]), by the few operations on bytes that all formats are made of.
//!
//! To add a format: one file, one line in the list below, and one in `ocelli_tape::format`, which has its sizes.
//!
//! A firmware takes the families it needs (features `small-quants`, `k-quants`, `iq-quants`, `halves`): each format costs a
//! linear map of its own. For a build without a format, its type is one that cannot be computed with.

use crate::array::map;
use crate::cpu::{Isa, Task};
use core::marker::PhantomData;

pub use ocelli_tape::Format;

mod float;
#[cfg(feature = "iq-quants")]
mod iq4_nl;
#[cfg(feature = "iq-quants")]
mod iq4_xs;
#[cfg(feature = "k-quants")]
mod q2_k;
#[cfg(feature = "k-quants")]
mod q3_k;
#[cfg(feature = "small-quants")]
mod q4_0;
#[cfg(feature = "small-quants")]
mod q4_1;
#[cfg(feature = "k-quants")]
mod q4_k;
#[cfg(feature = "small-quants")]
mod q5_0;
#[cfg(feature = "small-quants")]
mod q5_1;
#[cfg(feature = "k-quants")]
mod q5_k;
#[cfg(feature = "k-quants")]
mod q6_k;
mod q8_0;

#[cfg(feature = "iq-quants")]
pub use iq4_nl::LEVELS;

#[cfg(test)]
mod tests;

/// Values in the largest block of any format; spans of this length hold whole blocks of every format.
pub const SPAN: usize = 256;

/// Codes that come out of a block at a time.
pub const PART: usize = 32;

/// Groups in a block, at most.
pub const MOST: usize = SPAN / 16;

/// A block of a format whose blocks hold integer codes with a scale per group, as it lies in a file.
pub trait Quantized: bytemuck::Pod + Send + Sync {
    /// Values in a block: 32 or 256.
    const BLOCK: usize;
    /// The blocks of [`SPAN`] values, an array of them.
    type Span: bytemuck::Pod + AsRef<[Self]>;
    /// Bytes of a block.
    const BYTES: usize = size_of::<Self>();
    /// Values that share a scale: 16 or 32.
    const GROUP: usize;
    /// Subtracted from a code before it is scaled.
    const OFFSET: i32;
    /// False: codes are in 0..=127, so they are the same number read as signed or as unsigned byte.
    /// True: codes use all of −128..=127 (and `OFFSET` is 0).
    const WIDE: bool;
    /// The largest code there is.
    const LARGEST: i8;
    /// Whether groups carry a minimum.
    const MINIMUM: bool;
    /// Whether each group scales the block's steps by factors of its own.
    const FACTORS: bool;

    /// The steps of the block, binary16: `d`, and if `MINIMUM` the `m` or `dmin` of minimums.
    fn steps(&self) -> [[u8; 2]; 2];

    /// Subtracted from a factor of scales.
    const FACTOR_OFFSET: i8 = 0;

    /// Of a format with `FACTORS`, sixteen bytes that hold them: as they lie in the block, or else made in `room`.
    #[inline(always)]
    fn packed<'a>(&'a self, room: &'a mut [u8; 16]) -> &'a [u8; 16] {
        room
    }

    /// Of a format with `FACTORS`, those of all groups, made of the four words of `packed`: of group g byte g mod 4 of the
    /// word g / 4, first of scales, then of minimums. `scale = d · (factor − FACTOR_OFFSET)` and `minimum = −dmin · factor`.
    /// Formats without have `scale = d` and `minimum = m`.
    #[inline(always)]
    fn factors<B: Bytes>(words: [B; 4]) -> [[B; 4]; 2] {
        [words; 2]
    }

    /// The codes of values 32 · `part` and up, of blocks of two rows. Best where the compiler knows `part` modulo 4: shifts
    /// are then constants.
    fn codes<I: Isa>(of: [&Self; 2], isa: I, part: usize) -> I::C;
}

/// Bytes that are worked on in parallel: four of one row, or of many.
pub trait Bytes: Copy {
    /// `(x >> right) & mask` of each byte, as [`Isa::bits`].
    fn bits(self, right: i32, mask: u8) -> Self;
    /// `self | other`.
    fn or(self, other: Self) -> Self;
}

/// Four bytes, the first of them lowest.
impl Bytes for u32 {
    #[inline(always)]
    fn bits(self, right: i32, mask: u8) -> u32 {
        let moved = if right < 0 { self << (-right & 31) } else { self >> (right & 31) };
        moved & u32::from_ne_bytes([mask; 4])
    }
    #[inline(always)]
    fn or(self, other: u32) -> u32 {
        self | other
    }
}

/// The blocks of a row; bytes after the last whole one are left out.
#[inline(always)]
pub(crate) fn blocks<F: Quantized>(bytes: &[u8]) -> &[F] {
    let whole = bytes.len() / F::BYTES * F::BYTES;
    // A block is an array of bytes to the machine, which may lie anywhere.
    bytemuck::try_cast_slice(bytes.get(..whole).unwrap_or(&[])).unwrap_or(&[])
}

/// A format that stores floating-point values one by one.
pub trait Float: Copy + Send + Sync + 'static {
    /// Bytes of a value.
    const BYTES: usize;
    /// Converts `out.len()` values; exact, every stored value is an `f32`.
    fn decode<I: Isa>(isa: I, bytes: &[u8], out: &mut [f32]);
}

/// Something to be done for a format that is known only at run time; see [`visit`].
pub trait Visitor {
    /// What it gives.
    type Out;
    /// The format is a [`Quantized`] one.
    fn quantized<F: Quantized>(self) -> Self::Out;
    /// The format is a [`Float`] one.
    fn float<F: Float>(self) -> Self::Out;
}

macro_rules! formats {
    ($($(#[$when:meta])* $name:ident: $kind:ident $file:ident::$ty:ident;)*) => {
        /// Calls the visitor with the type behind a format.
        #[inline(always)]
        pub fn visit<V: Visitor>(format: Format, visitor: V) -> V::Out {
            match format { $($(#[$when])* Format::$name => visitor.$kind::<$file::$ty>(),)* }
        }
    };
}

formats! {
    F32: float float::F32;
    #[cfg(feature = "halves")]
    F16: float float::F16;
    #[cfg(feature = "small-quants")]
    Q4_0: quantized q4_0::Q4_0;
    #[cfg(feature = "small-quants")]
    Q4_1: quantized q4_1::Q4_1;
    #[cfg(feature = "small-quants")]
    Q5_0: quantized q5_0::Q5_0;
    #[cfg(feature = "small-quants")]
    Q5_1: quantized q5_1::Q5_1;
    Q8_0: quantized q8_0::Q8_0;
    #[cfg(feature = "k-quants")]
    Q2_K: quantized q2_k::Q2K;
    #[cfg(feature = "k-quants")]
    Q3_K: quantized q3_k::Q3K;
    #[cfg(feature = "k-quants")]
    Q4_K: quantized q4_k::Q4K;
    #[cfg(feature = "k-quants")]
    Q5_K: quantized q5_k::Q5K;
    #[cfg(feature = "k-quants")]
    Q6_K: quantized q6_k::Q6K;
    #[cfg(feature = "iq-quants")]
    IQ4_NL: quantized iq4_nl::IQ4NL;
    #[cfg(feature = "iq-quants")]
    IQ4_XS: quantized iq4_xs::IQ4XS;
    #[cfg(feature = "halves")]
    BF16: float float::BF16;
}

/// Decodes values of one row, starting at its first byte: as many as `out` holds, a whole number of blocks.
///
/// # Panics
/// Never: values beyond the bytes given, and a last part of a block, are left as they are.
// Not inlined: many operations read a row now and then, and each would carry a copy of every format.
#[inline(never)]
pub fn decode<I: Isa>(isa: I, format: Format, bytes: &[u8], out: &mut [f32]) {
    struct Decode<'a, I>(I, &'a [u8], &'a mut [f32]);
    impl<I: Isa> Visitor for Decode<'_, I> {
        type Out = ();
        fn quantized<F: Quantized>(self) {
            self.0.enter(Blocks::<F>(self.1, self.2, PhantomData));
        }
        fn float<F: Float>(self) {
            self.0.enter(Values::<F>(self.1, self.2, PhantomData));
        }
    }
    visit(format, Decode(isa, bytes, out));
}

/// Decoding of a quantized format.
struct Blocks<'a, F>(&'a [u8], &'a mut [f32], PhantomData<F>);

impl<F: Quantized> Task for Blocks<'_, F> {
    type Out = ();
    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let mut codes = [[0; PART]; SPAN / PART];
        for (block, out) in blocks::<F>(self.0).iter().zip(self.1.chunks_exact_mut(F::BLOCK)) {
            for (part, codes) in codes.iter_mut().take(F::BLOCK / PART).enumerate() {
                isa.keep(F::codes([block; 2], isa, part), [codes, &mut [0; PART]]);
            }
            let [d, m] = block.steps().map(|step| isa.half(u16::from_le_bytes(step)));
            let [scales, minimums] = factors(block);
            for (k, (y, &code)) in out.iter_mut().zip(codes.as_flattened()).enumerate() {
                let group = k / F::GROUP;
                let scaled = d * f32::from(scales[group]) * (i32::from(code) - F::OFFSET) as f32;
                *y = if F::MINIMUM { scaled - m * f32::from(minimums[group]) } else { scaled };
            }
        }
    }
}

/// What scales `d` and `−m` in each group of a block.
fn factors<F: Quantized>(block: &F) -> [[i8; MOST]; 2] {
    if !F::FACTORS {
        return [[1; MOST], [-1; MOST]];
    }
    let words: [[u8; 4]; 4] = bytemuck::cast(*block.packed(&mut [0; 16]));
    let [scales, minimums] = F::factors(map(words, u32::from_le_bytes));
    let bytes = |words| -> [u8; MOST] { bytemuck::cast(map(words, u32::to_le_bytes)) };
    [map(bytes(scales), |f| f as i8 - F::FACTOR_OFFSET), map(bytes(minimums), |f| f as i8)]
}

/// Decoding of a float format.
struct Values<'a, F>(&'a [u8], &'a mut [f32], PhantomData<F>);

impl<F: Float> Task for Values<'_, F> {
    type Out = ();
    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        F::decode(isa, self.0, self.1);
    }
}
