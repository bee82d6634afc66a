//! A BMP to RGB, as Pillow reads it.
//!
//! ```text
//! "BM" …(8) start of pixels(4) │ size of the header(4): 12, then width(2) height(2) planes(2) bits(2);
//!    40, 52, 56, 64, 108 or 124, then width(4) height(4) planes(2) bits(2) compression(4) …(12) colours(4) …
//! masks   compression 3: red, green, blue (and alpha) at 54; a header of 40 bytes is followed by three
//! palette B G R, and one byte more where the header is longer than 12
//! pixels  rows of whole 4 bytes, the lowest first unless the height is negative; or runs:
//!         n v      n pixels; 4 bits: the two of v by turns        0 2 right down   pixels of index 0
//!         0 n …    n pixels as they are, padded to 2 bytes        0 0  end of line       0 1  end
//! ```
//! 1, 4 and 8 bits are indices; 16 bits are 5, 5, 5 or 5, 6, 5, a channel of m values being v·255/(m − 1) truncated; 24
//! and 32 bits are bytes, alpha dropped. A palette that is 0, 255 or 0, 1, 2 … is no palette. Refused where Pillow
//! guesses: such a palette of two colours for more than one bit. Sources: Windows' documentation, Pillow 13.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::header::{DecodeOptions, Header, check_size};
use super::orientation::{Orientation, Turn, turned};
use super::rgb::{Image, reserve};
use super::{Format, ImageError};

/// Bytes of a palette.
const FIXED: u64 = 1 << 16;

/// What a pixel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An index of 1, 4 or 8 bits.
    Index(u32),
    /// Values of green: 32 or 64.
    Short(u32),
    /// Bytes of a pixel, and where its red, green and blue are.
    Bytes(usize, [usize; 3]),
}

struct Bitmap<'a> {
    bytes: &'a [u8],
    size: (u32, u32),
    is_top_down: bool,
    kind: Kind,
    /// Bits of a run's pixels, where there are runs.
    runs: Option<u32>,
    palette: Vec<[u8; 3]>,
    start: usize,
}

fn truncated(bytes: &[u8]) -> ImageError {
    ImageError::Truncated { format: Format::Bmp, length: bytes.len() }
}

fn unread(reason: String) -> ImageError {
    ImageError::Unsupported { format: Format::Bmp, reason }
}

fn malformed(reason: &str) -> ImageError {
    ImageError::Malformed { format: Format::Bmp, reason: reason.to_string() }
}

/// Reads numbers, least significant byte first.
fn number(bytes: &[u8], at: usize, width: usize) -> Result<u32, ImageError> {
    let field = bytes.get(at..at.saturating_add(width)).ok_or_else(|| truncated(bytes))?;
    Ok(field.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
}

impl<'a> Bitmap<'a> {
    fn new(bytes: &'a [u8], options: &DecodeOptions) -> Result<Self, ImageError> {
        let long = |at: usize| number(bytes, at, 4);
        let header = long(14)? as usize;
        if !matches!(header, 12 | 40 | 52 | 56 | 64 | 108 | 124) {
            return Err(unread(format!("its header has {header} bytes")));
        }
        bytes.get(..14 + header).ok_or_else(|| truncated(bytes))?;
        let is_old = header == 12;
        let (size, is_top_down) = if is_old {
            ((number(bytes, 18, 2)?, number(bytes, 20, 2)?), false)
        } else {
            let is_top_down = bytes.get(25) == Some(&0xFF);
            let height = long(22)?;
            ((long(18)?, if is_top_down { height.wrapping_neg() } else { height }), is_top_down)
        };
        check_size(size.0, size.1, options)?;
        let bits = number(bytes, if is_old { 24 } else { 28 }, 2)?;
        let compression = if is_old { 0 } else { long(30)? };
        let mut after = 14 + header;
        let kind = match (bits, compression) {
            (1 | 4 | 8, 0..=2) => Kind::Index(bits),
            (16, 0) => Kind::Short(32),
            (24, 0) => Kind::Bytes(3, [2, 1, 0]),
            (32, 0) => Kind::Bytes(4, [2, 1, 0]),
            (16 | 24 | 32, 3) => {
                let alpha = if header >= 56 { long(66)? } else { 0 };
                let masks = (long(54)?, long(58)?, long(62)?, alpha);
                if header == 40 {
                    after += 12;
                }
                masked(bits, masks)?
            }
            _ => return Err(unread(format!("{bits} bits per pixel with compression {compression}"))),
        };
        let runs = [None, Some(8), Some(4)].get(compression as usize).copied().flatten();
        let mut start = long(10)? as usize;
        let mut palette = Vec::new();
        if let Kind::Index(bits) = kind {
            let width = if is_old { 3 } else { 4 };
            let stated = if is_old { 0 } else { long(46)? };
            let count = if stated == 0 { 1 << bits } else { stated };
            if count > 256 {
                return Err(unread(format!("a palette of {count} colours")));
            }
            let length = width * count as usize;
            let table = bytes.get(after..).unwrap_or_default();
            let table = table.get(..length).unwrap_or(table);
            palette = table.chunks_exact(width).map(|color| [color[2], color[1], color[0]]).collect();
            if start == after {
                start += length;
            }
            after += length;
            as_grey(&mut palette, count, bits, runs.is_some())?;
        }
        if start == 0 {
            start = after;
        }
        Ok(Self { bytes, size, is_top_down, kind, runs, palette, start })
    }

    /// Bytes of a row; stored it takes the next multiple of four.
    fn row_bytes(&self) -> usize {
        let width = self.size.0 as usize;
        match self.kind {
            Kind::Index(bits) => (width * bits as usize).div_ceil(8),
            Kind::Short(_) => 2 * width,
            Kind::Bytes(size, _) => size * width,
        }
    }

    fn color(&self, index: u8) -> [u8; 3] {
        self.palette.get(usize::from(index)).copied().unwrap_or_default()
    }

    fn decode(&self) -> Result<Image, ImageError> {
        let (width, height) = (self.size.0 as usize, self.size.1 as usize);
        let mut data = reserve(3 * width as u64 * height as u64)?;
        let stored = self.bytes.get(self.start..).ok_or_else(|| truncated(self.bytes))?;
        let lines: &mut dyn Iterator<Item = &mut [u8]> = if self.is_top_down {
            &mut data.chunks_exact_mut(3 * width)
        } else {
            &mut data.chunks_exact_mut(3 * width).rev()
        };
        if let Some(bits) = self.runs {
            let indices = self.unpacked(stored, bits)?;
            for (line, indices) in lines.zip(indices.chunks_exact(width)) {
                for (pixel, &index) in line.as_chunks_mut::<3>().0.iter_mut().zip(indices) {
                    *pixel = self.color(index);
                }
            }
        } else {
            let length = self.row_bytes();
            for (y, line) in lines.enumerate() {
                let row = stored.get(y * length.next_multiple_of(4)..).and_then(|rest| rest.get(..length));
                self.row(row.ok_or_else(|| truncated(self.bytes))?, line.as_chunks_mut::<3>().0);
            }
        }
        Ok(Image { width: self.size.0, height: self.size.1, data })
    }

    fn row(&self, row: &[u8], pixels: &mut [[u8; 3]]) {
        match self.kind {
            Kind::Index(bits) => {
                for (x, pixel) in pixels.iter_mut().enumerate() {
                    let at = x * bits as usize;
                    *pixel = self.color((row[at / 8] << (at % 8)) >> (8 - bits));
                }
            }
            Kind::Short(greens) => {
                let shift = if greens == 64 { 11 } else { 10 };
                for (pixel, value) in pixels.iter_mut().zip(row.as_chunks::<2>().0) {
                    let value = u32::from(u16::from_le_bytes(*value));
                    let wide = |value: u32, most: u32| ((value & most) * 255 / most) as u8;
                    *pixel = [wide(value >> shift, 31), wide(value >> 5, greens - 1), wide(value, 31)];
                }
            }
            Kind::Bytes(size, [red, green, blue]) => {
                for (pixel, from) in pixels.iter_mut().zip(row.chunks_exact(size)) {
                    *pixel = [from[red], from[green], from[blue]];
                }
            }
        }
    }

    /// Indices of runs, the lowest row first.
    fn unpacked(&self, stored: &[u8], bits: u32) -> Result<Vec<u8>, ImageError> {
        let (width, length) = (self.size.0 as usize, self.size.0 as usize * self.size.1 as usize);
        let mut indices = reserve(length as u64)?;
        let (mut at, mut made, mut x) = (0, 0, 0);
        let mut put = |made: &mut usize, count: usize, value: &dyn Fn(usize) -> u8| {
            let end = (*made + count).min(length);
            for (offset, index) in indices[*made..end].iter_mut().enumerate() {
                *index = value(offset);
            }
            *made = end;
        };
        while made < length {
            let Some(&[count, value]) = stored.get(at..).and_then(|rest| rest.first_chunk()) else { break };
            at += 2;
            match (count, value) {
                (0, 0) => {
                    let rest = (width - made % width) % width;
                    put(&mut made, rest, &|_| 0);
                    x = 0;
                }
                (0, 1) => break,
                (0, 2) => {
                    let Some(&[right, up]) = stored.get(at..).and_then(|rest| rest.first_chunk()) else {
                        break;
                    };
                    at += 2;
                    put(&mut made, usize::from(right) + usize::from(up) * width, &|_| 0);
                    x = made % width;
                }
                (0, count) => {
                    let count = usize::from(count).min(length - made);
                    let size = (count * bits as usize).div_ceil(8);
                    let values = stored.get(at..at + size).ok_or_else(|| truncated(self.bytes))?;
                    let nibble = |offset: usize| {
                        values[offset / 2] >> if offset.is_multiple_of(2) { 4 } else { 0 } & 15
                    };
                    put(&mut made, count, &|offset| if bits == 4 { nibble(offset) } else { values[offset] });
                    x += usize::from(value);
                    at += size;
                    at += (self.start + at) % 2;
                }
                (count, value) => {
                    // What leaves its row is left out.
                    let count = usize::from(count).min(width.saturating_sub(x));
                    let nibble =
                        |offset: usize| if offset.is_multiple_of(2) { value >> 4 } else { value & 15 };
                    put(&mut made, count, &|offset| if bits == 4 { nibble(offset) } else { value });
                    x += count;
                }
            }
        }
        if made < length { Err(truncated(self.bytes)) } else { Ok(indices) }
    }
}

/// Where the masks that Pillow knows find red, green and blue.
fn masked(bits: u32, masks: (u32, u32, u32, u32)) -> Result<Kind, ImageError> {
    let (red, green, blue, alpha) = masks;
    Ok(match (bits, (red, green, blue), alpha) {
        (16, (0xF800, 0x7E0, 0x1F), _) => Kind::Short(64),
        (16, (0x7C00, 0x3E0, 0x1F), _) => Kind::Short(32),
        (24, (0xFF_0000, 0xFF00, 0xFF), _) => Kind::Bytes(3, [2, 1, 0]),
        (32, (0xFF_0000, 0xFF00, 0xFF), 0 | 0xFF00_0000) | (32, (0, 0, 0), 0) => Kind::Bytes(4, [2, 1, 0]),
        (32, (0xFF00_0000, 0xFF_0000, 0xFF00), 0 | 0xFF) => Kind::Bytes(4, [3, 2, 1]),
        (32, (0xFF00_0000, 0xFF00, 0xFF), 0 | 0xFF_0000) => Kind::Bytes(4, [3, 1, 0]),
        (32, (0xFF, 0xFF00, 0xFF_0000), 0xFF00_0000) => Kind::Bytes(4, [0, 1, 2]),
        _ => {
            let masks = format!("{red:x}, {green:x}, {blue:x}, {alpha:x}");
            return Err(unread(format!("{bits} bits per pixel with masks {masks}")));
        }
    })
}

/// A palette of two that is black and white, or one that is a ramp, stands for grey: no index is beyond it.
fn as_grey(palette: &mut Vec<[u8; 3]>, count: u32, bits: u32, has_runs: bool) -> Result<(), ImageError> {
    let ramp: Vec<[u8; 3]> =
        if count == 2 { Vec::from([[0; 3], [255; 3]]) } else { (0..count).map(|v| [v as u8; 3]).collect() };
    if *palette != ramp {
        return Ok(());
    }
    match (count, bits) {
        (..=2, 1) if !has_runs => *palette = Vec::from([[0; 3], [255; 3]]),
        (3.., 8) => *palette = (0..=255).map(|v| [v; 3]).collect(),
        _ => return Err(malformed("its palette is a ramp of grey that does not have its bits")),
    }
    Ok(())
}

pub(super) fn probe(bytes: &[u8], options: &DecodeOptions) -> Result<Header, ImageError> {
    let bitmap = Bitmap::new(bytes, options)?;
    let turn = turn(options);
    let pixels = u64::from(bitmap.size.0) * u64::from(bitmap.size.1);
    let decoding = if bitmap.runs.is_some() { 4 * pixels } else { 3 * pixels };
    let turning = if turn.swaps_sides() { 6 * pixels } else { 0 };
    let (width, height) = turn.size(bitmap.size);
    Ok(Header { format: Format::Bmp, width, height, peak_bytes: decoding.max(turning) + FIXED })
}

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Image, ImageError> {
    turned(Bitmap::new(bytes, options)?.decode()?, turn(options))
}

/// A BMP says nothing of its orientation: only the caller can turn it.
fn turn(options: &DecodeOptions) -> Turn {
    match options.orientation {
        Orientation::Exif => Turn::NONE,
        Orientation::Turned(turn) => turn,
    }
}
