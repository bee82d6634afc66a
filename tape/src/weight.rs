//! Weight matrices, by handle: where they lie in mapped files.

use crate::format::Format;

/// Where a weight matrix `[height, width]` lies: rows of `width` values in a block format, one after another.
///
/// A handle without lifetime: the bytes are looked up in [`Weights`] when they are needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weight {
    /// Number of the file.
    pub file: usize,
    /// First byte in the file.
    pub offset: usize,
    /// How values are stored.
    pub format: Format,
    /// Rows: outputs of a linear map, entries of a table; 1 for a vector.
    pub height: usize,
    /// Values of a row: inputs of a linear map.
    pub width: usize,
    /// Zeros that follow them in each row, so that it is whole blocks.
    pub padding: usize,
}

impl Weight {
    /// Values of a row as it is stored.
    pub fn stored(&self) -> usize {
        self.width.saturating_add(self.padding)
    }

    /// Bytes of all rows, if each is whole blocks and the size can be represented.
    pub fn len(&self) -> Option<usize> {
        self.format.row_bytes(self.stored())?.checked_mul(self.height)
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.height == 0 || self.width == 0
    }
}

/// The bytes weights lie in.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// The files, by their numbers.
    pub files: &'a [&'a [u8]],
    /// Weights made of theirs when they were loaded; it has the number after the last file's.
    pub made: &'a [u8],
}

impl<'a> Weights<'a> {
    /// Weights as they lie in files.
    pub fn of(files: &'a [&'a [u8]]) -> Weights<'a> {
        Weights { files, made: &[] }
    }

    fn file(&self, number: usize) -> Option<&'a [u8]> {
        if number == self.files.len() { Some(self.made) } else { self.files.get(number).copied() }
    }

    /// The bytes of a matrix, with what is needed to read them; `None` when they are not inside the file.
    pub fn matrix(&self, weight: &Weight) -> Option<Matrix<'a>> {
        let end = weight.offset.checked_add(weight.len()?)?;
        let bytes = self.file(weight.file)?.get(weight.offset..end)?;
        let (width, height, format) = (weight.stored(), weight.height, weight.format);
        Some(Matrix { bytes, format, height, width, row_bytes: format.row_bytes(width)? })
    }
}

/// A weight matrix in memory.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// All rows.
    pub bytes: &'a [u8],
    /// How values are stored.
    pub format: Format,
    /// Number of rows.
    pub height: usize,
    /// Values of a row, what fills it up included.
    pub width: usize,
    /// Bytes of a row.
    pub row_bytes: usize,
}

impl<'a> Matrix<'a> {
    /// The bytes of one row; empty when there is no such row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> &'a [u8] {
        let start = row.saturating_mul(self.row_bytes);
        self.bytes.get(start..start.saturating_add(self.row_bytes)).unwrap_or(&[])
    }
}
