//! Sums: of two activations, and of an activation and a learned table (position embeddings).
//!
//! They take as long as the cache that the rows come from, and the compiler's registers suffice: 6 to 8 G values/s out of an
//! Ice Lake's second level, which copies 9 to 11.

use super::{Kernel, Operands, Operation, Slot, listed};
use crate::cpu::Isa;
use crate::formats;
use crate::tile::Tile;
use alloc::string::String;
use ocelli_tape::{Extent, RunError, Work};
use ocelli_tape::{Matrix, Weight};

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

/// [`Add`] as a step.
#[derive(Clone, Copy, Debug)]
pub struct AddStep;

impl Operation for AddStep {
    type Kernel<'a> = Add<'a>;

    fn name(&self) -> &'static str {
        "add"
    }

    fn bind<'a>(&self, operands: &Operands<'a>) -> Result<Add<'a>, RunError> {
        Ok(Add { a: operands.x().x, b: operands.y().x, width: operands.x().width })
    }

    fn details(&self) -> String {
        String::new()
    }
}

/// [`AddTable`] as a step.
#[derive(Clone, Copy, Debug)]
pub struct AddTableStep(pub(crate) Weight);

impl Operation for AddTableStep {
    type Kernel<'a> = AddTable<'a>;

    fn name(&self) -> &'static str {
        "add table"
    }

    fn weight(&self) -> Option<Weight> {
        Some(self.0)
    }

    fn work(&self, _: &Slot, _: &Extent) -> Work {
        Work::weight(&self.0)
    }

    fn bind<'a>(&self, operands: &Operands<'a>) -> Result<AddTable<'a>, RunError> {
        Ok(AddTable { x: operands.x().x, table: operands.matrix(&self.0)? })
    }

    fn details(&self) -> String {
        listed(&self.0)
    }
}
