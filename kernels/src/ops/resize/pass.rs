//! What is done to pixels row by row, compiled for every instruction set.
//!
//! Across, sixteen rows go together and lanes are rows: their pixels are turned into a *panel*
//! in which the sixteen bytes of a column lie side by side, so that a tap is one coefficient times whole vectors,
//! whatever the filter's position is; finished columns are turned back. Down, lanes are columns. Both are sums of
//! `i32` products, which wrap nowhere for a sum of coefficients near one (2^22 · 255 < 2^30), so no order of theirs
//! could show.

use super::convert::Convert;
use super::filter::PRECISION_BITS;
use super::rows::Ground;
use crate::cpu::{Isa, LANES, Task};

/// Half a unit of the result, so that the shift rounds.
const ROUNDING: i32 = 1 << (PRECISION_BITS - 1);

/// What it is shifted by.
const SHIFT: i32 = PRECISION_BITS as i32;

/// Bytes of one tap list before its coefficients: first, count, and the coefficients' sum.
pub(super) const TAPS_HEADER: usize = 12;

/// Pixels of a panel.
const PANEL: usize = 256;

/// Bytes of a panel.
pub(super) const PANEL_BYTES: usize = PANEL * 3 * LANES;

/// Work on pixels for [`Kernels::pixels`](crate::ops::Kernels::pixels).
#[allow(clippy::large_enum_variant, reason = "made where it is taken apart, and never kept")]
pub enum Pass<'a> {
    /// The horizontal filter of up to sixteen rows.
    Across(Across<'a>),
    /// The vertical filter of one row.
    Down(Down<'a>),
    /// A camera's row to RGB.
    Convert(Convert<'a>),
}

impl Task for Pass<'_> {
    type Out = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        match self {
            Pass::Across(across) if across.channels == 3 => across.run::<I, 3>(isa),
            Pass::Across(across) => across.run::<I, 1>(isa),
            Pass::Down(down) => down.run(isa),
            Pass::Convert(convert) => convert.run(),
        }
    }
}

/// See [`Pass::Across`].
pub struct Across<'a> {
    /// Sixteen rows; those beyond the last repeat another or are empty.
    pub(super) rows: [&'a [u8]; LANES],
    pub(super) channels: usize,
    /// What all these rows have outside their picture.
    pub(super) ground: Option<Ground>,
    /// For every column of the result a tap list of `entry` bytes: see `resample`.
    pub(super) columns: &'a [u8],
    pub(super) entry: usize,
    /// [`PANEL_BYTES`].
    pub(super) panel: &'a mut [u8],
    /// The result's rows, without gaps; as many are written as it holds.
    pub(super) out: &'a mut [u8],
}

/// See [`Pass::Down`].
pub struct Down<'a> {
    /// Rows of `row` bytes, the last followed by the first.
    pub(super) ring: &'a [u8],
    pub(super) row: usize,
    /// Number of the row of the first tap.
    pub(super) first: usize,
    /// Coefficients, one per tap.
    pub(super) weights: &'a [u8],
    pub(super) out: &'a mut [u8],
}

/// Pixels of a filter that a row has, and the coefficients outside of them.
struct Span<'a> {
    first: usize,
    end: usize,
    weights: &'a [u8],
    /// Sum of the coefficients that fall on the ground.
    outside: i32,
}

impl<'a> Span<'a> {
    #[inline(always)]
    fn new(entry: &'a [u8], ground: Option<&Ground>) -> Self {
        let (header, weights) = entry.split_at(TAPS_HEADER);
        let first = u32::from_ne_bytes(word(&header[..4])) as usize;
        let end = first + u32::from_ne_bytes(word(&header[4..8])) as usize;
        match ground {
            None => Span { first, end, weights, outside: 0 },
            Some(ground) => {
                Span::within(ground, first, end, weights, i32::from_ne_bytes(word(&header[8..12])))
            }
        }
    }

    #[inline(always)]
    fn within(ground: &Ground, start: usize, stop: usize, weights: &'a [u8], total: i32) -> Self {
        let first = start.max(ground.columns.start as usize);
        let end = stop.min(ground.columns.end as usize).max(first);
        let weights = weights.get((first - start) * 4..(end - start) * 4).unwrap_or_default();
        Span { first, end, weights, outside: total.wrapping_sub(sum_of(weights)) }
    }
}

/// Pixels of sixteen rows, turned: byte `i` of a row is lane `r` of column `i`.
struct Panel<'a> {
    bytes: &'a mut [u8],
    /// The pixels that it holds.
    from: usize,
    to: usize,
}

impl Panel<'_> {
    /// Makes sure that it holds pixel `at`, and as many of those before `end` as it can.
    #[inline(always)]
    fn hold<I: Isa, const C: usize>(&mut self, isa: I, rows: &[&[u8]; LANES], at: usize, end: usize) {
        if at >= self.from && (end <= self.to || at == self.from && at < self.to) {
            return;
        }
        let (columns, _) = self.bytes.as_chunks_mut::<LANES>();
        let (groups, _) = columns.as_chunks_mut::<LANES>();
        for (group, columns) in groups[..PANEL * C / LANES].iter_mut().enumerate() {
            let start = at * C + group * LANES;
            let mut lent: [&[u8; LANES]; LANES] = [&[0; LANES]; LANES];
            let mut whole = true;
            for (lent, row) in lent.iter_mut().zip(rows) {
                match row.get(start..start + LANES).and_then(<[u8]>::first_chunk) {
                    Some(bytes) => *lent = bytes,
                    None => whole = false,
                }
            }
            if whole {
                isa.transpose_bytes(lent, columns);
            } else {
                *columns = last_columns(rows, start);
            }
        }
        (self.from, self.to) = (at, at + PANEL);
    }
}

/// Sixteen columns where a row ends or is empty: what is missing is zero, and no tap asks for it.
#[cold]
fn last_columns(rows: &[&[u8]; LANES], start: usize) -> [[u8; LANES]; LANES] {
    let mut columns = [[0; LANES]; LANES];
    for (r, row) in rows.iter().enumerate() {
        for (column, byte) in columns.iter_mut().zip(row.get(start..).unwrap_or_default()) {
            column[r] = *byte;
        }
    }
    columns
}

impl Across<'_> {
    #[inline(always)]
    fn run<I: Isa, const C: usize>(self, isa: I) {
        let Across { rows, ground, columns, entry, panel, out, .. } = self;
        let width = columns.len() / entry;
        let mut panel = Panel { bytes: panel, from: 0, to: 0 };
        let mut done = [[[0; LANES]; LANES]; C];
        for (x, entry) in columns.chunks_exact(entry).enumerate() {
            let span = Span::new(entry, ground.as_ref());
            let mut sums = [isa.splat_int(ROUNDING); C];
            if let Some(ground) = &ground {
                for (sum, color) in sums.iter_mut().zip(ground.color) {
                    *sum = isa.splat_int(ROUNDING.wrapping_add(span.outside.wrapping_mul(i32::from(color))));
                }
            }
            let mut at = span.first;
            while at < span.end {
                panel.hold::<I, C>(isa, &rows, at, span.end);
                let end = span.end.min(panel.to);
                let weights = &span.weights[(at - span.first) * 4..(end - span.first) * 4];
                let pixels = &panel.bytes[(at - panel.from) * C * LANES..(end - panel.from) * C * LANES];
                sums = accumulate(isa, sums, pixels, weights);
                at = end;
            }
            for (c, sum) in sums.into_iter().enumerate() {
                let byte = x % LANES * C + c;
                isa.store_bytes(sum, SHIFT, &mut done[byte / LANES][byte % LANES]);
            }
            if x % LANES == LANES - 1 || x + 1 == width {
                write_rows(isa, &done, (x - x % LANES) * C, width * C, out);
            }
        }
    }
}

/// Adds the taps of one column: `sums[c] + Σ k · pixel[c]`, lanes being rows.
#[inline(always)]
fn accumulate<I: Isa, const C: usize>(
    isa: I,
    mut sums: [I::N; C],
    pixels: &[u8],
    weights: &[u8],
) -> [I::N; C] {
    let (pixels, _) = pixels.as_chunks::<LANES>();
    let (pixels, _) = pixels.as_chunks::<C>();
    for (pixel, weight) in pixels.iter().zip(weights.as_chunks::<4>().0) {
        let weight = i32::from_ne_bytes(*weight);
        for (sum, bytes) in sums.iter_mut().zip(pixel) {
            *sum = isa.weigh_bytes(*sum, bytes, weight);
        }
    }
    sums
}

/// Writes sixteen pixels, or those left of a row, into all rows that `out` has.
#[inline(always)]
fn write_rows<I: Isa, const C: usize>(
    isa: I,
    done: &[[[u8; LANES]; LANES]; C],
    start: usize,
    stride: usize,
    out: &mut [u8],
) {
    for (group, columns) in done.iter().enumerate() {
        let start = start + LANES * group;
        if start >= stride {
            break;
        }
        let bytes = (stride - start).min(LANES);
        let mut lent = [&columns[0]; LANES];
        for (lent, column) in lent.iter_mut().zip(columns) {
            *lent = column;
        }
        let mut turned = [[0; LANES]; LANES];
        isa.transpose_bytes(lent, &mut turned);
        for (row, out) in turned.iter().zip(out.chunks_exact_mut(stride)) {
            if let Some(out) = out[start..start + bytes].first_chunk_mut() {
                *out = *row;
            } else {
                out[start..start + bytes].copy_from_slice(&row[..bytes]);
            }
        }
    }
}

impl Down<'_> {
    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Down { ring, row, first, weights, out } = self;
        let (columns, rest) = out.as_chunks_mut::<LANES>();
        let left = columns.len() * LANES;
        let (blocks, columns) = columns.as_chunks_mut::<4>();
        let start = first * row;
        for (i, out) in blocks.iter_mut().enumerate() {
            down_columns(isa, ring, row, start + i * 4 * LANES, weights, out);
        }
        let start = start + blocks.len() * 4 * LANES;
        for (i, out) in columns.iter_mut().enumerate() {
            down_columns(isa, ring, row, start + i * LANES, weights, core::array::from_mut(out));
        }
        for (i, out) in rest.iter_mut().enumerate() {
            *out = down_one(ring, row, first * row + left + i, weights);
        }
    }
}

/// `N` times sixteen columns of a result: few enough that the sums stay in registers. `at` is the place of the first
/// tap's bytes.
#[inline(always)]
fn down_columns<I: Isa, const N: usize>(
    isa: I,
    ring: &[u8],
    row: usize,
    mut at: usize,
    weights: &[u8],
    out: &mut [[u8; LANES]; N],
) {
    let mut sums = [isa.splat_int(ROUNDING); N];
    for weight in weights.as_chunks::<4>().0 {
        let weight = i32::from_ne_bytes(*weight);
        if let Some(bytes) = ring[at..].as_chunks::<LANES>().0.first_chunk::<N>() {
            for (sum, bytes) in sums.iter_mut().zip(bytes) {
                *sum = isa.weigh_bytes(*sum, bytes, weight);
            }
        }
        at = below(ring, at, row);
    }
    for (sum, out) in sums.into_iter().zip(out) {
        isa.store_bytes(sum, SHIFT, out);
    }
}

/// The same place one row further.
#[inline(always)]
fn below(ring: &[u8], at: usize, row: usize) -> usize {
    if at + row >= ring.len() { at + row - ring.len() } else { at + row }
}

/// One column of a result.
#[inline(always)]
fn down_one(ring: &[u8], row: usize, mut at: usize, weights: &[u8]) -> u8 {
    let mut sum = ROUNDING;
    for weight in weights.as_chunks::<4>().0 {
        sum = sum.wrapping_add(i32::from_ne_bytes(*weight).wrapping_mul(i32::from(ring[at])));
        at = below(ring, at, row);
    }
    (sum >> SHIFT).clamp(0, 255) as u8
}

/// The sum of coefficients.
#[inline(always)]
pub(super) fn sum_of(weights: &[u8]) -> i32 {
    let mut sum = 0_i32;
    for weight in weights.as_chunks::<4>().0 {
        sum = sum.wrapping_add(i32::from_ne_bytes(*weight));
    }
    sum
}

#[inline(always)]
fn word(bytes: &[u8]) -> [u8; 4] {
    // Callers hand slices of exactly four bytes.
    bytes.first_chunk().copied().unwrap_or_default()
}
