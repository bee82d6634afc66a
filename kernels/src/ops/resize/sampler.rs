//! A resample planned, and the sampler that runs it row by row.
//!
//! Scratch of a sampler, in this order (i32 as native bytes, because the caller's memory has no alignment):
//! ```text
//! columns   window.width × (first: u32, count: u32, sum: i32, coefficients: most_taps × i32)   unless w == w'
//! weights   most_taps × i32                                                             unless h == h'
//! ring      most_taps rows of the first pass, likewise; source row y lies in slot y mod most_taps
//! middle    one row between the passes, when the vertical one is first
//! line      window.width × channels bytes: the finished row
//! ```
//! A row of the first pass is `window.width` pixels wide, or as wide as the source when the vertical pass
//! is first.

use core::ops::Range;

use super::ResizeError;
use super::filter::{Axis, Filter, PRECISION_BITS, Taps};
use super::rows::{Ground, Rows, bytes};

/// Half a unit of the result, so that the shift rounds.
const ROUNDING: i32 = 1 << (PRECISION_BITS - 1);

/// Pillow holds the source box in f32, which is exact up to here.
const MOST_SIDE: u32 = 1 << 24;

/// Bytes of one horizontal tap list before its coefficients: first, count, and the coefficients' sum.
const TAPS_HEADER: usize = 12;

/// A part of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Window {
    /// The whole of an image.
    pub const fn whole(width: u32, height: u32) -> Self {
        Self { x: 0, y: 0, width, height }
    }

    /// Whether the window has pixels and lies inside `width`×`height`.
    fn check(&self, width: u32, height: u32) -> Result<(), ResizeError> {
        for (start, length, side) in [(self.x, self.width, width), (self.y, self.height, height)] {
            if length == 0 || start.checked_add(length).is_none_or(|end| end > side) {
                return Err(ResizeError::Window { start, length, side });
            }
        }
        Ok(())
    }
}

/// A resize that has been checked and whose memory is known.
#[derive(Debug, Clone, Copy)]
pub struct Resample {
    source: (u32, u32),
    channels: usize,
    horizontal: Axis,
    vertical: Axis,
    vertical_first: bool,
    window: Window,
}

impl Resample {
    /// From `source` to `target` (width, height) with `channels` interleaved bytes per pixel.
    ///
    /// # Errors
    /// [`ResizeError::ZeroSide`], [`ResizeError::SideTooLong`], [`ResizeError::Channels`].
    pub fn new(
        filter: Filter,
        channels: usize,
        source: (u32, u32),
        target: (u32, u32),
    ) -> Result<Self, ResizeError> {
        for (width, height) in [source, target] {
            if width == 0 || height == 0 {
                return Err(ResizeError::ZeroSide { width, height });
            }
        }
        let side = source.0.max(source.1);
        if side > MOST_SIDE {
            return Err(ResizeError::SideTooLong { side, most: MOST_SIDE });
        }
        if channels != 1 && channels != 3 {
            return Err(ResizeError::Channels { channels });
        }
        Ok(Self {
            source,
            channels,
            horizontal: Axis::new(filter, source.0, target.0),
            vertical: Axis::new(filter, source.1, target.1),
            vertical_first: vertical_first(source, target),
            window: Window::whole(target.0, target.1),
        })
    }

    /// The same resize of which only `window` is made: the bytes are those of the whole.
    ///
    /// # Errors
    /// [`ResizeError::Window`] when it is empty or reaches outside the target.
    pub fn windowed(self, window: Window) -> Result<Self, ResizeError> {
        window.check(self.horizontal.output, self.vertical.output)?;
        Ok(Self { window, ..self })
    }

    /// What is made of the target.
    pub const fn window(&self) -> Window {
        self.window
    }

    /// Bytes of the packed result.
    ///
    /// # Errors
    /// [`ResizeError::TooLarge`] when that does not fit the address space.
    pub fn output_bytes(&self) -> Result<usize, ResizeError> {
        bytes(self.window.width, self.window.height, self.channels)
    }

    /// Bytes of scratch that one sampler wants.
    ///
    /// # Errors
    /// [`ResizeError::TooLarge`] when that does not fit the address space.
    pub fn scratch_bytes(&self) -> Result<usize, ResizeError> {
        Ok(self.layout()?.total)
    }

    fn layout(&self) -> Result<Layout, ResizeError> {
        let line = bytes(self.window.width, 1, self.channels)?;
        let middle = if self.vertical_first { bytes(self.source.0, 1, self.channels)? } else { 0 };
        let ring_row = if self.vertical_first { middle } else { line };
        let (weights, slots) = if self.vertical.is_identity() {
            (0, 0)
        } else {
            (taps_bytes(&self.vertical), self.vertical.most_taps() as usize)
        };
        let place = || {
            let entry = taps_bytes(&self.horizontal).checked_add(TAPS_HEADER)?;
            let columns = if self.horizontal.is_identity() { 0 } else { self.window.width as usize };
            let columns = entry.checked_mul(columns)?;
            let ring = ring_row.checked_mul(slots)?;
            let parts = [columns, weights, ring, middle, line];
            let total = parts.iter().try_fold(0_usize, |sum, &part| sum.checked_add(part))?;
            Some(Layout { columns, weights, ring, ring_row, middle, line, total })
        };
        place().ok_or(ResizeError::TooLarge { width: self.window.width, height: self.window.height })
    }

    /// Starts resizing `source`.
    ///
    /// # Errors
    /// [`ResizeError::Source`] when it is not of the planned size, [`ResizeError::Channels`],
    /// [`ResizeError::TooShort`] for scratch.
    pub fn sampler<'a>(
        &self,
        source: &'a mut dyn Rows,
        scratch: &'a mut [u8],
    ) -> Result<Sampler<'a>, ResizeError> {
        let given = (source.width(), source.height());
        if given != self.source {
            return Err(ResizeError::Source { planned: self.source, given });
        }
        if source.channels() != self.channels {
            return Err(ResizeError::Channels { channels: source.channels() });
        }
        let layout = self.layout()?;
        let short = ResizeError::TooShort { what: "scratch", needed: layout.total, given: scratch.len() };
        let (columns, rest) = scratch.split_at_mut_checked(layout.columns).ok_or(short)?;
        let (weights, rest) = rest.split_at_mut_checked(layout.weights).ok_or(short)?;
        let (ring, rest) = rest.split_at_mut_checked(layout.ring).ok_or(short)?;
        let (middle, rest) = rest.split_at_mut_checked(layout.middle).ok_or(short)?;
        let line = rest.get_mut(..layout.line).ok_or(short)?;
        write_columns(&self.horizontal, &self.window, columns);
        let ring = Ring { bytes: ring, row: layout.ring_row, held: 0..0 };
        Ok(Sampler { plan: *self, source, columns, weights, ring, middle, line })
    }
}

/// Pillow 13's choice of the first pass: when the height loses more than twice as many pixels as the
/// width, filtering down the columns first leaves less to filter across.
fn vertical_first(source: (u32, u32), target: (u32, u32)) -> bool {
    let narrower = i64::from(source.0) - i64::from(target.0);
    let lower = i64::from(source.1) - i64::from(target.1);
    // With one axis unchanged there is one pass only, and no order.
    narrower != 0 && lower > 0 && lower > 2 * narrower
}

/// Bytes of each part of the scratch.
struct Layout {
    columns: usize,
    weights: usize,
    ring: usize,
    ring_row: usize,
    middle: usize,
    line: usize,
    total: usize,
}

fn taps_bytes(axis: &Axis) -> usize {
    // At most 2^24 taps of 4 bytes: no overflow, on 32 bits either.
    axis.most_taps() as usize * size_of::<i32>()
}

fn write_columns(axis: &Axis, window: &Window, columns: &mut [u8]) {
    let entry = TAPS_HEADER + taps_bytes(axis);
    for (x, entry) in (window.x..).zip(columns.chunks_exact_mut(entry)) {
        let taps = axis.taps(x);
        let (header, coefficients) = entry.split_at_mut(TAPS_HEADER);
        header[..4].copy_from_slice(&taps.first.to_ne_bytes());
        header[4..8].copy_from_slice(&taps.count.to_ne_bytes());
        write_coefficients(axis, &taps, coefficients);
        let sum = sum_of(&coefficients[..taps.count as usize * 4]);
        header[8..].copy_from_slice(&sum.to_ne_bytes());
    }
}

fn write_coefficients(axis: &Axis, taps: &Taps, out: &mut [u8]) {
    for (tap, slot) in (0..taps.count).zip(out.chunks_exact_mut(4)) {
        slot.copy_from_slice(&axis.coefficient(taps, tap).to_ne_bytes());
    }
}

fn sum_of(coefficients: &[u8]) -> i32 {
    let (coefficients, _) = coefficients.as_chunks::<4>();
    coefficients.iter().fold(0, |sum, weight| sum.wrapping_add(i32::from_ne_bytes(*weight)))
}

fn word(bytes: &[u8]) -> [u8; 4] {
    // Callers hand slices of exactly four bytes out of `chunks_exact(4)`.
    bytes.first_chunk().copied().unwrap_or_default()
}

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// A resample under way: a source of rows that makes each row when it is asked for.
pub struct Sampler<'a> {
    plan: Resample,
    source: &'a mut dyn Rows,
    columns: &'a [u8],
    weights: &'a mut [u8],
    ring: Ring<'a>,
    middle: &'a mut [u8],
    line: &'a mut [u8],
}

/// The rows of the first pass that the current output row needs.
struct Ring<'a> {
    bytes: &'a mut [u8],
    /// Bytes of one row.
    row: usize,
    /// The source rows it holds.
    held: Range<u32>,
}

impl Ring<'_> {
    fn slots(&self) -> u32 {
        (self.bytes.len() / self.row) as u32
    }

    fn start(&self, y: u32) -> usize {
        (y % self.slots()) as usize * self.row
    }
}

impl Sampler<'_> {
    /// Makes sure that the ring holds the source rows of `taps`; each is made once when output rows are
    /// asked for in ascending order.
    fn hold(&mut self, taps: &Taps) -> Result<(), ResizeError> {
        let ring = &mut self.ring;
        if taps.first < ring.held.start || taps.first > ring.held.end {
            ring.held = taps.first..taps.first;
        }
        for y in ring.held.end..taps.first + taps.count {
            let ground = self.source.ground(y);
            let row = self.source.row(y)?;
            let start = ring.start(y);
            let slot = &mut ring.bytes[start..start + ring.row];
            if self.plan.vertical_first {
                slot.copy_from_slice(row);
            } else if self.plan.horizontal.is_identity() {
                slot.copy_from_slice(part(row, &self.plan));
            } else {
                across(row, ground, self.columns, slot, &self.plan);
            }
            ring.held.end = y + 1;
            ring.held.start = ring.held.start.max(ring.held.end.saturating_sub(ring.slots()));
        }
        Ok(())
    }
}

/// The vertical pass of one row. Columns go in blocks so that the sums stay in registers.
fn down(ring: &Ring<'_>, taps: &Taps, weights: &[u8], out: &mut [u8]) {
    const BLOCK: usize = 64;
    for (block, out) in out.chunks_mut(BLOCK).enumerate() {
        let mut sums = [ROUNDING; BLOCK];
        for (tap, weight) in (0..taps.count).zip(weights.chunks_exact(4)) {
            let weight = i32::from_ne_bytes(word(weight));
            let start = ring.start(taps.first + tap) + block * BLOCK;
            let row = &ring.bytes[start..start + out.len()];
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum = sum.wrapping_add(weight.wrapping_mul(i32::from(value)));
            }
        }
        for (byte, sum) in out.iter_mut().zip(sums) {
            *byte = to_byte(sum);
        }
    }
}

/// The window's columns of a row that is not resized horizontally.
fn part<'r>(row: &'r [u8], plan: &Resample) -> &'r [u8] {
    let start = plan.window.x as usize * plan.channels;
    &row[start..start + plan.window.width as usize * plan.channels]
}

/// The horizontal pass of one row.
fn across(row: &[u8], ground: Option<Ground>, columns: &[u8], out: &mut [u8], plan: &Resample) {
    let across = if plan.channels == 3 { across_channels::<3> } else { across_channels::<1> };
    across(row, ground, columns, out, plan);
}

fn across_channels<const C: usize>(
    row: &[u8],
    ground: Option<Ground>,
    columns: &[u8],
    out: &mut [u8],
    plan: &Resample,
) {
    let (pixels, _) = row.as_chunks::<C>();
    let entry = TAPS_HEADER + taps_bytes(&plan.horizontal);
    for (entry, out) in columns.chunks_exact(entry).zip(out.as_chunks_mut::<C>().0) {
        let mut first = u32::from_ne_bytes(word(&entry[..4])) as usize;
        let mut end = first + u32::from_ne_bytes(word(&entry[4..8])) as usize;
        let mut sums = [ROUNDING; C];
        let mut coefficients = &entry[TAPS_HEADER..];
        if let Some(Ground { columns, color }) = &ground {
            let start = first;
            first = first.max(columns.start as usize);
            end = end.min(columns.end as usize).max(first);
            coefficients = coefficients.get((first - start) * 4..(end - start) * 4).unwrap_or_default();
            let outside = i32::from_ne_bytes(word(&entry[8..12])).wrapping_sub(sum_of(coefficients));
            for (sum, &value) in sums.iter_mut().zip(color) {
                *sum = sum.wrapping_add(outside.wrapping_mul(i32::from(value)));
            }
        }
        let pixels = pixels.get(first..end).unwrap_or_default();
        for (pixel, weight) in pixels.iter().zip(coefficients.as_chunks::<4>().0) {
            let weight = i32::from_ne_bytes(*weight);
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum = sum.wrapping_add(weight.wrapping_mul(i32::from(value)));
            }
        }
        *out = sums.map(to_byte);
    }
}

impl Rows for Sampler<'_> {
    fn width(&self) -> u32 {
        self.plan.window.width
    }

    fn height(&self) -> u32 {
        self.plan.window.height
    }

    fn channels(&self) -> usize {
        self.plan.channels
    }

    fn row(&mut self, y: u32) -> Result<&[u8], ResizeError> {
        let window = self.plan.window;
        if y >= window.height {
            return Err(ResizeError::Row { row: y, height: window.height });
        }
        let target = window.y + y;
        match (self.plan.horizontal.is_identity(), self.plan.vertical.is_identity()) {
            (true, true) => Ok(part(self.source.row(target)?, &self.plan)),
            (false, true) => {
                let ground = self.source.ground(target);
                across(self.source.row(target)?, ground, self.columns, self.line, &self.plan);
                Ok(self.line)
            }
            (_, false) => {
                let taps = self.plan.vertical.taps(target);
                write_coefficients(&self.plan.vertical, &taps, self.weights);
                self.hold(&taps)?;
                if self.plan.vertical_first {
                    down(&self.ring, &taps, self.weights, self.middle);
                    across(self.middle, None, self.columns, self.line, &self.plan);
                } else {
                    down(&self.ring, &taps, self.weights, self.line);
                }
                Ok(self.line)
            }
        }
    }
}
