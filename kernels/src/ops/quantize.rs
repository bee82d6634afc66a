//! Activations to 8-bit codes: what linear maps with quantized weights multiply by.
//!
//! A row of `f32` is cut into groups of 32. Of each, the largest magnitude becomes code ±127:
//!
//! ```text
//! scale = max|x| / 127        code[k] = round(x[k] · (127 / max|x|))        −127 ≤ code ≤ 127
//! ```
//!
//! and the sums of 16 consecutive codes are kept, which formats with an offset or a minimum need. Every weight format
//! shares this one form, so a row that feeds several linear maps is quantized once.

use super::Kernel;
use crate::cpu::{Isa, LANES};
use crate::math;
use crate::tile::Tile;

/// Values that share a scale.
pub const GROUP: usize = 32;

/// Cells (`f32` words) a row of `width` values takes: codes, scales, sums.
pub const fn cells(width: usize) -> usize {
    width / 4 + width / GROUP + width / GROUP
}

/// One quantized row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    /// Codes in −127..=127, `width` of them.
    pub(crate) codes: &'a [i8],
    /// One scale per group.
    pub(crate) scales: &'a [f32],
    /// Sums of 16 codes: two per group.
    pub(crate) sums: &'a [[i16; 2]],
}

impl<'a> Row<'a> {
    /// Row `index` of a quantized matrix whose rows had `width` values.
    #[inline(always)]
    pub(crate) fn new(matrix: &'a [f32], width: usize, index: usize) -> Row<'a> {
        let row = matrix.get(index * cells(width)..).unwrap_or(&[]);
        let (codes, rest) = row.split_at_checked(width / 4).unwrap_or_default();
        let (scales, rest) = rest.split_at_checked(width / GROUP).unwrap_or_default();
        let sums = rest.get(..width / GROUP).unwrap_or(&[]);
        Row { codes: bytemuck::cast_slice(codes), scales, sums: bytemuck::cast_slice(sums) }
    }
}

/// `[rows, width]` to `[rows, cells(width)]`.
pub struct Quantize<'a> {
    /// Activations, row-major.
    pub x: &'a [f32],
    /// Values of a row, a multiple of 32.
    pub width: usize,
}

impl Kernel for Quantize<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, _: &mut [f32]) {
        for r in tile.rows() {
            let x = self.x.get(r * self.width..(r + 1) * self.width).unwrap_or(&[]);
            let (codes, rest) = tile.row(r).split_at_mut(self.width / 4);
            let (scales, sums) = rest.split_at_mut(self.width / GROUP);
            let codes = bytemuck::cast_slice_mut::<f32, i8>(codes).as_chunks_mut::<GROUP>().0;
            let sums = bytemuck::cast_slice_mut::<f32, [i16; 2]>(sums);
            for (((x, codes), scale), sums) in x.as_chunks().0.iter().zip(codes).zip(scales).zip(sums) {
                *scale = group(isa, x, codes);
                let (low, high) = codes.split_at(LANES);
                let sum = |codes: &[i8]| codes.iter().map(|c| i16::from(*c)).sum();
                *sums = [sum(low), sum(high)];
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
