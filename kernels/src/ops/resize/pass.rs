//! What is done to pixels row by row, compiled for every instruction set.
//!
//! Across, sixteen rows go together and lanes are rows: their pixels are turned into a *panel*
//! in which the sixteen bytes of a column lie side by side, so that taps are coefficients times whole vectors, whatever
//! the filter's position is; finished columns are turned back. Two neighbouring pixels are multiplied at once, by the upper
//! and by the lower half of their coefficients, in 16 bits. Down, lanes are columns. Both are sums of
//! `i32` products, which wrap nowhere for a sum of coefficients near one (2^22 · 255 < 2^30), so no order of theirs
//! could show.
//!
//! Of a decoded photo of 12 megapixels two threads of an Ice Lake make SmolVLM's thirteen normalised tiles in 32 to 45 ms, one
//! thread in 62 to 85 (`benches/record`).

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

/// Bits of a coefficient's lower part: both parts fit 16 bits, and pairs of them are multiplied at once.
const LOW_BITS: i32 = 11;

/// Bytes of two coefficients: upper parts, lower parts.
pub(super) const PAIR_BYTES: usize = 8;

/// Puts a coefficient at its place in a list of pairs.
pub(super) fn set_coefficient(pairs: &mut [u8], place: usize, coefficient: i32) {
    let at = place / 2 * PAIR_BYTES + place % 2 * 2;
    // Below 2^24 by far, so the upper part fits.
    let (high, low) = ((coefficient >> LOW_BITS) as i16, (coefficient & ((1 << LOW_BITS) - 1)) as i16);
    if let Some(pair) = pairs.get_mut(at..at + 6) {
        pair[..2].copy_from_slice(&high.to_ne_bytes());
        pair[4..].copy_from_slice(&low.to_ne_bytes());
    }
}

/// The coefficient at a place of a list of pairs.
fn coefficient(pairs: &[u8], place: usize) -> i32 {
    let at = place / 2 * PAIR_BYTES + place % 2 * 2;
    let part = |at: usize| {
        let bytes = pairs.get(at..).and_then(<[u8]>::first_chunk).copied();
        i32::from(i16::from_ne_bytes(bytes.unwrap_or_default()))
    };
    (part(at) << LOW_BITS) + part(at + 4)
}

/// A column's taps.
struct Span<'a> {
    /// The first pixel and that after the last.
    first: usize,
    end: usize,
    pairs: &'a [u8],
    /// Sum of the coefficients.
    total: i32,
}

impl<'a> Span<'a> {
    #[inline(always)]
    fn new(entry: &'a [u8]) -> Self {
        let (header, pairs) = entry.split_at(TAPS_HEADER);
        let first = u32::from_ne_bytes(word(&header[..4])) as usize;
        let end = first + u32::from_ne_bytes(word(&header[4..8])) as usize;
        Span { first, end, pairs, total: i32::from_ne_bytes(word(&header[8..12])) }
    }

    /// The coefficient of pixel `at`.
    fn coefficient(&self, at: usize) -> i32 {
        coefficient(self.pairs, at - self.first / 2 * 2)
    }
}

/// Pixels of sixteen rows, turned and in pairs: for every two pixels and every channel the sixteen rows' two bytes.
struct Panel<'a> {
    bytes: &'a mut [u8],
    /// The pixels that it holds, from an even one on.
    from: usize,
    to: usize,
}

impl Panel<'_> {
    /// Makes sure that it holds pixel `at`, which is even, and as many of those before `end` as it can.
    #[inline(always)]
    fn hold<I: Isa, const C: usize>(&mut self, isa: I, rows: &[&[u8]; LANES], at: usize, end: usize) {
        if at >= self.from && (end <= self.to || at == self.from && at < self.to) {
            return;
        }
        let (pairs, _) = self.bytes.as_chunks_mut::<{ 2 * LANES }>();
        let (pairs, _) = pairs.as_chunks_mut::<C>();
        let (blocks, _) = pairs.as_chunks_mut::<{ LANES / 2 }>();
        for (block, pairs) in blocks[..PANEL / LANES].iter_mut().enumerate() {
            let start = (at + block * LANES) * C;
            let mut columns = [[[0; LANES]; LANES]; C];
            for (group, columns) in columns.iter_mut().enumerate() {
                turn(isa, rows, start + group * LANES, columns);
            }
            let columns = columns.as_flattened();
            for (p, pairs) in pairs.iter_mut().enumerate() {
                for (c, pair) in pairs.iter_mut().enumerate() {
                    isa.zip_bytes(&columns[2 * p * C + c], &columns[2 * p * C + C + c], pair);
                }
            }
        }
        (self.from, self.to) = (at, at + PANEL);
    }

    /// Pixel `at` of all rows in channel `c`.
    fn pixel<const C: usize>(&self, at: usize, c: usize) -> [u8; LANES] {
        let at = at - self.from;
        let start = (at / 2 * C + c) * 2 * LANES + at % 2;
        let mut bytes = [0; LANES];
        let pairs = self.bytes.get(start..).unwrap_or_default();
        for (byte, pair) in bytes.iter_mut().zip(pairs.iter().step_by(2)) {
            *byte = *pair;
        }
        bytes
    }
}

/// Sixteen columns from `start` on.
#[inline(always)]
fn turn<I: Isa>(isa: I, rows: &[&[u8]; LANES], start: usize, columns: &mut [[u8; LANES]; LANES]) {
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

/// Sixteen columns where a row ends or is empty: what is missing is zero, and has coefficients of zero.
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
            let span = Span::new(entry);
            let inside = ground.as_ref().is_none_or(|ground| {
                ground.columns.start as usize <= span.first && span.end <= ground.columns.end as usize
            });
            let sums = match &ground {
                Some(ground) if !inside => at_the_edge::<I, C>(isa, &rows, &mut panel, &span, ground),
                _ => taps::<I, C>(isa, &rows, &mut panel, &span),
            };
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

/// A column whose taps all lie in the picture, lanes being rows: half a unit and `Σ k · pixel[c]`.
#[inline(always)]
fn taps<I: Isa, const C: usize>(
    isa: I,
    rows: &[&[u8]; LANES],
    panel: &mut Panel<'_>,
    span: &Span<'_>,
) -> [I::N; C] {
    let mut sums = [[isa.splat_int(0), isa.splat_int(ROUNDING)]; C];
    let first = span.first / 2 * 2;
    let mut at = first;
    while at < span.end {
        panel.hold::<I, C>(isa, rows, at, span.end);
        let end = span.end.min(panel.to);
        let (by, _) = span.pairs[(at - first) / 2 * PAIR_BYTES..].as_chunks::<4>();
        let (by, _) = by.as_chunks::<2>();
        let (pairs, _) = panel.bytes.as_chunks::<{ 2 * LANES }>();
        let (pairs, _) = pairs.as_chunks::<C>();
        let count = (end - at).div_ceil(2);
        let start = (at - panel.from) / 2;
        for (pairs, by) in pairs[start..start + count].iter().zip(&by[..count]) {
            for (sums, pairs) in sums.iter_mut().zip(pairs) {
                *sums = isa.weigh_pairs(*sums, pairs, by);
            }
        }
        at = end;
    }
    let mut whole = [isa.splat_int(0); C];
    for (whole, [high, low]) in whole.iter_mut().zip(sums) {
        *whole = isa.add_int(isa.shift_left(high, LOW_BITS), low);
    }
    whole
}

/// The same where some taps, or all, fall on the ground: they add its colour times the sum of their coefficients.
#[inline(always)]
fn at_the_edge<I: Isa, const C: usize>(
    isa: I,
    rows: &[&[u8]; LANES],
    panel: &mut Panel<'_>,
    span: &Span<'_>,
    ground: &Ground,
) -> [I::N; C] {
    let mut sums = [isa.splat_int(ROUNDING); C];
    let mut outside = span.total;
    let first = span.first.max(ground.columns.start as usize);
    for at in first..span.end.min(ground.columns.end as usize) {
        panel.hold::<I, C>(isa, rows, at / 2 * 2, at + 1);
        let by = span.coefficient(at);
        outside = outside.wrapping_sub(by);
        for (c, sum) in sums.iter_mut().enumerate() {
            *sum = isa.weigh_bytes(*sum, &panel.pixel::<C>(at, c), by);
        }
    }
    for (sum, color) in sums.iter_mut().zip(ground.color) {
        *sum = isa.add_int(*sum, isa.splat_int(outside.wrapping_mul(i32::from(color))));
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

#[inline(always)]
fn word(bytes: &[u8]) -> [u8; 4] {
    // Callers hand slices of exactly four bytes.
    bytes.first_chunk().copied().unwrap_or_default()
}
