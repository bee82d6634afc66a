//! Rotary position embedding (Su et al., 2021).
//!
//! ```text
//! θᵢ = base^(−2i/d)   angle = position · θᵢ   (a, b) → (a cos − b sin, a sin + b cos)      i = 0 .. d/2 − 1
//! ```
//!
//! Angles are computed once per call, for all layers and heads, in the precision the reference uses: frequencies
//! and angles are rounded to `f32`, the sine and cosine of that angle are exact to `f32`.
//!
//! Rotation is left to the compiler, which makes it of whole registers: an Ice Lake rotates 1.2 to 2.3 G values/s where pairs
//! are halves, 0.9 to 1.2 where they are neighbours, one or two hundredths of a prompt's time.

use super::Kernel;
use crate::cpu::Isa;
use crate::formats;
use crate::tile::Tile;
use crate::weight::Matrix;

/// Which two elements of a head form pair i.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pairing {
    /// (2i, 2i + 1): the paper, and `llama` files.
    Adjacent,
    /// (i, i + d/2): GPT-NeoX, and most others.
    Halves,
}

/// `[rows, d]`: the cosines of all pairs, then the sines.
pub struct Angles<'a> {
    /// Position of the first row; the others follow.
    pub past: usize,
    /// The base of the frequencies.
    pub base: f32,
    /// d, the rotated elements of a head.
    pub dim: usize,
    /// Divisors of the frequencies, `d/2` values in one row (Llama 3's long contexts).
    pub factors: Option<Matrix<'a>>,
}

impl Kernel for Angles<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, scratch: &mut [f32]) {
        let half = self.dim / 2;
        let Some(frequencies) = scratch.get_mut(..half) else { return };
        if let Some(f) = &self.factors {
            formats::decode(isa, f.format, f.bytes, frequencies);
        } else {
            frequencies.fill(1.0);
        }
        for (i, f) in frequencies.iter_mut().enumerate() {
            let exponent = (2 * i) as f32 / self.dim as f32;
            let power = libm::pow(f64::from(self.base), f64::from(exponent)) as f32;
            *f = 1.0 / power / *f;
        }
        for r in tile.rows() {
            let (cos, sin) = tile.row(r).split_at_mut(half);
            for ((f, cos), sin) in frequencies.iter().zip(cos).zip(sin) {
                let angle = (self.past + r) as f32 * *f;
                let (s, c) = libm::sincos(f64::from(angle));
                (*cos, *sin) = (c as f32, s as f32);
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
