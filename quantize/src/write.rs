//! Writing the planned file: each piece of a tensor is read, and stored anew where its type changes.

use crate::error::Error;
use crate::pieces::{self, PIECE, numbers, recode, store};
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
    // Whole rows, where their lengths change.
    let step = if change.is_reshaped() { (PIECE / row.max(1)).max(1) * row } else { PIECE };
    (0..all).step_by(step.max(1)).map(move |start| Piece { change, start, len: step.min(all - start) })
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
        match from == to {
            _ if self.change.is_reshaped() => self.reshape(isa, &numbers(isa, name, from, &bytes)?),
            true => Ok(bytes),
            false => recode(isa, name, (from, to), self.start, &bytes),
        }
    }

    /// Whole rows, padded otherwise than they were.
    fn reshape(&self, isa: Option<&str>, values: &[f32]) -> Result<Vec<u8>, Error> {
        let Change { name, to, row, padding: (before, after), .. } = *self.change;
        let mut out = Vec::new();
        let mut padded = vec![0.0; row + after];
        for (i, values) in values.chunks_exact(row + before).enumerate() {
            let (new, old) = (padded.split_at_mut(row).0, values.split_at(row).0);
            new.copy_from_slice(old);
            let first = (self.start / (row + before) + i) * row;
            out.extend(store(isa, name, to, first, &padded)?);
        }
        Ok(out)
    }
}

/// The bytes of so many numbers, whole blocks.
fn bytes(kind: TensorType, len: usize) -> usize {
    kind.bytes_of(len).unwrap_or_default()
}
