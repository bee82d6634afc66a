//! A camera's rows to RGB.

use super::ResizeError;
use super::colors::{Colors, Conversion};
use super::frame::{Frame, PixelFormat};
use super::pass::Pass;
use super::rows::{Block, Rows};
use crate::cpu::LANES;
use crate::ops::Kernels;

/// One row, for [`Pass::Convert`].
pub struct Convert<'a> {
    format: PixelFormat,
    conversion: Conversion,
    row: &'a [u8],
    chroma: &'a [u8],
    /// Packed RGB.
    out: &'a mut [u8],
}

impl Convert<'_> {
    #[inline(always)]
    pub(super) fn run(self) {
        let Convert { format, conversion, row, chroma, out } = self;
        let (out, _) = out.as_chunks_mut::<3>();
        match format {
            PixelFormat::Rgb => swizzled::<3>(row, [0, 1, 2], out),
            PixelFormat::Bgr => swizzled::<3>(row, [2, 1, 0], out),
            PixelFormat::Rgba => swizzled::<4>(row, [0, 1, 2], out),
            PixelFormat::Grey8 => swizzled::<1>(row, [0; 3], out),
            PixelFormat::Rgb565 => {
                for (rgb, pixel) in out.iter_mut().zip(row.as_chunks::<2>().0) {
                    let pixel = u16::from_le_bytes(*pixel);
                    *rgb = [five(pixel >> 11), six(pixel >> 5 & 63), five(pixel & 31)];
                }
            }
            PixelFormat::Yuyv => yuyv(&conversion, row, out),
            PixelFormat::Nv12 => two_planes::<0>(&conversion, row, chroma, out),
            PixelFormat::Nv21 => two_planes::<1>(&conversion, row, chroma, out),
        }
    }
}

/// Bytes of a pixel of `N` by place.
#[inline(always)]
fn swizzled<const N: usize>(row: &[u8], places: [usize; 3], out: &mut [[u8; 3]]) {
    for (rgb, pixel) in out.iter_mut().zip(row.as_chunks::<N>().0) {
        *rgb = [pixel[places[0]], pixel[places[1]], pixel[places[2]]];
    }
}

/// Sixteen pixels at a time; those left over in a block that is filled with zeros.
#[inline(always)]
fn yuyv(conversion: &Conversion, row: &[u8], out: &mut [[u8; 3]]) {
    for (row, out) in row.chunks(2 * LANES).zip(out.chunks_mut(LANES)) {
        let mut bytes = [0; 2 * LANES];
        bytes[..row.len()].copy_from_slice(row);
        let (mut luma, mut cb, mut cr) = ([0; LANES], [0; LANES / 2], [0; LANES / 2]);
        for (i, four) in bytes.as_chunks::<4>().0.iter().enumerate() {
            (luma[2 * i], cb[i], luma[2 * i + 1], cr[i]) = (four[0], four[1], four[2], four[3]);
        }
        write(&conversion.sixteen(&luma, &cb, &cr), out);
    }
}

/// Likewise, with Cb at place `CB` of its pair.
#[inline(always)]
fn two_planes<const CB: usize>(conversion: &Conversion, row: &[u8], chroma: &[u8], out: &mut [[u8; 3]]) {
    for ((row, chroma), out) in row.chunks(LANES).zip(chroma.chunks(LANES)).zip(out.chunks_mut(LANES)) {
        let (mut luma, mut pairs) = ([0; LANES], [0; LANES]);
        luma[..row.len()].copy_from_slice(row);
        pairs[..chroma.len()].copy_from_slice(chroma);
        let (mut cb, mut cr) = ([0; LANES / 2], [0; LANES / 2]);
        for (i, pair) in pairs.as_chunks::<2>().0.iter().enumerate() {
            (cb[i], cr[i]) = (pair[CB], pair[1 - CB]);
        }
        write(&conversion.sixteen(&luma, &cb, &cr), out);
    }
}

#[inline(always)]
fn write(planes: &[[u8; LANES]; 3], out: &mut [[u8; 3]]) {
    if let Some(out) = out.first_chunk_mut::<LANES>() {
        for i in 0..LANES {
            out[i] = [planes[0][i], planes[1][i], planes[2][i]];
        }
    } else {
        for (i, out) in out.iter_mut().enumerate() {
            *out = [planes[0][i], planes[1][i], planes[2][i]];
        }
    }
}

/// `round(v·255/31)`: 527/64 = 8.234 against 255/31 = 8.226, and 23/64 brings every one of the 32 to its place.
#[inline(always)]
fn five(v: u16) -> u8 {
    ((v * 527 + 23) >> 6) as u8
}

/// `round(v·255/63)`, likewise.
#[inline(always)]
fn six(v: u16) -> u8 {
    ((v * 259 + 33) >> 6) as u8
}

/// A frame as rows of RGB.
pub struct FrameRows<'a> {
    kernels: &'a dyn Kernels,
    frame: Frame<'a>,
    conversion: Conversion,
    line: &'a mut [u8],
}

impl<'a> FrameRows<'a> {
    /// Bytes of scratch: one row, where it must be converted.
    pub fn scratch_bytes(frame: &Frame<'_>) -> usize {
        if frame.format() == PixelFormat::Rgb { 0 } else { PixelFormat::Rgb.row_bytes(frame.width()) }
    }

    /// Rows of `frame`, converted on an instruction set.
    ///
    /// # Errors
    /// [`ResizeError::TooShort`] for scratch.
    pub fn new(
        kernels: &'a dyn Kernels,
        frame: Frame<'a>,
        scratch: &'a mut [u8],
    ) -> Result<Self, ResizeError> {
        let (needed, given) = (Self::scratch_bytes(&frame), scratch.len());
        let short = ResizeError::TooShort { what: "scratch", needed, given };
        let line = scratch.get_mut(..needed).ok_or(short)?;
        let conversion = Colors::conversion(frame.colors());
        Ok(Self { kernels, frame, conversion, line })
    }

    fn check(&self, y: u32) -> Result<(), ResizeError> {
        let height = self.frame.height();
        if y < height { Ok(()) } else { Err(ResizeError::Row { row: y, height }) }
    }
}

/// Row `y` to RGB.
fn convert(kernels: &dyn Kernels, frame: &Frame<'_>, conversion: Conversion, y: u32, out: &mut [u8]) {
    let (row, chroma) = frame.row(y);
    kernels.pixels(Pass::Convert(Convert { format: frame.format(), conversion, row, chroma, out }));
}

impl Rows for FrameRows<'_> {
    fn width(&self) -> u32 {
        self.frame.width()
    }

    fn height(&self) -> u32 {
        self.frame.height()
    }

    fn channels(&self) -> usize {
        3
    }

    fn row(&mut self, y: u32) -> Result<&[u8], ResizeError> {
        self.check(y)?;
        if self.frame.format() == PixelFormat::Rgb {
            return Ok(self.frame.row(y).0);
        }
        convert(self.kernels, &self.frame, self.conversion, y, self.line);
        Ok(self.line)
    }

    fn block<'s>(&'s mut self, y: u32, count: u32, room: &'s mut [u8]) -> Result<Block<'s>, ResizeError> {
        let mut rows: Block<'s> = [&[]; LANES];
        let mut free = room;
        for (y, lent) in (y..y + count).zip(&mut rows) {
            self.check(y)?;
            if self.frame.format() == PixelFormat::Rgb {
                *lent = self.frame.row(y).0;
                continue;
            }
            let (needed, given) = (self.line.len(), free.len());
            let short = ResizeError::TooShort { what: "room for rows", needed, given };
            let (place, rest) = free.split_at_mut_checked(needed).ok_or(short)?;
            convert(self.kernels, &self.frame, self.conversion, y, place);
            *lent = place;
            free = rest;
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_565_value_is_the_nearest() {
        for v in 0..32 {
            assert_eq!(five(v), (f64::from(v) * 255.0 / 31.0).round() as u8, "{v}");
        }
        for v in 0..64 {
            assert_eq!(six(v), (f64::from(v) * 255.0 / 63.0).round() as u8, "{v}");
        }
    }
}
