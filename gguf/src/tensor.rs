//! A tensor's description, checked while it is read.
//!
//! ```text
//! string name | u32 n_dims | n_dims x u64 extent (first = fastest) | u32 type | u64 offset from the start of the data
//! ```
//! A weight that PyTorch shows as (out, in) has dims [in, out] here. No dimensions at all is a single value.

use core::fmt;
use core::ops::Range;

use crate::cursor::Cursor;
use crate::error::Error;
use crate::types::{self, TensorType};
use crate::{MAX_DIMS, limits};

/// A tensor of a file. Everything here was checked against the file when it was read.
#[derive(Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct TensorInfo<'a> {
    /// The name, such as `blk.0.attn_q.weight`.
    pub name: &'a str,
    /// The type of the values.
    pub kind: TensorType,
    /// Where in the file the bytes begin.
    pub offset: usize,
    /// The bytes; none where only the [beginning](crate::Gguf::parse_beginning) of the file is here.
    pub data: &'a [u8],
    /// How many they are.
    len: usize,
    n_dims: u8,
    extents: [usize; MAX_DIMS],
    elements: usize,
}

impl<'a> TensorInfo<'a> {
    /// The extents as the file has them, fastest first.
    pub fn dims(&self) -> &[usize] {
        self.extents.get(..usize::from(self.n_dims)).unwrap_or_default()
    }

    /// The extent of dimension `axis`, 1 for those that the file does not give.
    pub fn extent(&self, axis: usize) -> usize {
        self.extents.get(axis).copied().unwrap_or(1)
    }

    /// The length of a row: the fastest extent, a multiple of the type's block.
    pub fn row_len(&self) -> usize {
        self.extent(0)
    }

    /// The number of rows: the product of the other extents.
    pub fn rows(&self) -> usize {
        self.elements / self.row_len().max(1)
    }

    /// The number of values.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// The byte range in the file.
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.len
    }
}

impl fmt::Debug for TensorInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{:?} at {:?}", self.name, self.kind, self.dims(), self.range())
    }
}

/// A description as read, before the start of the data is known.
pub(crate) struct Description<'a> {
    /// Where in the file the description begins.
    pub(crate) at: usize,
    pub(crate) name: &'a str,
    kind: TensorType,
    n_dims: u8,
    extents: [usize; MAX_DIMS],
    elements: usize,
    /// The offset as the file gives it, and where it gives it.
    offset: u64,
    offset_at: usize,
}

impl<'a> Description<'a> {
    /// `budget` is how many values all tensors may still have; the tensor's own are taken off.
    pub(crate) fn read(cursor: &mut Cursor<'a>, budget: &mut u64) -> Result<Self, Error> {
        let at = cursor.at();
        let name = read_name(cursor)?;
        let (n_dims, extents) = read_extents(cursor, name)?;
        let elements = count(name, at, &extents, budget)?;
        let kind = read_kind(cursor, name)?;
        let row = extents[0];
        if !row.is_multiple_of(kind.block_len() as u64) {
            return Err(Error::PartialBlock { name: name.into(), at, kind, row });
        }
        let offset_at = cursor.at();
        let offset = cursor.u64("a tensor's offset")?;
        // `count` made sure that the product, and so each factor, fits.
        let extents = extents.map(|extent| extent as usize);
        Ok(Self { at, name, kind, n_dims, extents, elements, offset, offset_at })
    }

    /// Places the tensor in the data section: it begins where the one before it ended, padded (`expected`). Of the file
    /// there are these bytes, of so many.
    pub(crate) fn place(
        &self,
        (file, file_len): (&'a [u8], usize),
        data_start: u64,
        expected: u64,
    ) -> Result<TensorInfo<'a>, Error> {
        let name = self.name;
        if self.offset != expected {
            return Err(Error::WrongOffset {
                name: name.into(),
                at: self.offset_at,
                expected,
                found: self.offset,
            });
        }
        // At most 2^40 values of at most 8 bytes each.
        let len = (self.elements / self.kind.block_len()) as u64 * self.kind.block_bytes() as u64;
        let start = data_start.saturating_add(expected);
        let place = usize::try_from(start).ok().zip(usize::try_from(start.saturating_add(len)).ok());
        let Some((offset, end)) = place.filter(|(_, end)| *end <= file_len) else {
            return Err(Error::OutsideFile { name: name.into(), at: self.at, start, len, file_len });
        };
        let data = file.get(offset..end).unwrap_or_default();
        let Self { kind, n_dims, extents, elements, .. } = *self;
        Ok(TensorInfo { name, kind, offset, data, len: end - offset, n_dims, extents, elements })
    }
}

fn read_name<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, Error> {
    let (at, bytes) = cursor.string("a tensor's name")?;
    if bytes.is_empty() {
        return Err(Error::EmptyTensorName { at });
    }
    if bytes.len() > limits::NAME_BYTES {
        return Err(Error::TensorNameTooLong { at, len: bytes.len() });
    }
    core::str::from_utf8(bytes).map_err(|e| Error::TensorNameNotUtf8 { at, bad: at + e.valid_up_to() })
}

fn read_extents(cursor: &mut Cursor<'_>, name: &str) -> Result<(u8, [u64; MAX_DIMS]), Error> {
    let at = cursor.at();
    let n_dims = cursor.u32("a tensor's number of dimensions")?;
    if n_dims > MAX_DIMS as u32 {
        return Err(Error::TooManyDimensions { name: name.into(), at, n_dims });
    }
    let mut extents = [1; MAX_DIMS];
    for (axis, extent) in extents.iter_mut().take(n_dims as usize).enumerate() {
        let at = cursor.at();
        *extent = cursor.u64("a tensor's extent")?;
        if *extent == 0 {
            return Err(Error::ZeroExtent { name: name.into(), at, axis });
        }
    }
    Ok((n_dims as u8, extents))
}

/// The product of the extents. A negative extent reads as a huge one and ends here too.
fn count(name: &str, at: usize, extents: &[u64; MAX_DIMS], budget: &mut u64) -> Result<usize, Error> {
    let product = extents.iter().try_fold(1u64, |product, extent| product.checked_mul(*extent));
    let counted = product.and_then(|n| Some((budget.checked_sub(n)?, usize::try_from(n).ok()?)));
    let Some((left, elements)) = counted else {
        return Err(Error::TooManyElements { name: name.into(), at, extents: *extents });
    };
    *budget = left;
    Ok(elements)
}

fn read_kind(cursor: &mut Cursor<'_>, name: &str) -> Result<TensorType, Error> {
    let at = cursor.at();
    let id = cursor.u32("a tensor's type")?;
    TensorType::from_id(id).ok_or_else(|| match types::removed(id) {
        Some(was) => Error::RemovedTensorType { name: name.into(), at, id, was },
        None => Error::UnknownTensorType { name: name.into(), at, id },
    })
}
