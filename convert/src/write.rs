//! Writing a planned file: read, turn, encode and write a piece of a tensor at a time.
//!
//! A piece is 65 536 numbers, or whole heads of a matrix whose rows are turned; both are whole blocks of every format.
//! Threads take pieces from a counter, a batch of them at a time; while a batch is made the one before is written. Memory is
//! that of two batches, whatever the size of the model, and the bytes do not depend on the threads.

use crate::error::Error;
use crate::folder::Folder;
use crate::model::Turn;
use crate::plan::{Origin, Plan, Tensor};
use ocelli_gguf::TensorType;
use ocelli_kernels::cpu;
use ocelli_kernels::formats::Format;
use ocelli_quantize::Means;
use ocelli_quantize::encode::encode;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Numbers that are converted at once.
const PIECE: usize = 1 << 16;

/// Pieces of a batch.
const BATCH: usize = 32;

/// A part of a tensor.
#[derive(Clone, Copy)]
struct Piece<'p> {
    tensor: &'p Tensor,
    start: usize,
    len: usize,
}

type Made = Result<Vec<u8>, Error>;

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
        cpu::choose(means.isa).map_err(Error::Isa)?;
        let Plan { outline, tensors, files, head } = self;
        let maker = Maker { folder, files: &files, head, means };
        let of = tensors.iter().map(|tensor| tensor.elements() as u64).sum();
        let mut body = outline.begin(sink)?;
        let mut pieces = tensors.iter().flat_map(|tensor| pieces(tensor, head));
        let (mut before, mut done): (Vec<(Piece<'_>, Made)>, u64) = (Vec::new(), 0);
        loop {
            let batch: Vec<Piece<'_>> = pieces.by_ref().take(BATCH).collect();
            let mut result: Result<(), Error> = Ok(());
            let made = maker.make(&batch, &mut || {
                result = before.drain(..).try_for_each(|(piece, made)| {
                    body.write(&piece.tensor.name, &made?)?;
                    done += piece.len as u64;
                    Ok(())
                });
            });
            result?;
            if !progress(done, of) {
                return Err(Error::Stopped);
            }
            if batch.is_empty() {
                return body.finish().map_err(Error::from);
            }
            before = batch.into_iter().zip(made).collect();
        }
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
    /// Makes the pieces on all threads; this one does `meanwhile` first.
    fn make(&self, batch: &[Piece<'_>], meanwhile: &mut dyn FnMut()) -> Vec<Made> {
        let slots: Vec<Mutex<Option<Made>>> = batch.iter().map(|_| Mutex::new(None)).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((piece, slot)) = {
                let i = next.fetch_add(1, Relaxed);
                batch.get(i).zip(slots.get(i))
            } {
                let made = self.piece(piece);
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.means.threads.min(batch.len()) {
                // A thread that cannot be started is done without.
                let _ = std::thread::Builder::new().spawn_scoped(scope, work);
            }
            meanwhile();
            work();
        });
        let open = |slot: Mutex<Option<Made>>| slot.into_inner().unwrap_or_else(PoisonError::into_inner);
        slots.into_iter().map(|slot| open(slot).unwrap_or(Err(Error::Stopped))).collect()
    }

    fn piece(&self, piece: &Piece<'_>) -> Made {
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
        self.encode(piece, &bytes)
    }

    fn encode(&self, piece: &Piece<'_>, bytes: &[u8]) -> Made {
        let Piece { tensor, start, len } = *piece;
        let format = |kind: TensorType| {
            let unknown = || Error::Kind { tensor: tensor.name.clone(), kind };
            Format::from_id(kind.id()).ok_or_else(unknown)
        };
        let (from, to) = (format(tensor.from)?, format(tensor.to)?);
        let mut values = vec![0.0; len];
        cpu::choose(self.means.isa).map_err(Error::Isa)?.decode(from, bytes, &mut values);
        let mut out = vec![0; to.row_bytes(len).unwrap_or_default()];
        encode(self.means.isa, to, &values, &mut out)
            .map_err(|error| Error::Encode { tensor: tensor.name.clone(), error: error.after(start) })?;
        Ok(out)
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
