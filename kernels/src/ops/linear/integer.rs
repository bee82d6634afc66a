//! Quantized weights times the 8-bit codes of activations.

use super::{Kind, Lane, turn};
use crate::cpu::{Groups, Isa, LANES};
use crate::formats::{Quantized, SPAN};
use crate::ops::quantize::{self, Row};
use crate::weight::Matrix;
use core::marker::PhantomData;
use core::ops::Range;

/// Inputs that are unpacked at a time.
const STRETCH: usize = 1024;

/// Codes of a span before they are turned, the panel, scales and minimums for groups of 16.
pub(super) const SCRATCH: usize = LANES * SPAN / 4 + LANES * STRETCH / 4 + 2 * LANES * STRETCH / 16;

/// Weights in a quantized format.
pub(crate) struct Integer<F>(PhantomData<F>);

/// One load of the panel: four inputs (as codes) of sixteen weight rows.
type Codes = [i8; 4 * LANES];

/// A panel unpacked: per group of 32 inputs eight `Codes`; per group of the format one `Lane` of scales and minimums.
pub(crate) struct Panel<'a> {
    codes: &'a [[Codes; 8]],
    scales: &'a [Lane],
    minimums: &'a [Lane],
}

impl<F: Quantized> Kind for Integer<F> {
    const STRETCH: usize = STRETCH;
    type Panel<'s> = Panel<'s>;
    type Row<'x> = Row<'x>;

    #[inline(always)]
    fn pack<'s, I: Isa>(
        isa: I,
        w: &Matrix<'_>,
        first: usize,
        stretch: Range<usize>,
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

    #[inline(always)]
    fn row(x: &[f32], width: usize, row: usize, stretch: Range<usize>) -> Row<'_> {
        let row = Row::new(x, width, row);
        let groups = stretch.start / quantize::GROUP..stretch.end / quantize::GROUP;
        Row {
            codes: row.codes.get(stretch).unwrap_or(&[]),
            scales: row.scales.get(groups.clone()).unwrap_or(&[]),
            sums: row.sums.get(groups).unwrap_or(&[]),
        }
    }

    #[inline(always)]
    fn single<I: Isa>(isa: I, w: &Matrix<'_>, first: usize, x: Row<'_>, scratch: &mut [f32]) -> Option<I::F> {
        let (flat, rest) = scratch.split_at_mut_checked(LANES * SPAN / 4)?;
        let (scales, rest) = rest.split_at_mut_checked(LANES * SPAN / F::GROUP)?;
        let minimums = rest.get_mut(..LANES * SPAN / F::GROUP)?;
        let (scales, minimums) = (scales.as_chunks_mut::<LANES>().0, minimums.as_chunks_mut::<LANES>().0);
        let rows: &mut [Groups; LANES] =
            bytemuck::cast_slice_mut::<f32, [[i8; 32]; 8]>(flat).first_chunk_mut()?;
        let parts = quantize::GROUP / F::GROUP;
        let bias = F::OFFSET + if F::WIDE { I::WIDE_BIAS } else { 0 };
        let mut y = isa.splat(0.0);
        for from in (0..w.width).step_by(SPAN) {
            let span = SPAN.min(w.width - from);
            for (lane, codes) in rows.iter_mut().enumerate() {
                let blocks = w.row(first + lane).get(from / F::BLOCK * F::BYTES..).unwrap_or(&[]);
                let codes = &mut codes.as_flattened_mut()[..span];
                unpack_row::<I, F>(isa, blocks, codes, lane, scales, minimums);
            }
            let groups = from / quantize::GROUP..(from + span) / quantize::GROUP;
            let codes = x.codes.get(from..from + span)?.as_chunks::<32>().0;
            let xs = codes.iter().zip(x.scales.get(groups.clone())?).zip(x.sums.get(groups)?);
            for (g, ((codes, x_scale), x_sums)) in xs.enumerate().take(SPAN / quantize::GROUP) {
                let halves = dot_rows::<I, F>(isa, rows, g, codes);
                for part in 0..parts {
                    let (sum, i) = if parts == 1 {
                        (i32::from(x_sums[0]) + i32::from(x_sums[1]), isa.add_int(halves[0], halves[1]))
                    } else {
                        (i32::from(x_sums[part]), halves[part])
                    };
                    let i = isa.float(isa.add_int(i, isa.splat_int(-bias * sum)));
                    y = isa.fma(i, isa.mul(isa.load(scales.get(g * parts + part)?), isa.splat(*x_scale)), y);
                    if F::MINIMUM {
                        let minimum = isa.load(minimums.get(g * parts + part)?);
                        y = isa.fma(minimum, isa.splat(*x_scale * sum as f32), y);
                    }
                }
            }
        }
        Some(y)
    }

    #[inline(always)]
    fn multiply<I: Isa, const T: usize>(
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
        let (Some(codes), Some(scales)) = (panel.codes.get(..n), panel.scales.get(..n * parts)) else {
            return y;
        };
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
}

#[inline(always)]
fn dot<I: Isa, F: Quantized>(isa: I, sum: I::N, codes: &Codes, x: &[i8; 4]) -> I::N {
    if F::WIDE { isa.dot4::<true>(sum, codes, x) } else { isa.dot4::<false>(sum, codes, x) }
}

#[inline(always)]
fn dot_rows<I: Isa, F: Quantized>(isa: I, rows: &[Groups; LANES], group: usize, x: &[i8; 32]) -> [I::N; 2] {
    if F::WIDE { isa.dot_rows::<true>(rows, group, x) } else { isa.dot_rows::<false>(rows, group, x) }
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
