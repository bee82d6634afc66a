//! Why an image was refused.

use alloc::string::String;
use core::fmt;

use ocelli_kernels::ops::resize::{FrameError, ResizeError};
use ocelli_models::recipe::RecipeError;

/// An encoded format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    WebP,
    /// Windows bitmap.
    Bmp,
    /// GIF; its first frame.
    Gif,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Gif => "GIF",
        })
    }
}

/// One cause each, with its operands.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ImageError {
    /// The bytes begin like no format that is known.
    UnknownFormat {
        /// The first bytes, as many as there are up to 12.
        start: [u8; 12],
        /// How many bytes there are in all.
        length: usize,
    },
    /// The file ends before its image does.
    Truncated {
        /// Its format.
        format: Format,
        /// Its length in bytes.
        length: usize,
    },
    /// The file contradicts its format.
    Malformed {
        /// Its format.
        format: Format,
        /// What the decoder said.
        reason: String,
    },
    /// The file is of a kind of its format that is not read.
    Unsupported {
        /// Its format.
        format: Format,
        /// What the decoder said.
        reason: String,
    },
    /// More pixels than the caller allows.
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The most pixels allowed.
        most: u64,
    },
    /// The image has no pixels.
    ZeroSide {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The machine has no room for the decoded image.
    OutOfMemory {
        /// Bytes asked for.
        bytes: u64,
    },
    /// A slice that the caller gave is too short.
    TooShort {
        /// Which slice.
        what: &'static str,
        /// Items needed.
        needed: usize,
        /// Items given.
        given: usize,
    },
    /// A view that the plan does not have.
    View {
        /// The view asked for.
        view: u32,
        /// How many there are.
        views: u32,
    },
    /// A frame's planes are not what its size and format need.
    Frame(FrameError),
    /// The resize was refused or stopped.
    Resize(ResizeError),
    /// There is no plan for the image.
    Recipe(RecipeError),
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFormat { length: 0, .. } => write!(f, "the image is empty: 0 bytes"),
            Self::UnknownFormat { start, length } => {
                write!(f, "not a JPEG, PNG, WebP, BMP or GIF image: {length} bytes that begin")?;
                start.iter().take(*length).try_for_each(|byte| write!(f, " {byte:02x}"))
            }
            Self::Truncated { format, length } => {
                write!(f, "the {format} image is truncated: its {length} bytes end before the image does")
            }
            Self::Malformed { format, reason } => write!(f, "the {format} image is malformed: {reason}"),
            Self::Unsupported { format, reason } => {
                write!(f, "this kind of {format} image is not read: {reason}")
            }
            Self::TooLarge { width, height, most } => {
                let pixels = u64::from(*width) * u64::from(*height);
                write!(f, "the image has {width}×{height} = {pixels} pixels, {most} are allowed")
            }
            Self::ZeroSide { width, height } => {
                write!(f, "an image of {width}×{height} pixels has no pixels")
            }
            Self::OutOfMemory { bytes } => write!(f, "there is no memory for {bytes} bytes of decoded image"),
            Self::TooShort { what, needed, given } => write!(f, "{what}: {needed} needed, {given} given"),
            Self::View { view, views } => write!(f, "view {view} of an image that has {views}"),
            Self::Frame(error) => error.fmt(f),
            Self::Resize(error) => error.fmt(f),
            Self::Recipe(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ImageError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Frame(error) => Some(error),
            Self::Resize(error) => Some(error),
            Self::Recipe(error) => Some(error),
            _ => None,
        }
    }
}

impl From<FrameError> for ImageError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<ResizeError> for ImageError {
    fn from(error: ResizeError) -> Self {
        Self::Resize(error)
    }
}

impl From<RecipeError> for ImageError {
    fn from(error: RecipeError) -> Self {
        Self::Recipe(error)
    }
}
