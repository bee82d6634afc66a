//! Resizing 8-bit images exactly as Pillow does: separable, anti-aliased, in fixed point.
//!
//! Per axis, with `scale = in / out`, `stretch = max(1, scale)` and the filter's `support`:
//! ```text
//! centre(o) = (o + 0.5) · scale
//! first(o)  = max(0,  trunc(centre − support·stretch + 0.5))
//! end(o)    = min(in, trunc(centre + support·stretch + 0.5))
//! w(o, t)   = filter((t − centre + 0.5) / stretch), normalised so that Σ_t w(o, t) = 1
//! k(o, t)   = round_half_away(w · 2^22)
//! out(o)    = clamp((2^21 + Σ_t k(o, t) · in(t)) >> 22, 0, 255)
//! ```
//! The result of the first pass is 8-bit again; an axis whose size does not change is not filtered at
//! all. The horizontal pass is first unless `in_h − out_h > max(0, 2·(in_w − out_w))`. That is the rule of
//! Pillow 13; earlier versions begin horizontally (lately save for images over a hundred times as high as
//! wide), and where the orders differ some bytes do too. Source: `Resample.c` of Pillow 13.0.0, whose output
//! the goldens hold.
//!
//! Everything is a stream of rows. [`Rows`] hands out one row at a time; [`Pixels`] is an image in
//! memory, [`FrameRows`] a camera's frame turned to RGB, [`Canvas`] puts one on a larger coloured ground, [`Polled`]
//! asks whether to stop, and a [`Sampler`] resizes any of them, another sampler included. A sampler keeps only the rows
//! of the first pass that one output row needs (119 of them for 10000 → 512 with Lanczos, and up to 15 more, because the
//! horizontal pass takes sixteen rows at a time), never the image between the passes. How the two passes are computed
//! on an instruction set is told in `pass.rs`.
//!
//! A [`Resample`] may be restricted to a window of its output. A window is also how work is split: bands
//! of rows given to several workers are windows of the same resample, and their bytes are those of the
//! whole.
//!
//! Nothing here allocates; [`Resample::scratch_bytes`] says what a sampler wants. Refused: sides of zero
//! or above 2^24 in the source (Pillow holds the box in f32, which is exact up to there), channel counts
//! other than 1 and 3, and slices that are too short.

mod colors;
mod convert;
mod error;
mod filter;
mod frame;
mod pass;
mod resample;
mod rows;
mod sampler;

pub use colors::{Colors, Matrix, Range};
pub use convert::{Convert, FrameRows};
pub use error::ResizeError;
pub use filter::Filter;
pub use frame::{Frame, FrameError, PixelFormat, Plane};
pub use pass::{Across, Down, Pass};
pub use resample::{Columns, Resample, Window};
pub use rows::{Block, Canvas, Ground, Pixels, Polled, Rows, copy_rows};
pub use sampler::Sampler;

use crate::ops::Kernels;

/// Resizes `source` into `out` (rows packed, top-down), asking `stop` before every row read or written.
///
/// # Errors
/// Whatever [`Resample::sampler`] and [`copy_rows`] refuse; [`ResizeError::Cancelled`] when `stop`
/// answered true. `out` then holds the rows finished so far.
pub fn resize(
    kernels: &dyn Kernels,
    plan: &Resample,
    source: &mut dyn Rows,
    out: &mut [u8],
    scratch: &mut [u8],
    stop: &dyn Fn() -> bool,
) -> Result<(), ResizeError> {
    let mut polled = Polled::new(source, stop);
    let mut sampler = plan.sampler(kernels, &mut polled, scratch)?;
    copy_rows(&mut sampler, out, stop)
}

#[cfg(test)]
mod tests;
