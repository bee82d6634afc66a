//! A float tower's matrices as 8-bit codes, made when a session is (`Options::tower_int8`).
//!
//! ```text
//! F32 | F16 | BF16   ->   Q8_0, matrix after matrix in the session's block: 34 bytes for 32 numbers
//! ```
//!
//! Made are the matrices that the tower uses and that `ocelli quantize --type Q8_0 --pad` would store so, with its bytes:
//! not norms, biases, positions and patch embeddings. Rows that are no whole number of blocks are filled up with zeros.
//!
//! What it does to an image's rows, as they reach the decoder (root-mean-square difference relative to the float rows,
//! cosine; codes of activations are a part of it, as in every tower of Q8_0):
//!
//! | tower | difference | cosine |
//! |---|---|---|
//! | golden SmolVLM and LLaVA, random weights of F32 and F16 | 1.9 % | 0.9998 |
//! | the pocket model's, trained, F16; 150 rows of six sample images | 2.0 %, at most 4.9 of a row | 0.9998, at least 0.9990 |
//!
//! `ocelli compare --tower-int8-b` measures it for any other.
//!
//! Refused: numbers that are not finite, or too large for a block.

use crate::error::Error;
use crate::model::Model;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;
use ocelli_kernels::Machine;
use ocelli_models::Encoder;
use ocelli_quantize::encode::{EncodeError, encode_q8_0};
use ocelli_quantize::{Described, applies};
use ocelli_tape::{Format, RunError, Weight, Weights};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Numbers that are converted at once, on a thread's stack: whole blocks.
const PIECE: usize = 8192;

/// Numbers of a block of Q8_0.
const BLOCK: usize = 32;

/// Where matrices begin: a cache line.
const ALIGNMENT: usize = 64;

/// A matrix: its name, where it is, where it will be.
struct Matrix {
    name: String,
    from: Weight,
    to: Weight,
}

/// What is to be made.
#[derive(Default)]
pub(crate) struct Int8 {
    matrices: Vec<Matrix>,
    bytes: usize,
}

/// The same, and the tower that will compute with it.
type Planned = (Int8, Box<dyn Encoder>);

impl Int8 {
    /// Chooses, and gives the tower that computes with what will be made; nothing without a tower.
    ///
    /// # Errors
    /// As for reading the tower.
    pub(crate) fn plan(model: &Model<'_>) -> Result<Option<Planned>, Error> {
        let file = model.files().len();
        let plan = RefCell::new(Int8::default());
        let tower = model.encoder_with(&|name, stored| plan.borrow_mut().place(file, name, stored))?;
        Ok(tower.map(|tower| (plan.into_inner(), tower)))
    }

    /// Where a matrix that is stored there will be.
    fn place(&mut self, file: usize, name: &str, stored: Weight) -> Weight {
        if let Some(known) = self.matrices.iter().find(|matrix| matrix.name == name) {
            return known.to;
        }
        let dims = &[stored.width, stored.height];
        if !stored.format.is_float() || !applies(&Described { name, dims }) {
            return stored;
        }
        let padding = stored.width.next_multiple_of(BLOCK) - stored.width;
        let to = Weight { file, offset: self.bytes, format: Format::Q8_0, padding, ..stored };
        let end = to.len().and_then(|len| self.bytes.checked_add(len)?.checked_next_multiple_of(ALIGNMENT));
        let Some(end) = end else { return stored }; // larger than any file
        self.bytes = end;
        self.matrices.push(Matrix { name: name.to_string(), from: stored, to });
        to
    }

    /// Bytes of all that is made.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes it, on all threads.
    ///
    /// # Errors
    /// Numbers that cannot be stored; the first of them is named.
    pub(crate) fn make(
        &self,
        model: &Model<'_>,
        machine: Machine<'_>,
        files: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        log::info!("{} matrices of the vision tower: {} bytes of Q8_0", self.matrices.len(), self.bytes);
        for Matrix { name, from, to } in &self.matrices {
            let stored = Weights::of(files).matrix(from).ok_or(Error::Run(RunError::Weight))?.bytes;
            let room = out.get_mut(to.offset..).zip(to.len()).and_then(|(out, len)| out.get_mut(..len));
            let room = room.ok_or(Error::Run(RunError::Weight))?;
            let result = encode(machine, from, stored, room);
            result.map_err(|error| Error::Encode {
                name: model.vision_name(),
                tensor: name.clone(),
                error,
            })?;
        }
        Ok(())
    }
}

/// Encodes one matrix.
fn encode(
    Machine { kernels, pool }: Machine<'_>,
    from: &Weight,
    stored: &[u8],
    out: &mut [u8],
) -> Result<(), EncodeError> {
    let bytes = |values: usize| Format::Q8_0.row_bytes(values.next_multiple_of(BLOCK)).unwrap_or(0).max(1);
    // Rows that need no padding are as good as one.
    let whole = from.width.is_multiple_of(BLOCK);
    let row = if whole { from.width * from.height } else { from.width };
    let rows = stored.chunks((row * from.format.bytes()).max(1)).zip(out.chunks_mut(bytes(row)));
    let pieces = rows.enumerate().flat_map(|(i, (stored, out))| {
        let parts = stored.chunks(PIECE * from.format.bytes()).zip(out.chunks_mut(bytes(PIECE)));
        parts.enumerate().map(move |(part, (stored, out))| (i * row + part * PIECE, stored, out))
    });
    let pieces = Mutex::new(pieces);
    // Of several that cannot be stored the first is named, whichever thread meets it.
    let failed: Mutex<Option<(usize, EncodeError)>> = Mutex::new(None);
    pool.join(&|| {
        let mut values = [0.0f32; PIECE];
        loop {
            // The lock must not be held while the piece is made, as it would be in the head of a `while let`.
            let Some((start, stored, out)) = lock(&pieces).next() else { return };
            let len = stored.len() / from.format.bytes();
            let values = values.get_mut(..len.next_multiple_of(BLOCK)).unwrap_or_default();
            let (values_of_row, padding) = values.split_at_mut(len.min(values.len()));
            kernels.decode(from.format, stored, values_of_row);
            padding.fill(0.0);
            if let Err(error) = encode_q8_0(Some(kernels.name()), values, out) {
                let mut failed = lock(&failed);
                if failed.is_none_or(|(first, _)| start < first) {
                    *failed = Some((start, error.after(start)));
                }
            }
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.map_or(Ok(()), |(_, error)| Err(error))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
