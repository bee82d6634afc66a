//! The size that a PNG or a BMP says it has, read before its decoder sees the file: what a decoder says of a size that
//! it does not like is about its own limits and not about the image.
//!
//! ```text
//! PNG   signature(8) length(4) "IHDR" width(4) height(4) …, most significant byte first
//! BMP   "BM" (14 bytes in all), size of the header(4): 12, then width(2) height(2); more, then width(4) height(4),
//!       negative where rows are top-down; least significant byte first
//! ```
//! Sources: PNG (ISO/IEC 15948) 11.2.2; BITMAPCOREHEADER and BITMAPINFOHEADER of the Windows documentation.

use super::Format;

/// Width and height, where they stand where they should.
pub(super) fn size(bytes: &[u8], format: Format) -> Option<(u32, u32)> {
    match format {
        Format::Png if bytes.get(12..16)? == b"IHDR" => {
            let side = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
            Some((side(16)?, side(20)?))
        }
        Format::Bmp => {
            let short = |at: usize| Some(u32::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)));
            let long = |at: usize| Some(i32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
            if long(14)? == 12 {
                return Some((short(18)?, short(20)?));
            }
            Some((u32::try_from(long(18)?).ok()?, long(22)?.unsigned_abs()))
        }
        _ => None,
    }
}
