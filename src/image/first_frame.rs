//! A GIF's first frame on its canvas, as PIL shows it.
//!
//! The canvas is the logical screen, grown where the frame reaches beyond it. Its ground is not the
//! background colour but the transparent index of the frame, or else index 0, seen through the frame's
//! palette (its own, else the global one; none at all means grey). A colour whose index is transparent keeps
//! its palette colour, because alpha is dropped; an index beyond the palette is black. A palette that is
//! itself the grey ramp 0, 1, 2 … is no palette to PIL: indices beyond it are grey.

use alloc::string::ToString;
use std::io::ErrorKind;

use gif::{ColorOutput, DecodeOptions as GifOptions, Decoder, DecodingError, Frame, MemoryLimit};

use super::decode::{DecodeOptions, Header, Image, check_size, reserve};
use super::orientation::{Orientation, Turn, turned};
use super::{Format, ImageError};

/// Bytes of the decoder's own tables and buffers: a dictionary of 4096 codes and its output.
const FIXED: u64 = 1 << 18;

/// A frame's place on its canvas.
struct Canvas {
    width: u32,
    height: u32,
    frame_pixels: u64,
}

pub(super) fn probe(bytes: &[u8], options: &DecodeOptions) -> Result<Header, ImageError> {
    let mut decoder = open(bytes)?;
    let screen = (decoder.width(), decoder.height());
    let frame = decoder.next_frame_info().map_err(|error| explain(error, bytes))?.ok_or_else(no_frame)?;
    let canvas = canvas(screen, frame, options)?;
    let pixels = u64::from(canvas.width) * u64::from(canvas.height);
    let turn = turn(options);
    let turning = if turn.swaps_sides() { 6 * pixels } else { 0 };
    let peak_bytes = (3 * pixels + canvas.frame_pixels).max(turning) + FIXED;
    let (width, height) = turn.size((canvas.width, canvas.height));
    Ok(Header { format: Format::Gif, width, height, peak_bytes })
}

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Image, ImageError> {
    turned(stored(bytes, options)?, turn(options))
}

/// A GIF has no EXIF: only the caller can turn it.
fn turn(options: &DecodeOptions) -> Turn {
    match options.orientation {
        Orientation::Exif => Turn::NONE,
        Orientation::Turned(turn) => turn,
    }
}

fn stored(bytes: &[u8], options: &DecodeOptions) -> Result<Image, ImageError> {
    let mut decoder = open(bytes)?;
    let screen = (decoder.width(), decoder.height());
    let frame =
        decoder.next_frame_info().map_err(|error| explain(error, bytes))?.ok_or_else(no_frame)?.clone();
    let canvas = canvas(screen, &frame, options)?;
    let mut indices = reserve(canvas.frame_pixels)?;
    decoder.read_into_buffer(&mut indices).map_err(|error| explain(error, bytes))?;
    let palette = Palette::new(frame.palette.as_deref().or_else(|| decoder.global_palette()));
    let mut data = reserve(3 * u64::from(canvas.width) * u64::from(canvas.height))?;
    let ground = palette.color(frame.transparent.unwrap_or(0));
    data.as_chunks_mut::<3>().0.fill(ground);
    let row = canvas.width as usize * 3;
    let left = usize::from(frame.left) * 3;
    let lines = data.chunks_exact_mut(row).skip(usize::from(frame.top));
    for (line, indices) in lines.zip(indices.chunks_exact(usize::from(frame.width))) {
        for (pixel, &index) in line[left..].as_chunks_mut::<3>().0.iter_mut().zip(indices) {
            *pixel = palette.color(index);
        }
    }
    Ok(Image { width: canvas.width, height: canvas.height, data })
}

fn open(bytes: &[u8]) -> Result<Decoder<&[u8]>, ImageError> {
    let mut options = GifOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    // The sizes are checked here, before the buffer is made.
    options.set_memory_limit(MemoryLimit::Unlimited);
    options.read_info(bytes).map_err(|error| explain(error, bytes))
}

fn canvas(screen: (u16, u16), frame: &Frame<'_>, options: &DecodeOptions) -> Result<Canvas, ImageError> {
    let frame_pixels = check_size(u32::from(frame.width), u32::from(frame.height), options)?;
    let width = u32::from(screen.0).max(u32::from(frame.left) + u32::from(frame.width));
    let height = u32::from(screen.1).max(u32::from(frame.top) + u32::from(frame.height));
    check_size(width, height, options)?;
    Ok(Canvas { width, height, frame_pixels })
}

struct Palette<'a> {
    colors: &'a [[u8; 3]],
    /// What an index beyond the palette is.
    is_grey: bool,
}

impl<'a> Palette<'a> {
    fn new(bytes: Option<&'a [u8]>) -> Self {
        let (colors, _) = bytes.unwrap_or_default().as_chunks::<3>();
        let is_grey = (0..=u8::MAX).zip(colors).all(|(grey, color)| *color == [grey; 3]);
        Self { colors, is_grey }
    }

    fn color(&self, index: u8) -> [u8; 3] {
        let beyond = if self.is_grey { [index; 3] } else { [0; 3] };
        self.colors.get(usize::from(index)).copied().unwrap_or(beyond)
    }
}

fn no_frame() -> ImageError {
    ImageError::Malformed { format: Format::Gif, reason: "it has no frame".to_string() }
}

fn explain(error: DecodingError, bytes: &[u8]) -> ImageError {
    let format = Format::Gif;
    let truncated = ImageError::Truncated { format, length: bytes.len() };
    match &error {
        DecodingError::UnexpectedEof => truncated,
        DecodingError::Io(inner) if inner.kind() == ErrorKind::UnexpectedEof => truncated,
        _ => ImageError::Malformed { format, reason: error.to_string() },
    }
}
