//! Runs a [`ViewPlan`]: pixels to sheets, sheets to normalised rows.
//!
//! A value is `(f32(f64(u8) · (1/255)) − mean) / std`: the product in f64 and rounded once, the rest in
//! f32, which is what the reference computes in numpy, bit for bit.

use ocelli_kernels::ops::resize::{Canvas, Frame, FrameRows, Pixels, Polled, Resample, Rows, copy_rows};
use ocelli_models::recipe::{ImageRecipe, Origin, Pad, Sheet, ViewPlan};

use super::ImageError;

/// Bytes that an image takes between its pixels and its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// The 8-bit sheets: kept until the last view has been written.
    pub sheets: usize,
    /// Working memory of [`Preprocessor::make_sheets`], free afterwards.
    pub scratch: usize,
    /// One view's rows, in bytes (four per value).
    pub view: usize,
}

/// An image's way through a recipe.
#[derive(Debug, Clone, Copy)]
pub struct Preprocessor {
    recipe: ImageRecipe,
    plan: ViewPlan,
}

/// The steps of one sheet.
struct Steps {
    pad: Option<Pad>,
    via: Option<Resample>,
    last: Resample,
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

    /// The exact bytes that [`Preprocessor::make_sheets`] and [`Preprocessor::write_view`] want.
    ///
    /// # Errors
    /// [`ImageError::Resize`] when a size does not fit the address space or a side is too long.
    pub fn memory(&self) -> Result<Memory, ImageError> {
        let mut memory =
            Memory { sheets: 0, scratch: 0, view: self.values_per_view().saturating_mul(size_of::<f32>()) };
        for sheet in self.plan.sheets() {
            let steps = self.steps(&sheet)?;
            memory.sheets = memory.sheets.saturating_add(steps.last.output_bytes()?);
            memory.scratch = memory.scratch.max(steps.scratch_bytes()?);
        }
        memory.scratch = memory.scratch.saturating_add(self.line());
        Ok(memory)
    }

    /// Bytes of a row of the image, for frames that must be turned to RGB.
    fn line(&self) -> usize {
        (self.plan.source.0 as usize).saturating_mul(3)
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
        Ok(Steps { pad: sheet.pad, via, last })
    }

    fn first_size(&self) -> (u32, u32) {
        self.plan.sheets().next().map_or((0, 0), |sheet| (sheet.window.width, sheet.window.height))
    }

    /// Resizes, pads and crops `frame` into `sheets`. `stop` is asked before every row; answering true
    /// ends with [`ResizeError::Cancelled`](ocelli_kernels::ops::resize::ResizeError::Cancelled).
    ///
    /// # Errors
    /// [`ImageError::TooShort`] when a slice is shorter than [`Preprocessor::memory`] says, and
    /// [`ImageError::Resize`], also when `frame` is not of the planned size.
    pub fn make_sheets(
        &self,
        frame: &Frame<'_>,
        sheets: &mut [u8],
        scratch: &mut [u8],
        stop: &dyn Fn() -> bool,
    ) -> Result<(), ImageError> {
        let memory = self.memory()?;
        let given = sheets.len();
        let mut free = sheets.get_mut(..memory.sheets).ok_or(ImageError::TooShort {
            what: "bytes for the resized image",
            needed: memory.sheets,
            given,
        })?;
        let (needed, given) = (memory.scratch, scratch.len());
        let short = ImageError::TooShort { what: "bytes of scratch", needed, given };
        let (line, scratch) = scratch.split_at_mut_checked(self.line()).ok_or(short)?;
        let mut source = FrameRows::new(*frame, line)?;
        let mut first: &[u8] = &[];
        for sheet in self.plan.sheets() {
            let steps = self.steps(&sheet)?;
            let (out, rest) = free.split_at_mut(steps.last.output_bytes()?);
            free = rest;
            match sheet.origin {
                Origin::Image => steps.run(&mut source, out, scratch, stop)?,
                Origin::FirstSheet => {
                    let (width, height) = self.first_size();
                    steps.run(&mut Pixels::rgb(first, width, height)?, out, scratch, stop)?;
                }
            }
            first = out;
        }
        Ok(())
    }

    /// Writes one view's rows, normalised: `(T/p)²` patches in raster order, each (channel, y, x).
    ///
    /// # Errors
    /// [`ImageError::View`] beyond the last view, [`ImageError::TooShort`] for either slice.
    pub fn write_view(&self, sheets: &[u8], view: u32, out: &mut [f32]) -> Result<(), ImageError> {
        let views = self.plan.views();
        let place = self.plan.view(view).ok_or(ImageError::View { view, views })?;
        let mut start = 0;
        let mut width = 0;
        for (index, sheet) in self.plan.sheets().enumerate() {
            width = sheet.window.width as usize;
            if index == place.sheet {
                break;
            }
            start += width * sheet.window.height as usize * 3;
        }
        let (needed, given) = (self.values_per_view(), out.len());
        let short = ImageError::TooShort { what: "values for a view", needed, given };
        let out = out.get_mut(..needed).ok_or(short)?;
        start += (place.y as usize * width + place.x as usize) * 3;
        let end = start + (self.plan.tile as usize - 1) * width * 3 + self.plan.tile as usize * 3;
        let short = ImageError::TooShort { what: "bytes of resized image", needed: end, given: sheets.len() };
        let pixels = sheets.get(start..end).ok_or(short)?;
        write_patches(&self.recipe, pixels, width * 3, out);
        Ok(())
    }
}

impl Steps {
    fn scratch_bytes(&self) -> Result<usize, ImageError> {
        let canvas = self.pad.map_or(Ok(0), |pad| Canvas::scratch_bytes(pad.size.0, 3))?;
        let via = self.via.map_or(Ok(0), |via| via.scratch_bytes())?;
        // Each is at most an allocation that fits; three of them may not.
        Ok(canvas.saturating_add(via).saturating_add(self.last.scratch_bytes()?))
    }

    fn run(
        &self,
        source: &mut dyn Rows,
        out: &mut [u8],
        scratch: &mut [u8],
        stop: &dyn Fn() -> bool,
    ) -> Result<(), ImageError> {
        let (needed, given) = (self.scratch_bytes()?, scratch.len());
        let mut free = scratch.get_mut(..needed).ok_or(ImageError::TooShort {
            what: "bytes of scratch",
            needed,
            given,
        })?;
        let mut polled = Polled::new(source, stop);
        let mut rows: &mut dyn Rows = &mut polled;
        let mut canvas;
        if let Some(pad) = self.pad {
            let (line, rest) = free.split_at_mut(Canvas::scratch_bytes(pad.size.0, 3)?);
            free = rest;
            canvas = Canvas::new(rows, pad.size, pad.at, pad.color, line)?;
            rows = &mut canvas;
        }
        let mut sampler;
        if let Some(via) = self.via {
            let (own, rest) = free.split_at_mut(via.scratch_bytes()?);
            free = rest;
            sampler = via.sampler(rows, own)?;
            rows = &mut sampler;
        }
        let mut last = self.last.sampler(rows, free)?;
        Ok(copy_rows(&mut last, out, stop)?)
    }
}

/// `pixels` begins at the view's corner; its rows lie `stride` bytes apart.
fn write_patches(recipe: &ImageRecipe, pixels: &[u8], stride: usize, out: &mut [f32]) {
    let patch = recipe.patch as usize;
    let side = recipe.tile as usize / patch;
    let tables: [[f32; 256]; 3] = core::array::from_fn(|c| table(recipe.mean[c], recipe.std[c]));
    for (index, out) in out.chunks_exact_mut(3 * patch * patch).enumerate() {
        let corner = index / side * patch * stride + index % side * patch * 3;
        for (c, (table, plane)) in tables.iter().zip(out.chunks_exact_mut(patch * patch)).enumerate() {
            for (y, line) in plane.chunks_exact_mut(patch).enumerate() {
                let row = pixels[corner + y * stride..].chunks_exact(3);
                for (value, pixel) in line.iter_mut().zip(row) {
                    *value = table[usize::from(pixel[c])];
                }
            }
        }
    }
}

fn table(mean: f32, std: f32) -> [f32; 256] {
    core::array::from_fn(|byte| ((byte as f64 * (1.0 / 255.0)) as f32 - mean) / std)
}
