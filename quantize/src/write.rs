//! Writing the planned file: read, decode, encode and write a piece of 65 536 numbers at a time.
//!
//! Threads take pieces from a counter, a batch of them at a time; while a batch is made the one before is written. Memory is
//! that of two batches, whatever the size of the model. A piece is a whole number of blocks of every format and blocks do
//! not know of each other, so the bytes do not depend on the threads.

use crate::encode::encode;
use crate::error::Error;
use crate::plan::{Change, Plan};
use ocelli_gguf::{TensorType, WriteError};
use ocelli_kernels::cpu;
use ocelli_kernels::formats::Format;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Numbers that are converted at once.
const PIECE: usize = 1 << 16;

/// Pieces of a batch.
const BATCH: usize = 32;

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

/// A part of a tensor.
#[derive(Clone, Copy)]
struct Piece<'p, 'a> {
    change: &'p Change<'a>,
    start: usize,
    len: usize,
}

type Made = Result<Vec<u8>, Error>;

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
        cpu::choose(means.isa).map_err(Error::Isa)?;
        let Plan { outline, changes } = self;
        let of = changes.iter().map(|change| change.elements as u64).sum();
        let mut body = outline.begin(sink)?;
        let mut pieces = changes.iter().flat_map(pieces);
        let (mut before, mut done): (Vec<(Piece<'_, '_>, Made)>, u64) = (Vec::new(), 0);
        loop {
            let batch: Vec<Piece<'_, '_>> = pieces.by_ref().take(BATCH).collect();
            let mut result: Result<(), Error> = Ok(());
            let made = make(&batch, source, means, &mut || {
                result = before.drain(..).try_for_each(|(piece, made)| {
                    body.write(piece.change.name, &made?)?;
                    done += piece.len as u64;
                    Ok(())
                });
            });
            result?;
            if !progress(done, of) {
                return Err(Error::Stopped);
            }
            if batch.is_empty() {
                return body.finish().map_err(|error: WriteError<io::Error>| error.into());
            }
            before = batch.into_iter().zip(made).collect();
        }
    }
}

fn pieces<'p, 'a>(change: &'p Change<'a>) -> impl Iterator<Item = Piece<'p, 'a>> {
    let starts = (0..change.elements).step_by(PIECE);
    starts.map(move |start| Piece { change, start, len: PIECE.min(change.elements - start) })
}

/// Makes the pieces on all threads; this one does `meanwhile` first.
fn make(
    batch: &[Piece<'_, '_>],
    source: &dyn Source,
    means: Means<'_>,
    meanwhile: &mut dyn FnMut(),
) -> Vec<Made> {
    let slots: Vec<Mutex<Option<Made>>> = batch.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((piece, slot)) = {
            let i = next.fetch_add(1, Relaxed);
            batch.get(i).zip(slots.get(i))
        } {
            let made = piece.make(source, means.isa);
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..means.threads.min(batch.len()) {
            // A thread that cannot be started is done without.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        meanwhile();
        work();
    });
    let open = |slot: Mutex<Option<Made>>| slot.into_inner().unwrap_or_else(PoisonError::into_inner);
    slots.into_iter().map(|slot| open(slot).unwrap_or(Err(Error::Stopped))).collect()
}

impl Piece<'_, '_> {
    fn make(&self, source: &dyn Source, isa: Option<&str>) -> Made {
        let Change { name, from, to, place: (file, at), .. } = *self.change;
        let tensor = || name.to_string();
        let mut bytes = vec![0; bytes(from, self.len)];
        let offset = at as u64 + self::bytes(from, self.start) as u64;
        source.read(file, offset, &mut bytes).map_err(|error| Error::Read { tensor: tensor(), error })?;
        if from == to {
            return Ok(bytes);
        }
        let format = |kind: TensorType| {
            Format::from_id(kind.id()).ok_or_else(|| Error::Unsupported { tensor: tensor(), kind })
        };
        let (from, to) = (format(from)?, format(to)?);
        let mut values = vec![0.0; self.len];
        cpu::choose(isa).map_err(Error::Isa)?.decode(from, &bytes, &mut values);
        let mut out = vec![0; to.row_bytes(self.len).unwrap_or_default()];
        let made = encode(isa, to, &values, &mut out);
        made.map_err(|error| Error::Encode { tensor: tensor(), error: error.after(self.start) })?;
        Ok(out)
    }
}

/// The bytes of so many numbers, whole blocks.
fn bytes(kind: TensorType, len: usize) -> usize {
    kind.bytes_of(len).unwrap_or_default()
}
