//! What is asked of a decoder, what a header tells, and that it is held against the bound before anything large is allocated.

use super::orientation::Orientation;
use super::{Format, ImageError};

/// What a decoder may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// The most pixels (width · height) that are decoded.
    pub max_pixels: u64,
    /// Which way the image is turned.
    pub orientation: Orientation,
}

impl Default for DecodeOptions {
    /// 2^27 pixels, which is 11585×11585 or 384 MiB of RGB; turned as EXIF says.
    fn default() -> Self {
        Self { max_pixels: 1 << 27, orientation: Orientation::Exif }
    }
}

/// What an image's header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The format.
    pub format: Format,
    /// Width in pixels, orientation applied where asked for.
    pub width: u32,
    /// Height in pixels, likewise.
    pub height: u32,
    /// An upper bound of what [`decode`](super::decode()) has allocated at any one time, in bytes, the image that it
    /// returns included.
    pub peak_bytes: u64,
}

/// Refuses sizes before anything of that size is allocated; gives the number of pixels.
pub(super) fn check_size(width: u32, height: u32, options: &DecodeOptions) -> Result<u64, ImageError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(ImageError::ZeroSide { width, height });
    }
    if pixels > options.max_pixels {
        return Err(ImageError::TooLarge { width, height, most: options.max_pixels });
    }
    Ok(pixels)
}
