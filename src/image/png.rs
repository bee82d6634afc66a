//! A PNG to RGB: the first frame of an animation, or the picture beside it.
//!
//! ```text
//! grey of 1, 2, 4 bits   v · 255 / most;  8 bits v;  16 bits min(v, 255), as PIL converts its `I;16`
//! palette                its colours; black beyond it
//! 16 bits otherwise      the high byte
//! transparency, gamma, profiles and texts mean nothing here
//! ```
//! The decoder hands over rows as they are stored; where they are interlaced, those of seven smaller images. Nothing of the
//! image's size is kept beside its RGB.

use alloc::format;
use alloc::string::ToString;
use std::io::{Cursor, ErrorKind};

use png::{BitDepth, ColorType, Decoder, DecodingError, Limits, Reader, Transformations};

use super::header::{DecodeOptions, Header, check_size};
use super::orientation::{Orientation, Turn, turned};
use super::rgb::{Image, reserve};
use super::{Format, ImageError, metadata};

/// Bytes for a palette, the inflated window and what ancillary chunks may take.
const FIXED: u64 = 1 << 20;

/// Bytes for one text unpacked (`metadata.rs`), and what is read out of it.
const TEXT: u64 = 4 << 20;

/// Bytes of rows per pixel of a row: the decoder keeps a few, of at most 8 bytes a pixel.
const ROWS: u64 = 32;

/// First row and column, and the steps, of Adam7's passes.
const PASSES: [(usize, usize, usize, usize); 7] =
    [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)];

struct Opened<'a> {
    reader: Reader<Cursor<&'a [u8]>>,
    size: (u32, u32),
    turn: Turn,
    length: usize,
}

impl<'a> Opened<'a> {
    fn new(bytes: &'a [u8], options: &DecodeOptions) -> Result<Self, ImageError> {
        // The decoder's own words about a size would be about its limits and not about the image.
        if bytes.get(12..16).is_some_and(|name| name != b"IHDR") {
            return Err(malformed("it does not begin with its header"));
        }
        let size = stated_size(bytes).ok_or_else(|| truncated(bytes.len()))?;
        check_size(size.0, size.1, options)?;
        let bytes_allowed = usize::try_from(FIXED + ROWS * u64::from(size.0)).unwrap_or(usize::MAX);
        let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: bytes_allowed });
        decoder.set_transformations(Transformations::IDENTITY);
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        let reader = decoder.read_info().map_err(|error| explain(&error, bytes.len()))?;
        let frame = reader.info().frame_control.as_ref();
        if frame.is_some_and(|frame| (frame.width, frame.height) != size) {
            return Err(malformed("its first frame is not of its size"));
        }
        if reader.info().color_type == ColorType::Indexed && reader.info().palette.is_none() {
            return Err(malformed("it has no palette"));
        }
        let turn = match options.orientation {
            Orientation::Exif => metadata::of_png(bytes),
            Orientation::Turned(turn) => turn,
        };
        Ok(Self { reader, size, turn, length: bytes.len() })
    }

    fn peak_bytes(&self) -> u64 {
        let pixels = u64::from(self.size.0) * u64::from(self.size.1);
        let decoding = (3 * pixels + ROWS * u64::from(self.size.0) + FIXED).max(TEXT);
        if self.turn.swaps_sides() { decoding.max(6 * pixels) } else { decoding }
    }
}

/// Width and height in IHDR, where that is where it should be.
fn stated_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let side = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    Some((side(16)?, side(20)?))
}

pub(super) fn probe(bytes: &[u8], options: &DecodeOptions) -> Result<Header, ImageError> {
    let opened = Opened::new(bytes, options)?;
    let (width, height) = opened.turn.size(opened.size);
    Ok(Header { format: Format::Png, width, height, peak_bytes: opened.peak_bytes() })
}

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Image, ImageError> {
    let Opened { mut reader, size, turn, length } = Opened::new(bytes, options)?;
    let mut data = reserve(3 * u64::from(size.0) * u64::from(size.1))?;
    let info = reader.info();
    let palette = info.palette.as_deref().unwrap_or_default().to_vec();
    let kind = Kind::new(info.color_type, info.bit_depth, &palette);
    let (width, height) = (size.0 as usize, size.1 as usize);
    let passes: &[_] = if info.interlaced { &PASSES } else { &[(0, 0, 1, 1)] };
    for &(top, left, down, across) in passes {
        for y in (top..height).step_by(down).take_while(|_| left < width) {
            let row = reader.next_row().map_err(|error| explain(&error, length))?;
            let row = row.ok_or_else(|| truncated(length))?;
            let line = data.get_mut(3 * width * y..).and_then(|rest| rest.get_mut(..3 * width));
            let (pixels, _) = line.unwrap_or_default().as_chunks_mut::<3>();
            kind.write(row.data(), pixels.iter_mut().skip(left).step_by(across));
        }
    }
    // The checksum of the last pixels; that anything follows them is not asked for.
    match reader.next_row() {
        Err(error) if !is_end(&error) => return Err(explain(&error, length)),
        _ => {}
    }
    drop(reader);
    turned(Image { width: size.0, height: size.1, data }, turn)
}

/// What the samples of a row are.
enum Kind<'a> {
    /// Bits of a sample, and what the largest means.
    Grey(u32, u8),
    /// Bytes of a pixel, of which the first is the grey.
    GreyIn(usize),
    Grey16,
    Palette(u32, &'a [[u8; 3]]),
    /// Bytes of a pixel and of a sample.
    Rgb(usize, usize),
}

impl<'a> Kind<'a> {
    fn new(color: ColorType, depth: BitDepth, palette: &'a [u8]) -> Self {
        let (bits, bytes) = (depth as u32, depth as usize / 8);
        match color {
            ColorType::Grayscale if depth == BitDepth::Sixteen => Self::Grey16,
            ColorType::Grayscale => Self::Grey(bits, (255 / ((1_u32 << bits) - 1)) as u8),
            ColorType::GrayscaleAlpha => Self::GreyIn(2 * bytes),
            ColorType::Indexed => Self::Palette(bits, palette.as_chunks().0),
            ColorType::Rgb => Self::Rgb(3 * bytes, bytes),
            ColorType::Rgba => Self::Rgb(4 * bytes, bytes),
        }
    }

    fn write<'p>(&self, row: &[u8], pixels: impl Iterator<Item = &'p mut [u8; 3]>) {
        match *self {
            Self::Grey(bits, step) => {
                for (x, pixel) in pixels.enumerate() {
                    *pixel = [sample(row, x, bits) * step; 3];
                }
            }
            Self::Palette(bits, colors) => {
                for (x, pixel) in pixels.enumerate() {
                    *pixel = colors.get(usize::from(sample(row, x, bits))).copied().unwrap_or_default();
                }
            }
            Self::GreyIn(width) => {
                for (pixel, from) in pixels.zip(row.chunks_exact(width)) {
                    *pixel = [from[0]; 3];
                }
            }
            Self::Grey16 => {
                for (pixel, from) in pixels.zip(row.as_chunks::<2>().0) {
                    *pixel = [u16::from_be_bytes(*from).min(255) as u8; 3];
                }
            }
            Self::Rgb(width, step) => {
                for (pixel, from) in pixels.zip(row.chunks_exact(width)) {
                    *pixel = [from[0], from[step], from[2 * step]];
                }
            }
        }
    }
}

/// A sample of 1, 2, 4 or 8 bits, the first in the high ones.
fn sample(row: &[u8], x: usize, bits: u32) -> u8 {
    let at = x * bits as usize;
    let byte = row.get(at / 8).copied().unwrap_or_default();
    (byte << (at % 8)) >> (8 - bits)
}

fn truncated(length: usize) -> ImageError {
    ImageError::Truncated { format: Format::Png, length }
}

fn malformed(reason: &str) -> ImageError {
    ImageError::Malformed { format: Format::Png, reason: reason.to_string() }
}

fn is_end(error: &DecodingError) -> bool {
    matches!(error, DecodingError::IoError(inner) if inner.kind() == ErrorKind::UnexpectedEof)
}

fn explain(error: &DecodingError, length: usize) -> ImageError {
    match error {
        _ if is_end(error) => truncated(length),
        DecodingError::LimitsExceeded => {
            malformed("a chunk of it claims more memory than its size accounts for")
        }
        _ => malformed(&format!("{error}")),
    }
}
