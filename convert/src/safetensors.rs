//! The container of a checkpoint's weights.
//!
//! ```text
//! u64 length of the header | header | data
//! header: {"<tensor>": {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [begin, end]}, ...}
//! ```
//! Little-endian; offsets count from the first byte of the data; the last extent is the fastest. `__metadata__` in the
//! header is no tensor. Read are F32, F16 and BF16.
//!
//! Files come from strangers, and every number in the header is a claim: it is accepted when every tensor has exactly the
//! bytes that its extents say, inside of the file, and every byte of the data belongs to exactly one tensor. The work is
//! that of reading the header once (and n log n in the number of tensors), whatever the header claims.
//!
//! Source: the format's description in the safetensors repository.

use crate::error::Error;
use crate::folder::Folder;
use crate::json::{Entries, brief};
use ocelli_gguf::TensorType;
use serde_json::Value;

/// The longest header that the format's own library reads.
const HEADER: u64 = 100_000_000;

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// The type of its numbers.
    pub kind: TensorType,
    /// Its extents, slowest first.
    pub shape: Vec<u64>,
    /// Where in the file its bytes begin.
    pub offset: u64,
}

/// Reads the header of a file: its tensors by name.
///
/// # Errors
/// It cannot be read, or claims something that is not so.
pub fn read(folder: &dyn Folder, file: &str) -> Result<Vec<Stored>, Error> {
    let at = |error| Error::Io { file: file.into(), error };
    let len = folder.size(file).map_err(at)?;
    let Some(after) = len.checked_sub(8) else { return Err(Error::NoHeader { file: file.into(), len }) };
    let mut eight = [0; 8];
    folder.read(file, 0, &mut eight).map_err(at)?;
    let header = u64::from_le_bytes(eight);
    let most = after.min(HEADER);
    if header > most {
        return Err(Error::HeaderLength { file: file.into(), header, most });
    }
    let mut text = vec![0; header as usize];
    folder.read(file, 8, &mut text).map_err(at)?;
    parse(file, &text, after - header)
}

/// Reads a header in front of `data` bytes.
fn parse(file: &str, header: &[u8], data: u64) -> Result<Vec<Stored>, Error> {
    let Entries(entries) =
        serde_json::from_slice(header).map_err(|error| Error::Json { file: file.into(), error })?;
    let start = 8 + header.len() as u64;
    let mut found = Vec::with_capacity(entries.len());
    for (name, entry) in entries {
        if name != "__metadata__" {
            found.push(tensor(file, name, &entry, data)?);
        }
    }
    found.sort_by(|(a, span), (b, other)| (span, &a.name).cmp(&(other, &b.name)));
    let mut end = 0;
    let mut before: Option<&str> = None;
    for (stored, (from, to)) in &found {
        if *from < end {
            let first = before.unwrap_or_default().into();
            return Err(Error::Overlap { file: file.into(), first, second: stored.name.clone(), at: *from });
        }
        if *from > end {
            return Err(Error::Hole { file: file.into(), begin: end, end: *from });
        }
        (end, before) = (*to, Some(stored.name.as_str()));
    }
    if end < data {
        return Err(Error::Hole { file: file.into(), begin: end, end: data });
    }
    let tensors = found.into_iter().map(|(stored, (from, _))| Stored { offset: start + from, ..stored });
    let mut tensors: Vec<Stored> = tensors.collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    match tensors.windows(2).find(|pair| matches!(pair, [a, b] if a.name == b.name)) {
        Some([twice, ..]) => {
            Err(Error::Twice { tensor: twice.name.clone(), first: file.into(), second: file.into() })
        }
        _ => Ok(tensors),
    }
}

type Span = (u64, u64);

/// One entry: the tensor, and its bytes in the data.
fn tensor(file: &str, name: String, entry: &Value, data: u64) -> Result<(Stored, Span), Error> {
    let wrong = |key: &str, wanted: &'static str| Error::Entry {
        file: file.into(),
        key: format!("{name:?}.{key}"),
        wanted,
        found: entry.get(key).map_or("missing".into(), brief),
    };
    let dtype = entry.get("dtype").and_then(Value::as_str).ok_or_else(|| wrong("dtype", "a string"))?;
    let kind = match dtype {
        "F32" => TensorType::F32,
        "F16" => TensorType::F16,
        "BF16" => TensorType::BF16,
        _ => return Err(Error::Dtype { file: file.into(), tensor: name, dtype: dtype.into() }),
    };
    let numbers =
        |key: &str| -> Option<Vec<u64>> { entry.get(key)?.as_array()?.iter().map(Value::as_u64).collect() };
    let shape = numbers("shape").ok_or_else(|| wrong("shape", "a list of whole numbers"))?;
    let offsets = numbers("data_offsets").unwrap_or_default();
    let [begin, end] = *offsets.as_slice() else {
        return Err(wrong("data_offsets", "two whole numbers"));
    };
    if begin > end || end > data {
        return Err(Error::Offsets { file: file.into(), tensor: name, begin, end, data });
    }
    let bytes = shape.iter().try_fold(kind.block_bytes() as u64, |bytes, extent| bytes.checked_mul(*extent));
    if bytes != Some(end - begin) {
        let (dtype, found) = (kind.name(), end - begin);
        return Err(Error::Bytes { file: file.into(), tensor: name, shape, dtype, found });
    }
    Ok((Stored { name, kind, shape, offset: 0 }, (begin, end)))
}
