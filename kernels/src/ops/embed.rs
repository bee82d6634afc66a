//! Where a decoder's rows come from: a token's row of the embedding table, or a row given by an encoder.

use super::Kernel;
use crate::cpu::Isa;
use crate::formats;
use crate::tile::Tile;
use crate::weight::Matrix;

/// What stands at one position of a decoder's input. The decoder does not know which rows were pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cell {
    /// A token id.
    Token(u32),
    /// Row `i` of the rows that come with the call.
    Row(u32),
}

/// `[cells, width]`: table rows of tokens, given rows as they are. A cell that names no row becomes zeros.
pub struct Embed<'a> {
    /// One per output row.
    pub cells: &'a [Cell],
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
            match self.cells.get(r) {
                Some(Cell::Token(id)) => {
                    formats::decode(isa, self.table.format, self.table.row(*id as usize), y);
                }
                Some(Cell::Row(i)) => {
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
