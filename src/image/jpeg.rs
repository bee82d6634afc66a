//! A JPEG's segments, as far as they tell the size, the memory its decoder wants and whether it ends.
//!
//! ```text
//! FF D8 | FF xx length(2, itself included) data … | FF DA header, entropy-coded bytes … | … | FF D9
//! ```
//! Within entropy-coded bytes FF is followed by 00, by D0..D7 (restart) or by the next marker. Source: ITU-T
//! T.81, annex B.

use alloc::string::ToString;

use super::{Format, ImageError};

/// What the frame header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) width: u32,
    pub(super) height: u32,
    components: u64,
    /// Whether the coefficients of the whole image are kept until the last scan.
    keeps_coefficients: bool,
}

impl Frame {
    /// What a decoder allocates beside the image: 16-bit coefficients in whole blocks, or a few rows of them.
    pub(super) fn decoder_bytes(&self) -> u64 {
        // A block of the least sampled component is at most 4 · 8 pixels wide and high.
        let (width, height) = (u64::from(self.width) + 31, u64::from(self.height) + 31);
        let rows = if self.keeps_coefficients { height + 128 } else { 128 };
        2 * self.components * width * rows
    }
}

/// A marker and the bytes of its segment.
struct Segment<'a> {
    marker: u8,
    data: &'a [u8],
    /// Where the segment ends.
    end: usize,
}

/// The segment that begins at or after `at`; fill bytes and stray ones before it are skipped.
fn segment(bytes: &[u8], mut at: usize) -> Option<Segment<'_>> {
    loop {
        let pair = bytes.get(at..at + 2)?;
        match pair {
            [0xFF, 0x00 | 0xD0..=0xD7] => at += 2,
            [0xFF, 0xFF] => at += 1,
            [0xFF, marker @ (0xD8 | 0xD9 | 0x01)] => {
                return Some(Segment { marker: *marker, data: &[], end: at + 2 });
            }
            [0xFF, marker] => {
                let length = bytes.get(at + 2..at + 4)?.first_chunk().copied().map(u16::from_be_bytes)?;
                let end = at + 2 + usize::from(length).max(2);
                return Some(Segment { marker: *marker, data: bytes.get(at + 4..end)?, end });
            }
            _ => at += 1,
        }
    }
}

/// Reads the frame header, and makes sure that the image's end marker is there.
pub(super) fn frame(bytes: &[u8]) -> Result<Frame, ImageError> {
    let truncated = ImageError::Truncated { format: Format::Jpeg, length: bytes.len() };
    let malformed = |reason: &str| ImageError::Malformed { format: Format::Jpeg, reason: reason.to_string() };
    let mut frame: Option<Frame> = None;
    let mut at = 2;
    loop {
        let found = segment(bytes, at).ok_or_else(|| truncated.clone())?;
        at = found.end;
        match found.marker {
            0xD9 => return frame.ok_or_else(|| malformed("it ends before a frame begins")),
            // Start of frame, but not DHT (C4), JPG (C8) and DAC (CC), which share the range.
            0xC0..=0xCF if !matches!(found.marker, 0xC4 | 0xC8 | 0xCC) && frame.is_none() => {
                let [_, h1, h0, w1, w0, components, ..] = *found.data else {
                    return Err(malformed("its frame header is too short"));
                };
                frame = Some(Frame {
                    width: u32::from(u16::from_be_bytes([w1, w0])),
                    height: u32::from(u16::from_be_bytes([h1, h0])),
                    components: u64::from(components),
                    // C2, C6, CA, CE are progressive.
                    keeps_coefficients: found.marker & 3 == 2,
                });
            }
            0xDA => {
                let frame = frame.as_mut().ok_or_else(|| malformed("a scan comes before the frame"))?;
                // Components one scan after the other: the rows are complete only at the end.
                let in_scan = found.data.first().map_or(0, |&count| u64::from(count));
                frame.keeps_coefficients |= in_scan < frame.components;
            }
            _ => {}
        }
    }
}
