//! The steps of one sheet, done in bands of rows by several threads.
//!
//! ```text
//! frame ─ to RGB, row by row ─> pad ─> resize ─> resize, window ─> rows of the sheet
//! ```
//! A band is a window of the last resize and has a chain of its own, which makes of every step the rows that the band
//! needs; the rows around a cut are made by both neighbours. Taps of columns are the same in all bands: they are written
//! once. Whoever makes a row, its bytes are the same.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use ocelli_kernels::Machine;
use ocelli_kernels::ops::Kernels;
use ocelli_kernels::ops::resize::{
    Canvas, Columns, Frame, FrameRows, Polled, Resample, ResizeError, Rows, Window,
};
use ocelli_kernels::pool::Interrupt;
use ocelli_kernels::tile::{Grid, Tile};
use ocelli_models::recipe::Pad;

use super::ImageError;

/// Rows of a sheet that share cells of four bytes.
pub(super) const TOGETHER: usize = 4;

/// Of the rows that a band reads, at most one in so many is read by the next band too.
const OVERLAP: u32 = 8;

/// Bands per thread, so that a thread that is held up elsewhere does not keep the others waiting.
const BANDS: usize = 4;

/// The steps of one sheet.
pub(super) struct Steps {
    /// Width and height of the image.
    pub(super) from: (u32, u32),
    pub(super) pad: Option<Pad>,
    pub(super) via: Option<Resample>,
    pub(super) last: Resample,
}

/// What all bands of a sheet read.
struct Shared<'a> {
    steps: &'a Steps,
    kernels: &'a dyn Kernels,
    frame: &'a Frame<'a>,
    via: Option<Columns<'a>>,
    last: Columns<'a>,
}

impl Steps {
    /// Bytes of the taps that bands share: those of the two resizes.
    fn shared(&self) -> Result<(usize, usize), ImageError> {
        let via = self.via.map_or(Ok(0), |via| via.columns_bytes())?;
        Ok((via, self.last.columns_bytes()?))
    }

    /// Bytes of a thread's own chain: a row of RGB, a row of the padded image, and of the two resizes.
    fn own(&self) -> Result<[usize; 4], ImageError> {
        let line = (self.from.0 as usize).saturating_mul(3);
        let canvas = self.pad.map_or(Ok(0), |pad| Canvas::scratch_bytes(pad.size.0, 3))?;
        let via = self.via.map_or(Ok(0), |via| via.own_bytes())?;
        Ok([line, canvas, via, self.last.own_bytes()?])
    }

    /// Cells of scratch: the shared part, and that of a thread.
    fn parts(&self) -> Result<(usize, usize), ImageError> {
        // Each is at most an allocation that fits; a sum of them may not.
        let (via, last) = self.shared()?;
        let own = self.own()?.iter().fold(0_usize, |sum, part| sum.saturating_add(*part));
        Ok((via.saturating_add(last).div_ceil(size_of::<f32>()), own.div_ceil(size_of::<f32>())))
    }

    /// Cells of scratch for so many threads.
    pub(super) fn cells(&self, threads: usize) -> Result<usize, ImageError> {
        let (shared, own) = self.parts()?;
        Ok(own.saturating_mul(threads.max(1)).saturating_add(shared))
    }

    /// How many bands so many threads make.
    fn bands(&self, threads: usize) -> usize {
        let reach = self.last.reach().max(self.via.map_or(1, |via| via.reach()));
        let height = self.pad.map_or(self.from.1, |pad| pad.size.1).max(self.last.window().height);
        let most = (height / reach.saturating_mul(OVERLAP)) as usize;
        if threads < 2 { 1 } else { most.clamp(1, threads.saturating_mul(BANDS)) }
    }

    /// Makes the sheet.
    pub(super) fn run(
        &self,
        machine: Machine<'_>,
        frame: &Frame<'_>,
        out: &mut [f32],
        scratch: &mut [f32],
        interrupt: &dyn Interrupt,
    ) -> Result<(), ImageError> {
        let threads = machine.pool.threads();
        let (needed, given) = (self.cells(threads)?, scratch.len());
        let short = ImageError::TooShort { what: "cells of scratch", needed, given };
        let (shared, own) = scratch.get_mut(..needed).ok_or(short)?.split_at_mut(self.parts()?.0);
        let (via, last) = bytemuck::cast_slice_mut(shared).split_at_mut(self.shared()?.0);
        let via = self.via.map(|resample| resample.columns(via)).transpose()?;
        let shared =
            Shared { steps: self, kernels: machine.kernels, frame, via, last: self.last.columns(last)? };
        // What a chain refuses it refuses when it is made: after this none can fail but by being stopped.
        shared.chain(self.last.window(), bytemuck::cast_slice_mut(own), interrupt, &mut |_| Ok(()))?;
        let window = self.last.window();
        let width = window.width as usize * 3;
        let groups = (window.height as usize).div_ceil(TOGETHER);
        let grid = Grid::new(out, width, (groups.div_ceil(self.bands(threads)), width));
        let stopped = AtomicBool::new(false);
        let work = |tile: &mut Tile<'_>, own: &mut [f32]| {
            if shared.band(tile, bytemuck::cast_slice_mut(own), interrupt).is_err() {
                stopped.store(true, Relaxed);
            }
        };
        let result = machine.pool.run(grid, own, interrupt, &work);
        if result.is_err() || stopped.load(Relaxed) { Err(ResizeError::Cancelled.into()) } else { Ok(()) }
    }
}

impl Shared<'_> {
    /// Makes the rows of a tile.
    fn band(&self, tile: &mut Tile<'_>, own: &mut [u8], interrupt: &dyn Interrupt) -> Result<(), ImageError> {
        let whole = self.steps.last.window();
        let first = tile.rows().start * TOGETHER;
        let end = (tile.rows().end * TOGETHER).min(whole.height as usize);
        let window = Window { y: whole.y + first as u32, height: (end - first) as u32, ..whole };
        self.chain(window, own, interrupt, &mut |rows| {
            for y in first..end {
                if interrupt.stopped() {
                    return Err(ResizeError::Cancelled.into());
                }
                let group: &mut [u8] = bytemuck::cast_slice_mut(tile.row(y / TOGETHER));
                let row = rows.row((y - first) as u32)?;
                let start = y % TOGETHER * row.len();
                if let Some(place) = group.get_mut(start..start + row.len()) {
                    place.copy_from_slice(row);
                }
            }
            Ok(())
        })
    }

    /// Lends the rows of a window of the sheet.
    fn chain(
        &self,
        window: Window,
        own: &mut [u8],
        interrupt: &dyn Interrupt,
        take: &mut dyn FnMut(&mut dyn Rows) -> Result<(), ImageError>,
    ) -> Result<(), ImageError> {
        let [line, canvas, via, last] = self.steps.own()?;
        let (line, free) = own.split_at_mut(line);
        let (on_canvas, free) = free.split_at_mut(canvas);
        let (of_via, of_last) = free.split_at_mut(via);
        let of_last = of_last.get_mut(..last).unwrap_or_default();
        let stop = || interrupt.stopped();
        let mut source = FrameRows::new(self.kernels, *self.frame, line)?;
        let mut polled = Polled::new(&mut source, &stop);
        let mut rows: &mut dyn Rows = &mut polled;
        let mut padded;
        if let Some(pad) = self.steps.pad {
            padded = Canvas::new(rows, pad.size, pad.at, pad.color, on_canvas)?;
            rows = &mut padded;
        }
        let mut sampler;
        if let (Some(via), Some(columns)) = (self.steps.via, self.via) {
            sampler = via.share(self.kernels, columns, rows, of_via)?;
            rows = &mut sampler;
        }
        let last = self.steps.last.windowed(window)?;
        take(&mut last.share(self.kernels, self.last, rows, of_last)?)
    }
}
