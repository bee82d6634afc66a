//! A WebP to RGB: the picture, or an animation's first frame on its canvas.
//!
//! ```text
//! "RIFF" size(4, LE) "WEBP" │ fourcc(4) size(4, LE) data, padded to even │ …
//! VP8X   flags(4) canvas width − 1 (3) canvas height − 1 (3)
//! ANMF   x/2 (3) y/2 (3) width − 1 (3) height − 1 (3) duration(3) flags(1), then chunks of its own
//! VP8    tag(3: size of the first partition from bit 5 on) 9D 01 2A width(14 bits) height(14 bits)
//! VP8L   2F width − 1 (14 bits) height − 1 (14 bits)
//! ```
//! Alpha is dropped, so a lossy picture is its VP8 chunk alone, whatever the flags say and ALPH holds. The decoder is
//! given that one chunk as a file of its own; what an animation's frame leaves of its canvas is black. Chunks are
//! checked before: the decoder reserves what they claim. Source: RFC 9649.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use std::io::{Cursor, ErrorKind};

use image_webp::{DecodingError, WebPDecoder};

use super::header::{DecodeOptions, Header, check_size};
use super::orientation::{Orientation, Turn, turned};
use super::rgb::{Image, reserve};
use super::{Format, ImageError, metadata};

/// A partition of a lossy frame may claim 24 bits of bytes, and they are reserved before they are read.
const MOST_PARTITION: u64 = 1 << 24;

/// Bytes for tables and buffers that do not grow with the image.
const FIXED: u64 = 1 << 20;

const ANIMATION: u8 = 1 << 1;
const XMP: u8 = 1 << 2;
const EXIF: u8 = 1 << 3;

/// The chunk that is decoded, and where it goes.
struct Picture<'a> {
    name: [u8; 4],
    data: &'a [u8],
    size: (u32, u32),
    canvas: (u32, u32),
    at: (u32, u32),
}

/// What VP8X announces and the container has.
#[derive(Default)]
pub(super) struct Metadata<'a> {
    pub(super) exif: Option<&'a [u8]>,
    pub(super) xmp: Option<&'a [u8]>,
}

/// Name and data of every chunk, as far as they are whole. The padding of the last may be missing.
fn chunks(mut body: &[u8]) -> impl Iterator<Item = Result<([u8; 4], &[u8]), ()>> {
    core::iter::from_fn(move || {
        let (&header, rest) = body.split_first_chunk::<8>()?;
        let size = number(&header[4..]) as usize;
        let Some(data) = rest.get(..size) else {
            body = &[];
            return Some(Err(()));
        };
        body = rest.get(size.saturating_add(size % 2)..).unwrap_or_default();
        Some(Ok(([header[0], header[1], header[2], header[3]], data)))
    })
}

fn body(bytes: &[u8]) -> Option<&[u8]> {
    let end = (number(bytes.get(4..8)?) as usize).saturating_add(8);
    bytes.get(12..end)
}

/// Up to four bytes, the least significant first.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

pub(super) fn announced(bytes: &[u8]) -> Metadata<'_> {
    let mut found = Metadata::default();
    let mut flags = 0;
    for (name, data) in chunks(body(bytes).unwrap_or_default()).map_while(Result::ok) {
        match &name {
            b"VP8X" => flags = data.first().copied().unwrap_or_default(),
            b"EXIF" if flags & EXIF != 0 && found.exif.is_none() => found.exif = Some(data),
            b"XMP " if flags & XMP != 0 && found.xmp.is_none() => found.xmp = Some(data),
            _ => {}
        }
    }
    found
}

impl<'a> Picture<'a> {
    fn new(bytes: &'a [u8], options: &DecodeOptions) -> Result<Self, ImageError> {
        let truncated = || truncated(bytes.len());
        let body = body(bytes).ok_or_else(truncated)?;
        let (mut canvas, mut flags) = (None, 0);
        for chunk in chunks(body) {
            let (name, data) = chunk.map_err(|()| truncated())?;
            match &name {
                b"VP8X" if canvas.is_none() => {
                    let size = pair(data.get(4..10)).ok_or_else(|| malformed("its canvas has no size"))?;
                    check_size(size.0, size.1, options)?;
                    canvas = Some(size);
                    flags = data.first().copied().unwrap_or_default();
                }
                b"ANMF" if flags & ANIMATION != 0 => {
                    let place = data.get(..16).ok_or_else(|| malformed("an animation frame has no size"))?;
                    let at = (2 * number(&place[..3]), 2 * number(&place[3..6]));
                    let canvas = canvas.unwrap_or_default();
                    return Self::of_frame(data, pair(place.get(6..12)), canvas, at, bytes.len());
                }
                b"VP8 " | b"VP8L" if flags & ANIMATION != 0 => {
                    return Err(malformed("a picture stands among the frames of an animation"));
                }
                b"VP8 " | b"VP8L" => {
                    let size = bitstream_size(name, data, bytes.len())?;
                    let canvas = canvas.unwrap_or(size);
                    let picture = Self { name, data, size, canvas, at: (0, 0) };
                    return picture.checked(Some(canvas));
                }
                _ => {}
            }
        }
        Err(malformed("it has no picture"))
    }

    /// The picture in a frame's own chunks.
    fn of_frame(
        frame: &'a [u8],
        size: Option<(u32, u32)>,
        canvas: (u32, u32),
        at: (u32, u32),
        length: usize,
    ) -> Result<Self, ImageError> {
        for chunk in chunks(frame.get(16..).unwrap_or_default()) {
            let (name, data) = chunk.map_err(|()| truncated(length))?;
            if matches!(&name, b"VP8 " | b"VP8L") {
                let own = bitstream_size(name, data, length)?;
                return Self { name, data, size: own, canvas, at }.checked(size);
            }
        }
        Err(malformed("an animation frame is empty"))
    }

    /// Holds the size of the bitstream against that which the container states, and both against the canvas.
    fn checked(self, stated: Option<(u32, u32)>) -> Result<Self, ImageError> {
        let fits = |at: u32, size: u32, canvas: u32| u64::from(at) + u64::from(size) <= u64::from(canvas);
        if stated != Some(self.size)
            || !fits(self.at.0, self.size.0, self.canvas.0)
            || !fits(self.at.1, self.size.1, self.canvas.1)
        {
            return Err(malformed("a frame is not of the size that the container states"));
        }
        Ok(self)
    }

    fn fills_canvas(&self) -> bool {
        self.size == self.canvas
    }

    /// What is allocated at once before the image is turned.
    fn decoding_bytes(&self) -> u64 {
        let pixels = |size: (u32, u32)| u64::from(size.0) * u64::from(size.1);
        let borders = 32 * (u64::from(self.size.0) + u64::from(self.size.1));
        // The frame's buffer has up to 4 bytes a pixel. The decoder has an RGBA image where it is lossless, else planes
        // of 1.5 bytes a pixel in whole macroblocks.
        let partition = if &self.name == b"VP8 " { MOST_PARTITION } else { 0 };
        let frame = 9 * pixels(self.size) + borders + partition + self.data.len() as u64;
        frame + if self.fills_canvas() { 0 } else { 3 * pixels(self.canvas) } + FIXED
    }

    /// The chunk as a file.
    fn file(&self) -> Result<Vec<u8>, ImageError> {
        let length = self.data.len() + 20 + self.data.len() % 2;
        let mut file = Vec::new();
        let refused = ImageError::OutOfMemory { bytes: length as u64 };
        file.try_reserve_exact(length).map_err(|_| refused)?;
        file.extend(b"RIFF");
        file.extend((length as u32).wrapping_sub(8).to_le_bytes());
        file.extend(b"WEBP");
        file.extend(self.name);
        file.extend((self.data.len() as u32).to_le_bytes());
        file.extend(self.data);
        file.resize(length, 0);
        Ok(file)
    }
}

/// Two 24-bit numbers, each one less than what it means.
fn pair(bytes: Option<&[u8]>) -> Option<(u32, u32)> {
    let (first, second) = bytes?.split_at_checked(3)?;
    Some((number(first) + 1, number(second) + 1))
}

fn bitstream_size(name: [u8; 4], data: &[u8], length: usize) -> Result<(u32, u32), ImageError> {
    if &name == b"VP8L" {
        let bits = number(data.get(1..5).ok_or_else(|| malformed("a lossless frame has no size"))?);
        return Ok(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1));
    }
    let header = data.first_chunk::<10>().ok_or_else(|| truncated(length))?;
    let first_partition = number(&header[..3]) >> 5;
    if data.len() - header.len() < first_partition as usize {
        return Err(truncated(length));
    }
    Ok((number(&header[6..8]) & 0x3FFF, number(&header[8..]) & 0x3FFF))
}

fn opened<'a>(bytes: &'a [u8], options: &DecodeOptions) -> Result<(Picture<'a>, Turn), ImageError> {
    let picture = Picture::new(bytes, options)?;
    check_size(picture.canvas.0, picture.canvas.1, options)?;
    check_size(picture.size.0, picture.size.1, options)?;
    let turn = match options.orientation {
        Orientation::Exif => metadata::of_webp(bytes),
        Orientation::Turned(turn) => turn,
    };
    Ok((picture, turn))
}

pub(super) fn probe(bytes: &[u8], options: &DecodeOptions) -> Result<Header, ImageError> {
    let (picture, turn) = opened(bytes, options)?;
    let pixels = u64::from(picture.canvas.0) * u64::from(picture.canvas.1);
    let turning = if turn.swaps_sides() { 6 * pixels } else { 0 };
    let peak_bytes = picture.decoding_bytes().max(turning);
    let (width, height) = turn.size(picture.canvas);
    Ok(Header { format: Format::WebP, width, height, peak_bytes })
}

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Image, ImageError> {
    let (picture, turn) = opened(bytes, options)?;
    let failed = |error| explain(&error, bytes.len());
    let mut decoder = WebPDecoder::new(Cursor::new(picture.file()?)).map_err(failed)?;
    if decoder.dimensions() != picture.size {
        return Err(malformed("its picture is not of the size that it states"));
    }
    let pixels = u64::from(picture.size.0) * u64::from(picture.size.1);
    let has_alpha = decoder.has_alpha();
    let mut frame = reserve(pixels * if has_alpha { 4 } else { 3 })?;
    decoder.read_image(&mut frame).map_err(failed)?;
    drop(decoder);
    if has_alpha {
        drop_alpha(&mut frame);
    }
    let (width, height) = picture.canvas;
    let data = if picture.fills_canvas() { frame } else { on_canvas(&picture, &frame)? };
    turned(Image { width, height, data }, turn)
}

/// Rewrites pixels of four bytes as three.
fn drop_alpha(data: &mut Vec<u8>) {
    let pixels = data.len() / 4;
    for pixel in 0..pixels {
        data.copy_within(4 * pixel..4 * pixel + 3, 3 * pixel);
    }
    data.truncate(3 * pixels);
    data.shrink_to_fit();
}

fn on_canvas(picture: &Picture<'_>, frame: &[u8]) -> Result<Vec<u8>, ImageError> {
    let (width, row) = (3 * picture.canvas.0 as usize, 3 * picture.size.0 as usize);
    let mut canvas = reserve(width as u64 * u64::from(picture.canvas.1))?;
    let left = 3 * picture.at.0 as usize;
    let lines = canvas.chunks_exact_mut(width).skip(picture.at.1 as usize);
    for (line, from) in lines.zip(frame.chunks_exact(row)) {
        if let Some(place) = line.get_mut(left..left + row) {
            place.copy_from_slice(from);
        }
    }
    Ok(canvas)
}

fn truncated(length: usize) -> ImageError {
    ImageError::Truncated { format: Format::WebP, length }
}

fn malformed(reason: &str) -> ImageError {
    ImageError::Malformed { format: Format::WebP, reason: reason.to_string() }
}

fn explain(error: &DecodingError, length: usize) -> ImageError {
    match error {
        DecodingError::IoError(inner) if inner.kind() == ErrorKind::UnexpectedEof => truncated(length),
        _ => malformed(&format!("{error}")),
    }
}
