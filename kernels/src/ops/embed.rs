//! Where a decoder's rows come from: a token's row of the embedding table, or a row given by an encoder.

use super::{Kernel, Operands, Operation, Slot, listed};
use crate::cpu::Isa;
use crate::formats;
use crate::tile::Tile;
use alloc::string::String;
use ocelli_tape::{Extent, Input, RunError, Work};
use ocelli_tape::{Matrix, Weight};

/// `[inputs, width]`: table rows of tokens, given rows as they are. An input that names no row becomes zeros.
pub struct Embed<'a> {
    /// One per output row.
    pub inputs: &'a [Input],
    /// Rows from an encoder, `[any, width]`.
    pub rows: &'a [f32],
    /// `[vocabulary, width]`.
    pub table: Matrix<'a>,
}

impl Kernel for Embed<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, _: &mut [f32]) {
        let width = self.table.width;
        for r in tile.rows() {
            let y = tile.row(r);
            y.fill(0.0);
            match self.inputs.get(r) {
                Some(Input::Token(id)) => {
                    formats::decode(isa, self.table.format, self.table.row(*id as usize), y);
                }
                Some(Input::Row(i)) => {
                    let from = (*i as usize).saturating_mul(width);
                    if let Some(x) = self.rows.get(from..from.saturating_add(y.len())) {
                        y.copy_from_slice(x);
                    }
                }
                None => {}
            }
        }
    }
}

/// [`Embed`] as a step.
#[derive(Clone, Copy, Debug)]
pub struct EmbedStep(pub(crate) Weight);

impl Operation for EmbedStep {
    type Kernel<'a> = Embed<'a>;

    fn name(&self) -> &'static str {
        "embed"
    }

    fn weight(&self) -> Option<Weight> {
        Some(self.0)
    }

    fn work(&self, out: &Slot, extent: &Extent) -> Work {
        Work::lookup(&self.0, out.rows.count(extent.items))
    }

    fn bind<'a>(&self, operands: &Operands<'a>) -> Result<Embed<'a>, RunError> {
        let call = operands.call;
        if call.inputs.len() != call.items {
            return Err(RunError::Call { expected: call.items, found: call.inputs.len() });
        }
        Ok(Embed { inputs: call.inputs, rows: call.image_rows, table: operands.matrix(&self.0)? })
    }

    fn details(&self) -> String {
        listed(&self.0)
    }
}
