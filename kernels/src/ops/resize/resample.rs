//! A resample planned: its taps, its memory, and the window of it that is made.
//!
//! Memory of a sampler, in this order (i32 as native bytes, because the caller's memory has no alignment):
//! ```text
//! columns   window.width × (first: u32, count: u32, sum: i32, pairs: (most_taps + 2) / 2 × 4 i16)    unless w == w'
//!           two neighbouring coefficients k, the first of them of an even column: k >> 11 of both, k mod 2^11 of both;
//!           samplers of one resample may share them
//! panel     pixels of sixteen rows, turned                                              unless w == w'
//! block     sixteen rows of the source, or between the passes when the vertical one is first; unless w == w'
//! weights   most_taps × i32                                                             unless h == h'
//! ring      rows of the first pass, source row y in slot y mod slots; slots is a multiple of sixteen and most_taps + 15
//!           or more, so that sixteen rows which begin at a multiple of sixteen lie together     unless h == h'
//! line      the finished row, or sixteen of them where the horizontal pass is last
//! ```
//! A row of the first pass is `window.width` pixels wide, or as wide as the source when the vertical pass
//! is first.

use super::ResizeError;
use super::filter::{Axis, Filter};
use super::pass::{PAIR_BYTES, PANEL_BYTES, TAPS_HEADER, set_coefficient};
use super::rows::bytes;
use crate::cpu::LANES;
pub use ocelli_tape::image::Window;

/// Pillow holds the source box in f32, which is exact up to here.
const MOST_SIDE: u32 = 1 << 24;

/// Whether a window has pixels and lies inside `width`×`height`.
fn check(window: Window, width: u32, height: u32) -> Result<(), ResizeError> {
    for (start, length, side) in [(window.x, window.width, width), (window.y, window.height, height)] {
        if length == 0 || start.checked_add(length).is_none_or(|end| end > side) {
            return Err(ResizeError::Window { start, length, side });
        }
    }
    Ok(())
}

/// A resize that has been checked and whose memory is known.
#[derive(Debug, Clone, Copy)]
pub struct Resample {
    pub(super) source: (u32, u32),
    pub(super) channels: usize,
    pub(super) horizontal: Axis,
    pub(super) vertical: Axis,
    pub(super) vertical_first: bool,
    pub(super) window: Window,
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
        check(window, self.horizontal.output, self.vertical.output)?;
        Ok(Self { window, ..self })
    }

    /// What is made of the target.
    pub const fn window(&self) -> Window {
        self.window
    }

    /// Rows of the source that a row of the result needs, at most: what two neighbouring bands both read.
    pub fn reach(&self) -> u32 {
        if self.vertical.is_identity() { 1 } else { self.vertical.most_taps() }
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
        let total = self.columns_bytes()?.checked_add(self.own_bytes()?);
        total.ok_or_else(|| self.too_large())
    }

    /// Bytes of the columns' taps: the part that samplers of one resample may share.
    ///
    /// # Errors
    /// As [`Resample::scratch_bytes`].
    pub fn columns_bytes(&self) -> Result<usize, ResizeError> {
        let columns = if self.horizontal.is_identity() { 0 } else { self.window.width as usize };
        columns.checked_mul(self.entry_bytes()).ok_or_else(|| self.too_large())
    }

    /// Bytes of what each of these samplers wants for itself.
    ///
    /// # Errors
    /// As [`Resample::scratch_bytes`].
    pub fn own_bytes(&self) -> Result<usize, ResizeError> {
        Ok(self.layout()?.total)
    }

    /// Bytes of one column's taps.
    pub(super) fn entry_bytes(&self) -> usize {
        // At most 2^24 taps: no overflow, on 32 bits either.
        (self.horizontal.most_taps() as usize + 2) / 2 * PAIR_BYTES + TAPS_HEADER
    }

    fn too_large(&self) -> ResizeError {
        ResizeError::TooLarge { width: self.window.width, height: self.window.height }
    }

    pub(super) fn layout(&self) -> Result<Layout, ResizeError> {
        let row = bytes(self.window.width, 1, self.channels)?;
        let source_row = bytes(self.source.0, 1, self.channels)?;
        let ring_row = if self.vertical_first { source_row } else { row };
        let (across, down) = (!self.horizontal.is_identity(), !self.vertical.is_identity());
        let slots = (self.vertical.most_taps() as usize + LANES - 1).next_multiple_of(LANES);
        let place = || {
            let mut layout = Layout { ring_row, row, ..Layout::default() };
            if across {
                layout.panel = PANEL_BYTES;
                layout.block = source_row.checked_mul(LANES)?;
            }
            if down {
                layout.weights = taps_bytes(&self.vertical);
                layout.ring = ring_row.checked_mul(slots)?;
            }
            let lines = if across && (!down || self.vertical_first) { LANES } else { 1 };
            layout.line = row.checked_mul(lines)?;
            let Layout { panel, block, weights, ring, line, .. } = layout;
            let parts = [panel, block, weights, ring, line];
            layout.total = parts.iter().try_fold(0_usize, |sum, &part| sum.checked_add(part))?;
            Some(layout)
        };
        place().ok_or_else(|| self.too_large())
    }

    /// Writes the columns' taps into `memory`.
    ///
    /// # Errors
    /// [`ResizeError::TooShort`] for `memory`.
    pub fn columns<'a>(&self, memory: &'a mut [u8]) -> Result<Columns<'a>, ResizeError> {
        let (needed, given) = (self.columns_bytes()?, memory.len());
        let short = ResizeError::TooShort { what: "memory for taps", needed, given };
        let columns = memory.get_mut(..needed).ok_or(short)?;
        write_columns(&self.horizontal, &self.window, self.entry_bytes(), columns);
        Ok(Columns(columns))
    }
}

/// The taps of a resample's columns, for as many samplers as are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a>(pub(super) &'a [u8]);

/// Pillow 13's choice of the first pass: when the height loses more than twice as many pixels as the
/// width, filtering down the columns first leaves less to filter across.
fn vertical_first(source: (u32, u32), target: (u32, u32)) -> bool {
    let narrower = i64::from(source.0) - i64::from(target.0);
    let lower = i64::from(source.1) - i64::from(target.1);
    // With one axis unchanged there is one pass only, and no order.
    narrower != 0 && lower > 0 && lower > 2 * narrower
}

/// Bytes of each part of a sampler's own memory.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) panel: usize,
    pub(super) block: usize,
    pub(super) weights: usize,
    pub(super) ring: usize,
    pub(super) ring_row: usize,
    /// One row of the result.
    pub(super) row: usize,
    pub(super) line: usize,
    pub(super) total: usize,
}

fn taps_bytes(axis: &Axis) -> usize {
    // At most 2^24 taps of 4 bytes: no overflow, on 32 bits either.
    axis.most_taps() as usize * size_of::<i32>()
}

fn write_columns(axis: &Axis, window: &Window, entry: usize, columns: &mut [u8]) {
    for (x, entry) in (window.x..).zip(columns.chunks_exact_mut(entry)) {
        let (header, pairs) = entry.split_at_mut(TAPS_HEADER);
        pairs.fill(0);
        let first = axis.first(x);
        let (mut sum, mut place) = (0_i32, first as usize % 2);
        let taps = axis.each(x, &mut |coefficient| {
            set_coefficient(pairs, place, coefficient);
            sum = sum.wrapping_add(coefficient);
            place += 1;
        });
        header[..4].copy_from_slice(&taps.first.to_ne_bytes());
        header[4..8].copy_from_slice(&taps.count.to_ne_bytes());
        header[8..].copy_from_slice(&sum.to_ne_bytes());
    }
}
