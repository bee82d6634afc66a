//! Activations to 8-bit codes: what linear maps with quantized weights multiply by.
//!
//! A row of `f32` is cut into groups of 32. Of each, the largest magnitude becomes code ±127:
//!
//! ```text
//! scale = max|x| / 127        code[k] = round(x[k] · (127 / max|x|))        −127 ≤ code ≤ 127
//! ```
//!
//! and the sums of 16 consecutive codes are kept, which formats with an offset or a minimum need. Every weight format
//! shares this one form, so a row that feeds several linear maps is quantized once. Where weights are padded with zeros to
//! whole blocks, so are these rows.

use super::Kernel;
use crate::cpu::{Isa, LANES};
use crate::math;
use crate::tile::Tile;

/// Values that share a scale.
pub const GROUP: usize = 32;

/// Cells (`f32` words) of a group: 32 codes, the scale, two sums of 16 bits. All that a row brings to a group of weights
/// lies together, so that one address serves for it.
const CELLS: usize = GROUP / 4 + 2;

/// Cells a row of `width` values takes.
pub const fn cells(width: usize) -> usize {
    width / GROUP * CELLS
}

/// A group of a quantized row, read by the functions below.
pub(crate) type Group = [f32; CELLS];

/// The codes, each in −127..=127, four by four.
#[inline(always)]
pub(crate) fn codes(group: &Group) -> &[[i8; 4]; GROUP / 4] {
    const NONE: &[[i8; 4]; GROUP / 4] = &[[0; 4]; GROUP / 4];
    group.first_chunk::<{ GROUP / 4 }>().map_or(NONE, bytemuck::cast_ref)
}

/// The scale.
#[inline(always)]
pub(crate) fn scale(group: &Group) -> f32 {
    group[CELLS - 2]
}

/// The sums of the first and of the last sixteen codes.
#[inline(always)]
pub(crate) fn sums(group: &Group) -> &[i16; 2] {
    bytemuck::cast_ref(&group[CELLS - 1])
}

/// Groups of a row of a quantized matrix whose rows had `width` values.
#[inline(always)]
pub(crate) fn row(matrix: &[f32], width: usize, index: usize) -> &[Group] {
    let cells = cells(width);
    matrix.get(index * cells..).and_then(|rest| rest.get(..cells)).unwrap_or(&[]).as_chunks().0
}

/// `[rows, width]` to `[rows, cells(padded width)]`.
pub struct Quantize<'a> {
    /// Activations, row-major.
    pub x: &'a [f32],
    /// Values of a row.
    pub width: usize,
}

impl Kernel for Quantize<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, _: &mut [f32]) {
        for r in tile.rows() {
            let x = self.x.get(r * self.width..(r + 1) * self.width).unwrap_or(&[]);
            let (whole, rest) = x.as_chunks();
            let mut last = [0.0; GROUP];
            last[..rest.len()].copy_from_slice(rest);
            let padded = whole.iter().chain([&last]).chain(core::iter::repeat(&[0.0; GROUP]));
            for (x, cells) in padded.zip(tile.row(r).as_chunks_mut::<CELLS>().0) {
                let mut codes = [0; GROUP];
                let scale = group(isa, x, &mut codes);
                let (low, high) = codes.split_at(LANES);
                let sum = |codes: &[i8]| codes.iter().map(|c| i16::from(*c)).sum();
                let sums: [i16; 2] = [sum(low), sum(high)];
                let (words, rest) = cells.split_at_mut(GROUP / 4);
                words.copy_from_slice(&bytemuck::cast::<_, [f32; GROUP / 4]>(codes));
                rest.copy_from_slice(&[scale, bytemuck::cast(sums)]);
            }
        }
    }
}

/// Quantizes one group and returns its scale. A value that is no number becomes −127.
#[inline(always)]
pub(crate) fn group<I: Isa>(isa: I, x: &[f32; GROUP], codes: &mut [i8; GROUP]) -> f32 {
    let zero = isa.splat(0.0);
    let (a, b) = (math::read(isa, &x[..LANES]), math::read(isa, &x[LANES..]));
    let (ma, mb) = (isa.max(a, isa.sub(zero, a)), isa.max(b, isa.sub(zero, b)));
    let mut lanes = [0.0; LANES];
    isa.store(isa.max(ma, mb), &mut lanes);
    let largest = lanes.iter().fold(0.0, |m, v| if *v > m { *v } else { m });
    let inverse = isa.splat(if largest > 0.0 { 127.0 / largest } else { 0.0 });
    let (low, high) = codes.split_at_mut(LANES);
    for (v, codes) in [a, b].into_iter().zip([low, high]) {
        let code =
            math::round(isa, isa.max(isa.min(isa.mul(v, inverse), isa.splat(127.0)), isa.splat(-127.0)));
        if let Some(codes) = codes.first_chunk_mut() {
            isa.store_codes(code, codes);
        }
    }
    largest / 127.0
}
