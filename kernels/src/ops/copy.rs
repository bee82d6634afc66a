//! The caller's rows, to where the first operation reads them.

use super::{Kernel, Operands, Operation};
use crate::cpu::Isa;
use crate::tile::Tile;
use alloc::string::String;
use ocelli_tape::RunError;

/// The rows as they are.
pub struct Copy<'a> {
    /// `[rows, width]`.
    pub x: &'a [f32],
    /// Numbers of a row.
    pub width: usize,
}

impl Kernel for Copy<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&self, _: I, tile: &mut Tile<'_>, _: &mut [f32]) {
        for r in tile.rows() {
            let x = self.x.get(r * self.width..(r + 1) * self.width).unwrap_or(&[]);
            for (y, x) in tile.row(r).iter_mut().zip(x) {
                *y = *x;
            }
        }
    }
}

/// [`struct@Copy`] as a step.
#[derive(Clone, Copy, Debug)]
pub struct CopyStep {
    pub(crate) width: usize,
    pub(crate) per_item: usize,
}

impl Operation for CopyStep {
    type Kernel<'a> = self::Copy<'a>;

    fn name(&self) -> &'static str {
        "input"
    }

    fn bind<'a>(&self, operands: &Operands<'a>) -> Result<self::Copy<'a>, RunError> {
        let (x, width) = (operands.call.rows, self.width);
        let expected = operands.call.items * self.per_item * width;
        if x.len() != expected {
            return Err(RunError::Call { expected, found: x.len() });
        }
        Ok(self::Copy { x, width })
    }

    fn details(&self) -> String {
        String::new()
    }
}
