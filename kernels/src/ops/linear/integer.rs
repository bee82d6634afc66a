//! Quantized weights times the 8-bit codes of activations.

use super::{Kind, turn};
use crate::cpu::{Element, Isa, LANES};
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

/// Groups of a format in a span, at most.
const MOST: usize = SPAN / 16;

/// Codes of one weight row: a span of them in groups of 32.
type Groups = [[i8; 32]; SPAN / 32];

/// A scale or minimum of each weight row of a panel.
type Scales<F> = [<F as Quantized>::Scale; LANES];

/// A panel unpacked: per group of 32 inputs eight `Codes`; per group of the format its `Scales` and minimums.
pub(crate) struct Panel<'a, F: Quantized> {
    codes: &'a [[Codes; 8]],
    scales: &'a [Scales<F>],
    minimums: &'a [Scales<F>],
}

impl<F: Quantized> Kind for Integer<F> {
    const STRETCH: usize = STRETCH;
    type Panel<'s> = Panel<'s, F>;
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
    ) -> Panel<'s, F> {
        let empty = Panel { codes: &[], scales: &[], minimums: &[] };
        let width = stretch.len();
        let Some((flat, rest)) = scratch.split_at_mut_checked(LANES * SPAN / 4) else { return empty };
        let Some((panel, rest)) = rest.split_at_mut_checked(LANES * width / 4) else { return empty };
        let words = bytemuck::cast_slice_mut::<f32, u32>(panel).as_chunks_mut::<LANES>().0;
        let (scales, minimums) = scales_of::<F>(rest, width);
        let Some(flat) = bytemuck::cast_slice_mut::<f32, Groups>(flat).first_chunk_mut::<LANES>() else {
            return empty;
        };
        for (s, words) in words.chunks_mut(SPAN / 4).enumerate() {
            let from = stretch.start + s * SPAN;
            let groups = s * SPAN / F::GROUP..(s * SPAN + words.len() * 4) / F::GROUP;
            for (lane, codes) in flat.iter_mut().enumerate() {
                let bytes = w.row(first + lane).get(from / F::BLOCK * F::BYTES..).unwrap_or(&[]);
                let outs = codes.as_flattened_mut()[..words.len() * 4]
                    .chunks_exact_mut(F::BLOCK)
                    .zip(scales[groups.clone()].chunks_exact_mut(F::BLOCK / F::GROUP))
                    .zip(minimums[groups.clone()].chunks_exact_mut(F::BLOCK / F::GROUP));
                for (b, ((codes, scales), minimums)) in outs.enumerate() {
                    let block = bytes.get(b * F::BYTES..(b + 1) * F::BYTES).unwrap_or(&[]);
                    unpack_block::<I, F>(isa, block, codes, lane, scales, minimums);
                }
            }
            let flat: &mut [[u32; SPAN / 4]; LANES] = bytemuck::cast_mut(flat);
            if F::WIDE && I::WIDE_BIAS != 0 {
                for word in flat.iter_mut().flat_map(|flat| &mut flat[..words.len()]) {
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
        // Of known lengths, so that no bound is checked inside.
        let (scales, minimums) = scales_of::<F>(rest, MOST * F::GROUP);
        let scales: &mut [Scales<F>; MOST] = scales.first_chunk_mut()?;
        let minimums: &mut [Scales<F>; MOST] = minimums.first_chunk_mut()?;
        let codes: &mut [Groups; LANES] = bytemuck::cast_slice_mut(flat).first_chunk_mut()?;
        let (mut rows, mut next) = ([&[0; 0][..]; LANES], [&[0; 0][..]; LANES]);
        for lane in 0..LANES {
            (rows[lane], next[lane]) = (w.row(first + lane), w.row(first + LANES + lane));
        }
        // As many inputs at a time as are unpacked anyway.
        let step = F::BLOCK;
        let mut y = isa.splat(0.0);
        for (from, x) in (0..w.width).step_by(step).zip(x.chunks_exact(step / quantize::GROUP)) {
            if from % SPAN == 0 {
                Self::fetch(isa, &rows, &next, from);
            }
            let block = from / step * F::BYTES..(from / step + 1) * F::BYTES;
            for lane in 0..LANES {
                let block = rows[lane].get(block.clone()).unwrap_or(&[]);
                let codes = &mut codes[lane].as_flattened_mut()[..step];
                unpack_block::<I, F>(isa, block, codes, lane, scales, minimums);
            }
            for (g, x) in x.iter().enumerate() {
                let mut group = [&codes[0][0]; LANES];
                for lane in 0..LANES {
                    group[lane] = &codes[lane][g];
                }
                let parts = g * Self::PARTS..(g + 1) * Self::PARTS;
                let (scales, minimums) = (scales.get(parts.clone())?, minimums.get(parts)?);
                y = Self::group(isa, group, x, scales, minimums, y);
            }
        }
        Some(y)
    }

    #[inline(always)]
    fn multiply<I: Isa, const T: usize>(
        isa: I,
        panel: &Panel<'_, F>,
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
                let scale = Element::load(isa, &scales[at]);
                for t in 0..T {
                    y[t] = Self::scaled(isa, i[t], scale, &rows[t][g], y[t]);
                    if F::MINIMUM
                        && let Some(minimum) = minimums.get(at)
                    {
                        y[t] = Self::raised(isa, Element::load(isa, minimum), &rows[t][g], part, y[t]);
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

    /// Asks for the span after the one at `from`, a cache line early, since spans begin anywhere in a line. Sixteen rows are
    /// read by turns, a span of each: too little for a CPU to see what comes next.
    #[inline(always)]
    fn fetch<I: Isa>(isa: I, rows: &[&[u8]; LANES], next: &[&[u8]; LANES], from: usize) {
        let at = from / F::BLOCK * F::BYTES + Self::SPAN_BYTES + 64;
        for (row, next) in rows.iter().zip(next) {
            if let Some(ahead) = row.get(at..at + Self::SPAN_BYTES) {
                isa.fetch(ahead);
            } else if let Some(ahead) = next.get(..Self::SPAN_BYTES) {
                isa.fetch(ahead);
            }
        }
    }

    /// One group of activations times the same inputs of sixteen weight rows, added to `y`.
    #[inline(always)]
    fn group<I: Isa>(
        isa: I,
        codes: [&[i8; 32]; LANES],
        x: &Group,
        scales: &[Scales<F>],
        minimums: &[Scales<F>],
        mut y: I::F,
    ) -> I::F {
        let x_codes = bytemuck::cast_ref(quantize::codes(x));
        let halves = if F::WIDE {
            isa.dot_rows::<true>(codes, x_codes)
        } else {
            isa.dot_rows::<false>(codes, x_codes)
        };
        for (part, (scale, minimum)) in scales.iter().zip(minimums).enumerate() {
            let i = if Self::PARTS == 1 { isa.add_int(halves[0], halves[1]) } else { halves[part] };
            let i = isa.add_int(i, Self::start(isa, x, part));
            y = Self::scaled(isa, i, Element::load(isa, scale), x, y);
            if F::MINIMUM {
                y = Self::raised(isa, Element::load(isa, minimum), x, part, y);
            }
        }
        y
    }

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

/// Room for the scales and the minimums of `width` inputs.
#[inline(always)]
fn scales_of<F: Quantized>(scratch: &mut [f32], width: usize) -> (&mut [Scales<F>], &mut [Scales<F>]) {
    let all = bytemuck::cast_slice_mut::<f32, F::Scale>(scratch).as_chunks_mut::<LANES>().0;
    let groups = width / F::GROUP;
    let (scales, rest) = all.split_at_mut_checked(groups).unwrap_or_default();
    (scales, rest.get_mut(..groups).unwrap_or_default())
}

/// Unpacks a block of one weight row: its codes, scale and minimum of each group to the row's lane. A block beyond the
/// row counts as zero.
#[inline(always)]
fn unpack_block<I: Isa, F: Quantized>(
    isa: I,
    block: &[u8],
    codes: &mut [i8],
    lane: usize,
    scales: &mut [Scales<F>],
    minimums: &mut [Scales<F>],
) {
    let zero = [F::Scale::default(); MOST];
    let (mut s, mut m) = (zero, zero);
    if block.len() == F::BYTES {
        F::unpack(isa, block, codes, &mut s, &mut m);
    } else {
        codes.fill(0);
    }
    for g in 0..F::BLOCK / F::GROUP {
        if let Some(scales) = scales.get_mut(g) {
            scales[lane] = s[g];
        }
        if F::MINIMUM
            && let Some(minimums) = minimums.get_mut(g)
        {
            minimums[lane] = m[g];
        }
    }
}
