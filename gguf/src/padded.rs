//! Rows padded with zeros to whole blocks, a way of ours to store any matrix in blocks.
//!
//! A row of 4304 numbers is 134 and a half blocks of 32. A file may hold it as 135 blocks whose last 16 numbers are zeros and
//! stand for no input; the tensor's extents are those of what is stored. Two arrays say which tensors these are:
//!
//! ```text
//! ocelli.padded.names     strings    tensors
//! ocelli.padded.lengths   uint32     how many numbers of each row count, in the same order
//! ```
//!
//! A program that does not know them refuses the shape. It is for those who ask for a tensor to compare lengths: a row is
//! padded to whole blocks and by no more.

use crate::{Error, Gguf, List};

/// The key of the names.
pub const PADDED_NAMES: &str = "ocelli.padded.names";

/// The key of the lengths.
pub const PADDED_LENGTHS: &str = "ocelli.padded.lengths";

impl<'a> Gguf<'a> {
    /// How many numbers of each row of a tensor count, if the file says so.
    ///
    /// # Errors
    /// One of the keys is of another type, or the second is missing.
    pub fn unpadded(&self, tensor: &str) -> Result<Option<usize>, Error> {
        let Some(names) = self.optional::<List<'a, &str>>(PADDED_NAMES)? else { return Ok(None) };
        let lengths = self.require::<List<'a, u32>>(PADDED_LENGTHS)?;
        let found = names.iter().position(|name| name == tensor);
        Ok(found.and_then(|i| lengths.get(i)).map(|length| length as usize))
    }
}
