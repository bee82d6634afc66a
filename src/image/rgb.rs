//! A decoded image, and memory for one.

use super::ImageError;
use alloc::vec::Vec;

/// An RGB image: 8 bits per channel, interleaved, rows top-down and packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `width · height · 3` bytes.
    pub data: Vec<u8>,
}

/// Zeroed memory, or an error where `vec!` would abort.
pub(super) fn reserve(bytes: u64) -> Result<Vec<u8>, ImageError> {
    let refused = ImageError::OutOfMemory { bytes };
    let Ok(length) = usize::try_from(bytes) else { return Err(refused) };
    bytemuck::allocation::try_zeroed_vec(length).map_err(|()| refused)
}
