//! Quantized weights times a single activation row: decoding, where every weight is used once.
//!
//! There is no panel: sixteen weight rows are multiplied as they lie, each by the same inputs, a span of 256 at a time. The
//! integer sums of a span's groups are made first, in the order of rows that an instruction set likes best (eight at a
//! time where there are registers for no more addresses), and wait in the nearest cache; then they are scaled and added to
//! the result, group by group, sixteen rows at once. Two short loops stay where a CPU keeps decoded instructions; one
//! that did both for sixteen rows did not, and two threads of a core waited for its decoder. What is left of a row after its
//! last span is taken block by block.
//!
//! In the nearest cache one core of a Zen 5 multiplies 88 (Q4_0, Q4_K) and 67 (Q8_0) GOP/s with AVX2, 105 to 114 and 94
//! with AVX-512; from memory it reads 22 to 25 and 29 to 36 GB/s, of 31 to 38 that summing bytes reads. Tried in vain:
//! asking the memory in one of the two loops only, for all sixteen rows at once, for a panel in the order of addresses;
//! sixteen rows together on AVX2.

use super::integer::Integer;
use super::rows::Rows;
use super::steps::Steps;
use crate::cpu::{Isa, LANES, Span};
use crate::formats::{PART, Quantized, SPAN};
use crate::ops::quantize::{self, Group};
use core::marker::PhantomData;
use core::ops::Range;
use ocelli_tape::Matrix;

/// Groups of activations in a span.
const PARTS: usize = SPAN / PART;

/// Some blocks of sixteen weight rows, the `N` groups of activations they meet, and how many bytes behind each row's blocks
/// those lie that are to be asked from memory meanwhile. Rows are read by turns, a span of each: too little for a CPU to
/// see what comes next.
struct Meeting<'a, F, W, const N: usize> {
    rows: [&'a W; LANES],
    x: &'a [Group; N],
    ahead: usize,
    format: PhantomData<F>,
}

impl<'a, F: Quantized, W: bytemuck::Pod + AsRef<[F]>, const N: usize> Meeting<'a, F, W, N> {
    /// Cache lines of a row's span, and how many of them are asked for while products are made; the others while they are
    /// scaled. Memory is busy all the time then, and never asked for more lines than can be on their way.
    const LINES: usize = size_of::<F::Span>().div_ceil(64);
    const FIRST: usize = (2 * Self::LINES).div_ceil(3);

    #[inline(always)]
    fn of(rows: [&'a W; LANES], x: &'a [Group; N], ahead: usize) -> Self {
        Self { rows, x, ahead, format: PhantomData }
    }

    /// The block of a row that a part lies in.
    #[inline(always)]
    fn block(&self, lane: usize, part: usize) -> &'a F {
        let blocks = self.rows[lane].as_ref();
        &blocks[part * PART / F::BLOCK % blocks.len()]
    }

    /// Asks the memory for some lines of two of the rows.
    #[inline(always)]
    fn ask<I: Isa>(&self, isa: I, eighth: usize, lines: Range<usize>) {
        for row in self.rows.as_chunks::<2>().0[eighth % PARTS] {
            for line in lines.clone() {
                isa.fetch(bytemuck::bytes_of(row), self.ahead.wrapping_add(64 * line));
            }
        }
    }

    /// The products that `sums` are of, added to `y`.
    #[inline(always)]
    fn add<I: Isa>(&self, isa: I, sums: &[[I::N; 2]; N], mut y: I::F) -> I::F {
        for first in (0..N).step_by(F::BLOCK / PART) {
            let mut blocks = [self.block(0, first); LANES];
            for (lane, block) in blocks.iter_mut().enumerate() {
                *block = self.block(lane, first);
            }
            let steps = Steps::of(isa, &blocks);
            for quad in (0..F::BLOCK / PART).step_by(I::UNROLLED) {
                macro_rules! parts {
                    ($($part:literal)*) => {$(
                        if $part < I::UNROLLED && quad + $part < F::BLOCK / PART {
                            let (part, at) = (quad + $part, (first + quad + $part) % N);
                            if N == PARTS {
                                self.ask(isa, at, Self::FIRST..Self::LINES);
                            }
                            y = scale(isa, &sums[at], &steps, &self.x[at], part, y);
                        }
                    )*};
                }
                parts!(0 1 2 3);
            }
        }
        y
    }
}

impl<I: Isa, F: Quantized, W: bytemuck::Pod + AsRef<[F]>, const N: usize> Span<I> for Meeting<'_, F, W, N> {
    #[inline(always)]
    fn codes(&self, isa: I, lanes: [usize; 2], part: usize) -> I::C {
        F::codes([self.block(lanes[0], part), self.block(lanes[1], part)], isa, part)
    }
    #[inline(always)]
    fn inputs(&self, part: usize) -> &[i8; PART] {
        bytemuck::cast_ref(quantize::codes(&self.x[part % N]))
    }
    #[inline(always)]
    fn ahead(&self, isa: I, eighth: usize) {
        self.ask(isa, eighth, 0..Self::FIRST);
    }
}

/// Sixteen weight rows from `first` on times the row `x`, if their bytes are all there.
#[inline(always)]
pub(super) fn times<I: Isa, F: Quantized>(isa: I, w: &Matrix<'_>, first: usize, x: &[Group]) -> Option<I::F> {
    let rows = Rows::<F>::of(w, first);
    let (mut y, mut sums) = (isa.splat(0.0), [[isa.splat_int(0); 2]; PARTS]);
    // Small blocks are all taken one by one where code must be small.
    let whole = if I::UNROLLED > 1 || F::BLOCK == SPAN { x.len() / PARTS } else { 0 };
    let (spans, rest) = x.split_at_checked(whole * PARTS)?;
    for (s, x) in spans.as_chunks().0.iter().enumerate() {
        let span: Meeting<'_, F, F::Span, PARTS> =
            Meeting::of(rows.at(s * (SPAN / F::BLOCK))?, x, ahead::<F>(w, s, 0));
        match (F::WIDE, F::GROUP == PART) {
            (true, true) => isa.dot_span::<true, true>(&span, F::LARGEST, &mut sums),
            (true, false) => isa.dot_span::<true, false>(&span, F::LARGEST, &mut sums),
            (false, true) => isa.dot_span::<false, true>(&span, F::LARGEST, &mut sums),
            (false, false) => isa.dot_span::<false, false>(&span, F::LARGEST, &mut sums),
        }
        y = span.add(isa, &sums, y);
    }
    if F::BLOCK > PART {
        return rest.is_empty().then_some(y);
    }
    for (part, x) in rest.as_chunks().0.iter().enumerate() {
        let (s, at) = (part / PARTS, part % PARTS);
        let block: Meeting<'_, F, [F; 1], 1> =
            Meeting::of(rows.at(whole * PARTS + part)?, x, ahead::<F>(w, whole + s, at));
        // Those of a span, all eight or fewer, ask for a whole one.
        for eighth in (at..PARTS).step_by((rest.len() - s * PARTS).min(PARTS)) {
            block.ask(isa, eighth, 0..Meeting::<F, [F; 1], 1>::LINES);
        }
        let sums = match (F::WIDE, F::GROUP == PART) {
            (true, true) => isa.dot_rows::<true, true>(&block, 0, F::LARGEST),
            (true, false) => isa.dot_rows::<true, false>(&block, 0, F::LARGEST),
            (false, true) => isa.dot_rows::<false, true>(&block, 0, F::LARGEST),
            (false, false) => isa.dot_rows::<false, false>(&block, 0, F::LARGEST),
        };
        y = block.add(isa, &[sums], y);
    }
    Some(y)
}

/// How many bytes behind a part of span `s` that span begins which is asked for meanwhile: some 9 or 13 kB later, of this row,
/// or of that sixteen rows below, or again as much.
#[inline(always)]
fn ahead<F: Quantized>(w: &Matrix<'_>, s: usize, part: usize) -> usize {
    let span = size_of::<F::Span>();
    let (mut wanted, mut below) = ((s + if span < SPAN { 4 } else { 3 }) * span, 0);
    let whole = w.row_bytes.next_multiple_of(span);
    while wanted >= whole && whole > 0 {
        (wanted, below) = (wanted - whole, below + LANES * w.row_bytes);
    }
    (below + wanted).wrapping_sub(s * span + part * F::BYTES)
}

/// A part's sums scaled and added to `y`, one or two groups of the format.
#[inline(always)]
fn scale<I: Isa, F: Quantized>(
    isa: I,
    sums: &[I::N; 2],
    steps: &Steps<I, F>,
    x: &Group,
    part: usize,
    mut y: I::F,
) -> I::F {
    for half in 0..Integer::<F>::PARTS {
        let i = isa.add_int(sums[half], Integer::<F>::start(isa, x, half));
        let group = part * Integer::<F>::PARTS + half;
        y = Integer::<F>::scaled(isa, i, steps.scale(isa, group), x, y);
        if F::MINIMUM {
            y = Integer::<F>::raised(isa, steps.minimum(isa, group), x, half, y);
        }
    }
    y
}
