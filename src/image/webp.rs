//! A WebP's chunks, checked before its decoder allocates what they claim.
//!
//! ```text
//! "RIFF" size(4, LE) "WEBP" │ fourcc(4) size(4, LE) data, padded to even │ …
//! VP8X   flags(4) canvas width − 1 (3) canvas height − 1 (3)
//! ANMF   x/2 (3) y/2 (3) width − 1 (3) height − 1 (3) duration(3) flags(1), then chunks of its own
//! VP8    tag(3: size of the first partition from bit 5 on) 9D 01 2A width(14 bits) height(14 bits)
//! VP8L   2F width − 1 (14 bits) height − 1 (14 bits)
//! ```
//! The decoder reserves what a chunk says it holds, and planes of the size that a frame says it has, and only
//! then finds that the file is shorter or the canvas smaller. Here a chunk that reaches beyond the file is a
//! truncated file, and a frame that is not of its canvas's size a malformed one. Source: RFC 9649.

use alloc::string::ToString;

use super::{Format, ImageError};

/// A partition of a lossy frame may claim 24 bits of bytes, and they are reserved before they are read.
const MOST_PARTITION: u64 = 1 << 24;

/// What the chunks promise.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Chunks {
    /// Of the canvas, or of the first frame where there is none.
    size: Option<(u32, u32)>,
    is_lossy: bool,
    is_animated: bool,
}

impl Chunks {
    /// Width and height, where a chunk states them.
    pub(super) fn size(&self) -> Option<(u32, u32)> {
        self.size
    }

    /// What a decoder allocates beside the image, its borders and the compressed bytes.
    pub(super) fn decoder_bytes(&self, pixels: u64) -> u64 {
        // Lossless: an RGBA image. Lossy: planes of 1.5 bytes per pixel in whole macroblocks; its alpha may be a
        // lossless image. Animated: an RGBA canvas and the frame on it besides.
        let frame = if self.is_animated { 9 } else { 5 };
        frame * pixels + if self.is_lossy { MOST_PARTITION } else { 0 }
    }
}

fn malformed(reason: &str) -> ImageError {
    ImageError::Malformed { format: Format::WebP, reason: reason.to_string() }
}

/// Up to four bytes, the least significant first.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

/// Checks the whole container.
pub(super) fn chunks(bytes: &[u8]) -> Result<Chunks, ImageError> {
    let truncated = ImageError::Truncated { format: Format::WebP, length: bytes.len() };
    let length = number(bytes.get(4..8).ok_or_else(|| truncated.clone())?);
    let end = (length as usize).saturating_add(8);
    let body = bytes.get(12..end).ok_or_else(|| truncated.clone())?;
    let mut chunks = Chunks::default();
    walk(body, None, &mut chunks, &truncated)?;
    Ok(chunks)
}

/// Checks a sequence of chunks whose frames must be of size `canvas`, where that is known.
fn walk(
    mut body: &[u8],
    mut canvas: Option<(u32, u32)>,
    chunks: &mut Chunks,
    truncated: &ImageError,
) -> Result<(), ImageError> {
    while let Some((header, rest)) = body.split_first_chunk::<8>() {
        let (name, size) = (&header[..4], number(&header[4..]) as usize);
        let data = rest.get(..size).ok_or_else(|| truncated.clone())?;
        // The padding of the last chunk may be missing.
        body = rest.get(size.saturating_add(size % 2)..).unwrap_or_default();
        let size = match name {
            b"VP8X" => {
                canvas = Some(pair(data.get(4..10).ok_or_else(|| malformed("its canvas has no size"))?));
                chunks.size = chunks.size.or(canvas);
                continue;
            }
            b"ANMF" => {
                let place = data.get(6..12).ok_or_else(|| malformed("an animation frame has no size"))?;
                chunks.is_animated = true;
                let own = data.get(16..).ok_or_else(|| malformed("an animation frame is empty"))?;
                walk(own, Some(pair(place)), chunks, truncated)?;
                continue;
            }
            b"VP8 " => lossy_size(data, truncated)?,
            b"VP8L" => lossless_size(data).ok_or_else(|| malformed("a lossless frame has no size"))?,
            _ => continue,
        };
        chunks.is_lossy |= name == b"VP8 ";
        chunks.size = chunks.size.or(Some(size));
        if canvas.is_some_and(|canvas| canvas != size) {
            return Err(malformed("a frame is not of the size that the container states"));
        }
    }
    Ok(())
}

/// Two 24-bit numbers, each one less than what it means.
fn pair(bytes: &[u8]) -> (u32, u32) {
    (number(&bytes[..3]) + 1, number(&bytes[3..]) + 1)
}

fn lossy_size(data: &[u8], truncated: &ImageError) -> Result<(u32, u32), ImageError> {
    let header = data.first_chunk::<10>().ok_or_else(|| truncated.clone())?;
    let first_partition = number(&header[..3]) >> 5;
    if data.len() - header.len() < first_partition as usize {
        return Err(truncated.clone());
    }
    Ok((number(&header[6..8]) & 0x3FFF, number(&header[8..]) & 0x3FFF))
}

fn lossless_size(data: &[u8]) -> Option<(u32, u32)> {
    let bits = number(data.get(1..5)?);
    Some(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
}
