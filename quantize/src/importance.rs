//! How important the columns of a model's matrices are: reading the file that `ocelli calibrate`, or llama.cpp's
//! `llama-imatrix`, wrote.
//!
//! Such a file is a GGUF file with `general.type = imatrix` and, for each linear map called `name`, two tensors of F32:
//!
//! ```text
//! name.in_sum2   [columns, matrices]   Σ x²: of all rows x that were multiplied with the matrix, column by column
//! name.counts    [1, matrices]         how many rows they were
//! ```
//!
//! There are several matrices in a tensor of experts. Importance is the mean square `in_sum2 / counts`, and 1 where no row
//! went through. Keys: `imatrix.datasets` (what was read), `imatrix.chunk_count`, `imatrix.chunk_size`.
//!
//! Refused, with the name: sums without counts and the reverse, other types, extents that do not belong together, what is
//! negative or not finite. llama.cpp's older layout without GGUF is not read; its `llama-imatrix --in-file` rewrites it.

use crate::error::Error;
use ocelli_gguf::{Gguf, List, TensorInfo, TensorType};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The importance of a model's columns.
#[derive(Clone, Debug)]
pub struct Importance {
    entries: BTreeMap<String, Entry>,
    /// What the file is called.
    pub name: String,
    /// What the model read, the first of several.
    pub dataset: Option<String>,
    /// In how many pieces.
    pub chunks: u32,
}

#[derive(Clone, Debug)]
struct Entry {
    values: Arc<[f32]>,
    columns: usize,
}

/// What a tensor's sums and counts are called after its name.
pub const SUMS: &str = ".in_sum2";
/// See [`SUMS`].
pub const COUNTS: &str = ".counts";

impl Importance {
    /// Reads a file that is called `name`.
    ///
    /// # Errors
    /// It is another kind of file, or breaks a rule above.
    pub fn read(file: &Gguf<'_>, name: &str) -> Result<Importance, Error> {
        if file.optional::<&str>("general.type")? != Some("imatrix") || file.tensors().is_empty() {
            return Err(Error::NoImportance);
        }
        let datasets: List<'_, &str> = file.require("imatrix.datasets")?;
        let chunks = file.require("imatrix.chunk_count")?;
        let mut entries = BTreeMap::new();
        for tensor in file.tensors() {
            let half = || Error::ImportanceHalf { tensor: tensor.name.into() };
            if let Some(of) = tensor.name.strip_suffix(SUMS) {
                let counts = file.tensor(&format!("{of}{COUNTS}")).ok_or_else(half)?;
                entries.insert(of.to_string(), entry(of, tensor, counts)?);
            } else if let Some(of) = tensor.name.strip_suffix(COUNTS) {
                file.tensor(&format!("{of}{SUMS}")).ok_or_else(half)?;
            }
        }
        let dataset = datasets.iter().next().map(String::from);
        Ok(Importance { entries, name: name.into(), dataset, chunks })
    }

    /// How many tensors it is of.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// The importance of the columns of a tensor of so many matrices with rows of so many numbers, matrix by matrix.
    ///
    /// # Errors
    /// It is of other extents. That of a table of tokens is passed over then: it is looked up and not multiplied, so files
    /// have there what another matrix left.
    pub fn of(&self, tensor: &str, row: usize, matrices: usize) -> Result<Option<Arc<[f32]>>, Error> {
        let Some(entry) = self.entries.get(tensor) else { return Ok(None) };
        if entry.columns == row && entry.values.len() / row.max(1) == matrices {
            return Ok(Some(entry.values.clone()));
        }
        if matches!(tensor, "token_embd.weight" | "per_layer_token_embd.weight") {
            return Ok(None);
        }
        Err(Error::ImportanceExtents {
            tensor: tensor.into(),
            columns: entry.columns,
            matrices: entry.values.len() / entry.columns.max(1),
            row,
            of: matrices,
        })
    }
}

/// The numbers of a tensor of F32.
fn floats(tensor: &TensorInfo<'_>) -> Result<Vec<f32>, Error> {
    if tensor.kind != TensorType::F32 {
        return Err(Error::Unsupported { tensor: tensor.name.into(), kind: tensor.kind });
    }
    Ok(tensor.data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

fn entry(of: &str, sums: &TensorInfo<'_>, counts: &TensorInfo<'_>) -> Result<Entry, Error> {
    let (mut values, counts) = (floats(sums)?, floats(counts)?);
    if counts.is_empty() || values.is_empty() || !values.len().is_multiple_of(counts.len()) {
        return Err(Error::ImportanceHalf { tensor: sums.name.into() });
    }
    let columns = values.len() / counts.len();
    for (matrix, count) in values.chunks_exact_mut(columns).zip(counts) {
        let count = count.round();
        for (column, sum) in matrix.iter_mut().enumerate() {
            *sum = if count > 0.0 { *sum / count } else { 1.0 };
            if !(*sum >= 0.0 && sum.is_finite()) {
                return Err(Error::ImportanceValue { tensor: of.into(), column, value: *sum });
            }
        }
    }
    Ok(Entry { values: values.into(), columns: of_one(columns, sums) })
}

/// The columns of a matrix: an older file has one count for all matrices of a tensor.
fn of_one(columns: usize, sums: &TensorInfo<'_>) -> usize {
    if columns == sums.elements() { sums.row_len() } else { columns }
}
