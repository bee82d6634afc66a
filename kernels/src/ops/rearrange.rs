//! Rows moved about without arithmetic.

use super::{Kernel, Operands, Operation, Slot, listed};
use crate::cpu::Isa;
use crate::formats;
use crate::tile::Tile;
use alloc::format;
use alloc::string::String;
use ocelli_tape::{Extent, RunError, Work};
use ocelli_tape::{Matrix, Weight};

/// How the rows of a unit (an image view, a token) are rearranged.
#[derive(Clone, Copy)]
pub enum Move<'a> {
    /// A learned row before the unit's own: the class token.
    Prepend(Matrix<'a>),
    /// The unit without its first row.
    DropFirst,
    /// Space to depth: every `factor` × `factor` square of a `grid` × `grid` unit becomes one row that holds the
    /// square's rows in raster order (Shi et al., 2016, inverted).
    Shuffle {
        /// Rows of the unit are a square of this side.
        grid: usize,
        /// Side of the squares that become one row.
        factor: usize,
    },
    /// Only the last row of the whole call.
    Last,
}

/// A rearrangement of `x`, units of `per_unit` rows of `width` values.
pub struct Rearrange<'a> {
    /// `[units · per_unit, width]`.
    pub x: &'a [f32],
    /// Values of an input row.
    pub width: usize,
    /// Input rows of a unit.
    pub per_unit: usize,
    /// What is done.
    pub to: Move<'a>,
}

impl Rearrange<'_> {
    fn row(&self, index: usize) -> &[f32] {
        self.x.get(index * self.width..(index + 1) * self.width).unwrap_or(&[])
    }
}

impl Kernel for Rearrange<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, _: &mut [f32]) {
        let copy = |to: &mut [f32], from: &[f32]| to.iter_mut().zip(from).for_each(|(y, x)| *y = *x);
        for r in tile.rows() {
            let y = tile.row(r);
            match self.to {
                Move::Prepend(class) => {
                    let (unit, i) = (r / (self.per_unit + 1), r % (self.per_unit + 1));
                    if i == 0 {
                        formats::decode(isa, class.format, class.bytes, y);
                    } else {
                        copy(y, self.row(unit * self.per_unit + i - 1));
                    }
                }
                Move::DropFirst => {
                    let rows = self.per_unit.saturating_sub(1).max(1);
                    copy(y, self.row(r / rows * self.per_unit + r % rows + 1));
                }
                Move::Shuffle { grid, factor } => {
                    let side = (grid / factor).max(1);
                    let (unit, i) = (r / (side * side), r % (side * side));
                    let first = unit * grid * grid + i / side * factor * grid + i % side * factor;
                    for (j, y) in y.chunks_exact_mut(self.width).enumerate() {
                        copy(y, self.row(first + j / factor * grid + j % factor));
                    }
                }
                Move::Last => copy(y, self.row((self.x.len() / self.width.max(1)).saturating_sub(1))),
            }
        }
    }
}

/// [`Rearrange`] as a step.
#[derive(Clone, Copy, Debug)]
pub enum RearrangeStep {
    /// [`Move::Prepend`].
    Prepend(Weight),
    /// [`Move::DropFirst`].
    DropFirst,
    /// [`Move::Shuffle`].
    Shuffle {
        /// Rows of the unit are a square of this side.
        grid: usize,
        /// Side of the squares that become one row.
        factor: usize,
    },
    /// [`Move::Last`].
    Last,
}

impl Operation for RearrangeStep {
    type Kernel<'a> = Rearrange<'a>;

    fn name(&self) -> &'static str {
        match self {
            RearrangeStep::Prepend(_) => "prepend",
            RearrangeStep::DropFirst => "drop first",
            RearrangeStep::Shuffle { .. } => "shuffle",
            RearrangeStep::Last => "last",
        }
    }

    fn weight(&self) -> Option<Weight> {
        if let RearrangeStep::Prepend(row) = self { Some(*row) } else { None }
    }

    fn work(&self, _: &Slot, _: &Extent) -> Work {
        self.weight().map_or(Work::default(), |row| Work::weight(&row))
    }

    fn reads_all(&self) -> bool {
        !matches!(self, RearrangeStep::Last)
    }

    fn bind<'a>(&self, operands: &Operands<'a>) -> Result<Rearrange<'a>, RunError> {
        let x = operands.x();
        let to = match self {
            RearrangeStep::Prepend(row) => Move::Prepend(operands.matrix(row)?),
            RearrangeStep::DropFirst => Move::DropFirst,
            RearrangeStep::Shuffle { grid, factor } => Move::Shuffle { grid: *grid, factor: *factor },
            RearrangeStep::Last => Move::Last,
        };
        Ok(Rearrange { x: x.x, width: x.width, per_unit: x.per_item, to })
    }

    fn details(&self) -> String {
        match self {
            RearrangeStep::Prepend(row) => listed(row),
            RearrangeStep::Shuffle { grid, factor } => format!(" {grid} by {factor}"),
            RearrangeStep::DropFirst | RearrangeStep::Last => String::new(),
        }
    }
}
