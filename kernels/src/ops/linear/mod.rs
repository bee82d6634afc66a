//! Linear maps: `y = W·x + b`, the work of every model.
//!
//! ```text
//! y[r][o] = b[o] + Σ_k W[o][k] · x[r][k]            W: [height, width] in any format, x: [rows, width]
//! ```
//!
//! # How
//! Lanes are output columns: a **panel** is sixteen weight rows, transposed so that one load holds the same inputs of
//! all sixteen. Panels are unpacked from the file's blocks into cache-sized scratch, a stretch of inputs at a time,
//! and used for every activation row of the call, so the mapped file stays the only copy of the weights and each
//! block is unpacked once per call. Several activation rows go through together to share the panel's loads, and where
//! there are registers two panels, to share the activations'.
//!
//! A single activation row, as in decoding, has nothing to share a panel with, and turning one costs more than the
//! multiplication. Quantized kinds then multiply along the rows of the weights, sixteen at once, and turn the integer
//! sums instead (`row.rs`): the same sums in another order, and integers do not mind. Floats do mind; their panel is then short
//! enough to stay in the nearest cache while the memory brings the next.
//!
//! Quantized weights (`integer.rs`) multiply the 8-bit codes of [`super::quantize`]. For each group of inputs
//!
//! ```text
//! i = Σ code·x − OFFSET·Σ x                         exact, in 32-bit integers
//! y = fma(f32(i), scale_w · scale_x, y)
//! y = fma(minimum_w, scale_x · f32(Σ x), y)         formats with a minimum
//! ```
//!
//! in ascending order. Float weights (`floating.rs`) take `y = fma(w, x, y)`, input by input. Where a call or a stretch
//! is cut makes no difference: between stretches `y` rests in memory as the `f32` it is.
//!
//! # How near to the peak
//! Of what the inner loop gives alone (`super::peak`), 256 rows by 768 × 768 weights reach on one core of a Zen 5 (of a
//! Cascade Lake): with AVX2 91 % in Q4_0 (75), 90 in floats (80), and in Q8_0 an Ice Lake reaches 81; with AVX-512 58 % in
//! Q8_0 (48), 63 in Q4_0 (52), 80 in floats (55). There a group's scaling shares its two units with the products, 80 % would
//! be the most (on Intel, where sums are turned to floats there too, two thirds; an Ice Lake comes within a tenth of it), and
//! unpacking takes a seventh. Tried in vain: asking the memory for the next panels while these are multiplied; products and
//! scaling in one loop (registers run out).

use super::Kernel;
use crate::array::tabulate;
use crate::cpu::{Isa, LANES, SPLIT, Task, apart};
use crate::math;
use crate::ops::activation::{self, Activation};
use crate::tile::Tile;
use core::marker::PhantomData;
use core::ops::Range;
use ocelli_tape::{Matrix, Weight};

mod floating;
mod integer;
mod row;
mod rows;
mod step;
mod steps;
#[cfg(test)]
mod tests;

pub(crate) use floating::Floating;
pub(crate) use integer::Integer;
pub(crate) use step::LinearStep;

/// The most panels that an instruction set multiplies together.
const PANELS: usize = if cfg!(target_arch = "x86_64") { 2 } else { 1 };

/// Output columns of a tile: two panels.
pub const COLUMNS: usize = 2 * LANES;

/// Rows and columns of a tile of a map, for so many rows and threads.
///
/// Every tile unpacks its panels, so it should have many rows: of 1024 by 768 weights AVX-512 multiplies a fifth more in a
/// second than of 256. But there must be several tiles for each thread, they should not take long, since a call can be
/// stopped between them, and their activations should not fill the caches.
pub(crate) fn block(weight: &Weight, rows: usize, threads: usize) -> (usize, usize) {
    let across = weight.height.div_ceil(COLUMNS).max(1);
    let blocks = (8 * threads.max(1)).div_ceil(across);
    let most = if weight.format.is_float() { 0 } else { (1 << 21) / weight.width.max(1) };
    (rows.div_ceil(blocks).clamp(256, most.clamp(256, 1024)), COLUMNS)
}

/// Cells of scratch a thread needs: for as many panels as are multiplied together, or for one of codes that were split.
pub const SCRATCH: usize = {
    let (integer, floating) = (integer::scratch(8), floating::SCRATCH);
    let panels = PANELS * if integer > floating { integer } else { floating };
    let split = if PANELS == 2 { integer::scratch(SPLIT) } else { 0 };
    if split > panels { split } else { panels }
};

/// One `f32` for each weight row of a panel.
type Lane = [f32; LANES];

/// A linear map with its operands.
pub struct Linear<'a> {
    /// Activations: `[rows, width]` as `f32` for float weights, else quantized rows.
    pub x: &'a [f32],
    /// `W`.
    pub weight: Matrix<'a>,
    /// `b`, one row of `height` values.
    pub bias: Option<Matrix<'a>>,
    /// Applied to `W·x + b`.
    pub activation: Activation,
}

/// A kind of weights: how sixteen rows of them are unpacked, and multiplied by activations.
pub(crate) trait Kind {
    /// Inputs that are unpacked at a time.
    const STRETCH: usize;
    /// Sixteen weight rows, unpacked.
    type Panel<'s>: Copy + Default;
    /// Part of an activation row.
    type Row<'x>: Copy;

    /// Panels that are multiplied together, 1 or 2, and activation rows that share a load of them.
    fn shape<I: Isa>() -> (usize, usize);

    /// Unpacks a stretch of sixteen weight rows, the first of them `first`. Nobody reads what rows beyond the last make.
    fn pack<'s, I: Isa>(
        isa: I,
        w: &Matrix<'_>,
        first: usize,
        stretch: Range<usize>,
        scratch: &'s mut [f32],
    ) -> Self::Panel<'s>;

    /// The part of an activation row that meets a stretch of inputs.
    fn row(x: &[f32], width: usize, row: usize, stretch: Range<usize>) -> Self::Row<'_>;

    /// One activation row times sixteen weight rows without a panel, if the kind has a way that is shorter for it.
    #[inline(always)]
    fn single<I: Isa>(
        _isa: I,
        _w: &Matrix<'_>,
        _first: usize,
        _x: Self::Row<'_>,
        _scratch: &mut [f32],
    ) -> Option<I::F> {
        None
    }

    /// `T` activation rows times `P` panels, added to `y`.
    fn multiply<I: Isa, const T: usize, const P: usize>(
        isa: I,
        panels: &[Self::Panel<'_>; P],
        x: [Self::Row<'_>; T],
        y: [[I::F; P]; T],
    ) -> [[I::F; P]; T];
}

/// A linear map whose weights are of a kind.
pub(crate) struct Map<'a, 'b, K>(pub(crate) &'b Linear<'a>, pub(crate) PhantomData<K>);

impl<K: Kind> Kernel for Map<'_, '_, K> {
    #[inline(always)]
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, scratch: &mut [f32]) {
        match K::shape::<I>() {
            (2, _) => self.panels::<I, 2>(isa, tile, scratch),
            _ => self.panels::<I, 1>(isa, tile, scratch),
        }
    }
}

impl<K: Kind> Map<'_, '_, K> {
    /// The tile, `P` panels at a time.
    #[inline(always)]
    fn panels<I: Isa, const P: usize>(&self, isa: I, tile: &mut Tile<'_>, scratch: &mut [f32]) {
        let (w, columns) = (&self.0.weight, tile.columns());
        let each = (scratch.len() / P / LANES * LANES).max(1);
        for first in columns.clone().step_by(P * LANES) {
            let columns = first..(first + P * LANES).min(columns.end);
            if tile.rows().len() == 1 && self.single::<I, P>(isa, first, tile, scratch).is_some() {
                finish(isa, self.0, tile, tile.rows(), columns);
                continue;
            }
            for from in (0..w.width).step_by(K::STRETCH) {
                let stretch = from..(from + K::STRETCH).min(w.width);
                let mut panels = [K::Panel::default(); P];
                for ((p, panel), scratch) in panels.iter_mut().enumerate().zip(scratch.chunks_mut(each)) {
                    *panel = K::pack(isa, w, first + p * LANES, stretch.clone(), scratch);
                }
                // Finished while the nearest cache has them: a row's columns lie so far from the next one's, and at so round
                // a distance, that it keeps few.
                let together = K::shape::<I>().1;
                for row in tile.rows().step_by(together) {
                    let rows = row..(row + together).min(tile.rows().end);
                    self.times(isa, &panels, rows.clone(), first, &stretch, tile);
                    if stretch.end == w.width {
                        finish(isa, self.0, tile, rows, columns.clone());
                    }
                }
            }
        }
    }

    /// Some rows of the tile times panels, as many at a time as share a load well.
    #[inline(always)]
    fn times<I: Isa, const P: usize>(
        &self,
        isa: I,
        panels: &[K::Panel<'_>; P],
        rows: Range<usize>,
        first: usize,
        stretch: &Range<usize>,
        tile: &mut Tile<'_>,
    ) {
        let (_, most) = K::shape::<I>();
        let mut row = rows.start;
        while most == 8 && row + 8 <= rows.end {
            self.rows::<I, 8, P>(isa, panels, row, first, stretch, tile);
            row += 8;
        }
        while most == 6 && row + 6 <= rows.end {
            self.rows::<I, 6, P>(isa, panels, row, first, stretch, tile);
            row += 6;
        }
        while (most == 4 || cfg!(feature = "unrolled")) && row + 4 <= rows.end {
            self.rows::<I, 4, P>(isa, panels, row, first, stretch, tile);
            row += 4;
        }
        for row in row..rows.end {
            self.rows::<I, 1, P>(isa, panels, row, first, stretch, tile);
        }
    }

    /// The tile's only row, where the kind has a way for it.
    #[inline(always)]
    fn single<I: Isa, const P: usize>(
        &self,
        isa: I,
        first: usize,
        tile: &mut Tile<'_>,
        scratch: &mut [f32],
    ) -> Option<()> {
        let (w, row) = (&self.0.weight, tile.rows().start);
        for first in (first..tile.columns().end).step_by(LANES).take(P) {
            let y = K::single(isa, w, first, K::row(self.0.x, w.width, row, 0..w.width), scratch)?;
            math::write(isa, y, lanes(tile, row, first));
        }
        Some(())
    }

    /// `T` rows from `row` on, over one stretch; earlier stretches have left their sums in the tile.
    #[inline(always)]
    fn rows<I: Isa, const T: usize, const P: usize>(
        &self,
        isa: I,
        panels: &[K::Panel<'_>; P],
        row: usize,
        first: usize,
        stretch: &Range<usize>,
        tile: &mut Tile<'_>,
    ) {
        let of = |t: usize| K::row(self.0.x, self.0.weight.width, row + t, stretch.clone());
        let (mut y, mut x) = ([[isa.splat(0.0); P]; T], [of(0); T]);
        for t in 0..T {
            x[t] = of(t);
            for p in 0..P {
                if stretch.start > 0 {
                    y[t][p] = math::read(isa, lanes(tile, row + t, first + p * LANES));
                }
            }
        }
        let y = K::multiply(isa, panels, x, y);
        for t in 0..T {
            for p in 0..P {
                math::write(isa, y[t][p], lanes(tile, row + t, first + p * LANES));
            }
        }
    }
}

/// Sixteen columns of a row of the tile, or as many as it has.
#[inline(always)]
fn lanes<'t>(tile: &'t mut Tile<'_>, row: usize, first: usize) -> &'t mut [f32] {
    let from = first - tile.columns().start;
    let row = tile.row(row);
    let (from, to) = (from.min(row.len()), (from + LANES).min(row.len()));
    row.get_mut(from..to).unwrap_or_default()
}

/// `to[j][i] = from[i][j]`, as many `j` as there is room for.
#[inline(always)]
fn turn<I: Isa, const W: usize>(isa: I, from: &[[u32; W]; LANES], to: &mut [[u32; LANES]]) {
    for (c, to) in to.chunks_mut(LANES).enumerate() {
        if let Some(to) = to.first_chunk_mut() {
            let mut square = [&[0; LANES]; LANES];
            for (square, from) in square.iter_mut().zip(from) {
                if let Some(part) = from.as_chunks().0.get(c) {
                    *square = part;
                }
            }
            isa.transpose(square, to);
        } else {
            // A width that is no multiple of sixteen words ends in part of a square.
            for (j, to) in to.iter_mut().enumerate() {
                *to = tabulate(|lane| from[lane][c * LANES + j]);
            }
        }
    }
}

/// Bias and activation of some rows and columns of the tile, once all inputs are in.
#[inline(always)]
fn finish<I: Isa>(isa: I, op: &Linear<'_>, tile: &mut Tile<'_>, rows: Range<usize>, columns: Range<usize>) {
    if op.bias.is_some() || op.activation != Activation::None {
        apart(isa.plain(), Finish { op, tile, rows, columns });
    }
}

/// [`finish`], which all kinds of weights share.
struct Finish<'a, 'b, 't> {
    op: &'a Linear<'a>,
    tile: &'b mut Tile<'t>,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Task for Finish<'_, '_, '_> {
    type Out = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Finish { op, tile, rows, columns } = self;
        let mut bias = [0.0; COLUMNS];
        if let (Some(b), Some(bias)) = (&op.bias, bias.get_mut(..columns.len())) {
            let from = b.format.row_bytes(columns.start).unwrap_or(0);
            crate::formats::decode(isa, b.format, b.bytes.get(from..).unwrap_or(&[]), bias);
        }
        for row in rows {
            for (first, b) in columns.clone().step_by(LANES).zip(bias.as_chunks::<LANES>().0) {
                let y = lanes(tile, row, first);
                let v = math::read(isa, y);
                let v = if op.bias.is_some() { isa.add(v, isa.load(b)) } else { v };
                math::write(isa, activation::apply(op.activation, isa, v), y);
            }
        }
    }
}
