//! Why a file was not made.

use crate::encode::EncodeError;
use core::fmt;
use ocelli_gguf::TensorType;
use std::io;

/// Why a file was not made.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// What was read, or would be written, breaks a rule of the format.
    Gguf(ocelli_gguf::Error),
    /// A pattern stands for no tensor of the file.
    NoSuchTensor {
        /// The pattern.
        pattern: String,
    },
    /// The type asked for a tensor cannot hold it.
    DoesNotFit {
        /// The tensor.
        tensor: String,
        /// The type.
        kind: TensorType,
        /// The length of its rows.
        row: usize,
        /// Whether the tensor is a matrix.
        matrix: bool,
    },
    /// A tensor whose rows are not as long as the file says elsewhere.
    Padding {
        /// The tensor.
        tensor: String,
        /// How many numbers of each row should count.
        row: usize,
        /// How many are stored.
        stored: usize,
    },
    /// The numbers of this type cannot be read, or not be written.
    Unsupported {
        /// The tensor.
        tensor: String,
        /// The type.
        kind: TensorType,
    },
    /// Numbers of a tensor cannot be stored.
    Encode {
        /// The tensor.
        tensor: String,
        /// Which numbers, and why.
        error: EncodeError,
    },
    /// A file that should be of importance is of something else, or empty.
    NoImportance,
    /// A file of importance has sums without fitting counts, or the reverse.
    ImportanceHalf {
        /// The one that is there.
        tensor: String,
    },
    /// Importance is negative or not finite.
    ImportanceValue {
        /// The tensor it is of.
        tensor: String,
        /// The column.
        column: usize,
        /// What it is.
        value: f32,
    },
    /// Importance is of a matrix of other extents: that of another model.
    ImportanceExtents {
        /// The tensor.
        tensor: String,
        /// The columns there is importance of.
        columns: usize,
        /// In how many matrices.
        matrices: usize,
        /// The length of the tensor's rows.
        row: usize,
        /// Its matrices.
        of: usize,
    },
    /// A tensor could not be read.
    Read {
        /// The tensor.
        tensor: String,
        /// Why.
        error: io::Error,
    },
    /// The sink refused the bytes.
    Write(io::Error),
    /// There is no such instruction set here.
    Isa(ocelli_kernels::cpu::UnknownIsa),
    /// Somebody said that it should stop.
    Stopped,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gguf(error) => error.fmt(f),
            Self::NoSuchTensor { pattern } => write!(f, "no tensor is called {pattern:?}"),
            Self::DoesNotFit { tensor, kind, row, matrix: true } => {
                let block = kind.block_len();
                write!(f, "tensor {tensor:?} cannot be {kind}: rows of {row} are no whole blocks of {block}")
            }
            Self::DoesNotFit { tensor, kind, .. } => {
                write!(f, "tensor {tensor:?} cannot be {kind}: only matrices are stored in blocks")
            }
            Self::Padding { tensor, row, stored } => {
                write!(f, "tensor {tensor:?}: rows of {row} padded to whole blocks are not {stored} long")
            }
            Self::Unsupported { tensor, kind } => {
                write!(f, "tensor {tensor:?}: {kind} is no type that can be converted")
            }
            Self::Encode { tensor, error } => write!(f, "tensor {tensor:?}: {error}"),
            Self::NoImportance => {
                f.write_str("no file of importance (general.type is not imatrix, or nothing is in it)")
            }
            Self::ImportanceHalf { tensor } => {
                write!(f, "importance: {tensor:?} has no sums and counts that belong together")
            }
            Self::ImportanceValue { tensor, column, value } => {
                write!(f, "tensor {tensor:?}: the importance of column {column} is {value:e}")
            }
            Self::ImportanceExtents { tensor, columns, matrices, row, of } => {
                write!(
                    f,
                    "tensor {tensor:?}: importance is of {matrices} x {columns} columns, the tensor has {of} x {row}"
                )
            }
            Self::Read { tensor, error } => write!(f, "tensor {tensor:?} cannot be read: {error}"),
            Self::Write(error) => error.fmt(f),
            Self::Isa(error) => error.fmt(f),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

impl core::error::Error for Error {}

impl From<ocelli_gguf::Error> for Error {
    fn from(error: ocelli_gguf::Error) -> Self {
        Self::Gguf(error)
    }
}

impl From<ocelli_gguf::WriteError<io::Error>> for Error {
    fn from(error: ocelli_gguf::WriteError<io::Error>) -> Self {
        match error {
            ocelli_gguf::WriteError::Content(error) => Self::Gguf(error),
            ocelli_gguf::WriteError::Sink(error) => Self::Write(error),
        }
    }
}
