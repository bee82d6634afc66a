//! Encoding with importance: how much each column of a matrix counts.
//!
//! Importance h[c] is the mean square of what column c is multiplied with. A value counts by it, and by its own size, but
//! none for nothing:
//!
//! ```text
//! w[i] = h[c] · √(σ + x[i]²),      σ = a · Σ x² / n
//! ```
//!
//! n the values of the row (a = 1), or of the block (a = 1 for `Q2_K`, 2 for the others); `Q6_K` takes `w = h`. With these
//! weights every format searches its codes and scales, also those that have no search without. `F32`, `F16`, `BF16` and
//! `Q8_0` have none here either, and mind no importance. As in `affine.rs` the sum is in the order of the values.
//!
//! Sixteen blocks are encoded together. For the formats of 256 values first their groups are searched, sixteen at a time, and
//! then their scales, where a block is a group of its own: `upward.rs`.
//!
//! Refused: importance that is negative, not finite or beyond all reason, or for another number of columns.

use super::affine::{Guess, Search, fit};
use super::lanes::{Lanes, columns, groups};
use super::{EncodeError, error, upward};
use super::{iq4_nl, iq4_xs, q2_k, q3_k, q4_0, q4_1, q4_k, q5_0, q5_1, q5_k, q6_k};
use ocelli_kernels::cpu::{self, Isa, Task};
use ocelli_kernels::formats::Format;

/// Where σ comes from.
#[derive(Clone, Copy)]
pub(super) enum Spread {
    /// The row.
    Row,
    /// The block, with this factor.
    Block(f32),
    /// There is none: `w = h`.
    None,
}

/// A format that searches with weights.
pub(super) trait Weighted: Copy {
    /// Values in a block.
    const BLOCK: usize;
    /// Bytes of a block.
    const BYTES: usize;
    /// Where in a block its binary16 numbers are.
    const HALVES: &'static [usize];
    /// Where σ comes from.
    const SPREAD: Spread;

    /// Encodes sixteen blocks; mark it `#[inline(always)]`.
    fn encode<I: Isa>(isa: I, values: &[f32], weights: &[f32], blocks: &mut [u8]);
}

/// Blocks that are encoded together.
const TOGETHER: usize = 16;

/// The most values, and bytes, of so many blocks.
const MOST: (usize, usize) = (256 * TOGETHER, 210 * TOGETHER);

/// Importance must be less: activations of a million.
const LIMIT: f32 = 1e12;

/// Values must be smaller: more than what the largest scale can hold.
const LARGEST: f32 = 1e10;

/// Encodes values, whole rows of as many as there is `importance`, as [`encode`](super::encode) does, but minding it.
///
/// # Errors
/// As `encode`; importance that cannot be.
pub fn encode_weighted(
    isa: Option<&str>,
    format: Format,
    values: &[f32],
    importance: &[f32],
    out: &mut [u8],
) -> Result<(), EncodeError> {
    if matches!(format, Format::F32 | Format::F16 | Format::BF16 | Format::Q8_0) {
        return super::encode(isa, format, values, out);
    }
    let (row, whole) = (importance.len(), format.row_bytes(importance.len()).is_some());
    if row == 0 || !whole || !values.len().is_multiple_of(row) {
        return Err(EncodeError::Columns { importance: row, values: values.len() });
    }
    if format.row_bytes(values.len()) != Some(out.len()) {
        return Err(EncodeError::Lengths { format, values: values.len(), bytes: out.len() });
    }
    if let Some((column, value)) = importance.iter().enumerate().find(|(_, h)| !(0.0..LIMIT).contains(*h)) {
        return Err(EncodeError::Importance { column, value: *value });
    }
    cpu::run(isa, Encode { format, values, importance, out }).map_err(EncodeError::Isa)?
}

/// Values to be encoded on some instruction set.
struct Encode<'a> {
    format: Format,
    values: &'a [f32],
    importance: &'a [f32],
    out: &'a mut [u8],
}

impl Task for Encode<'_> {
    type Out = Result<(), EncodeError>;

    fn run<I: Isa>(self, isa: I) -> Self::Out {
        match self.format {
            Format::Q4_0 => self.blocks::<I, q4_0::Q4_0>(isa),
            Format::Q4_1 => self.blocks::<I, q4_1::Q4_1>(isa),
            Format::Q5_0 => self.blocks::<I, q5_0::Q5_0>(isa),
            Format::Q5_1 => self.blocks::<I, q5_1::Q5_1>(isa),
            Format::Q2_K => self.blocks::<I, q2_k::Q2K>(isa),
            Format::Q3_K => self.blocks::<I, q3_k::Q3K>(isa),
            Format::Q4_K => self.blocks::<I, q4_k::Q4K>(isa),
            Format::Q5_K => self.blocks::<I, q5_k::Q5K>(isa),
            Format::Q6_K => self.blocks::<I, q6_k::Q6K>(isa),
            Format::IQ4_NL => self.blocks::<I, iq4_nl::IQ4NL>(isa),
            Format::IQ4_XS => self.blocks::<I, iq4_xs::IQ4XS>(isa),
            Format::F32 | Format::F16 | Format::BF16 | Format::Q8_0 => {
                let Encode { format, values, out, .. } = self;
                super::Encode::new(format, values, out)?.run(isa)
            }
        }
    }
}

impl Encode<'_> {
    fn blocks<I: Isa, E: Weighted>(self, isa: I) -> Result<(), EncodeError> {
        let Encode { format, values, importance, out } = self;
        error::check_values(format, values, LARGEST)?;
        isa.enter(Blocks::<E> { values, importance, out, format: core::marker::PhantomData });
        error::check_halves(format, out, E::BYTES, E::BLOCK, E::HALVES)
    }
}

/// Rows of blocks.
struct Blocks<'a, E> {
    values: &'a [f32],
    importance: &'a [f32],
    out: &'a mut [u8],
    format: core::marker::PhantomData<E>,
}

#[inline(always)]
fn squares(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |sum, x| sum + x * x)
}

impl<E: Weighted> Blocks<'_, E> {
    /// The weights of the block that begins with value `start`, where `of_row` is σ of its row.
    #[inline(always)]
    fn weigh(&self, start: usize, of_row: f32, weights: &mut [f32]) {
        let columns = start % self.importance.len()..;
        let (Some(x), Some(h)) = (
            self.values.get(start..start + E::BLOCK),
            self.importance.get(columns).and_then(|h| h.get(..E::BLOCK)),
        ) else {
            return;
        };
        let spread = match E::SPREAD {
            Spread::Row => of_row,
            Spread::Block(factor) => factor * squares(x) / E::BLOCK as f32,
            Spread::None => return weights.copy_from_slice(h),
        };
        for ((w, x), h) in weights.iter_mut().zip(x).zip(h) {
            *w = h * (spread + x * x).sqrt();
        }
    }

    /// σ of the row that begins with value `start`.
    #[inline(always)]
    fn of_row(&self, start: usize) -> f32 {
        let row = self.importance.len();
        self.values.get(start..start + row).map_or(0.0, |x| squares(x) / row as f32)
    }
}

impl<E: Weighted> Task for Blocks<'_, E> {
    type Out = ();
    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let (len, size) = (TOGETHER * E::BLOCK, TOGETHER * E::BYTES);
        let (mut padded, mut weighed, mut bytes) = ([0.0; MOST.0], [0.0; MOST.0], [0; MOST.1]);
        let (Some(padded), Some(weighed), Some(bytes)) =
            (padded.get_mut(..len), weighed.get_mut(..len), bytes.get_mut(..size))
        else {
            return;
        };
        let out = core::mem::take(&mut self.out);
        let mut of_row = 0.0;
        for ((chunk, values), blocks) in self.values.chunks(len).enumerate().zip(out.chunks_mut(size)) {
            let starts = (chunk * len..).step_by(E::BLOCK).take(values.len() / E::BLOCK);
            for (start, weights) in starts.zip(weighed.chunks_exact_mut(E::BLOCK)) {
                if start % self.importance.len() == 0 && matches!(E::SPREAD, Spread::Row) {
                    of_row = self.of_row(start);
                }
                self.weigh(start, of_row, weights);
            }
            if values.len() == len {
                E::encode(isa, values, weighed, blocks);
                continue;
            }
            // The last blocks may be fewer: they are filled up with zeros.
            padded.iter_mut().zip(values).for_each(|(to, x)| *to = *x);
            E::encode(isa, padded, weighed, bytes);
            blocks.iter_mut().zip(&*bytes).for_each(|(to, byte)| *to = *byte);
        }
    }
}

/// Where the codes of sixteen blocks of `N` groups come from, and their scales and minimums with the factors of these.
pub(super) struct Affine<I: Isa, const N: usize> {
    /// Of sixteen groups each.
    pub guesses: [Guess<I>; N],
    pub scales: [[u8; N]; TOGETHER],
    pub minimums: [[u8; N]; TOGETHER],
    pub d: [f32; TOGETHER],
    pub dmin: [f32; TOGETHER],
}

/// Searches sixteen blocks of `N` groups of `G` values. Scales and minimums are parts, `0..=top`, of their factors.
#[inline(always)]
pub(super) fn affine<I: Isa, const G: usize, const N: usize>(
    isa: I,
    (values, weights): (&[f32], &[f32]),
    search: &Search,
    top: i32,
) -> Affine<I, N> {
    let mut guesses = [Guess::none(isa); N];
    let (mut scales, mut minimums, mut sums) = ([[0.0; 16]; N], [[0.0; 16]; N], [[0.0; 16]; N]);
    let both = values.chunks_exact(16 * G).zip(weights.chunks_exact(16 * G));
    let found = scales.iter_mut().zip(&mut minimums).zip(&mut sums);
    for (((x, w), guess), ((scales, minimums), sums)) in both.zip(&mut guesses).zip(found) {
        let (x, w): ([Lanes<I>; G], [Lanes<I>; G]) = (columns(isa, x), columns(isa, w));
        let found = fit(isa, &x, &w, search);
        (*scales, *minimums, *guess) = (found.scale.values(), found.minimum.values(), found.guess);
        *sums = total(isa, &w).values();
    }
    let sums = columns(isa, sums.as_flattened());
    let (scales, d) = upward::fit(&columns(isa, scales.as_flattened()), &sums, top);
    let (minimums, dmin) = upward::fit(&columns(isa, minimums.as_flattened()), &sums, top);
    Affine {
        guesses,
        scales: groups(&scales),
        minimums: groups(&minimums),
        d: d.values(),
        dmin: dmin.values(),
    }
}

/// The sums of sixteen groups' weights.
#[inline(always)]
pub(super) fn total<I: Isa, const G: usize>(isa: I, weights: &[Lanes<I>; G]) -> Lanes<I> {
    let mut sum = Lanes::all(isa, 0.0);
    for w in weights {
        sum = sum + *w;
    }
    sum
}
