//! Numbers to blocks: how each format chooses its codes and scales.
//!
//! `ocelli_kernels::formats` says what the bytes of a block stand for; here a file per format says which bytes to write
//! for given numbers, what that makes small and where it looks. Bytes are those of ggml's reference quantizers, so that a
//! file made here is the file that everybody has. Same bytes on every machine: there is no fused multiply-add, sums
//! have one order, and where ggml converts an infinity to an integer (which C does not define) the result is that of x86.
//!
//! Refused, with the place: what is not a finite number; what is so large that no block can hold it, or that the block's
//! scale is beyond binary16.
//!
//! To add a format: one file, and one line in the list below, which the compiler asks for.

use ocelli_kernels::cpu::{self, Isa, Task};
use ocelli_kernels::formats::Format;

/// Splits a block that is to be written into fields of the given numbers of bytes, in their order; returns from the
/// caller if it is too short.
macro_rules! places {
    ($block:ident => $($field:ident: $bytes:literal),*) => {
        let rest: &mut [u8] = $block;
        $(let Some(($field, rest)) = rest.split_first_chunk_mut::<$bytes>() else { return };)*
        let _ = rest;
    };
}

/// Every element of an array changed. A macro and no function that takes a closure: a closure is compiled without the
/// instruction set that it is used with, so that where it is not inlined every operation of lanes becomes a call.
macro_rules! each {
    ($array:expr, |$x:ident| $changed:expr) => {{
        let mut all = $array;
        for one in &mut all {
            let $x = *one;
            *one = $changed;
        }
        all
    }};
}

mod affine;
mod around;
mod error;
mod float;
mod iq4_nl;
mod iq4_xs;
mod lanes;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod upward;
mod weighted;

pub use error::EncodeError;
pub use weighted::encode_weighted;

/// A format that numbers can be written in.
trait Encoder: Copy {
    /// Values in a block.
    const BLOCK: usize;
    /// Bytes of a block.
    const BYTES: usize;
    /// Blocks that are searched together.
    const TOGETHER: usize = 1;
    /// Where in a block its binary16 numbers are.
    const HALVES: &'static [usize];
    /// Numbers must be smaller than this: ten times and more what the largest scale can hold.
    const LIMIT: f32 = 1e10;

    /// Encodes `TOGETHER` blocks. Finite numbers below the limit; mark it `#[inline(always)]`.
    fn encode<I: Isa>(isa: I, values: &[f32], blocks: &mut [u8]);
}

/// Encodes values, whole blocks of them, into `out`, exactly as many bytes as they take, with the named instruction set or
/// the fastest there is; the bytes are the same.
///
/// # Errors
/// A value that the format cannot hold, lengths that do not fit each other, an unknown instruction set.
pub fn encode(isa: Option<&str>, format: Format, values: &[f32], out: &mut [u8]) -> Result<(), EncodeError> {
    cpu::run(isa, Encode::new(format, values, out)?).map_err(EncodeError::Isa)?
}

/// The same for `Q8_0` alone: a program that needs no other format so carries no other.
///
/// # Errors
/// As [`encode`].
pub fn encode_q8_0(isa: Option<&str>, values: &[f32], out: &mut [u8]) -> Result<(), EncodeError> {
    struct Q8<'a>(Encode<'a>);
    impl Task for Q8<'_> {
        type Out = Result<(), EncodeError>;
        fn run<I: Isa>(self, isa: I) -> Self::Out {
            self.0.blocks::<I, q8_0::Q8_0>(isa)
        }
    }
    cpu::run(isa, Q8(Encode::new(Format::Q8_0, values, out)?)).map_err(EncodeError::Isa)?
}

/// Values to be encoded on some instruction set.
struct Encode<'a> {
    format: Format,
    values: &'a [f32],
    out: &'a mut [u8],
}

impl Task for Encode<'_> {
    type Out = Result<(), EncodeError>;

    fn run<I: Isa>(self, isa: I) -> Self::Out {
        macro_rules! encoders {
            ($($name:ident = $file:ident::$ty:ident;)*) => {
                match self.format { $(Format::$name => self.blocks::<I, $file::$ty>(isa),)* }
            };
        }
        encoders! {
            F32 = float::F32;
            F16 = float::F16;
            BF16 = float::BF16;
            Q8_0 = q8_0::Q8_0;
            Q4_0 = q4_0::Q4_0;
            Q4_1 = q4_1::Q4_1;
            Q5_0 = q5_0::Q5_0;
            Q5_1 = q5_1::Q5_1;
            Q2_K = q2_k::Q2K;
            Q3_K = q3_k::Q3K;
            Q4_K = q4_k::Q4K;
            Q5_K = q5_k::Q5K;
            Q6_K = q6_k::Q6K;
            IQ4_NL = iq4_nl::IQ4NL;
            IQ4_XS = iq4_xs::IQ4XS;
        }
    }
}

impl<'a> Encode<'a> {
    fn new(format: Format, values: &'a [f32], out: &'a mut [u8]) -> Result<Self, EncodeError> {
        if format.row_bytes(values.len()) == Some(out.len()) {
            Ok(Encode { format, values, out })
        } else {
            Err(EncodeError::Lengths { format, values: values.len(), bytes: out.len() })
        }
    }

    fn blocks<I: Isa, E: Encoder>(self, isa: I) -> Result<(), EncodeError> {
        let Encode { format, values, out } = self;
        error::check_values(format, values, E::LIMIT)?;
        isa.enter(Blocks::<E>(values, out, core::marker::PhantomData));
        error::check_halves(format, out, E::BYTES, E::BLOCK, E::HALVES)
    }
}

/// Values and bytes of some blocks.
struct Blocks<'a, E>(&'a [f32], &'a mut [u8], core::marker::PhantomData<E>);

/// The most values, and bytes, of blocks that are searched together.
const MOST: (usize, usize) = (512, 352);

impl<E: Encoder> Task for Blocks<'_, E> {
    type Out = ();
    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let (len, size) = (E::TOGETHER * E::BLOCK, E::TOGETHER * E::BYTES);
        let (mut padded, mut bytes) = ([0.0; MOST.0], [0; MOST.1]);
        for (values, blocks) in self.0.chunks(len).zip(self.1.chunks_mut(size)) {
            // The last blocks may be fewer than are searched together: they are filled up with zeros.
            let short = values.len() < len;
            let (Some(padded), Some(bytes)) = (padded.get_mut(..len), bytes.get_mut(..size)) else { return };
            if short {
                padded.iter_mut().zip(values).for_each(|(to, x)| *to = *x);
            }
            let (from, to) = if short { (&*padded, &mut *bytes) } else { (values, &mut *blocks) };
            E::encode(isa, from, to);
            if short {
                blocks.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
            }
        }
    }
}
