//! A resample under way.

use core::ops::Range;

use super::ResizeError;
use super::filter::Taps;
use super::pass::{Across, Down, Pass};
use super::resample::{Columns, Resample};
use super::rows::{Ground, Rows, matching};
use crate::cpu::LANES;
use crate::ops::Kernels;

impl Resample {
    /// Starts resizing `source` on an instruction set.
    ///
    /// # Errors
    /// [`ResizeError::Source`] when it is not of the planned size, [`ResizeError::Channels`],
    /// [`ResizeError::TooShort`] for scratch.
    pub fn sampler<'a>(
        &self,
        kernels: &'a dyn Kernels,
        source: &'a mut dyn Rows,
        scratch: &'a mut [u8],
    ) -> Result<Sampler<'a>, ResizeError> {
        self.check(source)?;
        let (needed, given) = (self.scratch_bytes()?, scratch.len());
        let short = ResizeError::TooShort { what: "scratch", needed, given };
        let (columns, own) = scratch.split_at_mut_checked(self.columns_bytes()?).ok_or(short)?;
        if own.len() < self.own_bytes()? {
            return Err(short);
        }
        let columns = self.columns(columns)?;
        self.share(kernels, columns, source, own)
    }

    /// As [`Resample::sampler`], with taps that another sampler may use as well; `window` is a window with the same
    /// columns.
    ///
    /// # Errors
    /// As [`Resample::sampler`].
    pub fn share<'a>(
        &self,
        kernels: &'a dyn Kernels,
        columns: Columns<'a>,
        source: &'a mut dyn Rows,
        scratch: &'a mut [u8],
    ) -> Result<Sampler<'a>, ResizeError> {
        self.check(source)?;
        let (needed, given) = (self.columns_bytes()?, columns.0.len());
        if needed != given {
            return Err(ResizeError::TooShort { what: "memory for taps", needed, given });
        }
        let layout = self.layout()?;
        let short = ResizeError::TooShort { what: "scratch", needed: layout.total, given: scratch.len() };
        let (panel, rest) = scratch.split_at_mut_checked(layout.panel).ok_or(short)?;
        let (block, rest) = rest.split_at_mut_checked(layout.block).ok_or(short)?;
        let (weights, rest) = rest.split_at_mut_checked(layout.weights).ok_or(short)?;
        let (ring, rest) = rest.split_at_mut_checked(layout.ring).ok_or(short)?;
        let line = rest.get_mut(..layout.line).ok_or(short)?;
        let ring = Ring { bytes: ring, row: layout.ring_row, held: 0..0 };
        let across = Horizontal { kernels, columns: columns.0, panel, plan: *self };
        Ok(Sampler { across, source, block, weights, ring, line, row: layout.row, made: 0..0 })
    }

    /// Whether the source is the one that was planned for.
    fn check(&self, source: &dyn Rows) -> Result<(), ResizeError> {
        let given = (source.width(), source.height());
        if given != self.source {
            return Err(ResizeError::Source { planned: self.source, given });
        }
        let channels = source.channels();
        if channels == self.channels { Ok(()) } else { Err(ResizeError::Channels { channels }) }
    }
}

/// A source of rows that makes each row when it is asked for.
pub struct Sampler<'a> {
    across: Horizontal<'a>,
    source: &'a mut dyn Rows,
    block: &'a mut [u8],
    weights: &'a mut [u8],
    ring: Ring<'a>,
    line: &'a mut [u8],
    /// Bytes of one row of the result.
    row: usize,
    /// The rows of the result that `line` holds.
    made: Range<u32>,
}

/// The horizontal pass.
struct Horizontal<'a> {
    plan: Resample,
    kernels: &'a dyn Kernels,
    columns: &'a [u8],
    panel: &'a mut [u8],
}

impl Horizontal<'_> {
    fn run(&mut self, mut rows: [&[u8]; LANES], ground: Option<Ground>, out: &mut [u8]) {
        // Lanes without a row do as the first does: a panel whose rows are all there is turned fastest.
        let first = rows[0];
        rows.iter_mut().filter(|row| row.is_empty()).for_each(|row| *row = first);
        let (channels, entry) = (self.plan.channels, self.plan.entry_bytes());
        let (columns, panel) = (self.columns, &mut *self.panel);
        self.kernels.pixels(Pass::Across(Across { rows, channels, ground, columns, entry, panel, out }));
    }
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

    fn slot(&self, y: u32) -> usize {
        (y % self.slots()) as usize
    }

    /// The place of `count` rows from `y` on, which do not reach over a multiple of sixteen.
    fn place(&mut self, y: u32, count: u32) -> &mut [u8] {
        let start = self.slot(y) * self.row;
        &mut self.bytes[start..start + count as usize * self.row]
    }

    fn now_holds(&mut self, end: u32) {
        self.held.end = end;
        self.held.start = self.held.start.max(end.saturating_sub(self.slots()));
    }

    /// The vertical pass of one row.
    fn down(&self, kernels: &dyn Kernels, taps: &Taps, weights: &[u8], out: &mut [u8]) {
        let first = self.slot(taps.first);
        let weights = &weights[..taps.count as usize * 4];
        kernels.pixels(Pass::Down(Down { ring: self.bytes, row: self.row, first, weights, out }));
    }
}

impl Sampler<'_> {
    /// Makes sure that the ring holds the source rows of `taps`; each is made once when output rows are
    /// asked for in ascending order.
    fn hold(&mut self, taps: &Taps) -> Result<(), ResizeError> {
        let plan = self.across.plan;
        if taps.first < self.ring.held.start || taps.first > self.ring.held.end {
            self.ring.held = taps.first..taps.first;
        }
        let straight = plan.vertical_first || plan.horizontal.is_identity();
        while self.ring.held.end < taps.first + taps.count {
            let y = self.ring.held.end;
            let mut count = 1;
            if straight {
                let row = self.source.row(y)?;
                let row = if plan.vertical_first { row } else { part(row, &plan) };
                self.ring.place(y, 1).copy_from_slice(row);
            } else {
                count = self.rows_together(y);
                let ground = self.source.ground(y);
                let rows = self.source.block(y, count, self.block)?;
                self.across.run(rows, ground, self.ring.place(y, count));
            }
            self.ring.now_holds(y + count);
        }
        Ok(())
    }

    /// How many rows from `y` on go through the horizontal pass at once: to the next multiple of sixteen, of one ground.
    fn rows_together(&self, y: u32) -> u32 {
        let most = (LANES as u32 - y % LANES as u32).min(self.source.height() - y);
        matching(self.source, y, most)
    }

    /// The row `y` of the target from the rows that it needs.
    fn vertical(&mut self, y: u32) -> Result<Taps, ResizeError> {
        let taps = self.across.plan.vertical.write(y, self.weights);
        self.hold(&taps)?;
        Ok(taps)
    }

    /// Makes rows from `y` of the window on, where the horizontal pass is last, and so makes sixteen at once.
    fn make_block(&mut self, y: u32) -> Result<(), ResizeError> {
        let window = self.across.plan.window;
        let target = window.y + y;
        self.made = 0..0;
        let most = (LANES as u32).min(window.height - y);
        let count = if self.across.plan.vertical_first {
            let row = self.ring.row;
            for i in 0..most {
                let taps = self.vertical(target + i)?;
                let middle = &mut self.block[i as usize * row..(i as usize + 1) * row];
                self.ring.down(self.across.kernels, &taps, self.weights, middle);
            }
            let mut rows: [&[u8]; LANES] = [&[]; LANES];
            for (lent, row) in rows.iter_mut().zip(self.block.chunks_exact(row)).take(most as usize) {
                *lent = row;
            }
            self.across.run(rows, None, &mut self.line[..most as usize * self.row]);
            most
        } else {
            let count = matching(self.source, target, most);
            let ground = self.source.ground(target);
            let rows = self.source.block(target, count, self.block)?;
            self.across.run(rows, ground, &mut self.line[..count as usize * self.row]);
            count
        };
        self.made = y..y + count;
        Ok(())
    }
}

/// The window's columns of a row that is not resized horizontally.
fn part<'r>(row: &'r [u8], plan: &Resample) -> &'r [u8] {
    let start = plan.window.x as usize * plan.channels;
    &row[start..start + plan.window.width as usize * plan.channels]
}

impl Rows for Sampler<'_> {
    fn width(&self) -> u32 {
        self.across.plan.window.width
    }

    fn height(&self) -> u32 {
        self.across.plan.window.height
    }

    fn channels(&self) -> usize {
        self.across.plan.channels
    }

    fn row(&mut self, y: u32) -> Result<&[u8], ResizeError> {
        let plan = self.across.plan;
        if y >= plan.window.height {
            return Err(ResizeError::Row { row: y, height: plan.window.height });
        }
        let target = plan.window.y + y;
        match (plan.horizontal.is_identity(), plan.vertical.is_identity()) {
            (true, true) => Ok(part(self.source.row(target)?, &plan)),
            (across, down) if !across && (down || plan.vertical_first) => {
                if !self.made.contains(&y) {
                    self.make_block(y)?;
                }
                let start = (y - self.made.start) as usize * self.row;
                Ok(&self.line[start..start + self.row])
            }
            _ => {
                let taps = self.vertical(target)?;
                self.ring.down(self.across.kernels, &taps, self.weights, self.line);
                Ok(self.line)
            }
        }
    }
}
