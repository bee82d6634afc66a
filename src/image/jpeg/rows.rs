//! Samples of the components to rows of RGB, as libjpeg and Pillow make them.
//!
//! ```text
//! across 2:1       a sample and a quarter of the way to its neighbour: (3·s + left + 1)/4, (3·s + right + 2)/4
//! down 2:1         (3·s + above + 1)/4, (3·s + below + 2)/4
//! both             down without division, then across: (3·t + left + 8)/16, (3·t + right + 7)/16
//! other ratios     repeated; across 2:1 too where a row has no more than two samples
//! YCbCr            R = Y + 1.402 Cr, G = Y − 0.34414 Cb − 0.71414 Cr, B = Y + 1.772 Cb, 16 bits of fraction
//! CMYK             as Adobe stores it, inverted: C·K/255
//! ```
//! Beyond an edge lies the sample at the edge. Only a few rows of samples are kept: a component's rows are a ring of one
//! row of units, or two where a row needs its neighbours.

use alloc::vec::Vec;

use super::header::{Colors, Frame};
use super::idct::{self, Block};
use crate::image::ImageError;
use crate::image::rgb::reserve;

/// How a component's samples become pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Up {
    /// Repeated so many times across and down.
    Repeat(usize, usize),
    Across,
    Down,
    Both,
}

impl Up {
    fn new(h: usize, v: usize, width: usize) -> Self {
        match (h, v) {
            (2, 1) if width > 2 => Self::Across,
            (2, 2) if width > 2 => Self::Both,
            (1, 2) => Self::Down,
            _ => Self::Repeat(h, v),
        }
    }

    fn needs_neighbours(self) -> bool {
        matches!(self, Self::Down | Self::Both)
    }
}

/// The last rows of a component's samples.
struct Ring {
    samples: Vec<u8>,
    stride: usize,
    /// Blocks down in a unit.
    v: usize,
    /// Rows of units that are kept.
    units: usize,
    up: Up,
    width: usize,
    height: usize,
    /// The upsampled row.
    line: Vec<u8>,
    /// Sums of two rows.
    sums: Vec<u16>,
}

/// The components' samples and where the next row of pixels goes.
pub(super) struct Rows {
    rings: Vec<Ring>,
    colors: Colors,
    width: usize,
    height: usize,
    unit_height: usize,
    /// Rows that cannot be made before the next row of units is there.
    held: usize,
    /// Rows of pixels that are made.
    made: usize,
}

fn units_kept(frame: &Frame) -> usize {
    let needs = |(h, v, width)| Up::new(h, v, width).needs_neighbours();
    1 + usize::from(frame.components.iter().any(|c| needs((frame.h / c.h, frame.v / c.v, c.width))))
}

/// Bytes that [`Rows`] takes.
pub(super) fn bytes(frame: &Frame) -> u64 {
    let units = units_kept(frame);
    let ring = |h: usize, v: usize| {
        let stride = frame.units_wide() * h * 8;
        (stride * v * 8 * units + frame.units_wide() * frame.h * 8 + 2 * stride) as u64
    };
    frame.components.iter().map(|component| ring(component.h, component.v)).sum()
}

impl Rows {
    pub(super) fn new(frame: &Frame, colors: Colors) -> Result<Self, ImageError> {
        let units = units_kept(frame);
        let line = frame.units_wide() * frame.h * 8;
        let mut rings = Vec::new();
        for component in &frame.components {
            let stride = frame.units_wide() * component.h * 8;
            rings.push(Ring {
                samples: reserve((stride * component.v * 8 * units) as u64)?,
                stride,
                v: component.v,
                units,
                up: Up::new(frame.h / component.h, frame.v / component.v, component.width),
                width: component.width,
                height: component.height,
                line: reserve(line as u64)?,
                sums: alloc::vec![0; stride],
            });
        }
        Ok(Self {
            rings,
            colors,
            width: frame.width,
            height: frame.height,
            unit_height: frame.v * 8,
            held: units - 1,
            made: 0,
        })
    }

    /// Transforms a block of a component; its place is counted in blocks within a row of units.
    #[inline]
    pub(super) fn block(
        &mut self,
        component: usize,
        row: usize,
        (x, y): (usize, usize),
        (block, last): (&Block, usize),
        steps: &[u16; 64],
    ) {
        let ring = &mut self.rings[component];
        let top = (row % ring.units * ring.v + y) * 8;
        if let Some(out) = ring.samples.get_mut(top * ring.stride + x * 8..) {
            idct::inverse(block, last, steps, out, ring.stride);
        }
    }

    /// Writes the rows of pixels that so many rows of units allow.
    pub(super) fn write(&mut self, units: usize, out: &mut [u8]) {
        let whole = units * self.unit_height;
        let end = if whole >= self.height { self.height } else { whole - self.held };
        let rows = out.chunks_exact_mut(3 * self.width).enumerate();
        for (y, row) in rows.take(end).skip(self.made) {
            for ring in &mut self.rings {
                ring.upsample(y);
            }
            self.color(row);
        }
        self.made = end;
    }

    fn color(&self, row: &mut [u8]) {
        let (pixels, _) = row.as_chunks_mut::<3>();
        match (self.colors, &*self.rings) {
            (Colors::Grey, [grey]) => {
                for (pixel, &grey) in pixels.iter_mut().zip(&grey.line) {
                    *pixel = [grey; 3];
                }
            }
            (Colors::Rgb, [red, green, blue]) => {
                let lines = red.line.iter().zip(&green.line).zip(&blue.line);
                for (pixel, ((&red, &green), &blue)) in pixels.iter_mut().zip(lines) {
                    *pixel = [red, green, blue];
                }
            }
            (Colors::YCbCr, [y, cb, cr]) => {
                color_line(&y.line, &cb.line, &cr.line, pixels);
            }
            (Colors::Cmyk | Colors::Ycck, [a, b, c, k]) => {
                let is_ycck = self.colors == Colors::Ycck;
                let lines = a.line.iter().zip(&b.line).zip(&c.line).zip(&k.line);
                for (pixel, (((&a, &b), &c), &k)) in pixels.iter_mut().zip(lines) {
                    let inks = if is_ycck { rgb(a, b, c).map(|light| 255 - light) } else { [a, b, c] };
                    *pixel = inks.map(|ink| under_black(ink, k));
                }
            }
            _ => {}
        }
    }
}

/// A row of YCbCr, sixteen pixels at a time: colours lie apart until they are finished.
fn color_line(y: &[u8], cb: &[u8], cr: &[u8], pixels: &mut [[u8; 3]]) {
    const TOGETHER: usize = 16;
    let (groups, rest) = pixels.as_chunks_mut::<TOGETHER>();
    let start = groups.len() * TOGETHER;
    let chunks = y.as_chunks::<TOGETHER>().0.iter();
    let chunks = chunks.zip(cb.as_chunks::<TOGETHER>().0).zip(cr.as_chunks::<TOGETHER>().0);
    for (group, ((y, cb), cr)) in groups.iter_mut().zip(chunks) {
        let (mut red, mut green, mut blue) = ([0; TOGETHER], [0; TOGETHER], [0; TOGETHER]);
        let colors = red.iter_mut().zip(&mut green).zip(&mut blue);
        for (((red, green), blue), ((&y, &cb), &cr)) in colors.zip(y.iter().zip(cb).zip(cr)) {
            [*red, *green, *blue] = rgb(y, cb, cr);
        }
        for (pixel, ((red, green), blue)) in group.iter_mut().zip(red.into_iter().zip(green).zip(blue)) {
            *pixel = [red, green, blue];
        }
    }
    let lines = y.iter().zip(cb).zip(cr).skip(start);
    for (pixel, ((&y, &cb), &cr)) in rest.iter_mut().zip(lines) {
        *pixel = rgb(y, cb, cr);
    }
}

/// YCbCr, full range. Products are of 16 bits by 16: whole multiples of the chroma are added beside them.
#[inline(always)]
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = (i16::from(y), i16::from(cb) - 128, i16::from(cr) - 128);
    let part = |cb_factor: i16, cr_factor: i16| {
        ((i32::from(cb) * i32::from(cb_factor) + i32::from(cr) * i32::from(cr_factor) + (1 << 15)) >> 16)
            as i16
    };
    // 1.402 = 1 + 26345/65536, −0.34414 and −0.71414 = −22554/65536 and 18734/65536 − 1, 1.772 = 2 − 14942/65536.
    let red = y + cr + part(0, 26345);
    let green = y - cr + part(-22554, 18734);
    let blue = y + 2 * cb + part(-14942, 0);
    [red, green, blue].map(|value| value.clamp(0, 255) as u8)
}

/// Ink as Adobe stores it, 255 for none, and black likewise.
fn under_black(ink: u8, black: u8) -> u8 {
    let (light, product) = (i32::from(black), i32::from(255 - ink) * i32::from(black) + 128);
    (light - (((product >> 8) + product) >> 8)).clamp(0, 255) as u8
}

impl Ring {
    /// A row of samples; beyond an edge that at the edge.
    fn row(&self, y: usize) -> &[u8] {
        let y = y.min(self.height - 1) % (self.units * self.v * 8);
        self.samples.get(y * self.stride..).and_then(|rest| rest.get(..self.width)).unwrap_or_default()
    }

    /// Makes the samples of a row of pixels.
    fn upsample(&mut self, y: usize) {
        let mut line = core::mem::take(&mut self.line);
        let mut sums = core::mem::take(&mut self.sums);
        let near = y / 2;
        let far = if y.is_multiple_of(2) { near.saturating_sub(1) } else { near + 1 };
        match self.up {
            Up::Repeat(1, v) => line[..self.width].copy_from_slice(self.row(y / v)),
            Up::Repeat(h, v) => {
                for (group, &sample) in line.chunks_mut(h).zip(self.row(y / v)) {
                    group.fill(sample);
                }
            }
            Up::Across => across(self.row(y), &mut line),
            Up::Down => {
                let bias = 1 + (y % 2) as u16;
                for ((out, &near), &far) in line.iter_mut().zip(self.row(near)).zip(self.row(far)) {
                    *out = ((3 * u16::from(near) + u16::from(far) + bias) >> 2) as u8;
                }
            }
            Up::Both => {
                for ((sum, &near), &far) in sums.iter_mut().zip(self.row(near)).zip(self.row(far)) {
                    *sum = 3 * u16::from(near) + u16::from(far);
                }
                across_sums(&sums[..self.width], &mut line);
            }
        }
        self.line = line;
        self.sums = sums;
    }
}

fn across(samples: &[u8], out: &mut [u8]) {
    let wide = |sample: u8| u16::from(sample);
    let (pairs, _) = out.as_chunks_mut::<2>();
    if let ([first, second, ..], [.., before, last], Some(start)) = (samples, samples, pairs.first_mut()) {
        *start = [*first, ((3 * wide(*first) + wide(*second) + 2) >> 2) as u8];
        if let Some(end) = pairs.get_mut(samples.len() - 1) {
            *end = [((3 * wide(*last) + wide(*before) + 1) >> 2) as u8, *last];
        }
    }
    let neighbours = samples.iter().zip(samples.iter().skip(1)).zip(samples.iter().skip(2));
    for (pair, ((&left, &sample), &right)) in pairs.iter_mut().skip(1).zip(neighbours) {
        let whole = 3 * wide(sample);
        *pair = [((whole + wide(left) + 1) >> 2) as u8, ((whole + wide(right) + 2) >> 2) as u8];
    }
}

fn across_sums(sums: &[u16], out: &mut [u8]) {
    let (pairs, _) = out.as_chunks_mut::<2>();
    if let ([first, second, ..], [.., before, last], Some(start)) = (sums, sums, pairs.first_mut()) {
        *start = [((4 * first + 8) >> 4) as u8, ((3 * first + second + 7) >> 4) as u8];
        if let Some(end) = pairs.get_mut(sums.len() - 1) {
            *end = [((3 * last + before + 8) >> 4) as u8, ((4 * last + 7) >> 4) as u8];
        }
    }
    let neighbours = sums.iter().zip(sums.iter().skip(1)).zip(sums.iter().skip(2));
    for (pair, ((&left, &sum), &right)) in pairs.iter_mut().skip(1).zip(neighbours) {
        *pair = [((3 * sum + left + 8) >> 4) as u8, ((3 * sum + right + 7) >> 4) as u8];
    }
}
