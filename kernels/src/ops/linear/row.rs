//! Quantized weights times a single activation row: decoding, where every weight is used once.
//!
//! There is no panel: sixteen weight rows are multiplied as they lie, each by the same inputs, a span of 256 at a time. The
//! integer sums of a span's groups are made first, in the order of rows that an instruction set likes best (eight at a
//! time where there are registers for no more addresses), and wait in the nearest cache; then they are scaled and added to
//! the result, group by group, sixteen rows at once. Two short loops stay where a CPU keeps decoded instructions; one
//! that did both for sixteen rows did not, and two threads of a core waited for its decoder.

use super::integer::{Integer, rows_of};
use super::steps::Steps;
use crate::cpu::{Isa, LANES, Span, UNROLLED};
use crate::formats::{PART, Quantized, SPAN};
use crate::ops::quantize::{self, Group};
use crate::weight::Matrix;
use bytemuck::Zeroable;
use core::ops::Range;

/// Groups of activations in a span.
const PARTS: usize = SPAN / PART;

/// A span of sixteen weight rows, the activations it meets, and what is wanted from memory meanwhile.
struct Meeting<'a, F: Quantized> {
    rows: [&'a F::Span; LANES],
    x: &'a [Group; PARTS],
    parts: Range<usize>,
    ahead: Ahead<'a, F>,
}

/// A span of sixteen rows that comes later, so many bytes behind the first of each. Rows are read by turns, a span of each:
/// too little for a CPU to see what comes next.
struct Ahead<'a, F>(&'a [&'a [F]; LANES], usize);

impl<'a, F: Quantized> Ahead<'a, F> {
    /// Cache lines of a row, and how many of them are asked for while products are made; the others while they are scaled.
    /// Memory is busy all the time then, and never asked for more lines than can be on their way.
    const LINES: usize = size_of::<F::Span>().div_ceil(64);
    const FIRST: usize = (2 * Self::LINES).div_ceil(3);

    /// The span after the next one, seen from that which begins with a part: of these rows, or of the sixteen below them.
    #[inline(always)]
    fn of(rows: &'a [&'a [F]; LANES], next: &'a [&'a [F]; LANES], part: usize) -> Self {
        let at = part * PART / F::BLOCK * F::BYTES + 2 * size_of::<F::Span>();
        match at.checked_sub(size_of_val(rows[0])) {
            None => Self(rows, at),
            Some(beyond) => Self(next, beyond),
        }
    }

    /// Asks the memory for some lines of two of the rows.
    #[inline(always)]
    fn ask<I: Isa>(&self, isa: I, eighth: usize, lines: Range<usize>) {
        for row in self.0.as_chunks::<2>().0[eighth % PARTS] {
            for line in lines.clone() {
                isa.fetch(bytemuck::cast_slice(row), self.1 + 64 * line);
            }
        }
    }
}

impl<I: Isa, F: Quantized> Span<I> for Meeting<'_, F> {
    #[inline(always)]
    fn parts(&self) -> Range<usize> {
        self.parts.clone()
    }
    #[inline(always)]
    fn codes(&self, isa: I, lanes: [usize; 2], part: usize) -> I::C {
        let [a, b] = [self.rows[lanes[0]], self.rows[lanes[1]]];
        F::codes([block(a, part), block(b, part)], isa, part)
    }
    #[inline(always)]
    fn inputs(&self, part: usize) -> &[i8; PART] {
        bytemuck::cast_ref(quantize::codes(&self.x[part % PARTS]))
    }
    #[inline(always)]
    fn ahead(&self, isa: I, eighth: usize) {
        self.ahead.ask(isa, eighth, 0..Ahead::<F>::FIRST);
    }
}

/// The block of a span that a part lies in.
#[inline(always)]
fn block<F: Quantized>(span: &F::Span, part: usize) -> &F {
    let blocks = span.as_ref();
    &blocks[part * PART / F::BLOCK % blocks.len()]
}

/// Sixteen weight rows from `first` on times the row `x`, if their bytes are all there.
#[inline(always)]
pub(super) fn times<I: Isa, F: Quantized>(isa: I, w: &Matrix<'_>, first: usize, x: &[Group]) -> Option<I::F> {
    let (mut room, mut padded);
    let mut rows = rows_of::<F>(w, first);
    let next = if I::FETCHES { rows_of(w, first + LANES) } else { rows };
    let (parts, mut x) = (x.len(), x);
    if parts < PARTS {
        // Rows shorter than a span are brought into one.
        (room, padded) = ([F::Span::zeroed(); LANES], [Group::zeroed(); PARTS]);
        for (room, row) in room.iter_mut().zip(&mut rows) {
            let blocks = row.get(..parts * PART / F::BLOCK)?;
            room.as_mut().get_mut(..blocks.len())?.copy_from_slice(blocks);
            let room: &F::Span = room;
            *row = room.as_ref();
        }
        padded.get_mut(..parts)?.copy_from_slice(x);
        x = &padded;
    }
    for row in &mut rows {
        *row = row.get(..x.len() * PART / F::BLOCK)?; // one length for all, so that it is compared once
    }
    let (mut y, mut sums) = (isa.splat(0.0), [[isa.splat_int(0); 2]; PARTS]);
    // Whole spans are a loop of their own where code may be large: one that knows where its spans end.
    let whole = if cfg!(feature = "unrolled") { parts / PARTS } else { 0 };
    let spans = spans_at::<F>(&rows, 0, whole)?;
    for (s, x) in x.as_chunks().0.iter().take(whole).enumerate() {
        let ahead = Ahead::of(&rows, &next, s * PARTS);
        y = add(isa, &Meeting::<F> { rows: each(&spans, s)?, x, parts: 0..PARTS, ahead }, &mut sums, y);
    }
    for from in (whole * PARTS..parts).step_by(PARTS) {
        // Where no whole span is left, the last one begins earlier, with parts that are done already.
        let first = from.min(x.len() - PARTS);
        let spans = spans_at::<F>(&rows, first * PART / F::BLOCK, 1)?;
        let (x, ahead) = (x.get(first..)?.first_chunk()?, Ahead::of(&rows, &next, first));
        let parts = from - first..(parts - first).min(PARTS);
        y = add(isa, &Meeting::<F> { rows: each(&spans, 0)?, x, parts, ahead }, &mut sums, y);
    }
    Some(y)
}

/// So many spans of each row, from one of its blocks on.
#[inline(always)]
fn spans_at<'w, F: Quantized>(
    rows: &[&'w [F]; LANES],
    block: usize,
    count: usize,
) -> Option<[&'w [F::Span]; LANES]> {
    let mut spans: [&[F::Span]; LANES] = [&[]; LANES];
    for (spans, row) in spans.iter_mut().zip(rows) {
        *spans = row.get(block..block + count * (SPAN / F::BLOCK)).map(bytemuck::cast_slice)?;
    }
    Some(spans)
}

/// One of each.
#[inline(always)]
fn each<'w, S>(spans: &[&'w [S]; LANES], at: usize) -> Option<[&'w S; LANES]> {
    let mut of_each = [spans[0].get(at)?; LANES];
    for (one, spans) in of_each.iter_mut().zip(spans) {
        *one = spans.get(at)?;
    }
    Some(of_each)
}

/// A span's products, added to `y`. `sums` is room for those of its groups.
#[inline(always)]
fn add<I: Isa, F: Quantized>(
    isa: I,
    span: &Meeting<'_, F>,
    sums: &mut [[I::N; 2]; PARTS],
    mut y: I::F,
) -> I::F {
    match (F::WIDE, F::GROUP == PART) {
        (true, true) => isa.dot_span::<true, true>(span, F::LARGEST, sums),
        (true, false) => isa.dot_span::<true, false>(span, F::LARGEST, sums),
        (false, true) => isa.dot_span::<false, true>(span, F::LARGEST, sums),
        (false, false) => isa.dot_span::<false, false>(span, F::LARGEST, sums),
    }
    for first in span.parts.clone().step_by(F::BLOCK / PART) {
        let mut blocks = [block::<F>(span.rows[0], first); LANES];
        for (of_row, row) in blocks.iter_mut().zip(span.rows) {
            *of_row = block(row, first);
        }
        let steps = Steps::of(isa, &blocks);
        let parts = (span.parts.end - first).min(F::BLOCK / PART);
        for quad in (first..first + parts).step_by(UNROLLED) {
            macro_rules! parts {
                ($($part:literal)*) => {$(
                    if $part < UNROLLED && quad - first + $part < parts {
                        let (part, at) = (quad + $part, (quad + $part) % PARTS);
                        span.ahead.ask(isa, part, Ahead::<F>::FIRST..Ahead::<F>::LINES);
                        y = scale(isa, &sums[at], &steps, &span.x[at], part - first, y);
                    }
                )*};
            }
            parts!(0 1 2 3);
        }
    }
    y
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
