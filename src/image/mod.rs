//! From an encoded image, or a camera's frame, to normalised rows of pixels.
//!
//! ```text
//! bytes ─ decode ─> Frame ─ Preprocessor::make_sheets ─> 8-bit sheets ─ write_view ─> rows, one view at a time
//!        (std)              resize, pad, crop: Pillow's bytes            (u8/255 − mean)/std, patch by patch
//! ```
//! [`decode`] is the only part that allocates; it says beforehand how much at most ([`probe`]). The rest
//! works in memory that the caller gives, whose size depends on the recipe and the image's width and height
//! alone ([`Preprocessor::memory`]). A firmware without files starts with a [`Frame`]: pixels where they
//! are, in a camera's own format, which are turned to RGB row by row while they are resized.
//!
//! The EXIF orientation is applied where an encoded image is decoded, or another that the
//! caller names ([`DecodeOptions::orientation`]); a frame is never turned.

mod bands;
mod error;
mod preprocess;

pub use error::{Format, ImageError};
pub use ocelli_kernels::ops::resize::{Colors, Frame, FrameError, Matrix, PixelFormat, Plane, Range};
pub use preprocess::{Memory, Preprocessor};

#[cfg(feature = "images")]
mod bmp;
#[cfg(feature = "images")]
mod decode;
#[cfg(feature = "images")]
mod gif;
#[cfg(feature = "images")]
mod header;
#[cfg(feature = "images")]
mod jpeg;
#[cfg(feature = "images")]
mod metadata;
#[cfg(feature = "images")]
mod orientation;
#[cfg(feature = "images")]
mod png;
#[cfg(feature = "images")]
mod rgb;
#[cfg(feature = "images")]
mod webp;

#[cfg(feature = "images")]
pub use decode::{decode, probe};
#[cfg(feature = "images")]
pub use header::{DecodeOptions, Header};
#[cfg(feature = "images")]
pub use orientation::{Orientation, Turn};
#[cfg(feature = "images")]
pub use rgb::Image;

#[cfg(all(test, feature = "images"))]
mod tests;
