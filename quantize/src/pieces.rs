//! Making tensors piece by piece, in little memory.
//!
//! A piece is some 65 536 numbers. Threads take pieces from a counter, a batch of them at a time; while a batch is made the
//! one before is written. Memory is that of two batches, whatever the size of the model. A piece is a whole number of
//! blocks of every format and blocks do not know of each other, so the bytes do not depend on the threads.

use crate::encode::{encode, encode_weighted};
use crate::error::Error;
use crate::write::Means;
use ocelli_gguf::{Outline, TensorType};
use ocelli_kernels::cpu;
use ocelli_kernels::formats::Format;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Numbers that are converted at once.
pub const PIECE: usize = 1 << 16;

/// Pieces of a batch.
const BATCH: usize = 32;

/// A part of a tensor of the new file.
pub trait Piece: Copy + Sync {
    /// The tensor.
    fn tensor(&self) -> &str;
    /// How many numbers.
    fn numbers(&self) -> usize;
}

/// What becomes of a piece: its bytes in the new file.
type Made<E> = Result<Vec<u8>, E>;

/// Writes the file: `outline`, and what `make` makes of the pieces, in their order. `progress` hears how many numbers are
/// written, of `of`; `false` stops.
///
/// # Errors
/// Of `make`; the sink refuses bytes, they are not those that the outline announces, or `progress` says no.
pub fn write<P: Piece, E: From<Error> + Send>(
    outline: Outline,
    (mut pieces, of): (impl Iterator<Item = P>, u64),
    means: Means<'_>,
    make: &(dyn Fn(&P) -> Made<E> + Sync),
    progress: &mut dyn FnMut(u64, u64) -> bool,
    sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), E> {
    cpu::choose(means.isa).map_err(Error::Isa)?;
    let mut body = outline.begin(sink).map_err(Error::from)?;
    let (mut before, mut done): (Vec<(P, Made<E>)>, u64) = (Vec::new(), 0);
    loop {
        let batch: Vec<P> = pieces.by_ref().take(BATCH).collect();
        let mut result: Result<(), E> = Ok(());
        let made = all(&batch, means.threads, make, &mut || {
            result = before.drain(..).try_for_each(|(piece, made)| {
                body.write(piece.tensor(), &made?).map_err(Error::from)?;
                done += piece.numbers() as u64;
                Ok(())
            });
        });
        result?;
        if !progress(done, of) {
            return Err(Error::Stopped.into());
        }
        if batch.is_empty() {
            return body.finish().map_err(|error| Error::from(error).into());
        }
        before = batch.into_iter().zip(made).collect();
    }
}

/// Makes the pieces on all threads; this one does `meanwhile` first.
fn all<P: Piece, E: From<Error> + Send>(
    batch: &[P],
    threads: usize,
    make: &(dyn Fn(&P) -> Made<E> + Sync),
    meanwhile: &mut dyn FnMut(),
) -> Vec<Made<E>> {
    let slots: Vec<Mutex<Option<Made<E>>>> = batch.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((piece, slot)) = {
            let i = next.fetch_add(1, Relaxed);
            batch.get(i).zip(slots.get(i))
        } {
            let made = make(piece);
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(batch.len()) {
            // A thread that cannot be started is done without.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        meanwhile();
        work();
    });
    let open = |slot: Mutex<Option<Made<E>>>| slot.into_inner().unwrap_or_else(PoisonError::into_inner);
    slots.into_iter().map(|slot| open(slot).unwrap_or_else(|| Err(Error::Stopped.into()))).collect()
}

/// The numbers of a tensor from the `start`-th on, which `bytes` holds as `from`, as `to`.
///
/// # Errors
/// A type is none that is computed with, or the numbers cannot be stored.
pub fn recode(
    isa: Option<&str>,
    tensor: &str,
    (from, to): (TensorType, TensorType),
    start: usize,
    bytes: &[u8],
) -> Result<Vec<u8>, Error> {
    store(isa, tensor, to, (start, &numbers(isa, tensor, from, bytes)?), None)
}

/// The numbers of a tensor that `bytes` holds as `from`.
pub(crate) fn numbers(
    isa: Option<&str>,
    tensor: &str,
    from: TensorType,
    bytes: &[u8],
) -> Result<Vec<f32>, Error> {
    let mut values = vec![0.0; bytes.len() / from.block_bytes().max(1) * from.block_len()];
    cpu::choose(isa).map_err(Error::Isa)?.decode(format(tensor, from)?, bytes, &mut values);
    Ok(values)
}

/// The numbers of a tensor from the `start`-th on as `to`. With importance they are whole rows of a matrix.
pub(crate) fn store(
    isa: Option<&str>,
    tensor: &str,
    to: TensorType,
    (start, values): (usize, &[f32]),
    importance: Option<&[f32]>,
) -> Result<Vec<u8>, Error> {
    let to = format(tensor, to)?;
    let mut out = vec![0; to.row_bytes(values.len()).unwrap_or_default()];
    let made = match importance {
        Some(importance) => encode_weighted(isa, to, values, importance, &mut out),
        None => encode(isa, to, values, &mut out),
    };
    made.map_err(|error| Error::Encode { tensor: tensor.into(), error: error.after(start) })?;
    Ok(out)
}

fn format(tensor: &str, kind: TensorType) -> Result<Format, Error> {
    Format::from_id(kind.id()).ok_or_else(|| Error::Unsupported { tensor: tensor.into(), kind })
}
