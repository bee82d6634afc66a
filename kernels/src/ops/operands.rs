//! What a step meets when it runs: values in the arena, state, the call.

use super::memory::Layout;
use ocelli_tape::{Call, Matrix, Rotary, Rows, RunError, Weight};

/// Shape and place of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) rows: Rows,
    /// Numbers of a row as the model sees it.
    pub(crate) width: usize,
    /// Words of a row in memory: the width, unless the value is quantized or packed.
    pub(crate) words: usize,
    /// First word in the arena.
    pub(crate) offset: usize,
}

/// What a step does with a slot of state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Touch {
    /// Writes its keys.
    Keys(usize),
    /// Writes its values.
    Values(usize),
    /// Reads both.
    Reads(usize),
}

/// A value.
#[derive(Clone, Copy, Default)]
pub(crate) struct Operand<'a> {
    /// Its rows.
    pub(crate) x: &'a [f32],
    /// Numbers of a row.
    pub(crate) width: usize,
    /// Rows of an item.
    pub(crate) per_item: usize,
}

/// A slot of state: its layout, and where it is read, what it holds.
#[derive(Clone, Copy)]
pub(crate) struct Held<'a> {
    pub(crate) layout: Layout,
    pub(crate) keys: &'a [f32],
    pub(crate) values: &'a [f32],
}

/// All that a step may ask for.
pub(crate) struct Operands<'a> {
    pub(crate) call: &'a Call<'a>,
    pub(crate) rotaries: &'a [Rotary],
    pub(crate) inputs: [Operand<'a>; 3],
    pub(crate) held: Option<Held<'a>>,
}

impl<'a> Operands<'a> {
    /// The first value.
    pub(crate) fn x(&self) -> Operand<'a> {
        self.inputs[0]
    }

    /// The second.
    pub(crate) fn y(&self) -> Operand<'a> {
        self.inputs[1]
    }

    pub(crate) fn matrix(&self, weight: &Weight) -> Result<Matrix<'a>, RunError> {
        self.call.weights.matrix(weight).ok_or(RunError::Weight)
    }

    pub(crate) fn optional(&self, weight: Option<&Weight>) -> Result<Option<Matrix<'a>>, RunError> {
        weight.map(|w| self.matrix(w)).transpose()
    }
}
