//! Where rows come from, and where they go.

use core::ops::Range;

use super::ResizeError;
use crate::cpu::LANES;

/// An image that hands out its rows, each `width · channels` bytes, channels interleaved.
pub trait Rows {
    /// Width in pixels.
    fn width(&self) -> u32;

    /// Height in pixels.
    fn height(&self) -> u32;

    /// Channels per pixel.
    fn channels(&self) -> usize;

    /// One row. Any order is right; ascending order is fast.
    ///
    /// # Errors
    /// [`ResizeError::Row`] beyond the last row, and what the source itself refuses.
    fn row(&mut self, y: u32) -> Result<&[u8], ResizeError>;

    /// Up to sixteen rows from `y` on, to be looked at together: lent where they are in memory, else copied into
    /// `room`, which holds so many. Those beyond `count` are empty. Of rows with a known [`Ground`] only its columns
    /// need be there.
    ///
    /// # Errors
    /// As [`Rows::row`], and [`ResizeError::TooShort`] for `room`.
    fn block<'s>(&'s mut self, y: u32, count: u32, room: &'s mut [u8]) -> Result<Block<'s>, ResizeError> {
        copied(self, y, count, room)
    }

    /// Where a row is of one colour, if that is known.
    fn ground(&self, y: u32) -> Option<Ground> {
        let _ = y;
        None
    }
}

/// Sixteen rows that are looked at together.
pub type Block<'a> = [&'a [u8]; LANES];

/// Rows copied one by one.
fn copied<'s, R: Rows + ?Sized>(
    source: &mut R,
    y: u32,
    count: u32,
    room: &'s mut [u8],
) -> Result<Block<'s>, ResizeError> {
    let row = bytes(source.width(), 1, source.channels())?;
    let mut rows: Block<'s> = [&[]; LANES];
    let mut free = room;
    for (y, lent) in (y..y + count).zip(&mut rows) {
        let short = ResizeError::TooShort { what: "room for rows", needed: row, given: free.len() };
        let (place, rest) = free.split_at_mut_checked(row).ok_or(short)?;
        place.copy_from_slice(source.row(y)?);
        *lent = place;
        free = rest;
    }
    Ok(rows)
}

/// How many rows from `y` on, of at most `most`, have the ground of the first.
pub(super) fn matching(rows: &dyn Rows, y: u32, most: u32) -> u32 {
    let first = rows.ground(y);
    (1..most).find(|i| rows.ground(y + i) != first).unwrap_or(most)
}

/// A row that has one colour outside some columns: a filter can take the sum of its coefficients there,
/// which is exact in integers, instead of going from pixel to pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// The columns that may differ.
    pub columns: Range<u32>,
    /// The colour of all others.
    pub color: [u8; 3],
}

/// `width · height · channels`, or the error that says it does not fit.
pub(super) fn bytes(width: u32, height: u32, channels: usize) -> Result<usize, ResizeError> {
    (width as usize)
        .checked_mul(channels)
        .and_then(|row| row.checked_mul(height as usize))
        .ok_or(ResizeError::TooLarge { width, height })
}

/// An image in memory: interleaved 8-bit channels, rows top-down, `stride` bytes apart.
#[derive(Debug, Clone, Copy)]
pub struct Pixels<'a> {
    data: &'a [u8],
    width: u32,
    height: u32,
    channels: usize,
    stride: usize,
}

impl<'a> Pixels<'a> {
    /// An image whose rows lie `stride` bytes apart (the last may end right after its pixels).
    ///
    /// # Errors
    /// [`ResizeError::ZeroSide`], [`ResizeError::Channels`], and [`ResizeError::TooShort`] when `data` is
    /// shorter than the rows or a row is longer than `stride`.
    pub fn new(
        data: &'a [u8],
        width: u32,
        height: u32,
        channels: usize,
        stride: usize,
    ) -> Result<Self, ResizeError> {
        if width == 0 || height == 0 {
            return Err(ResizeError::ZeroSide { width, height });
        }
        if channels != 1 && channels != 3 {
            return Err(ResizeError::Channels { channels });
        }
        let row = bytes(width, 1, channels)?;
        if stride < row {
            return Err(ResizeError::TooShort { what: "source row", needed: row, given: stride });
        }
        let needed = stride
            .checked_mul(height as usize - 1)
            .and_then(|before| before.checked_add(row))
            .ok_or(ResizeError::TooLarge { width, height })?;
        if data.len() < needed {
            return Err(ResizeError::TooShort { what: "source", needed, given: data.len() });
        }
        Ok(Self { data, width, height, channels, stride })
    }

    /// An RGB image with no gap between its rows.
    ///
    /// # Errors
    /// As [`Pixels::new`].
    pub fn rgb(data: &'a [u8], width: u32, height: u32) -> Result<Self, ResizeError> {
        let stride = bytes(width, 1, 3)?;
        Self::new(data, width, height, 3, stride)
    }
}

impl Rows for Pixels<'_> {
    fn width(&self) -> u32 {
        self.width
    }

    fn height(&self) -> u32 {
        self.height
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn row(&mut self, y: u32) -> Result<&[u8], ResizeError> {
        let missing = ResizeError::Row { row: y, height: self.height };
        if y >= self.height {
            return Err(missing);
        }
        let start = y as usize * self.stride;
        self.data.get(start..start + self.width as usize * self.channels).ok_or(missing)
    }

    fn block<'s>(&'s mut self, y: u32, count: u32, _room: &'s mut [u8]) -> Result<Block<'s>, ResizeError> {
        let mut rows: Block<'s> = [&[]; LANES];
        for (y, lent) in (y..y + count).zip(&mut rows) {
            let start = y as usize * self.stride;
            let missing = ResizeError::Row { row: y, height: self.height };
            *lent = self.data.get(start..start + self.width as usize * self.channels).ok_or(missing)?;
        }
        Ok(rows)
    }
}

/// A source placed on a larger ground of one colour.
pub struct Canvas<'a> {
    source: &'a mut dyn Rows,
    width: u32,
    height: u32,
    left: u32,
    top: u32,
    color: [u8; 3],
    /// The ground, with the source's columns overwritten once one of its rows has been asked for.
    line: &'a mut [u8],
    holds_source: bool,
}

impl<'a> Canvas<'a> {
    /// Bytes of scratch for a canvas: one row.
    ///
    /// # Errors
    /// [`ResizeError::TooLarge`] when that does not fit the address space.
    pub fn scratch_bytes(width: u32, channels: usize) -> Result<usize, ResizeError> {
        bytes(width, 1, channels)
    }

    /// Puts `source` with its top left corner at (`left`, `top`) of a `width`×`height` ground. A source
    /// with one channel uses the colour's first component.
    ///
    /// # Errors
    /// [`ResizeError::Window`] when the source does not lie inside, [`ResizeError::TooShort`] for scratch.
    pub fn new(
        source: &'a mut dyn Rows,
        (width, height): (u32, u32),
        (left, top): (u32, u32),
        color: [u8; 3],
        scratch: &'a mut [u8],
    ) -> Result<Self, ResizeError> {
        for (start, length, side) in [(left, source.width(), width), (top, source.height(), height)] {
            if start.checked_add(length).is_none_or(|end| end > side) {
                return Err(ResizeError::Window { start, length, side });
            }
        }
        let needed = Self::scratch_bytes(width, source.channels())?;
        let given = scratch.len();
        let line =
            scratch.get_mut(..needed).ok_or(ResizeError::TooShort { what: "scratch", needed, given })?;
        paint(line, source.channels(), color);
        Ok(Self { source, width, height, left, top, color, line, holds_source: false })
    }
}

impl Rows for Canvas<'_> {
    fn width(&self) -> u32 {
        self.width
    }

    fn height(&self) -> u32 {
        self.height
    }

    fn channels(&self) -> usize {
        self.source.channels()
    }

    fn row(&mut self, y: u32) -> Result<&[u8], ResizeError> {
        if y >= self.height {
            return Err(ResizeError::Row { row: y, height: self.height });
        }
        let channels = self.source.channels();
        let start = self.left as usize * channels;
        let inside = start..start + self.source.width() as usize * channels;
        if let Some(row) = self.inside(y) {
            self.line[inside].copy_from_slice(self.source.row(row)?);
            self.holds_source = true;
        } else if self.holds_source {
            paint(&mut self.line[inside], channels, self.color);
            self.holds_source = false;
        }
        Ok(self.line)
    }

    fn block<'s>(&'s mut self, y: u32, count: u32, room: &'s mut [u8]) -> Result<Block<'s>, ResizeError> {
        let last = y.saturating_add(count).saturating_sub(1);
        match (self.inside(y), self.inside(last)) {
            (Some(row), Some(_)) if self.source.width() == self.width => self.source.block(row, count, room),
            // Of rows of ground alone nobody reads a pixel.
            _ if (y..=last).all(|y| self.inside(y).is_none()) => Ok([&[]; LANES]),
            _ => self.pictures(y, count, room),
        }
    }

    fn ground(&self, y: u32) -> Option<Ground> {
        let width = if self.inside(y).is_some() { self.source.width() } else { 0 };
        (width < self.width).then_some(Ground { columns: self.left..self.left + width, color: self.color })
    }
}

impl Canvas<'_> {
    /// Rows whose picture is copied to its place and whose ground is not painted: what is around a picture one pixel wide
    /// may be a million times as large.
    fn pictures<'s>(&'s mut self, y: u32, count: u32, room: &'s mut [u8]) -> Result<Block<'s>, ResizeError> {
        let row = bytes(self.width, 1, self.source.channels())?;
        let start = self.left as usize * self.source.channels();
        let length = bytes(self.source.width(), 1, self.source.channels())?;
        let short = ResizeError::TooShort { what: "room for rows", needed: row, given: room.len() };
        let mut rows: Block<'s> = [&[]; LANES];
        let mut free = room;
        for (y, lent) in (y..y + count).zip(&mut rows) {
            let (place, rest) = free.split_at_mut_checked(row).ok_or(short)?;
            if let Some(row) = self.inside(y) {
                place[start..start + length].copy_from_slice(self.source.row(row)?);
            }
            *lent = place;
            free = rest;
        }
        Ok(rows)
    }

    /// The source's row that lies in row `y`.
    fn inside(&self, y: u32) -> Option<u32> {
        y.checked_sub(self.top).filter(|&row| row < self.source.height())
    }
}

fn paint(pixels: &mut [u8], channels: usize, color: [u8; 3]) {
    for pixel in pixels.chunks_exact_mut(channels) {
        pixel.copy_from_slice(&color[..channels]);
    }
}

/// A source that asks whether to stop before each of its rows: put it at the bottom of a chain, where a
/// row is the smallest piece of work.
pub struct Polled<'a> {
    source: &'a mut dyn Rows,
    stop: &'a dyn Fn() -> bool,
}

impl<'a> Polled<'a> {
    /// Wraps `source`; `stop` answering true ends the chain with [`ResizeError::Cancelled`].
    pub fn new(source: &'a mut dyn Rows, stop: &'a dyn Fn() -> bool) -> Self {
        Self { source, stop }
    }
}

impl Rows for Polled<'_> {
    fn width(&self) -> u32 {
        self.source.width()
    }

    fn height(&self) -> u32 {
        self.source.height()
    }

    fn channels(&self) -> usize {
        self.source.channels()
    }

    fn row(&mut self, y: u32) -> Result<&[u8], ResizeError> {
        if (self.stop)() { Err(ResizeError::Cancelled) } else { self.source.row(y) }
    }

    fn block<'s>(&'s mut self, y: u32, count: u32, room: &'s mut [u8]) -> Result<Block<'s>, ResizeError> {
        if (self.stop)() { Err(ResizeError::Cancelled) } else { self.source.block(y, count, room) }
    }

    fn ground(&self, y: u32) -> Option<Ground> {
        self.source.ground(y)
    }
}

/// Writes every row of `source` into `out`, packed, asking `stop` before each.
///
/// # Errors
/// [`ResizeError::TooShort`] when `out` cannot hold them, [`ResizeError::Cancelled`], and the source's own.
pub fn copy_rows(source: &mut dyn Rows, out: &mut [u8], stop: &dyn Fn() -> bool) -> Result<(), ResizeError> {
    let row_bytes = bytes(source.width(), 1, source.channels())?;
    let needed = bytes(source.width(), source.height(), source.channels())?;
    let given = out.len();
    let out = out.get_mut(..needed).ok_or(ResizeError::TooShort { what: "output", needed, given })?;
    for (y, line) in (0..source.height()).zip(out.chunks_exact_mut(row_bytes)) {
        if stop() {
            return Err(ResizeError::Cancelled);
        }
        line.copy_from_slice(source.row(y)?);
    }
    Ok(())
}
