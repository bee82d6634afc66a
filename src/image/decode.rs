//! An encoded image to RGB, as PIL's `open(…)`, `exif_transpose` and `convert("RGB")` do it.
//!
//! ```text
//! grey                 → (v, v, v);  1, 2 and 4 bits widened to 0..=255
//! palette              → its colours; an index beyond the palette is refused (PNG) or black (GIF)
//! alpha                dropped, not composited: the colour under it stays
//! 16-bit grey PNG      → min(v, 255), not v / 256: PIL opens it as `I;16`, whose conversion clips
//! other 16-bit PNG     → the high byte
//! GIF                  first frame on its canvas, see `first_frame`
//! animated WebP, PNG   first frame
//! colour profiles      ignored
//! ```
//! Checked against Pillow 13.0.0. PNG, GIF, BMP and WebP, lossy WebP included, are equal to the byte. JPEG is
//! not, because decoders differ in the inverse transform and in how chroma is upsampled. Measured on twenty
//! synthetic photos of 1601×1203 (textures, edges, text, noise; quality 75 to 92, baseline and progressive),
//! per channel value of 0..=255:
//! ```text
//! grey, CMYK   mean 0.005   largest 1        4:2:2   mean 0.13   largest 4
//! 4:4:4        mean 0.011   largest 3        4:2:0   mean 0.25   largest 5
//! ```
//!
//! Width and height are read from the header and held against [`DecodeOptions::max_pixels`] before anything
//! of that size is allocated. A JPEG without its end marker is refused, as Pillow does, although the decoder
//! would fill the rest with grey. A panic inside a decoder becomes [`ImageError::Malformed`].

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::io::{Cursor, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::{bmp::BmpDecoder, jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder};
use image::error::ImageError as Inner;
use image::{ImageDecoder, Limits};

use super::orientation::{Orientation, Turn, turned};
use super::to_rgb::{Native, to_rgb};
use super::{Format, ImageError, claim, first_frame, jpeg, webp};

/// Bytes that a PNG's colour profile and texts may take when they are unpacked.
const PNG_CHUNKS: u64 = 4 << 20;

/// Bytes for tables and buffers that do not grow with the image.
const FIXED: u64 = 1 << 20;

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

/// What an image's header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The format.
    pub format: Format,
    /// Width in pixels, orientation applied where asked for.
    pub width: u32,
    /// Height in pixels, likewise.
    pub height: u32,
    /// An upper bound of what [`decode`] has allocated at any one time, in bytes, the image that it
    /// returns included.
    pub peak_bytes: u64,
}

/// Reads the header: enough to plan. Nothing of the image's size is allocated.
///
/// # Errors
/// As [`decode`], as far as the header shows it.
pub fn probe(bytes: &[u8], options: &DecodeOptions) -> Result<Header, ImageError> {
    let format = sniff(bytes)?;
    guarded(format, || match format {
        Format::Gif => first_frame::probe(bytes, options),
        _ => Opened::new(bytes, format, options).map(|opened| opened.header()),
    })
}

/// Decodes an image to RGB.
///
/// # Errors
/// [`ImageError::UnknownFormat`], [`ImageError::TooLarge`], [`ImageError::ZeroSide`],
/// [`ImageError::Truncated`], [`ImageError::Malformed`], [`ImageError::Unsupported`],
/// [`ImageError::OutOfMemory`].
pub fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Image, ImageError> {
    let format = sniff(bytes)?;
    guarded(format, || match format {
        Format::Gif => first_frame::decode(bytes, options),
        _ => Opened::new(bytes, format, options)?.decode(),
    })
}

fn sniff(bytes: &[u8]) -> Result<Format, ImageError> {
    let mut start = [0; 12];
    for (to, from) in start.iter_mut().zip(bytes) {
        *to = *from;
    }
    match &start {
        [0xFF, 0xD8, 0xFF, ..] => Ok(Format::Jpeg),
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Ok(Format::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => Ok(Format::WebP),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Format::Gif),
        [b'B', b'M', ..] => Ok(Format::Bmp),
        _ => Err(ImageError::UnknownFormat { start, length: bytes.len() }),
    }
}

/// The decoders are other people's code that reads hostile bytes: should one panic, the image is refused
/// and the engine goes on.
fn guarded<T>(format: Format, work: impl FnOnce() -> Result<T, ImageError>) -> Result<T, ImageError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(ImageError::Malformed { format, reason: "its decoder gave up".to_string() }))
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

/// Zeroed memory, or an error where `vec!` would abort.
pub(super) fn reserve(bytes: u64) -> Result<Vec<u8>, ImageError> {
    let refused = ImageError::OutOfMemory { bytes };
    let Ok(length) = usize::try_from(bytes) else { return Err(refused) };
    let mut memory = Vec::new();
    memory.try_reserve_exact(length).map_err(|_| refused)?;
    memory.resize(length, 0);
    Ok(memory)
}

/// A decoder that has read its header.
struct Opened<'a> {
    bytes: &'a [u8],
    format: Format,
    decoder: Box<dyn ImageDecoder + 'a>,
    size: (u32, u32),
    native: Native,
    turn: Turn,
    peak_bytes: u64,
}

impl<'a> Opened<'a> {
    fn new(bytes: &'a [u8], format: Format, options: &DecodeOptions) -> Result<Self, ImageError> {
        let failed = |error| explain(error, format, bytes.len());
        let mut decoder = open(bytes, format, options)?;
        let size = decoder.dimensions();
        let pixels = check_size(size.0, size.1, options)?;
        let native = Native::new(decoder.color_type(), bytes, format)?;
        let turn = match options.orientation {
            Orientation::Exif => Turn::new(decoder.orientation().map_err(failed)?),
            Orientation::Turned(turn) => turn,
        };
        let decoding = pixels * native.buffer_bytes() + decoder_bytes(bytes, format, size);
        let turning = if turn.swaps_sides() { 6 * pixels } else { 0 };
        let peak_bytes = decoding.max(turning) + FIXED;
        Ok(Self { bytes, format, decoder, size, native, turn, peak_bytes })
    }

    fn header(&self) -> Header {
        let (width, height) = self.turn.size(self.size);
        Header { format: self.format, width, height, peak_bytes: self.peak_bytes }
    }

    fn decode(self) -> Result<Image, ImageError> {
        let pixels = u64::from(self.size.0) * u64::from(self.size.1);
        let mut data = reserve(pixels * self.native.buffer_bytes())?;
        let place = self.native.place(data.len());
        let short = ImageError::OutOfMemory { bytes: self.decoder.total_bytes() };
        let out = data.get_mut(place).ok_or(short)?;
        self.decoder.read_image_boxed(out).map_err(|error| explain(error, self.format, self.bytes.len()))?;
        to_rgb(&mut data, self.native);
        turned(Image { width: self.size.0, height: self.size.1, data }, self.turn)
    }
}

fn open<'a>(
    bytes: &'a [u8],
    format: Format,
    options: &DecodeOptions,
) -> Result<Box<dyn ImageDecoder + 'a>, ImageError> {
    let failed = |error| explain(error, format, bytes.len());
    let cursor = Cursor::new(bytes);
    if let Some((width, height)) = claim::size(bytes, format) {
        check_size(width, height, options)?;
    }
    Ok(match format {
        Format::Jpeg => {
            // The size is checked here because the decoder's own header pass already allocates by it.
            let frame = jpeg::frame(bytes)?;
            check_size(frame.width, frame.height, options)?;
            Box::new(JpegDecoder::new(cursor).map_err(failed)?)
        }
        Format::Png => Box::new(PngDecoder::with_limits(cursor, png_limits(bytes)).map_err(failed)?),
        Format::WebP => {
            if let Some((width, height)) = webp::chunks(bytes)?.size() {
                check_size(width, height, options)?;
            }
            Box::new(WebPDecoder::new(cursor).map_err(failed)?)
        }
        Format::Bmp => Box::new(BmpDecoder::new(cursor).map_err(failed)?),
        Format::Gif => return Err(ImageError::Unsupported { format, reason: String::new() }),
    })
}

/// A PNG decoder keeps a few rows of at most 8 bytes per pixel.
fn png_limits(bytes: &[u8]) -> Limits {
    let mut limits = Limits::no_limits();
    let width = claim::size(bytes, Format::Png).map_or(0, |(width, _)| u64::from(width));
    limits.max_alloc = Some(PNG_CHUNKS + 32 * width);
    limits
}

/// What a decoder allocates beside the image's own buffer.
fn decoder_bytes(bytes: &[u8], format: Format, (width, height): (u32, u32)) -> u64 {
    let (length, pixels) = (bytes.len() as u64, u64::from(width) * u64::from(height));
    match format {
        Format::Jpeg => length + jpeg::frame(bytes).map_or(0, |frame| frame.decoder_bytes()),
        Format::Png => PNG_CHUNKS + 32 * u64::from(width),
        Format::WebP => {
            let borders = 32 * (u64::from(width) + u64::from(height));
            length + borders + webp::chunks(bytes).map_or(0, |chunks| chunks.decoder_bytes(pixels))
        }
        Format::Bmp => 16 * u64::from(width),
        Format::Gif => 0,
    }
}

/// A decoder's error as one of ours.
fn explain(error: Inner, format: Format, length: usize) -> ImageError {
    match &error {
        Inner::Unsupported(inner) => ImageError::Unsupported { format, reason: inner.to_string() },
        Inner::IoError(inner) if inner.kind() == ErrorKind::UnexpectedEof => {
            ImageError::Truncated { format, length }
        }
        _ if ends_early(&error) => ImageError::Truncated { format, length },
        _ => ImageError::Malformed { format, reason: format!("{error}") },
    }
}

/// Whether a decoder's error was caused by the end of the file, however deep it has hidden that.
fn ends_early(error: &(dyn core::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == ErrorKind::UnexpectedEof
        {
            return true;
        }
        next = error.source();
    }
    false
}
