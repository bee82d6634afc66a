//! Float weights times activations as they are.
//!
//! A panel is decoded to `f32`, an input of sixteen weight rows side by side: a load of it meets six activation rows, of which
//! one number each is spread over the lanes, and with 32 registers of 512 bits two panels meet eight. 256 inputs of a panel
//! are 16 KiB, which the nearest cache holds while all rows of the tile go by.
//!
//! 256 rows by 768 × 768 weights, one core: with AVX2 100 of the 111 GFLOP/s that a Zen 5 has and 69 of a Cascade Lake's 86,
//! with AVX-512 199 of 249 and 84 of 153. A single row reads its weights once and waits for the memory. Tried in vain:
//! sixteen rows by one panel on AVX-512, whose pointers do not fit the integer registers.

use super::{Kind, Lane, turn};
use crate::cpu::{Isa, LANES};
use crate::formats::Float;
use core::marker::PhantomData;
use core::ops::Range;
use ocelli_tape::Matrix;

/// Inputs that are unpacked at a time: fewer than of codes, as each takes four bytes.
const STRETCH: usize = 256;

/// The same for a single activation row, for which a panel is used once and should never leave the nearest cache.
const SHORT: usize = 128;

/// Sixteen rows before they are turned, and the panel.
pub(super) const SCRATCH: usize = 2 * LANES * STRETCH;

/// Weights in a float format.
pub(crate) struct Floating<F>(PhantomData<F>);

impl<F: Float> Kind for Floating<F> {
    const STRETCH: usize = STRETCH;
    /// One `Lane` per input.
    type Panel<'s> = &'s [Lane];
    type Row<'x> = &'x [f32];

    #[inline(always)]
    fn shape<I: Isa>() -> (usize, usize) {
        // Of two panels half as many rows, each of which is found by a pointer of its own: sixteen do not fit the integer
        // registers.
        let panels = I::PANELS.min(super::PANELS);
        (panels, I::SUMS / panels)
    }

    #[inline(always)]
    fn pack<'s, I: Isa>(
        isa: I,
        w: &Matrix<'_>,
        first: usize,
        stretch: Range<usize>,
        scratch: &'s mut [f32],
    ) -> &'s [Lane] {
        panel::<I, F, STRETCH>(isa, &rows_of(w, first), stretch, scratch)
    }

    #[inline(always)]
    fn row(x: &[f32], width: usize, row: usize, stretch: Range<usize>) -> &[f32] {
        x.get(row * width..).and_then(|x| x.get(stretch)).unwrap_or(&[])
    }

    #[inline(always)]
    fn single<I: Isa>(isa: I, w: &Matrix<'_>, first: usize, x: &[f32], scratch: &mut [f32]) -> Option<I::F> {
        if I::UNROLLED == 1 {
            return None; // the panel of many rows does as well, and is there
        }
        let (rows, next) = (rows_of(w, first), rows_of(w, first + LANES));
        let mut y = [[isa.splat(0.0)]];
        for from in (0..w.width).step_by(SHORT) {
            let stretch = from..(from + SHORT).min(w.width);
            // Sixteen rows are read by turns, too little of each for a CPU to see what comes next.
            let (ahead, at) = if stretch.end < w.width { (&rows, stretch.end) } else { (&next, 0) };
            for row in ahead {
                for line in (0..SHORT * F::BYTES).step_by(64) {
                    isa.fetch(row, at * F::BYTES + line);
                }
            }
            let panel = panel::<I, F, SHORT>(isa, &rows, stretch.clone(), scratch);
            y = Self::multiply(isa, &[panel], [x.get(stretch)?], y);
        }
        Some(y[0][0])
    }

    #[inline(always)]
    fn multiply<I: Isa, const T: usize, const P: usize>(
        isa: I,
        panels: &[&[Lane]; P],
        x: [&[f32]; T],
        mut y: [[I::F; P]; T],
    ) -> [[I::F; P]; T] {
        let n = panels.iter().fold(usize::MAX, |n, panel| n.min(panel.len()));
        let n = x.iter().fold(n, |n, x| n.min(x.len()));
        let mut rows = [&x[0][..0]; T];
        for t in 0..T {
            rows[t] = &x[t][..n];
        }
        let mut cut = [&panels[0][..0]; P];
        for p in 0..P {
            cut[p] = &panels[p][..n];
        }
        for k in 0..n {
            let mut w = [isa.splat(0.0); P];
            for p in 0..P {
                w[p] = isa.load(&cut[p][k]);
            }
            for t in 0..T {
                let x = isa.splat(rows[t][k]);
                for p in 0..P {
                    y[t][p] = isa.fma(w[p], x, y[t][p]);
                }
            }
        }
        y
    }
}

/// The bytes of sixteen weight rows; none of those beyond the last.
#[inline(always)]
fn rows_of<'w>(w: &Matrix<'w>, first: usize) -> [&'w [u8]; LANES] {
    let mut rows = [&[0; 0][..]; LANES];
    for (lane, row) in rows.iter_mut().enumerate() {
        *row = w.row(first + lane);
    }
    rows
}

/// A stretch of at most `W` inputs of sixteen weight rows, decoded and turned.
#[inline(always)]
fn panel<'s, I: Isa, F: Float, const W: usize>(
    isa: I,
    rows: &[&[u8]; LANES],
    stretch: Range<usize>,
    scratch: &'s mut [f32],
) -> &'s [Lane] {
    let width = stretch.len();
    let Some((flat, rest)) = scratch.split_at_mut_checked(LANES * W) else { return &[] };
    let Some(panel) = rest.get_mut(..LANES * width) else { return &[] };
    let words = bytemuck::cast_slice_mut::<f32, u32>(flat).as_chunks_mut::<W>().0;
    let Some(flat) = words.first_chunk_mut::<LANES>() else { return &[] };
    for (flat, row) in flat.iter_mut().zip(rows) {
        match row.get(stretch.start * F::BYTES..stretch.end * F::BYTES) {
            Some(bytes) => F::decode(isa, bytes, bytemuck::cast_slice_mut(&mut flat[..width])),
            None => flat.fill(0),
        }
    }
    turn(isa, flat, bytemuck::cast_slice_mut::<f32, u32>(panel).as_chunks_mut::<LANES>().0);
    panel.as_chunks().0
}
