//! Decoded pixels of any kind to RGB bytes, in place.
//!
//! Kinds with fewer than three bytes per pixel are decoded into the end of a buffer of three, the others
//! into the start of a buffer of their own width; either way the pixels can be rewritten from first to last
//! without overtaking themselves, and there is one buffer instead of two.

use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

use image::ColorType;

use super::{Format, ImageError};

/// From the bytes of one decoded pixel to RGB.
type ToRgb = fn(&[u8]) -> [u8; 3];

/// What a decoder delivers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Native {
    bytes_per_pixel: usize,
    /// `None` when it is RGB already.
    rgb: Option<ToRgb>,
}

impl Native {
    pub(super) fn new(color: ColorType, bytes: &[u8], format: Format) -> Result<Self, ImageError> {
        let rgb: ToRgb = match color {
            ColorType::Rgb8 if format == Format::Bmp && is_16_bit_bmp(bytes) => {
                if has_six_green_bits(bytes) {
                    |pixel| [truncated(pixel, 0, 31), truncated(pixel, 1, 63), truncated(pixel, 2, 31)]
                } else {
                    |pixel| [0, 1, 2].map(|channel| truncated(pixel, channel, 31))
                }
            }
            ColorType::L8 | ColorType::La8 => |pixel| [at(pixel, 0); 3],
            ColorType::Rgb8 => return Ok(Self { bytes_per_pixel: 3, rgb: None }),
            ColorType::Rgba8 => |pixel| [at(pixel, 0), at(pixel, 1), at(pixel, 2)],
            // A transparent colour makes grey grey + alpha here, but not for PIL.
            ColorType::L16 | ColorType::La16 if color == ColorType::L16 || is_grey_16(bytes, format) => {
                |pixel| [clipped(pixel); 3]
            }
            ColorType::La16 => |pixel| [high(pixel, 0); 3],
            ColorType::Rgb16 | ColorType::Rgba16 => |pixel| [high(pixel, 0), high(pixel, 1), high(pixel, 2)],
            other => return Err(ImageError::Unsupported { format, reason: format!("pixels of {other:?}") }),
        };
        Ok(Self { bytes_per_pixel: usize::from(color.bytes_per_pixel()), rgb: Some(rgb) })
    }

    /// Bytes per pixel of the buffer that the image is decoded and converted in.
    pub(super) fn buffer_bytes(&self) -> u64 {
        self.bytes_per_pixel.max(3) as u64
    }

    /// Where in a buffer of `length` bytes the decoder writes.
    pub(super) fn place(&self, length: usize) -> Range<usize> {
        let pixels = length / self.bytes_per_pixel.max(3);
        length - pixels * self.bytes_per_pixel..length
    }
}

/// Whether a PNG's IHDR says 16 bits, grey.
fn is_grey_16(bytes: &[u8], format: Format) -> bool {
    format == Format::Png && bytes.get(24..26) == Some(&[16, 0])
}

/// Bits per pixel in the BITMAPINFOHEADER that follows the 14 bytes of file header.
fn is_16_bit_bmp(bytes: &[u8]) -> bool {
    bytes.get(28..30) == Some(&[16, 0])
}

/// Compression 3 (BI_BITFIELDS) with a green mask of 07E0.
fn has_six_green_bits(bytes: &[u8]) -> bool {
    bytes.get(30..34) == Some(&[3, 0, 0, 0]) && bytes.get(58..62) == Some(&[0xE0, 0x07, 0, 0])
}

/// A channel of `most + 1` values, which the decoder widened to 255 with rounding, as PIL widens it.
fn truncated(pixel: &[u8], channel: usize, most: u16) -> u8 {
    let value = (u16::from(at(pixel, channel)) * most + 127) / 255;
    (value * 255 / most) as u8
}

fn at(pixel: &[u8], index: usize) -> u8 {
    pixel.get(index).copied().unwrap_or_default()
}

fn wide(pixel: &[u8], index: usize) -> u16 {
    // The decoder leaves 16-bit values in the machine's order.
    u16::from_ne_bytes([at(pixel, 2 * index), at(pixel, 2 * index + 1)])
}

fn high(pixel: &[u8], index: usize) -> u8 {
    wide(pixel, index).to_be_bytes()[0]
}

fn clipped(pixel: &[u8]) -> u8 {
    wide(pixel, 0).min(255) as u8
}

/// Rewrites a buffer filled at [`Native::place`] as packed RGB.
pub(super) fn to_rgb(data: &mut Vec<u8>, native: Native) {
    let width = native.bytes_per_pixel;
    let from = native.place(data.len());
    let pixels = from.len() / width;
    let Some(rgb) = native.rgb else { return };
    for pixel in 0..pixels {
        let start = from.start + pixel * width;
        let rgb = rgb(&data[start..start + width]);
        data[3 * pixel..3 * pixel + 3].copy_from_slice(&rgb);
    }
    data.truncate(3 * pixels);
    data.shrink_to_fit();
}
