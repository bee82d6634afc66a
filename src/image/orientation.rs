//! The eight EXIF orientations.
//!
//! ```text
//! 1 as it is      2 mirrored       3 half a turn       4 flipped
//! 5 transposed    6 a quarter clockwise    7 transposed across the other diagonal    8 a quarter back
//! ```
//! The number says what must be done to the stored image so that it stands upright. Numbers outside 1..=8
//! mean nothing, as in PIL. Where a file states it: `metadata.rs`.

use super::ImageError;
use super::rgb::{Image, reserve};

/// Which way a stored image is turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Orientation {
    /// As its EXIF orientation says, or its XMP where EXIF has none; as it is stored where it has neither.
    #[default]
    Exif,
    /// This way, whatever it says itself.
    Turned(Turn),
}

/// One of the eight ways to put a stored image upright, numbered as in EXIF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Turn(u8);

impl Turn {
    /// Leaves the image as it is stored.
    pub const NONE: Self = Self(1);

    /// The turn with this EXIF number; none outside 1 to 8.
    pub const fn from_exif(number: u8) -> Option<Self> {
        match number {
            1..=8 => Some(Self(number)),
            _ => None,
        }
    }

    /// Whether width and height change places.
    pub(super) fn swaps_sides(self) -> bool {
        self.0 >= 5
    }

    /// Width and height once turned.
    pub(super) fn size(self, (width, height): (u32, u32)) -> (u32, u32) {
        if self.swaps_sides() { (height, width) } else { (width, height) }
    }
}

/// The image upright. Transposing takes a second image's memory, the rest none.
pub(super) fn turned(mut image: Image, turn: Turn) -> Result<Image, ImageError> {
    let row = image.width as usize * 3;
    match turn.0 {
        2 => image.data.chunks_exact_mut(row).for_each(mirror),
        3 => mirror(&mut image.data),
        4 => flip(&mut image.data, row),
        5..=8 => return transposed(&image, turn),
        _ => {}
    }
    Ok(image)
}

/// Reverses the order of the pixels.
fn mirror(pixels: &mut [u8]) {
    let (pixels, _) = pixels.as_chunks_mut::<3>();
    pixels.reverse();
}

/// Reverses the order of the rows.
fn flip(data: &mut [u8], row: usize) {
    let half = data.len() / row / 2 * row;
    let length = data.len();
    let (upper, lower) = data.split_at_mut(length - half);
    for (a, b) in upper.chunks_exact_mut(row).zip(lower.chunks_exact_mut(row).rev()) {
        a.swap_with_slice(b);
    }
}

fn transposed(image: &Image, turn: Turn) -> Result<Image, ImageError> {
    let (stored_width, stored_height) = (image.width as usize, image.height as usize);
    let mut data = reserve(image.data.len() as u64)?;
    let (from, _) = image.data.as_chunks::<3>();
    for (y, row) in data.chunks_exact_mut(stored_height * 3).enumerate() {
        // Row y of the result is column y of the stored image, or counted from its right side.
        let column = if matches!(turn.0, 7 | 8) { stored_width - 1 - y } else { y };
        let (pixels, _) = row.as_chunks_mut::<3>();
        for (x, pixel) in pixels.iter_mut().enumerate() {
            let line = if matches!(turn.0, 6 | 7) { stored_height - 1 - x } else { x };
            *pixel = from[line * stored_width + column];
        }
    }
    Ok(Image { width: image.height, height: image.width, data })
}
