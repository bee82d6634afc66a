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
//!
//! A group is two registers of sixteen, whose codes are stored and added up by one instruction each where there is one
//! (`Isa::store_codes`). Out of the second-level cache an Ice Lake makes 1.7 G codes/s with AVX2 and 2.0 with AVX-512, a fifth
//! of what it copies there: the largest of a group's lanes, a division, and the codes wait for each other. The same loops
//! written with iterators over arrays took twice as long.

use super::{Kernel, Operands, Operation};
use crate::cpu::{Isa, LANES};
use crate::math;
use crate::tile::Tile;
use alloc::string::String;
use ocelli_tape::RunError;

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
            let groups = tile.row(r).as_chunks_mut::<CELLS>().0;
            let (full, padding) = groups.split_at_mut(whole.len().min(groups.len()));
            for (x, cells) in whole.iter().zip(full) {
                quantize(isa, x, cells);
            }
            let mut last = [0.0; GROUP];
            last[..rest.len()].copy_from_slice(rest);
            for cells in padding {
                quantize(isa, &last, cells);
                last = [0.0; GROUP];
            }
        }
    }
}

#[inline(always)]
fn quantize<I: Isa>(isa: I, x: &[f32; GROUP], cells: &mut Group) {
    if let Some(codes) = cells.first_chunk_mut::<{ GROUP / 4 }>() {
        let (scale, sums) = group(isa, x, bytemuck::cast_mut(codes));
        [cells[CELLS - 2], cells[CELLS - 1]] = [scale, bytemuck::cast(sums)];
    }
}

/// Quantizes one group; returns its scale, and the sums of the first and of the last sixteen codes. A product that is no
/// number becomes 127.
#[inline(always)]
pub(crate) fn group<I: Isa>(isa: I, x: &[f32; GROUP], codes: &mut [i8; GROUP]) -> (f32, [i16; 2]) {
    let zero = isa.splat(0.0);
    let (a, b) = (math::read(isa, &x[..LANES]), math::read(isa, &x[LANES..]));
    let (ma, mb) = (isa.max(a, isa.sub(zero, a)), isa.max(b, isa.sub(zero, b)));
    let largest = isa.largest(isa.max(isa.max(ma, mb), zero)); // 0 instead of what is no number
    let inverse = isa.splat(if largest > 0.0 { 127.0 / largest } else { 0.0 });
    let code = |v| isa.max(isa.min(isa.mul(v, inverse), isa.splat(127.0)), isa.splat(-127.0));
    let [first, second] = codes.as_chunks_mut().0 else { return (0.0, [0; 2]) }; // there are two
    (largest / 127.0, [isa.store_codes(code(a), first), isa.store_codes(code(b), second)])
}

/// [`Quantize`] as a step.
#[derive(Clone, Copy, Debug)]
pub struct QuantizeStep;

impl Operation for QuantizeStep {
    type Kernel<'a> = Quantize<'a>;

    fn name(&self) -> &'static str {
        "quantize"
    }

    fn bind<'a>(&self, operands: &Operands<'a>) -> Result<Quantize<'a>, RunError> {
        Ok(Quantize { x: operands.x().x, width: operands.x().width })
    }

    fn details(&self) -> String {
        String::new()
    }
}
