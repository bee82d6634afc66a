//! A GIF's first frame on its canvas, as PIL shows it.
//!
//! ```text
//! "GIF87a" | "GIF89a" width(2) height(2) flags(1) …(2) [palette] │ blocks
//! 2C left(2) top(2) width(2) height(2) flags(1) [palette] bits(1) data      21 label(1) data      3B end
//! data    length(1), so many bytes, … 0                       other bytes between blocks mean nothing
//! codes   2^bits clear, 2^bits + 1 end, others strings; of bits + 1 bits, up to 12
//! ```
//! The canvas is the logical screen, grown where the frame reaches beyond it. Its ground is not the
//! background colour but the transparent index of the frame, or else index 0, seen through the frame's
//! palette (its own, else the global one; none at all means grey). A colour whose index is transparent keeps
//! its palette colour, because alpha is dropped; an index beyond the palette is black. A palette that is
//! itself the grey ramp 0, 1, 2 … is no palette to PIL: indices beyond it are grey.
//!
//! A frame whose codes end before its pixels do is refused. Source: GIF89a; Pillow 13 for what that leaves open.

use alloc::boxed::Box;
use alloc::string::ToString;

use super::header::{DecodeOptions, Header, check_size};
use super::orientation::{Orientation, Turn, turned};
use super::rgb::{Image, reserve};
use super::{Format, ImageError};

/// Bytes of the dictionary of 4096 codes.
const FIXED: u64 = 1 << 16;

/// Codes are of at most twelve bits.
const CODES: usize = 1 << 12;

/// Reads a file from front to back.
struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    fn truncated(&self) -> ImageError {
        ImageError::Truncated { format: Format::Gif, length: self.bytes.len() }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], ImageError> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..count));
        self.at += count;
        taken.ok_or_else(|| self.truncated())
    }

    fn byte(&mut self) -> Result<u8, ImageError> {
        Ok(self.take(1)?[0])
    }

    /// A part of a block's data; `None` at its end.
    fn part(&mut self) -> Result<Option<&'a [u8]>, ImageError> {
        let length = self.byte()?;
        if length == 0 { Ok(None) } else { self.take(length.into()).map(Some) }
    }

    fn palette(&mut self, flags: u8) -> Result<Option<Palette<'a>>, ImageError> {
        if flags & 0x80 == 0 {
            return Ok(None);
        }
        self.take(3 << ((flags & 7) + 1)).map(|bytes| Some(Palette::new(bytes)))
    }
}

fn malformed(reason: &str) -> ImageError {
    ImageError::Malformed { format: Format::Gif, reason: reason.to_string() }
}

/// Colours, and what an index beyond them is.
#[derive(Clone, Copy)]
struct Palette<'a> {
    colors: &'a [[u8; 3]],
    is_grey: bool,
}

impl<'a> Palette<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let (colors, _) = bytes.as_chunks::<3>();
        let is_grey = (0..=u8::MAX).zip(colors).all(|(grey, color)| *color == [grey; 3]);
        Self { colors, is_grey }
    }

    fn color(&self, index: u8) -> [u8; 3] {
        let beyond = if self.is_grey { [index; 3] } else { [0; 3] };
        self.colors.get(usize::from(index)).copied().unwrap_or(beyond)
    }
}

/// The first frame, up to its codes.
struct First<'a> {
    bytes: Bytes<'a>,
    canvas: (u32, u32),
    at: (u32, u32),
    size: (u32, u32),
    palette: Palette<'a>,
    transparent: Option<u8>,
    is_interlaced: bool,
    bits: u8,
}

/// Two numbers of two bytes.
fn pair(bytes: &[u8]) -> (u32, u32) {
    let short = |at: usize| u32::from(bytes[at]) | u32::from(bytes[at + 1]) << 8;
    (short(0), short(2))
}

impl<'a> First<'a> {
    fn new(bytes: &'a [u8], options: &DecodeOptions) -> Result<Self, ImageError> {
        let mut bytes = Bytes { bytes, at: 6 };
        let screen = bytes.take(7)?;
        let global = bytes.palette(screen[4])?;
        let mut transparent = None;
        loop {
            match bytes.byte()? {
                0x21 => transparent = extension(&mut bytes)?.or(transparent),
                0x2C => break,
                0x3B => return Err(malformed("it has no frame")),
                _ => {}
            }
        }
        let place = bytes.take(9)?;
        let (at, size, screen) = (pair(place), pair(&place[4..]), pair(screen));
        let palette = bytes.palette(place[8])?.or(global).unwrap_or(Palette::new(&[]));
        let bits = bytes.byte()?;
        let canvas = (screen.0.max(at.0 + size.0), screen.1.max(at.1 + size.1));
        check_size(size.0, size.1, options)?;
        check_size(canvas.0, canvas.1, options)?;
        let is_interlaced = place[8] & 0x40 != 0;
        Ok(Self { bytes, canvas, at, size, palette, transparent, is_interlaced, bits })
    }

    fn pixels(&self) -> (u64, u64) {
        let pixels = |size: (u32, u32)| u64::from(size.0) * u64::from(size.1);
        (pixels(self.canvas), pixels(self.size))
    }

    fn decode(mut self) -> Result<Image, ImageError> {
        let (canvas, pixels) = self.pixels();
        let mut indices = reserve(pixels)?;
        Codes::new(self.bits)?.decode(&mut self.bytes, &mut indices)?;
        let mut data = reserve(3 * canvas)?;
        data.as_chunks_mut::<3>().0.fill(self.palette.color(self.transparent.unwrap_or(0)));
        let (row, left) = (3 * self.canvas.0 as usize, 3 * self.at.0 as usize);
        let height = self.size.1 as usize;
        let passes: &[(usize, usize)] =
            if self.is_interlaced { &[(0, 8), (4, 8), (2, 4), (1, 2)] } else { &[(0, 1)] };
        let order = passes.iter().flat_map(|&(first, step)| (first..height).step_by(step));
        for (y, indices) in order.zip(indices.chunks_exact(self.size.0 as usize)) {
            let start = (self.at.1 as usize + y) * row + left;
            let line = data.get_mut(start..).unwrap_or_default();
            for (pixel, &index) in line.as_chunks_mut::<3>().0.iter_mut().zip(indices) {
                *pixel = self.palette.color(index);
            }
        }
        Ok(Image { width: self.canvas.0, height: self.canvas.1, data })
    }
}

/// Passes over an extension; gives the transparent index if it is a graphic control that has one.
fn extension(bytes: &mut Bytes<'_>) -> Result<Option<u8>, ImageError> {
    let label = bytes.byte()?;
    let mut part = bytes.part()?;
    let mut transparent = None;
    if let (0xF9, Some(control)) = (label, part)
        && control[0] & 1 != 0
    {
        let index = control.get(3).ok_or_else(|| malformed("a graphic control has no transparent index"))?;
        transparent = Some(*index);
    }
    while part.is_some() {
        part = bytes.part()?;
    }
    Ok(transparent)
}

/// The dictionary: every string is a shorter one and a last index.
struct Codes {
    bits: u8,
    before: [u16; CODES],
    last: [u8; CODES],
    /// A string, written from its end.
    string: [u8; CODES],
}

impl Codes {
    fn new(bits: u8) -> Result<Box<Self>, ImageError> {
        if bits > 11 {
            return Err(malformed("its codes have more than 12 bits"));
        }
        Ok(Box::new(Self { bits, before: [0; CODES], last: [0; CODES], string: [0; CODES] }))
    }

    fn decode(&mut self, bytes: &mut Bytes<'_>, out: &mut [u8]) -> Result<(), ImageError> {
        let broken = || malformed("a code of its pixels has no meaning yet");
        let clear = 1_usize << self.bits;
        let (mut next, mut width) = (clear + 2, self.bits + 1);
        // The code before this one and the first index of its string.
        let mut before: Option<(usize, u8)> = None;
        let (mut word, mut ready) = (0_u32, 0);
        let mut part: &[u8] = &[];
        let mut made = 0;
        while made < out.len() {
            while ready < width {
                let Some((&byte, rest)) = part.split_first() else {
                    part = bytes.part()?.ok_or_else(|| bytes.truncated())?;
                    continue;
                };
                part = rest;
                word |= u32::from(byte) << ready;
                ready += 8;
            }
            let code = (word & ((1 << width) - 1)) as usize;
            word >>= width;
            ready -= width;
            if code == clear {
                (next, width, before) = (clear + 2, self.bits + 1, None);
                continue;
            }
            if code == clear + 1 {
                return Err(bytes.truncated());
            }
            let Some((previous, first)) = before else {
                if code > clear {
                    return Err(broken());
                }
                out[made] = code as u8;
                made += 1;
                before = Some((code, code as u8));
                continue;
            };
            let (mut at, mut step) = (CODES, code);
            if code > next {
                return Err(broken());
            }
            if code == next {
                at -= 1;
                self.string[at] = first;
                step = previous;
            }
            while step >= clear {
                at = at.checked_sub(1).ok_or_else(broken)?;
                self.string[at] = *self.last.get(step).ok_or_else(broken)?;
                step = usize::from(self.before[step]);
            }
            at = at.checked_sub(1).ok_or_else(broken)?;
            self.string[at] = step as u8;
            let string = &self.string[at..];
            for (to, from) in out[made..].iter_mut().zip(string) {
                *to = *from;
            }
            made = out.len().min(made + string.len());
            if next < CODES {
                self.last[next] = step as u8;
                self.before[next] = previous as u16;
                if next + 1 == 1 << width && width < 12 {
                    width += 1;
                }
                next += 1;
            }
            before = Some((code, step as u8));
        }
        Ok(())
    }
}

pub(super) fn probe(bytes: &[u8], options: &DecodeOptions) -> Result<Header, ImageError> {
    let first = First::new(bytes, options)?;
    let (canvas, frame) = first.pixels();
    let turn = turn(options);
    let turning = if turn.swaps_sides() { 6 * canvas } else { 0 };
    let (width, height) = turn.size(first.canvas);
    let peak_bytes = (3 * canvas + frame).max(turning) + FIXED;
    Ok(Header { format: Format::Gif, width, height, peak_bytes })
}

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Image, ImageError> {
    turned(First::new(bytes, options)?.decode()?, turn(options))
}

/// A GIF has no EXIF: only the caller can turn it.
fn turn(options: &DecodeOptions) -> Turn {
    match options.orientation {
        Orientation::Exif => Turn::NONE,
        Orientation::Turned(turn) => turn,
    }
}
