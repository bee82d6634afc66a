//! What cannot be encoded.

use core::fmt;
use ocelli_kernels::cpu::UnknownIsa;
use ocelli_kernels::formats::Format;

/// Why values were not encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The values are not whole blocks, or not as many as the bytes take.
    Lengths {
        /// The format.
        format: Format,
        /// How many values.
        values: usize,
        /// How many bytes.
        bytes: usize,
    },
    /// A value is not a finite number.
    NotFinite {
        /// Which.
        index: usize,
        /// What it is.
        value: f32,
    },
    /// A value is larger than any that a block of the format can hold.
    TooLarge {
        /// The format.
        format: Format,
        /// Which.
        index: usize,
        /// What it is.
        value: f32,
    },
    /// The numbers of a block are so large that its scale is no binary16.
    Overflow {
        /// The format.
        format: Format,
        /// The first value of the block.
        index: usize,
    },
    /// The values are not rows of as many columns as there is importance for, or these are no whole blocks.
    Columns {
        /// For how many columns there is importance.
        importance: usize,
        /// How many values.
        values: usize,
    },
    /// The importance of a column is negative, not finite or beyond all reason.
    Importance {
        /// Which column.
        column: usize,
        /// What it is.
        value: f32,
    },
    /// There is no such instruction set here.
    Isa(UnknownIsa),
}

impl EncodeError {
    /// The same error when the values were a part of more, from `start`.
    pub fn after(self, start: usize) -> Self {
        match self {
            Self::Lengths { .. } | Self::Columns { .. } | Self::Importance { .. } | Self::Isa(_) => self,
            Self::NotFinite { index, value } => Self::NotFinite { index: start + index, value },
            Self::TooLarge { format, index, value } => Self::TooLarge { format, index: start + index, value },
            Self::Overflow { format, index } => Self::Overflow { format, index: start + index },
        }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lengths { format, values, bytes } => {
                write!(f, "{values} values do not make {bytes} bytes of {}", format.name())
            }
            Self::NotFinite { index, value } => write!(f, "value {index} is {value}, not a finite number"),
            Self::TooLarge { format, index, value } => {
                write!(f, "value {index} is {value:e}, more than {} can hold", format.name())
            }
            Self::Overflow { format, index } => {
                write!(f, "the values from {index} on are more than a block of {} can hold", format.name())
            }
            Self::Columns { importance, values } => {
                write!(
                    f,
                    "importance of {importance} columns does not fit {values} values, or blocks do not fit it"
                )
            }
            Self::Importance { column, value } => write!(f, "the importance of column {column} is {value:e}"),
            Self::Isa(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for EncodeError {}

/// Finds the first value that is not finite or not below the limit.
pub(super) fn check_values(format: Format, values: &[f32], limit: f32) -> Result<(), EncodeError> {
    let good = |x: &f32| x.abs() < limit;
    for (start, part) in values.chunks(256).enumerate() {
        // The whole part first: without a way out in the middle it is compared many at a time.
        if part.iter().fold(true, |all, x| all & good(x)) {
            continue;
        }
        if let Some((index, value)) = part.iter().enumerate().find(|(_, x)| !good(x)) {
            let (index, value) = (256 * start + index, *value);
            return Err(if value.is_finite() {
                EncodeError::TooLarge { format, index, value }
            } else {
                EncodeError::NotFinite { index, value }
            });
        }
    }
    Ok(())
}

/// Finds the first block with an infinite scale.
pub(super) fn check_halves(
    format: Format,
    blocks: &[u8],
    bytes: usize,
    len: usize,
    halves: &[usize],
) -> Result<(), EncodeError> {
    // The second byte has the sign and the upper bits of the exponent, which are all set in what is not finite.
    let finite = |block: &[u8]| halves.iter().all(|at| block.get(at + 1).is_none_or(|b| b & 0x7c != 0x7c));
    match blocks.chunks_exact(bytes).position(|block| !finite(block)) {
        Some(block) => Err(EncodeError::Overflow { format, index: block * len }),
        None => Ok(()),
    }
}
