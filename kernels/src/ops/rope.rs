//! Rotary position embedding (Su et al., 2021).
//!
//! ```text
//! θᵢ = base^(−2i/d)   angle = position · θᵢ   (a, b) → (a cos − b sin, a sin + b cos)      i = 0 .. d/2 − 1
//! ```
//!
//! The frequencies θ are the model's ([`ocelli_tape::Rotary`]): those that reach beyond the trained context are changed, and sine and
//! cosine may be multiplied by a magnitude. Angles are computed once per call, for all layers and heads, in the precision
//! the reference uses: frequencies and angles are rounded to `f32`, the sine and cosine of that angle are exact to `f32`.
//!
//! Rotation is left to the compiler, which makes it of whole registers: an Ice Lake rotates 1.2 to 2.3 G values/s where pairs
//! are halves, 0.9 to 1.2 where they are neighbours, one or two hundredths of a prompt's time.

use super::{Kernel, Operands, Operation};
use crate::cpu::Isa;
use crate::tile::Tile;
use alloc::format;
use alloc::string::String;
use ocelli_tape::{Pairing, RunError};

/// `[rows, d]`: the cosines of all pairs, then the sines.
pub struct Angles<'a> {
    /// Position of the first row; the others follow.
    pub past: usize,
    /// One for each pair.
    pub frequencies: &'a [f32],
    /// What sines and cosines are multiplied by.
    pub magnitude: f32,
}

impl Kernel for Angles<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&self, _: I, tile: &mut Tile<'_>, _: &mut [f32]) {
        for r in tile.rows() {
            let (cos, sin) = tile.row(r).split_at_mut(self.frequencies.len());
            for ((f, cos), sin) in self.frequencies.iter().zip(cos).zip(sin) {
                let angle = (self.past + r) as f32 * *f;
                let (s, c) = libm::sincos(f64::from(angle));
                (*cos, *sin) = (c as f32 * self.magnitude, s as f32 * self.magnitude);
            }
        }
    }
}

/// Rotates the first `dim` elements of every head; the others are copied.
pub struct Rope<'a> {
    /// `[rows, heads · head_dim]`.
    pub x: &'a [f32],
    /// `[rows, dim]` of [`Angles`].
    pub angles: &'a [f32],
    /// Values of a row.
    pub width: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// d, even, at most `head_dim`.
    pub dim: usize,
    /// Which elements belong together.
    pub pairing: Pairing,
}

impl Kernel for Rope<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&self, _: I, tile: &mut Tile<'_>, _: &mut [f32]) {
        let half = self.dim / 2;
        for r in tile.rows() {
            let x = self.x.get(r * self.width..(r + 1) * self.width).unwrap_or(&[]);
            let Some((cos, sin)) =
                self.angles.get(r * self.dim..(r + 1) * self.dim).map(|a| a.split_at(half))
            else {
                continue;
            };
            for (y, x) in tile.row(r).chunks_exact_mut(self.head_dim).zip(x.chunks_exact(self.head_dim)) {
                let (y, rest) = y.split_at_mut(self.dim);
                let (x, tail) = x.split_at(self.dim);
                rest.copy_from_slice(tail);
                match self.pairing {
                    Pairing::Adjacent => {
                        let pairs = y.as_chunks_mut::<2>().0.iter_mut().zip(x.as_chunks::<2>().0);
                        for ((y, [a, b]), (c, s)) in pairs.zip(cos.iter().zip(sin)) {
                            *y = [a * c - b * s, a * s + b * c];
                        }
                    }
                    Pairing::Halves => {
                        let ((y0, y1), (x0, x1)) = (y.split_at_mut(half), x.split_at(half));
                        for (i, (c, s)) in cos.iter().zip(sin).enumerate() {
                            let (a, b) = (x0[i], x1[i]);
                            (y0[i], y1[i]) = (a * c - b * s, a * s + b * c);
                        }
                    }
                }
            }
        }
    }
}

/// [`Angles`] as a step: which of the program's rotaries.
#[derive(Clone, Copy, Debug)]
pub struct AnglesStep(pub(crate) usize);

impl Operation for AnglesStep {
    type Kernel<'a> = Angles<'a>;

    fn name(&self) -> &'static str {
        "angles"
    }

    fn block(&self, _: usize, _: usize) -> (usize, usize) {
        (64, usize::MAX)
    }

    fn bind<'a>(&self, operands: &Operands<'a>) -> Result<Angles<'a>, RunError> {
        let call = operands.call;
        let rotary = operands.rotaries.get(self.0).ok_or(RunError::Weight)?;
        Ok(Angles { past: call.past, frequencies: rotary.of(call.length()), magnitude: rotary.magnitude })
    }

    fn details(&self) -> String {
        format!(" rotary {}", self.0)
    }
}

/// [`Rope`] as a step.
#[derive(Clone, Copy, Debug)]
pub struct RopeStep {
    pub(crate) head_dim: usize,
    pub(crate) dim: usize,
    pub(crate) pairing: Pairing,
}

impl Operation for RopeStep {
    type Kernel<'a> = Rope<'a>;

    fn name(&self) -> &'static str {
        "rope"
    }

    fn bind<'a>(&self, operands: &Operands<'a>) -> Result<Rope<'a>, RunError> {
        let RopeStep { head_dim, dim, pairing } = *self;
        let (x, angles) = (operands.x(), operands.y().x);
        Ok(Rope { x: x.x, angles, width: x.width, head_dim, dim, pairing })
    }

    fn details(&self) -> String {
        format!(" {} of {} {:?}", self.dim, self.head_dim, self.pairing)
    }
}
