//! Quantized weights times the 8-bit codes of activations.

use super::rows::Rows;
use super::steps::Steps;
use super::{Kind, Lane, row, turn};
use crate::cpu::{Isa, LANES, SPLIT};
use crate::formats::{PART, Quantized, SPAN};
use crate::ops::quantize::{self, GROUP, Group};
use core::marker::PhantomData;
use core::ops::Range;
use ocelli_tape::Matrix;

/// Inputs that are unpacked at a time.
const STRETCH: usize = 1024;

/// Cells of scratch for a panel with so many loads to a group: codes of a span before they are turned, the panel, scales and
/// minimums of groups of 16.
pub(super) const fn scratch(loads: usize) -> usize {
    LANES * SPAN / 4 + LANES * loads * (STRETCH / GROUP) + 2 * LANES * STRETCH / 16
}

/// Weights in a quantized format.
pub(crate) struct Integer<F>(PhantomData<F>);

/// One load of the panel: four inputs (as codes) of sixteen weight rows; or two are eight of them ([`Isa::EIGHTS`]).
type Codes = [i8; 4 * LANES];

/// Codes of one weight row: a span of them, part by part.
type Parts = [[i8; PART]; SPAN / PART];

/// A panel unpacked: per group of 32 inputs eight `Codes`, or [`SPLIT`]; per group of the format the scales and
/// minimums.
#[derive(Clone, Copy, Default)]
pub(crate) struct Panel<'a> {
    codes: &'a [Codes],
    scales: &'a [Lane],
    minimums: &'a [Lane],
}

impl<F: Quantized> Kind for Integer<F> {
    const STRETCH: usize = STRETCH;
    type Panel<'s> = Panel<'s>;
    type Row<'x> = &'x [Group];

    #[inline(always)]
    fn shape<I: Isa>() -> (usize, usize) {
        // No more than there is scratch for.
        (I::PANELS.min(super::PANELS), I::ROWS)
    }

    #[inline(always)]
    fn pack<'s, I: Isa>(
        isa: I,
        w: &Matrix<'_>,
        first: usize,
        stretch: Range<usize>,
        scratch: &'s mut [f32],
    ) -> Panel<'s> {
        let empty = Panel::default();
        let (width, loads) = (stretch.len(), Self::loads::<I>());
        let Some((flat, rest)) = scratch.split_at_mut_checked(LANES * SPAN / 4) else { return empty };
        let Some((panel, rest)) = rest.split_at_mut_checked(LANES * loads * (width / GROUP)) else {
            return empty;
        };
        let words = bytemuck::cast_slice_mut::<f32, u32>(panel).as_chunks_mut::<LANES>().0;
        let lanes = rest.as_chunks_mut::<LANES>().0;
        let Some((scales, rest)) = lanes.split_at_mut_checked(width / F::GROUP) else { return empty };
        let Some(minimums) = rest.get_mut(..if F::MINIMUM { width / F::GROUP } else { 0 }) else {
            return empty;
        };
        let Some(flat) = bytemuck::cast_slice_mut::<f32, Parts>(flat).first_chunk_mut::<LANES>() else {
            return empty;
        };
        let rows = Rows::<F>::of(w, first);
        for (s, span) in words.chunks_mut(SPAN / GROUP * loads).enumerate() {
            let (words, _) = span.split_at_mut(span.len() / loads * 8);
            let first = (stretch.start + s * SPAN) / F::BLOCK;
            for b in 0..words.len() * 4 / F::BLOCK {
                let Some(blocks) = rows.at::<F>(first + b) else { return empty };
                let parts = b * F::BLOCK / PART..(b + 1) * F::BLOCK / PART;
                for (two, [a, b]) in blocks.as_chunks().0.iter().zip(flat.as_chunks_mut().0) {
                    for (part, (a, b)) in a[parts.clone()].iter_mut().zip(&mut b[parts.clone()]).enumerate() {
                        isa.keep(F::codes(*two, isa, part), [a, b]);
                    }
                }
                let steps = Steps::of(isa, &blocks);
                let groups = F::BLOCK / F::GROUP;
                let at = s * SPAN / F::GROUP + b * groups;
                for (g, scale) in scales[at..at + groups].iter_mut().enumerate() {
                    isa.store(steps.scale(isa, g), scale);
                }
                if F::MINIMUM {
                    for (g, minimum) in minimums[at..at + groups].iter_mut().enumerate() {
                        isa.store(steps.minimum(isa, g), minimum);
                    }
                }
            }
            let flat: &mut [[u32; SPAN / 4]; LANES] = bytemuck::cast_mut(flat);
            if F::WIDE && I::WIDE_BIAS != 0 {
                for word in flat.iter_mut().flat_map(|flat| &mut flat[..words.len()]) {
                    *word ^= 0x8080_8080; // each code plus 128
                }
            }
            // Four codes are one word: transposing words puts the same four inputs of sixteen rows side by side.
            if I::EIGHTS {
                turn_pairs(flat, words);
            } else {
                turn(isa, flat, words);
            }
            if loads == SPLIT {
                split(isa, bytemuck::cast_slice_mut(span));
            }
        }
        Panel { codes: bytemuck::cast_slice(panel), scales, minimums }
    }

    #[inline(always)]
    fn row(x: &[f32], width: usize, row: usize, stretch: Range<usize>) -> &[Group] {
        let groups = stretch.start / quantize::GROUP..stretch.end / quantize::GROUP;
        quantize::row(x, width, row).get(groups).unwrap_or(&[])
    }

    #[inline(always)]
    fn single<I: Isa>(isa: I, w: &Matrix<'_>, first: usize, x: &[Group], _: &mut [f32]) -> Option<I::F> {
        row::times::<I, F>(isa, w, first, x)
    }

    #[inline(always)]
    fn multiply<I: Isa, const T: usize, const P: usize>(
        isa: I,
        panels: &[Panel<'_>; P],
        x: [&[Group]; T],
        mut y: [[I::F; P]; T],
    ) -> [[I::F; P]; T] {
        // One length for everything that is indexed by group, so that no bound is checked inside.
        let loads = Self::loads::<I>();
        let n = panels.iter().fold(usize::MAX, |n, panel| n.min(panel.codes.len() / loads));
        let n = x.iter().fold(n, |n, x| n.min(x.len()));
        // Loops over `T` and `P` instead of `array::map`: a compiler may leave that as a call, compiled without the
        // instruction set.
        let mut panel_codes = [&[[0; 4 * LANES]; 0][..]; P];
        for p in 0..P {
            panel_codes[p] = &panels[p].codes[..n * loads];
        }
        let mut rows = [&x[0][..0]; T];
        for t in 0..T {
            rows[t] = &x[t][..n];
        }
        for g in 0..n {
            for part in 0..Self::PARTS {
                let chunks = part * 8 / Self::PARTS..(part + 1) * 8 / Self::PARTS;
                let (mut i, mut inputs) = ([[isa.splat_int(0); P]; T], [&[[0; 4]; 0][..]; T]);
                for t in 0..T {
                    i[t] = [Self::start(isa, &rows[t][g], part); P];
                    inputs[t] = &quantize::codes(&rows[t][g])[chunks.clone()];
                }
                let mut codes = [&[[0; 4 * LANES]; 0][..]; P];
                for p in 0..P {
                    let group = &panel_codes[p][g * loads..(g + 1) * loads];
                    codes[p] = if loads == 8 { &group[chunks.clone()] } else { group };
                }
                let i = dot_panel::<I, F, T, P>(isa, i, codes, inputs);
                let at = g * Self::PARTS + part;
                for p in 0..P {
                    let scale = lane(isa, panels[p].scales, at);
                    for t in 0..T {
                        y[t][p] = Self::scaled(isa, i[t][p], scale, &rows[t][g], y[t][p]);
                    }
                    if F::MINIMUM {
                        let minimum = lane(isa, panels[p].minimums, at);
                        for t in 0..T {
                            y[t][p] = Self::raised(isa, minimum, &rows[t][g], part, y[t][p]);
                        }
                    }
                }
            }
        }
        y
    }
}

/// Splits the codes that lie in the first part of `span`, group by group, over all of it.
#[inline(always)]
fn split<I: Isa>(isa: I, span: &mut [Codes]) {
    // From the end: where a group is written, those still to be read lie before it.
    for g in (0..span.len() / SPLIT).rev() {
        let Some(codes) = span[8 * g..].first_chunk().copied() else { return };
        if let Some(to) = span[SPLIT * g..].first_chunk_mut() {
            isa.split(&codes, to);
        }
    }
}

/// As [`turn`], two words at a time.
#[inline(always)]
fn turn_pairs<const W: usize>(from: &[[u32; W]; LANES], to: &mut [[u32; LANES]]) {
    for (c, to) in to.as_chunks_mut::<2>().0.iter_mut().enumerate() {
        for (to, from) in bytemuck::cast_mut::<_, [[u32; 2]; LANES]>(to).iter_mut().zip(from) {
            *to = from.as_chunks().0.get(c).copied().unwrap_or_default();
        }
    }
}

/// What scales a group, of sixteen rows. Each group has one; that it is looked for keeps the products of a group and their
/// scaling apart, which compilers else mix until registers run out (a quarter of the speed).
#[inline(always)]
fn lane<I: Isa>(isa: I, lanes: &[Lane], at: usize) -> I::F {
    if let Some(lane) = lanes.get(at) { isa.load(lane) } else { isa.splat(0.0) }
}

/// One group of a format in terms of one group of activations, which may hold two of them.
impl<F: Quantized> Integer<F> {
    /// Loads of a panel for a group of activations.
    const fn loads<I: Isa>() -> usize {
        if F::WIDE && I::SPLITS { SPLIT } else { 8 }
    }
    /// Groups of the format in a group of activations.
    pub(super) const PARTS: usize = quantize::GROUP / F::GROUP;

    /// `by · Σ x` of a part.
    #[inline(always)]
    fn sum<I: Isa>(isa: I, x: &Group, part: usize, by: i16) -> I::N {
        let halves = [if part == 0 { by } else { 0 }, if Self::PARTS == 1 || part == 1 { by } else { 0 }];
        isa.weigh(quantize::sums(x), halves)
    }

    /// Where the sum of products begins: what the offset of the codes takes off.
    #[inline(always)]
    pub(super) fn start<I: Isa>(isa: I, x: &Group, part: usize) -> I::N {
        match F::OFFSET + if F::WIDE { I::WIDE_BIAS } else { 0 } {
            0 => isa.splat_int(0),
            offset => Self::sum(isa, x, part, -offset as i16),
        }
    }

    /// `y + scale · scale_x · i`.
    #[inline(always)]
    pub(super) fn scaled<I: Isa>(isa: I, i: I::N, scale: I::F, x: &Group, y: I::F) -> I::F {
        isa.fma(isa.float(i), isa.mul(scale, isa.splat(quantize::scale(x))), y)
    }

    /// `y + minimum · scale_x · Σ x`.
    #[inline(always)]
    pub(super) fn raised<I: Isa>(isa: I, minimum: I::F, x: &Group, part: usize, y: I::F) -> I::F {
        let sum = isa.float(Self::sum(isa, x, part, 1));
        isa.fma(minimum, isa.mul(isa.splat(quantize::scale(x)), sum), y)
    }
}

#[inline(always)]
fn dot_panel<I: Isa, F: Quantized, const T: usize, const P: usize>(
    isa: I,
    sums: [[I::N; P]; T],
    codes: [&[Codes]; P],
    x: [&[[i8; 4]]; T],
) -> [[I::N; P]; T] {
    if F::WIDE {
        isa.dot_panel::<true, T, P>(sums, codes, x, F::LARGEST)
    } else {
        isa.dot_panel::<false, T, P>(sums, codes, x, F::LARGEST)
    }
}
