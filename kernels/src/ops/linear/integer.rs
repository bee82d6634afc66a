//! Quantized weights times the 8-bit codes of activations.

use super::{Kind, Lane, turn};
use crate::cpu::{Groups, Isa, LANES};
use crate::formats::{Quantized, SPAN};
use crate::ops::quantize::{self, Group};
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
    type Row<'x> = &'x [Group];

    #[inline(always)]
    fn rows<I: Isa>() -> usize {
        I::ROWS
    }

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
            if F::WIDE && I::WIDE_BIAS != 0 {
                for word in flat.iter_mut().flat_map(|flat| &mut flat[..span / 4]) {
                    *word ^= 0x8080_8080; // each code plus 128
                }
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
    fn row(x: &[f32], width: usize, row: usize, stretch: Range<usize>) -> &[Group] {
        let groups = stretch.start / quantize::GROUP..stretch.end / quantize::GROUP;
        quantize::row(x, width, row).get(groups).unwrap_or(&[])
    }

    #[inline(always)]
    fn single<I: Isa>(
        isa: I,
        w: &Matrix<'_>,
        first: usize,
        x: &[Group],
        scratch: &mut [f32],
    ) -> Option<I::F> {
        let (flat, rest) = scratch.split_at_mut_checked(LANES * SPAN / 4)?;
        let (scales, rest) = rest.split_at_mut_checked(LANES * SPAN / F::GROUP)?;
        let minimums = rest.get_mut(..LANES * SPAN / F::GROUP)?;
        let (scales, minimums) = (scales.as_chunks_mut::<LANES>().0, minimums.as_chunks_mut::<LANES>().0);
        let rows: &mut [Groups; LANES] =
            bytemuck::cast_slice_mut::<f32, [[i8; 32]; 8]>(flat).first_chunk_mut()?;
        let mut y = isa.splat(0.0);
        for from in (0..w.width).step_by(SPAN) {
            let span = SPAN.min(w.width - from);
            for (lane, codes) in rows.iter_mut().enumerate() {
                let blocks = w.row(first + lane).get(from / F::BLOCK * F::BYTES..).unwrap_or(&[]);
                // Sixteen rows are read by turns, a span of each: too short a stretch for a CPU to see what comes next.
                let ahead = if from + SPAN < w.width { blocks } else { w.row(first + LANES + lane) };
                let skipped = if from + SPAN < w.width { Self::SPAN_BYTES } else { 0 };
                isa.fetch(ahead.get(skipped..(skipped + Self::SPAN_BYTES).min(ahead.len())).unwrap_or(&[]));
                let codes = &mut codes.as_flattened_mut()[..span];
                unpack_row::<I, F>(isa, blocks, codes, lane, scales, minimums);
            }
            let groups = from / quantize::GROUP..(from + span) / quantize::GROUP;
            for (g, x) in x.get(groups)?.iter().enumerate().take(SPAN / quantize::GROUP) {
                let halves = dot_rows::<I, F>(isa, rows, g, bytemuck::cast_ref(quantize::codes(x)));
                for part in 0..Self::PARTS {
                    let i = if Self::PARTS == 1 { isa.add_int(halves[0], halves[1]) } else { halves[part] };
                    let i = isa.add_int(i, Self::start(isa, x, part));
                    let at = g * Self::PARTS + part;
                    y = Self::scaled(isa, i, isa.load(scales.get(at)?), x, y);
                    if F::MINIMUM {
                        y = Self::raised(isa, isa.load(minimums.get(at)?), x, part, y);
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
        x: [&[Group]; T],
        mut y: [I::F; T],
    ) -> [I::F; T] {
        // One length for everything that is indexed by group, so that no bound is checked inside.
        let n = x.iter().fold(panel.codes.len(), |n, x| n.min(x.len()));
        let (Some(codes), Some(scales)) = (panel.codes.get(..n), panel.scales.get(..n * Self::PARTS)) else {
            return y;
        };
        let minimums = if F::MINIMUM { panel.minimums.get(..n * Self::PARTS).unwrap_or(&[]) } else { &[] };
        // Loops over `T` instead of `array::map`: a compiler may leave that as a call, compiled without the instruction set.
        let mut rows = [&x[0][..0]; T];
        for t in 0..T {
            rows[t] = &x[t][..n];
        }
        for g in 0..n {
            for part in 0..Self::PARTS {
                let chunks = part * 8 / Self::PARTS..(part + 1) * 8 / Self::PARTS;
                let (mut i, mut inputs) = ([isa.splat_int(0); T], [&[[0; 4]; 0][..]; T]);
                for t in 0..T {
                    i[t] = Self::start(isa, &rows[t][g], part);
                    inputs[t] = &quantize::codes(&rows[t][g])[chunks.clone()];
                }
                let i = dot_panel::<I, F, T>(isa, i, &codes[g][chunks], inputs);
                let at = g * Self::PARTS + part;
                let scale = isa.load(&scales[at]);
                for t in 0..T {
                    y[t] = Self::scaled(isa, i[t], scale, &rows[t][g], y[t]);
                    if F::MINIMUM
                        && let Some(minimum) = minimums.get(at)
                    {
                        y[t] = Self::raised(isa, isa.load(minimum), &rows[t][g], part, y[t]);
                    }
                }
            }
        }
        y
    }
}

/// One group of a format in terms of one group of activations, which may hold two of them.
impl<F: Quantized> Integer<F> {
    /// Groups of the format in a group of activations.
    const PARTS: usize = quantize::GROUP / F::GROUP;

    /// Bytes of a span of a row.
    const SPAN_BYTES: usize = SPAN / F::BLOCK * F::BYTES;

    /// `by · Σ x` of a part.
    #[inline(always)]
    fn sum<I: Isa>(isa: I, x: &Group, part: usize, by: i16) -> I::N {
        let halves = [if part == 0 { by } else { 0 }, if Self::PARTS == 1 || part == 1 { by } else { 0 }];
        isa.weigh(quantize::sums(x), halves)
    }

    /// Where the sum of products begins: what the offset of the codes takes off.
    #[inline(always)]
    fn start<I: Isa>(isa: I, x: &Group, part: usize) -> I::N {
        match F::OFFSET + if F::WIDE { I::WIDE_BIAS } else { 0 } {
            0 => isa.splat_int(0),
            offset => Self::sum(isa, x, part, -offset as i16),
        }
    }

    /// `y + scale · scale_x · i`.
    #[inline(always)]
    fn scaled<I: Isa>(isa: I, i: I::N, scale: I::F, x: &Group, y: I::F) -> I::F {
        isa.fma(isa.float(i), isa.mul(scale, isa.splat(quantize::scale(x))), y)
    }

    /// `y + minimum · scale_x · Σ x`.
    #[inline(always)]
    fn raised<I: Isa>(isa: I, minimum: I::F, x: &Group, part: usize, y: I::F) -> I::F {
        let sum = isa.float(Self::sum(isa, x, part, 1));
        isa.fma(minimum, isa.mul(isa.splat(quantize::scale(x)), sum), y)
    }
}

#[inline(always)]
fn dot_panel<I: Isa, F: Quantized, const T: usize>(
    isa: I,
    sums: [I::N; T],
    codes: &[Codes],
    x: [&[[i8; 4]]; T],
) -> [I::N; T] {
    if F::WIDE {
        isa.dot_panel::<true, T>(sums, codes, x, F::LARGEST)
    } else {
        isa.dot_panel::<false, T>(sums, codes, x, F::LARGEST)
    }
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
