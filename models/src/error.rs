//! What can be wrong with a model.

use crate::recipe::RecipeError;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use ocelli_gguf::TensorType;
use ocelli_kernels::formats::Format;

/// Why a model cannot be read from its file.
#[derive(Clone, PartialEq, Debug)]
pub enum Error {
    /// The file lacks a key or a tensor, or a value has another type.
    File(ocelli_gguf::Error),
    /// An architecture that is not known here.
    Architecture {
        /// Where its name stands.
        key: &'static str,
        /// The name.
        found: String,
        /// The names that are known.
        known: Vec<&'static str>,
    },
    /// A number that a model cannot have.
    Number {
        /// Its key.
        key: String,
        /// What it is.
        found: f64,
        /// What it must be.
        expected: &'static str,
    },
    /// A tensor of another shape than the model's numbers say.
    Shape {
        /// Its name.
        tensor: String,
        /// Rows and width expected.
        expected: (usize, usize),
        /// Its extents, fastest first.
        found: Vec<usize>,
    },
    /// A tensor in a format that cannot be computed with, or not by this build.
    Format {
        /// Its name.
        tensor: String,
        /// Its type.
        kind: TensorType,
    },
    /// Something the model needs and this version does not have.
    Unsupported {
        /// What it is.
        what: &'static str,
        /// The value that asks for it.
        found: String,
    },
    /// An image recipe that contradicts itself.
    Recipe(RecipeError),
}

impl From<ocelli_gguf::Error> for Error {
    fn from(error: ocelli_gguf::Error) -> Error {
        Error::File(error)
    }
}

impl From<RecipeError> for Error {
    fn from(error: RecipeError) -> Error {
        Error::Recipe(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::File(error) => error.fmt(f),
            Error::Architecture { key, found, known } => {
                write!(f, "{key} '{found}' is not supported; supported are {}", known.join(", "))
            }
            // To write a float takes as much code as a kernel.
            #[cfg(not(feature = "std"))]
            Error::Number { key, found, expected } => {
                write!(f, "{key} is {} and a fraction, it must be {expected}", *found as i64)
            }
            #[cfg(feature = "std")]
            Error::Number { key, found, expected } => write!(f, "{key} is {found}, it must be {expected}"),
            Error::Shape { tensor, expected: (rows, width), found } => {
                write!(f, "tensor '{tensor}' has extents {found:?}, expected {rows} rows of {width}")
            }
            Error::Format { tensor, kind } => {
                write!(f, "tensor '{tensor}' is stored as {kind}, which cannot be computed with; here are")?;
                Format::ALL.iter().try_for_each(|format| write!(f, " {}", format.name()))
            }
            Error::Unsupported { what, found } => write!(f, "{what} is not supported: {found}"),
            Error::Recipe(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {}
