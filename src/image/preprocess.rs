//! Runs a [`ViewPlan`]: pixels to sheets, sheets to normalised rows.
//!
//! A value is `(f32(f64(u8) · (1/255)) − mean) / std`: the product in f64 and rounded once, the rest in
//! f32, which is what the reference computes in numpy, bit for bit.
//!
//! A sheet's rows lie packed, four of them in as many cells of four bytes as a row has bytes, so that bands of rows are
//! tiles of a matrix and threads can share them; what a last group lacks of four rows is empty.

use ocelli_kernels::Machine;
use ocelli_kernels::ops::resize::{Frame, Resample, ResizeError};
use ocelli_kernels::pool::Interrupt;
use ocelli_kernels::tile::Grid;
use ocelli_models::recipe::{ImageRecipe, Origin, Sheet, ViewPlan};

use super::ImageError;
use super::bands::{Steps, TOGETHER};

/// Bytes that an image takes between its pixels and its rows; each a multiple of four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// The 8-bit sheets: kept until the last view has been written.
    pub sheets: usize,
    /// Working memory of [`Preprocessor::make_sheets`] for all threads, free afterwards.
    pub scratch: usize,
    /// One view's rows.
    pub view: usize,
}

/// An image's way through a recipe.
#[derive(Debug, Clone, Copy)]
pub struct Preprocessor {
    recipe: ImageRecipe,
    plan: ViewPlan,
}

impl Preprocessor {
    /// Plans for an image of `width`×`height` pixels, at most `most_tokens` visual tokens.
    ///
    /// # Errors
    /// [`ImageError::Recipe`], as [`ImageRecipe::plan`].
    pub fn new(
        recipe: &ImageRecipe,
        width: u32,
        height: u32,
        most_tokens: Option<u32>,
    ) -> Result<Self, ImageError> {
        let plan = recipe.plan(width, height, most_tokens)?;
        Ok(Self { recipe: *recipe, plan })
    }

    /// What becomes of the image.
    pub fn plan(&self) -> &ViewPlan {
        &self.plan
    }

    /// Values of one view: `(T/p)² · 3·p·p`.
    pub fn values_per_view(&self) -> usize {
        self.recipe.patches_per_view() as usize * self.recipe.values_per_patch() as usize
    }

    /// The exact bytes that [`Preprocessor::make_sheets`] and [`Preprocessor::write_view`] want with so many threads.
    ///
    /// # Errors
    /// [`ImageError::Resize`] when a size does not fit the address space or a side is too long.
    pub fn memory(&self, threads: usize) -> Result<Memory, ImageError> {
        let (mut sheets, mut scratch) = (0_usize, 0);
        for sheet in self.plan.sheets() {
            let steps = self.steps(&sheet)?;
            sheets = sheets.saturating_add(sheet_cells(&steps.last));
            scratch = scratch.max(steps.cells(threads)?);
        }
        let bytes = |cells: usize| cells.saturating_mul(size_of::<f32>());
        Ok(Memory { sheets: bytes(sheets), scratch: bytes(scratch), view: bytes(self.values_per_view()) })
    }

    fn steps(&self, sheet: &Sheet) -> Result<Steps, ImageError> {
        let from = match sheet.origin {
            Origin::Image => self.plan.source,
            Origin::FirstSheet => self.first_size(),
        };
        let ground = sheet.pad.map_or(from, |pad| pad.size);
        let filter = self.recipe.filter;
        let via = sheet.via.map(|size| Resample::new(filter, 3, ground, size)).transpose()?;
        let last =
            Resample::new(filter, 3, sheet.via.unwrap_or(ground), sheet.size)?.windowed(sheet.window)?;
        Ok(Steps { from, pad: sheet.pad, via, last })
    }

    fn first_size(&self) -> (u32, u32) {
        self.plan.sheets().next().map_or((0, 0), |sheet| (sheet.window.width, sheet.window.height))
    }

    /// Resizes, pads and crops `frame` into `sheets`, bands of rows shared among the threads. The interrupt is asked
    /// before every row of a sheet and every sixteen of the image; when it stops, this ends with
    /// [`ResizeError::Cancelled`](ocelli_kernels::ops::resize::ResizeError::Cancelled). The bytes depend neither on the
    /// threads nor on the instruction set.
    ///
    /// # Errors
    /// [`ImageError::TooShort`] when a slice is shorter than [`Preprocessor::memory`] says, and
    /// [`ImageError::Resize`], also when `frame` is not of the planned size.
    pub fn make_sheets(
        &self,
        machine: Machine<'_>,
        frame: &Frame<'_>,
        sheets: &mut [f32],
        scratch: &mut [f32],
        interrupt: &dyn Interrupt,
    ) -> Result<(), ImageError> {
        let needed = self.memory(machine.pool.threads())?.sheets / size_of::<f32>();
        let given = sheets.len();
        let short = ImageError::TooShort { what: "cells for the resized image", needed, given };
        let mut free = sheets.get_mut(..needed).ok_or(short)?;
        let (width, height) = self.first_size();
        let mut first: &[u8] = &[];
        for sheet in self.plan.sheets() {
            let steps = self.steps(&sheet)?;
            let (out, rest) = free.split_at_mut(sheet_cells(&steps.last));
            free = rest;
            match sheet.origin {
                Origin::Image => steps.run(machine, frame, out, scratch, interrupt)?,
                Origin::FirstSheet => {
                    let first = Frame::rgb(first, width, height)?;
                    steps.run(machine, &first, out, scratch, interrupt)?;
                }
            }
            first = bytemuck::cast_slice(out);
        }
        Ok(())
    }

    /// Writes one view's rows, normalised: `(T/p)²` patches in raster order, each (channel, y, x).
    ///
    /// # Errors
    /// [`ImageError::View`] beyond the last view, [`ImageError::TooShort`] for either slice, and
    /// [`ImageError::Resize`] when the interrupt stops it.
    pub fn write_view(
        &self,
        machine: Machine<'_>,
        sheets: &[f32],
        view: u32,
        out: &mut [f32],
        interrupt: &dyn Interrupt,
    ) -> Result<(), ImageError> {
        let views = self.plan.views();
        let place = self.plan.view(view).ok_or(ImageError::View { view, views })?;
        let sheets: &[u8] = bytemuck::cast_slice(sheets);
        let mut start = 0;
        let mut width = 0;
        for (index, sheet) in self.plan.sheets().enumerate() {
            width = sheet.window.width as usize;
            if index == place.sheet {
                break;
            }
            start += sheet_cells(&self.steps(&sheet)?.last) * size_of::<f32>();
        }
        let (needed, given) = (self.values_per_view(), out.len());
        let short = ImageError::TooShort { what: "values for a view", needed, given };
        let out = out.get_mut(..needed).ok_or(short)?;
        start += (place.y as usize * width + place.x as usize) * 3;
        let end = start + (self.plan.tile as usize - 1) * width * 3 + self.plan.tile as usize * 3;
        let short = ImageError::TooShort { what: "bytes of resized image", needed: end, given: sheets.len() };
        let pixels = sheets.get(start..end).ok_or(short)?;
        self.normalise(machine, pixels, width * 3, out, interrupt)
    }

    /// `pixels` begins at the view's corner; its rows lie `stride` bytes apart.
    fn normalise(
        &self,
        machine: Machine<'_>,
        pixels: &[u8],
        stride: usize,
        out: &mut [f32],
        interrupt: &dyn Interrupt,
    ) -> Result<(), ImageError> {
        let recipe = &self.recipe;
        let patch = recipe.patch as usize;
        let side = recipe.tile as usize / patch;
        let tables: [[f32; 256]; 3] = core::array::from_fn(|c| table(recipe.mean[c], recipe.std[c]));
        let values = recipe.values_per_patch() as usize;
        let grid = Grid::new(out, values, (side, values));
        let write = |tile: &mut ocelli_kernels::tile::Tile<'_>, _: &mut [f32]| {
            for index in tile.rows() {
                let corner = index / side * patch * stride + index % side * patch * 3;
                write_patch(
                    patch,
                    &tables,
                    pixels.get(corner..).unwrap_or_default(),
                    stride,
                    tile.row(index),
                );
            }
        };
        let done = machine.pool.run(grid, &mut [], interrupt, &write);
        done.map_err(|_| ResizeError::Cancelled.into())
    }
}

/// Cells of four bytes that a sheet takes.
fn sheet_cells(last: &Resample) -> usize {
    let window = last.window();
    let groups = (window.height as usize).div_ceil(TOGETHER);
    groups.saturating_mul((window.width as usize).saturating_mul(3))
}

/// One patch, whose first pixel is the first of `pixels`: all its red, all green, all blue.
fn write_patch(patch: usize, tables: &[[f32; 256]; 3], pixels: &[u8], stride: usize, out: &mut [f32]) {
    let (red, rest) = out.split_at_mut(patch * patch);
    let (green, blue) = rest.split_at_mut(patch * patch);
    let lines =
        red.chunks_exact_mut(patch).zip(green.chunks_exact_mut(patch)).zip(blue.chunks_exact_mut(patch));
    for (((red, green), blue), row) in lines.zip(pixels.chunks(stride)) {
        let values = red.iter_mut().zip(green).zip(blue);
        for (((red, green), blue), pixel) in values.zip(row.as_chunks::<3>().0) {
            *red = tables[0][usize::from(pixel[0])];
            *green = tables[1][usize::from(pixel[1])];
            *blue = tables[2][usize::from(pixel[2])];
        }
    }
}

fn table(mean: f32, std: f32) -> [f32; 256] {
    core::array::from_fn(|byte| ((byte as f64 * (1.0 / 255.0)) as f32 - mean) / std)
}
