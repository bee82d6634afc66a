//! Writing a planned file: each piece of a tensor is read, turned, and stored as the plan says.

use crate::error::Error;
use crate::folder::Folder;
use crate::model::Turn;
use crate::plan::{Origin, Plan, Tensor};
use ocelli_quantize::Means;
use ocelli_quantize::pieces::{self, PIECE, recode};
use std::io;

/// A part of a tensor: some 65 536 numbers, or whole heads of a matrix whose rows are turned. Both are whole blocks of
/// every format.
#[derive(Clone, Copy)]
struct Piece<'p> {
    tensor: &'p Tensor,
    start: usize,
    len: usize,
}

impl pieces::Piece for Piece<'_> {
    fn tensor(&self) -> &str {
        &self.tensor.name
    }
    fn numbers(&self) -> usize {
        self.len
    }
}

/// What pieces are made from.
#[derive(Clone, Copy)]
struct Maker<'m> {
    folder: &'m dyn Folder,
    files: &'m [String],
    head: usize,
    means: Means<'m>,
}

impl Plan {
    /// Makes the file. `progress` hears how many numbers are written, of how many; `false` stops.
    ///
    /// # Errors
    /// A tensor cannot be read or stored, the sink refuses bytes, or `progress` says no.
    pub fn write(
        self,
        folder: &dyn Folder,
        means: Means<'_>,
        progress: &mut dyn FnMut(u64, u64) -> bool,
        sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Error> {
        let Plan { outline, tensors, files, head, .. } = self;
        let maker = Maker { folder, files: &files, head, means };
        let of = tensors.iter().map(|tensor| tensor.elements() as u64).sum();
        let pieces = tensors.iter().flat_map(|tensor| pieces(tensor, head));
        pieces::write(outline, (pieces, of), means, &|piece| maker.piece(piece), progress, sink)
    }
}

fn pieces(tensor: &Tensor, head: usize) -> impl Iterator<Item = Piece<'_>> {
    let step = match tensor.origin {
        Origin::File { turn: Turn::Pairs, .. } => {
            let of_head = head * tensor.row_of_turn();
            of_head * (PIECE / of_head.max(1)).max(1)
        }
        _ => PIECE,
    };
    let elements = tensor.elements();
    let starts = (0..elements).step_by(step.max(1));
    starts.map(move |start| Piece { tensor, start, len: step.min(elements - start) })
}

impl Tensor {
    /// How many numbers stay together when rows are turned: a row of a matrix, one of a bias.
    fn row_of_turn(&self) -> usize {
        if self.dims.len() > 1 { self.row() } else { 1 }
    }
}

impl Maker<'_> {
    fn piece(&self, piece: &Piece<'_>) -> Result<Vec<u8>, Error> {
        let Piece { tensor, start, len } = *piece;
        let (offset, file, turn) = match &tensor.origin {
            Origin::Made(numbers) => {
                let numbers = numbers.get(start..start + len).unwrap_or_default();
                return Ok(numbers.iter().flat_map(|number| number.to_le_bytes()).collect());
            }
            Origin::File { file, offset, turn } => (*offset, *file, *turn),
        };
        let file = self.files.get(file).map_or("", String::as_str);
        let size = tensor.from.block_bytes();
        let mut bytes = vec![0; len * size];
        let read = self.folder.read(file, offset + (start * size) as u64, &mut bytes);
        read.map_err(|error| Error::Io { file: file.into(), error })?;
        if turn == Turn::Pairs {
            bytes = pairs(&bytes, self.head, tensor.row_of_turn() * size);
        }
        if tensor.from == tensor.to {
            return Ok(bytes);
        }
        let kinds = (tensor.from, tensor.to);
        recode(self.means.isa, &tensor.name, kinds, start, &bytes).map_err(Error::from)
    }
}

/// Whole heads with row `2i + b` taken from row `b · d/2 + i`.
fn pairs(bytes: &[u8], head: usize, row: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for rows in bytes.chunks((head * row).max(1)) {
        for i in 0..head {
            let from = (i % 2) * (head / 2) + i / 2;
            out.extend_from_slice(rows.get(from * row..(from + 1) * row).unwrap_or_default());
        }
    }
    out
}
