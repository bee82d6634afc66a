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
//! block is unpacked once per call. Activation rows go through in fours to share the panel's loads.
//!
//! Quantized weights ([`Integer`]) multiply the 8-bit codes of [`super::quantize`]. For each group of inputs
//!
//! ```text
//! i = Σ code·x − OFFSET·Σ x                         exact, in 32-bit integers
//! y = fma(f32(i), scale_w · scale_x, y)
//! y = fma(minimum_w, scale_x · f32(Σ x), y)         formats with a minimum
//! ```
//!
//! in ascending order. Float weights ([`Floating`]) take `y = fma(w, x, y)`, input by input. Where a call or a stretch
//! is cut makes no difference: between stretches `y` rests in memory as the `f32` it is.

use super::Kernel;
use super::quantize::{self, Row};
use crate::array::tabulate;
use crate::cpu::{Isa, LANES};
use crate::formats::{Float, Quantized, SPAN};
use crate::math;
use crate::ops::activation::Activation;
use crate::tile::Tile;
use crate::weight::Matrix;
use core::marker::PhantomData;

/// Output columns of a tile: two panels.
pub const COLUMNS: usize = 2 * LANES;

/// Inputs of a panel that are unpacked at a time.
const STRETCH: usize = 1024;
/// The same for float weights, which are four times as large unpacked.
const FLOAT_STRETCH: usize = 256;
/// Activation rows that share a load of the panel.
const ROWS: usize = 4;

/// Cells of scratch a thread needs.
pub const SCRATCH: usize = {
    // Codes of a span before transposition, the panel, scales and minimums for groups of 16.
    let integer = LANES * SPAN / 4 + LANES * STRETCH / 4 + 2 * LANES * STRETCH / 16;
    let floating = LANES * LANES + LANES * FLOAT_STRETCH + LANES * FLOAT_STRETCH;
    if integer > floating { integer } else { floating }
};

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

/// Quantized weights.
pub(crate) struct Integer<'a, 'b, F>(pub(crate) &'b Linear<'a>, pub(crate) PhantomData<F>);

/// Float weights.
pub(crate) struct Floating<'a, 'b, F>(pub(crate) &'b Linear<'a>, pub(crate) PhantomData<F>);

/// One load of the panel: four inputs (as codes) of sixteen weight rows.
type Codes = [i8; 4 * LANES];
/// One `f32` for each weight row of a panel.
type Lane = [f32; LANES];

/// A panel unpacked: per group of 32 inputs eight `Codes`; per group of the format one `Lane` of scales and minimums.
struct Panel<'a> {
    codes: &'a [[Codes; 8]],
    scales: &'a [Lane],
    minimums: &'a [Lane],
}

impl<F: Quantized> Kernel for Integer<'_, '_, F> {
    #[inline(always)]
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, scratch: &mut [f32]) {
        let w = &self.0.weight;
        let (rows, columns) = (tile.rows(), tile.columns());
        for first in columns.clone().step_by(LANES) {
            let lanes = first - columns.start..(first + LANES).min(columns.end) - columns.start;
            for from in (0..w.width).step_by(STRETCH) {
                let stretch = from..(from + STRETCH).min(w.width);
                let panel = pack::<I, F>(isa, w, first, stretch.clone(), scratch);
                for r in rows.clone().step_by(ROWS) {
                    let x =
                        |i: usize| stretch_of(self.0.x, w.width, (r + i).min(rows.end - 1), stretch.clone());
                    let start =
                        |i: usize, tile: &mut Tile<'_>| match (from, tile.row(r + i).get(lanes.clone())) {
                            (1.., Some(y)) => math::read(isa, y),
                            _ => isa.splat(0.0),
                        };
                    if r + ROWS <= rows.end {
                        let (mut y, mut xs) = ([isa.splat(0.0); ROWS], [x(0); ROWS]);
                        for i in 0..ROWS {
                            (y[i], xs[i]) = (start(i, tile), x(i));
                        }
                        let y = multiply::<I, F, ROWS>(isa, &panel, xs, y);
                        for (i, y) in y.into_iter().enumerate() {
                            put(isa, tile, r + i, lanes.clone(), y);
                        }
                    } else {
                        for i in 0..rows.end - r {
                            let y = multiply::<I, F, 1>(isa, &panel, [x(i)], [start(i, tile)]);
                            put(isa, tile, r + i, lanes.clone(), y[0]);
                        }
                    }
                }
            }
        }
        finish(isa, self.0, tile);
    }
}

#[inline(always)]
fn put<I: Isa>(isa: I, tile: &mut Tile<'_>, row: usize, lanes: core::ops::Range<usize>, y: I::F) {
    if let Some(to) = tile.row(row).get_mut(lanes) {
        math::write(isa, y, to);
    }
}

/// The part of a quantized row that meets a stretch of inputs.
#[inline(always)]
fn stretch_of(x: &[f32], width: usize, row: usize, stretch: core::ops::Range<usize>) -> Row<'_> {
    let row = Row::new(x, width, row);
    let groups = stretch.start / quantize::GROUP..stretch.end / quantize::GROUP;
    Row {
        codes: row.codes.get(stretch).unwrap_or(&[]),
        scales: row.scales.get(groups.clone()).unwrap_or(&[]),
        sums: row.sums.get(groups).unwrap_or(&[]),
    }
}

/// `T` activation rows times one panel, added to `y`.
#[inline(always)]
fn multiply<I: Isa, F: Quantized, const T: usize>(
    isa: I,
    panel: &Panel<'_>,
    x: [Row<'_>; T],
    mut y: [I::F; T],
) -> [I::F; T] {
    // One length for everything that is indexed by group, so that no bound is checked inside.
    let n = x
        .iter()
        .fold(panel.codes.len(), |n, x| n.min(x.scales.len()).min(x.sums.len()).min(x.codes.len() / 32));
    let parts = quantize::GROUP / F::GROUP;
    let (Some(codes), Some(scales)) = (panel.codes.get(..n), panel.scales.get(..n * parts)) else { return y };
    let minimums = if F::MINIMUM { panel.minimums.get(..n * parts).unwrap_or(&[]) } else { &[] };
    // Loops over `T` instead of `array::map`: a compiler may leave that as a call, compiled without the instruction set.
    let mut rows = [(&[[[0; 4]; 8]; 0][..], &[0.0; 0][..], &[[0; 2]; 0][..]); T];
    for t in 0..T {
        rows[t] =
            (&x[t].codes.as_chunks::<4>().0.as_chunks::<8>().0[..n], &x[t].scales[..n], &x[t].sums[..n]);
    }
    let bias = F::OFFSET + if F::WIDE { I::WIDE_BIAS } else { 0 };
    for g in 0..n {
        for part in 0..parts {
            let (mut sums, mut i) = ([0; T], [isa.splat_int(0); T]);
            for t in 0..T {
                let [low, high] = rows[t].2[g];
                let part = if part == 0 { low } else { high };
                sums[t] = i32::from(part) + if parts == 1 { i32::from(high) } else { 0 };
                i[t] = isa.splat_int(-bias * sums[t]);
            }
            let chunks = part * 8 / parts..(part + 1) * 8 / parts;
            for (c, codes) in codes[g].iter().enumerate().take(chunks.end).skip(chunks.start) {
                for t in 0..T {
                    i[t] = dot::<I, F>(isa, i[t], codes, &rows[t].0[g][c]);
                }
            }
            let scale = isa.load(&scales[g * parts + part]);
            for t in 0..T {
                let both = isa.mul(scale, isa.splat(rows[t].1[g]));
                y[t] = isa.fma(isa.float(i[t]), both, y[t]);
                if F::MINIMUM
                    && let Some(minimum) = minimums.get(g * parts + part)
                {
                    y[t] = isa.fma(isa.load(minimum), isa.splat(rows[t].1[g] * sums[t] as f32), y[t]);
                }
            }
        }
    }
    y
}

#[inline(always)]
fn dot<I: Isa, F: Quantized>(isa: I, sum: I::N, codes: &Codes, x: &[i8; 4]) -> I::N {
    if F::WIDE { isa.dot4::<true>(sum, codes, x) } else { isa.dot4::<false>(sum, codes, x) }
}

/// Unpacks a stretch of sixteen weight rows, the first of them `first`. Rows beyond the last count as zero.
#[inline(always)]
fn pack<'s, I: Isa, F: Quantized>(
    isa: I,
    w: &Matrix<'_>,
    first: usize,
    stretch: core::ops::Range<usize>,
    scratch: &'s mut [f32],
) -> Panel<'s> {
    let empty = Panel { codes: &[], scales: &[], minimums: &[] };
    let width = stretch.len();
    let groups = width / F::GROUP;
    let Some((flat, rest)) = scratch.split_at_mut_checked(LANES * SPAN / 4) else { return empty };
    let Some((panel, rest)) = rest.split_at_mut_checked(LANES * width / 4) else { return empty };
    let Some((scales, rest)) = rest.split_at_mut_checked(LANES * groups) else { return empty };
    let Some(minimums) = rest.get_mut(..LANES * groups) else { return empty };
    let words = bytemuck::cast_slice_mut::<f32, u32>(panel).as_chunks_mut::<LANES>().0;
    let (scales, minimums) = (scales.as_chunks_mut::<LANES>().0, minimums.as_chunks_mut::<LANES>().0);
    let Some(flat) =
        bytemuck::cast_slice_mut::<f32, u32>(flat).as_chunks_mut::<{ SPAN / 4 }>().0.first_chunk_mut()
    else {
        return empty;
    };
    for (s, words) in words.chunks_mut(SPAN / 4).enumerate() {
        let span = words.len() * 4;
        let groups = s * SPAN / F::GROUP..(s * SPAN + span) / F::GROUP;
        for (lane, flat) in flat.iter_mut().enumerate() {
            let from = (stretch.start + s * SPAN) / F::BLOCK * F::BYTES;
            let blocks = w.row(first + lane).get(from..).unwrap_or(&[]);
            let flat = bytemuck::cast_slice_mut(&mut flat[..span / 4]);
            unpack_row::<I, F>(
                isa,
                blocks,
                flat,
                lane,
                &mut scales[groups.clone()],
                &mut minimums[groups.clone()],
            );
        }
        // Four codes are one word: transposing words puts the same four inputs of sixteen rows side by side.
        turn(isa, flat, words);
    }
    Panel {
        codes: bytemuck::cast_slice::<f32, Codes>(panel).as_chunks().0,
        scales,
        minimums: if F::MINIMUM { minimums } else { &[] },
    }
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

/// Unpacks part of one weight row: codes to their place in row order, scale and minimum of each group to its lane.
#[inline(always)]
fn unpack_row<I: Isa, F: Quantized>(
    isa: I,
    blocks: &[u8],
    codes: &mut [i8],
    lane: usize,
    scales: &mut [Lane],
    minimums: &mut [Lane],
) {
    let (mut s, mut m) = ([0.0; SPAN / 16], [0.0; SPAN / 16]);
    let groups = F::BLOCK / F::GROUP;
    if blocks.is_empty() {
        codes.fill(0);
    }
    let mut blocks = blocks.chunks_exact(F::BYTES);
    let outs = codes
        .chunks_exact_mut(F::BLOCK)
        .zip(scales.chunks_exact_mut(groups))
        .zip(minimums.chunks_exact_mut(groups));
    for ((codes, scales), minimums) in outs {
        match blocks.next() {
            Some(block) => F::unpack(isa, block, codes, &mut s, &mut m),
            None => (s, m) = ([0.0; SPAN / 16], [0.0; SPAN / 16]),
        }
        for g in 0..groups {
            scales[g][lane] = s[g];
            if F::MINIMUM {
                minimums[g][lane] = m[g];
            }
        }
    }
}

impl<F: Float> Kernel for Floating<'_, '_, F> {
    #[inline(always)]
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, scratch: &mut [f32]) {
        let w = &self.0.weight;
        let (rows, columns) = (tile.rows(), tile.columns());
        for first in columns.clone().step_by(LANES) {
            let lanes = first - columns.start..(first + LANES).min(columns.end) - columns.start;
            for from in (0..w.width).step_by(FLOAT_STRETCH) {
                let stretch = from..(from + FLOAT_STRETCH).min(w.width);
                let panel = pack_floats::<I, F>(isa, w, first, stretch.clone(), scratch);
                let x = |r: usize| {
                    self.0.x.get(r * w.width..).and_then(|x| x.get(stretch.clone())).unwrap_or(&[])
                };
                let start = |r: usize, tile: &mut Tile<'_>| match (from, tile.row(r).get(lanes.clone())) {
                    (1.., Some(y)) => math::read(isa, y),
                    _ => isa.splat(0.0),
                };
                let mut r = rows.start;
                while r + ROWS <= rows.end {
                    let (mut y, mut xs) = ([isa.splat(0.0); ROWS], [x(r); ROWS]);
                    for i in 0..ROWS {
                        (y[i], xs[i]) = (start(r + i, tile), x(r + i));
                    }
                    let y = multiply_floats::<I, ROWS>(isa, panel, xs, y);
                    for (i, y) in y.into_iter().enumerate() {
                        put(isa, tile, r + i, lanes.clone(), y);
                    }
                    r += ROWS;
                }
                for r in r..rows.end {
                    let y = multiply_floats::<I, 1>(isa, panel, [x(r)], [start(r, tile)]);
                    put(isa, tile, r, lanes.clone(), y[0]);
                }
            }
        }
        finish(isa, self.0, tile);
    }
}

#[inline(always)]
fn multiply_floats<I: Isa, const T: usize>(
    isa: I,
    panel: &[Lane],
    x: [&[f32]; T],
    mut y: [I::F; T],
) -> [I::F; T] {
    let n = x.iter().fold(panel.len(), |n, x| n.min(x.len()));
    let mut rows = [&x[0][..0]; T];
    for t in 0..T {
        rows[t] = &x[t][..n];
    }
    for (k, w) in panel[..n].iter().enumerate() {
        let w = isa.load(w);
        for t in 0..T {
            y[t] = isa.fma(w, isa.splat(rows[t][k]), y[t]);
        }
    }
    y
}

/// Decodes a stretch of sixteen weight rows to `[input][row]`. Rows beyond the last count as zero.
#[inline(always)]
fn pack_floats<'s, I: Isa, F: Float>(
    isa: I,
    w: &Matrix<'_>,
    first: usize,
    stretch: core::ops::Range<usize>,
    scratch: &'s mut [f32],
) -> &'s [Lane] {
    let width = stretch.len();
    let Some((flat, rest)) = scratch.split_at_mut_checked(LANES * FLOAT_STRETCH) else { return &[] };
    let Some(panel) = rest.get_mut(..LANES * width) else { return &[] };
    let Some(flat) = flat.as_chunks_mut::<FLOAT_STRETCH>().0.first_chunk_mut::<LANES>() else { return &[] };
    for (lane, flat) in flat.iter_mut().enumerate() {
        match w.row(first + lane).get(stretch.start * F::BYTES..stretch.end * F::BYTES) {
            Some(bytes) => F::decode(isa, bytes, &mut flat[..width]),
            None => flat.fill(0.0),
        }
    }
    let words = bytemuck::cast_slice_mut::<f32, u32>(panel).as_chunks_mut::<LANES>().0;
    turn::<I, FLOAT_STRETCH>(isa, bytemuck::cast_ref(flat), words);
    panel.as_chunks().0
}

/// Bias and activation, once all inputs are in.
#[inline(always)]
fn finish<I: Isa>(isa: I, op: &Linear<'_>, tile: &mut Tile<'_>) {
    if op.bias.is_none() && op.activation == Activation::None {
        return;
    }
    let columns = tile.columns();
    let mut bias = [0.0; COLUMNS];
    if let (Some(b), Some(bias)) = (&op.bias, bias.get_mut(..columns.len())) {
        let from = b.format.row_bytes(columns.start).unwrap_or(0);
        crate::formats::decode(isa, b.format, b.bytes.get(from..).unwrap_or(&[]), bias);
    }
    for r in tile.rows() {
        for (y, b) in tile.row(r).chunks_mut(LANES).zip(bias.as_chunks::<LANES>().0) {
            let v = math::read(isa, y);
            let v = if op.bias.is_some() { isa.add(v, isa.load(b)) } else { v };
            math::write(isa, op.activation.apply(isa, v), y);
        }
    }
}
