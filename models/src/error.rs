//! What can be wrong with a model.

use crate::account::Left;
use crate::recipe::RecipeError;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use ocelli_gguf::TensorType;
use ocelli_tape::Format;

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
    /// A key or a tensor that no part of the model reads.
    Left(Left),
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
                let found = found.escape_debug();
                write!(f, "{key} '{found}' is not supported; supported are {}", known.join(", "))
            }
            Error::Number { key, found, expected } => {
                write!(f, "{key} is {}, it must be {expected}", Decimal(*found))
            }
            Error::Shape { tensor, expected: (rows, width), found } => {
                let tensor = tensor.escape_debug();
                write!(f, "tensor '{tensor}' has extents {found:?}, expected {rows} rows of {width}")
            }
            Error::Format { tensor, kind } => {
                write!(f, "tensor '{}' is stored as {kind}, ", tensor.escape_debug())?;
                match left_out(*kind) {
                    Some(feature) => write!(f, "and this library was built without {feature}; here are")?,
                    None => f.write_str("which cannot be computed with; here are")?,
                }
                Format::ALL.iter().try_for_each(|format| write!(f, " {}", format.name()))
            }
            Error::Unsupported { what, found } => write!(f, "{what} is not supported: {found}"),
            Error::Recipe(error) => error.fmt(f),
            Error::Left(left) => left.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

/// The feature that brings a format, to a build that is without it.
fn left_out(kind: TensorType) -> Option<&'static str> {
    let feature = match kind.id() {
        1 | 30 => "halves",
        2 | 3 | 6 | 7 => "small-quants",
        10..=14 => "k-quants",
        20 | 23 => "iq-quants",
        _ => return None,
    };
    Format::from_id(kind.id()).is_none().then_some(feature)
}

/// A number. To write a float as the library does takes as much code as a kernel, so a build without an operating system
/// gives six figures.
pub(crate) struct Decimal(pub(crate) f64);

impl fmt::Display for Decimal {
    #[cfg(feature = "std")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Numbers of files are mostly f32: 0.1, not 0.10000000149011612.
        let short = self.0 as f32;
        let (exact, tiny) = (f64::from(short) == self.0, self.0 != 0.0 && self.0.abs() < 1e-4);
        match (exact, tiny) {
            (true, false) => write!(f, "{short}"),
            (true, true) => write!(f, "{short:e}"),
            (false, _) => write!(f, "{}", self.0),
        }
    }

    #[cfg(not(feature = "std"))]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        six_figures(f, self.0)
    }
}

/// Whole numbers below 2^53 as they are; others as d.ddddd and a power of ten.
#[cfg(any(not(feature = "std"), test))]
fn six_figures(f: &mut dyn fmt::Write, number: f64) -> fmt::Result {
    let size = number.abs();
    if number.is_nan() {
        return f.write_str("NaN");
    }
    if number < 0.0 {
        f.write_str("-")?;
    }
    if size.is_infinite() {
        return f.write_str("inf");
    }
    if size < 9e15 && size as u64 as f64 == size {
        return write!(f, "{}", size as u64);
    }
    let (mut size, mut exponent) = (size, 0);
    while size >= 10.0 {
        (size, exponent) = (size / 10.0, exponent + 1);
    }
    while size < 1.0 {
        (size, exponent) = (size * 10.0, exponent - 1);
    }
    let mut figures = (size * 1e5 + 0.5) as u32;
    if figures == 1_000_000 {
        (figures, exponent) = (100_000, exponent + 1);
    }
    let (whole, rest) = (figures / 100_000, figures % 100_000);
    write!(f, "{whole}.{rest:05}")?;
    if exponent == 0 { Ok(()) } else { write!(f, "e{exponent}") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::{Decimal, six_figures};
    use alloc::string::{String, ToString};

    #[test]
    fn numbers_are_numbers_with_and_without_an_operating_system() {
        for (number, with, without) in [
            (15.0, "15", "15"),
            (-3.0, "-3", "-3"),
            (0.0, "0", "0"),
            (f64::from(0.1f32), "0.1", "1.00000e-1"),
            (2.5, "2.5", "2.50000"),
            (f64::from(1e-5f32), "1e-5", "1.00000e-5"),
            (f64::from(f32::from_bits(1)), "1e-45", "1.40130e-45"),
            (f64::NAN, "NaN", "NaN"),
            (f64::INFINITY, "inf", "inf"),
            (f64::NEG_INFINITY, "-inf", "-inf"),
            (16_777_217.0, "16777217", "16777217"),
            (1e300, "1", "1.00000e300"),
        ] {
            let mut text = String::new();
            six_figures(&mut text, number).unwrap();
            assert_eq!(text, without);
            if cfg!(feature = "std") {
                assert!(Decimal(number).to_string().starts_with(with), "{number}");
            }
        }
    }
}
