//! An encoded image to RGB, as PIL's `open(…)`, `exif_transpose` and `convert("RGB")` do it.
//!
//! ```text
//! grey                 → (v, v, v);  1, 2 and 4 bits widened to 0..=255
//! palette              → its colours; an index beyond the palette is black
//! alpha                dropped, not composited: the colour under it stays
//! 16-bit grey PNG      → min(v, 255), not v / 256: PIL opens it as `I;16`, whose conversion clips
//! other 16-bit PNG     → the high byte
//! GIF, WebP, PNG       an animation's first frame, on its canvas
//! colour profiles      ignored
//! ```
//! What is decoded is equal to Pillow 13.0.0 to the byte, in every format, JPEG and lossy WebP included
//! (`tests/golden/make_images.py`, `make_image_variants.py`); what would not be is refused with a reason. JPEG, GIF and
//! BMP are decoded here, PNG and WebP by crates. Pillow's pixels of damaged files are guesses, and those are refused: a file
//! that ends early, a code without a meaning.
//!
//! Width and height are read from the header and held against [`DecodeOptions::max_pixels`] before anything of that size
//! is allocated. A panic inside a decoder becomes [`ImageError::Malformed`], and nothing is written about it.

use alloc::string::ToString;
use core::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use super::header::{DecodeOptions, Header};
use super::rgb::Image;
use super::{Format, ImageError, bmp, gif, jpeg, png, webp};

/// Reads the header: enough to plan. Nothing of the image's size is allocated.
///
/// # Errors
/// As [`decode`], as far as the header shows it.
pub fn probe(bytes: &[u8], options: &DecodeOptions) -> Result<Header, ImageError> {
    let format = sniff(bytes)?;
    guarded(format, || match format {
        Format::Jpeg => jpeg::probe(bytes, options),
        Format::Png => png::probe(bytes, options),
        Format::WebP => webp::probe(bytes, options),
        Format::Bmp => bmp::probe(bytes, options),
        Format::Gif => gif::probe(bytes, options),
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
        Format::Jpeg => jpeg::decode(bytes, options),
        Format::Png => png::decode(bytes, options),
        Format::WebP => webp::decode(bytes, options),
        Format::Bmp => bmp::decode(bytes, options),
        Format::Gif => gif::decode(bytes, options),
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

std::thread_local! {
    /// Whether this thread is inside a decoder.
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Decoders read hostile bytes, some of them are other people's code: should one panic, the image is refused, the engine
/// goes on, and the message of the panic is kept from the terminal. The hook that does so is set once and asks whether
/// the thread is inside a decoder; all other panics go to the hook that was there before.
pub(super) fn guarded<T>(
    format: Format,
    work: impl FnOnce() -> Result<T, ImageError>,
) -> Result<T, ImageError> {
    static HOOK: Once = Once::new();
    if !std::thread::panicking() {
        HOOK.call_once(|| {
            let before = take_hook();
            set_hook(alloc::boxed::Box::new(move |info| {
                if !DECODING.try_with(Cell::get).unwrap_or(false) {
                    before(info);
                }
            }));
        });
    }
    let outside = DECODING.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    DECODING.set(outside);
    let reason = "its decoder found parts of it that contradict each other, and gave up";
    result.unwrap_or_else(|_| Err(ImageError::Malformed { format, reason: reason.to_string() }))
}
