//! Sums: of two activations, and of an activation and a learned table (position embeddings).
//!
//! They take as long as the cache that the rows come from, and the compiler's registers suffice: 6 to 8 G values/s out of an
//! Ice Lake's second level, which copies 9 to 11.

use super::Kernel;
use crate::cpu::Isa;
use crate::formats;
use crate::tile::Tile;
use crate::weight::Matrix;

/// `y = a + b`, elementwise.
pub struct Add<'a> {
    /// One.
    pub a: &'a [f32],
    /// The other.
    pub b: &'a [f32],
    /// Values of a row.
    pub width: usize,
}

impl Kernel for Add<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&self, _: I, tile: &mut Tile<'_>, _: &mut [f32]) {
        for r in tile.rows() {
            let row = r * self.width..(r + 1) * self.width;
            let (Some(a), Some(b)) = (self.a.get(row.clone()), self.b.get(row)) else { continue };
            for ((y, a), b) in tile.row(r).iter_mut().zip(a).zip(b) {
                *y = a + b;
            }
        }
    }
}

/// `y[r] = x[r] + table[r mod height]`: every unit of rows gets the same table.
pub struct AddTable<'a> {
    /// Activations `[rows, width]`.
    pub x: &'a [f32],
    /// `[height, width]`.
    pub table: Matrix<'a>,
}

impl Kernel for AddTable<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, _: &mut [f32]) {
        let width = self.table.width;
        for r in tile.rows() {
            let Some(x) = self.x.get(r * width..(r + 1) * width) else { continue };
            let y = tile.row(r);
            formats::decode(isa, self.table.format, self.table.row(r % self.table.height.max(1)), y);
            for (y, x) in y.iter_mut().zip(x) {
                *y += x;
            }
        }
    }
}
