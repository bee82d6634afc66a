//! A linear layer as a step of a program.

use super::{Linear, SCRATCH, block};
use crate::ops::{Operands, Operation, Slot, listed, listed_or};
use alloc::format;
use alloc::string::String;
use ocelli_tape::{Activation, Extent, RunError, Weight, Work};

/// [`Linear`] as a step. Its operand is quantized where the weights are.
#[derive(Clone, Copy, Debug)]
pub struct LinearStep {
    pub(crate) map: ocelli_tape::Linear,
    pub(crate) activation: Activation,
}

impl Operation for LinearStep {
    type Kernel<'a> = Linear<'a>;

    fn name(&self) -> &'static str {
        "linear"
    }

    fn weight(&self) -> Option<Weight> {
        Some(self.map.w)
    }

    fn scratch(&self, _: &Slot, _: usize) -> usize {
        SCRATCH
    }

    fn work(&self, out: &Slot, extent: &Extent) -> Work {
        Work::linear(&self.map, out.rows.count(extent.items))
    }

    fn block(&self, rows: usize, threads: usize) -> (usize, usize) {
        block(&self.map.w, rows, threads)
    }

    fn bind<'a>(&self, operands: &Operands<'a>) -> Result<Linear<'a>, RunError> {
        let (weight, bias) = (operands.matrix(&self.map.w)?, operands.optional(self.map.b.as_ref())?);
        Ok(Linear { x: operands.x().x, weight, bias, activation: self.activation })
    }

    fn details(&self) -> String {
        format!("{}{} {:?}", listed(&self.map.w), listed_or(self.map.b.as_ref()), self.activation)
    }
}
