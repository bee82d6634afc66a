//! Writing the planned file: each piece of a tensor is read, and stored anew where its type changes.

use crate::error::Error;
use crate::pieces::{self, PIECE, numbers, store};
use crate::plan::{Change, Plan};
use ocelli_gguf::TensorType;
use std::io;

/// Where the tensors' bytes come from.
pub trait Source: Sync {
    /// Fills `out` with the bytes of file `file` of the model from `offset` on.
    ///
    /// # Errors
    /// They cannot be read.
    fn read(&self, file: usize, offset: u64, out: &mut [u8]) -> io::Result<()>;
}

/// How the work is done; nothing here changes a byte.
#[derive(Clone, Copy, Debug, Default)]
pub struct Means<'a> {
    /// Threads, this one included.
    pub threads: usize,
    /// The instruction set; `None` is the fastest there is.
    pub isa: Option<&'a str>,
}

/// A part of a tensor: numbers as they lie in the file that is there.
#[derive(Clone, Copy)]
struct Piece<'p, 'a> {
    change: &'p Change<'a>,
    start: usize,
    len: usize,
}

impl Plan<'_> {
    /// Makes the file. `progress` hears how many numbers are written, of how many; `false` stops.
    ///
    /// # Errors
    /// A tensor cannot be read or stored, the sink refuses bytes, or `progress` says no.
    pub fn write(
        self,
        source: &dyn Source,
        means: Means<'_>,
        progress: &mut dyn FnMut(u64, u64) -> bool,
        sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Error> {
        let Plan { outline, changes } = self;
        let of = changes.iter().map(|change| change.stored() as u64).sum();
        let make = |piece: &Piece<'_, '_>| piece.make(source, means.isa);
        pieces::write(outline, (changes.iter().flat_map(pieces), of), means, &make, progress, sink)
    }
}

fn pieces<'p, 'a>(change: &'p Change<'a>) -> impl Iterator<Item = Piece<'p, 'a>> {
    let (all, row) = (change.stored(), change.row + change.padding.0);
    // Whole rows, where their lengths change or their columns count; and of one matrix.
    let rows = change.is_reshaped() || change.importance.is_some();
    let (step, matrix) = (if rows { (PIECE / row.max(1)).max(1) * row } else { PIECE }, change.matrix());
    (0..all).step_by(matrix.max(1)).flat_map(move |first| {
        let end = all.min(first + matrix);
        let starts = (first..end).step_by(step.max(1));
        starts.map(move |start| Piece { change, start, len: step.min(end - start) })
    })
}

impl Change<'_> {
    /// The numbers of a matrix that has an importance of its own, in the file that is there.
    fn matrix(&self) -> usize {
        let matrices = |importance: &[f32]| (importance.len() / self.row.max(1)).max(1);
        self.stored() / self.importance.as_deref().map_or(1, matrices)
    }

    /// How much the columns count of the matrix that has the number `start`. Padding does not.
    fn columns(&self, start: usize) -> Option<Vec<f32>> {
        let first = start / self.matrix().max(1) * self.row;
        let mut columns = self.importance.as_deref()?.get(first..first + self.row)?.to_vec();
        columns.resize(self.row + self.padding.1, 0.0);
        Some(columns)
    }
}

impl pieces::Piece for Piece<'_, '_> {
    fn tensor(&self) -> &str {
        self.change.name
    }
    fn numbers(&self) -> usize {
        self.len
    }
}

impl Piece<'_, '_> {
    fn make(&self, source: &dyn Source, isa: Option<&str>) -> Result<Vec<u8>, Error> {
        let Change { name, from, to, place: (file, at), .. } = *self.change;
        let mut bytes = vec![0; bytes(from, self.len)];
        let offset = at as u64 + self::bytes(from, self.start) as u64;
        let read = source.read(file, offset, &mut bytes);
        read.map_err(|error| Error::Read { tensor: name.into(), error })?;
        if from == to && !self.change.is_reshaped() {
            return Ok(bytes);
        }
        let (values, columns) = (numbers(isa, name, from, &bytes)?, self.change.columns(self.start));
        if self.change.is_reshaped() {
            self.reshape(isa, &values, columns.as_deref())
        } else {
            store(isa, name, to, (self.start, &values), columns.as_deref())
        }
    }

    /// Whole rows, padded otherwise than they were.
    fn reshape(&self, isa: Option<&str>, values: &[f32], columns: Option<&[f32]>) -> Result<Vec<u8>, Error> {
        let Change { name, to, row, padding: (before, after), .. } = *self.change;
        let mut out = Vec::new();
        let mut padded = vec![0.0; row + after];
        for (i, values) in values.chunks_exact(row + before).enumerate() {
            let (new, old) = (padded.split_at_mut(row).0, values.split_at(row).0);
            new.copy_from_slice(old);
            let first = (self.start / (row + before) + i) * row;
            out.extend(store(isa, name, to, (first, &padded), columns)?);
        }
        Ok(out)
    }
}

/// The bytes of so many numbers, whole blocks.
fn bytes(kind: TensorType, len: usize) -> usize {
    kind.bytes_of(len).unwrap_or_default()
}
