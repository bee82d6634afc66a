//! Frames as cameras give them: raw pixels in memory, borrowed, turned to RGB row by row while they are resized.
//!
//! ```text
//! format   planes                                     bytes of a row
//! Rgb      R G B                                      3·w
//! Bgr      B G R                                      3·w
//! Rgba     R G B A, alpha is dropped                  4·w
//! Grey8    V → (V, V, V)                              w
//! Rgb565   two bytes, the lower first: R in bits 11 to 15, G 5 to 10, B 0 to 4
//!          a value of n bits becomes round(v·255 / (2^n − 1))             2·w
//! Yuyv     Y0 Cb Y1 Cr for two pixels                 2·w           w even
//! Nv12     Y;  then Cb Cr for two by two pixels       w;  w         w and h even, h/2 rows in the second plane
//! Nv21     Y;  then Cr Cb                             likewise
//! ```
//! Chroma is repeated for the pixels that share it, not interpolated. What Y, Cb and Cr mean is said by [`Colors`]; the
//! other formats are RGB already. Rows lie `stride` bytes apart, top-down; the last may end right after its pixels.
//! A frame is never turned: who mounts a camera sideways turns the frame.
//!
//! Refused: sides of zero or above 2^24, odd sides where chroma is shared, another number of planes than the format
//! has, a stride shorter than a row, and planes that are too short.

use core::fmt;
use core::ops::Range;

use super::colors::Colors;

/// No side is longer: a resize could not take it.
const MOST_SIDE: u32 = 1 << 24;

/// How a frame's pixels lie in memory; see the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PixelFormat {
    /// Three bytes: red, green, blue.
    Rgb,
    /// Three bytes: blue, green, red.
    Bgr,
    /// Four bytes: red, green, blue, alpha.
    Rgba,
    /// One byte.
    Grey8,
    /// Sixteen bits, little-endian.
    Rgb565,
    /// 4:2:2, four bytes for two pixels.
    Yuyv,
    /// 4:2:0, a plane of luma and one of Cb and Cr.
    Nv12,
    /// 4:2:0, a plane of luma and one of Cr and Cb.
    Nv21,
}

impl PixelFormat {
    /// Every format, for tests and menus.
    pub const ALL: [Self; 8] =
        [Self::Rgb, Self::Bgr, Self::Rgba, Self::Grey8, Self::Rgb565, Self::Yuyv, Self::Nv12, Self::Nv21];

    /// Number of planes.
    pub const fn planes(self) -> usize {
        match self {
            Self::Nv12 | Self::Nv21 => 2,
            _ => 1,
        }
    }

    /// Bytes of a pixel in the first plane; the second plane's rows are as long as the first's.
    const fn bytes_per_pixel(self) -> usize {
        match self {
            Self::Rgb | Self::Bgr => 3,
            Self::Rgba => 4,
            Self::Rgb565 | Self::Yuyv => 2,
            Self::Grey8 | Self::Nv12 | Self::Nv21 => 1,
        }
    }

    /// Pixels that share chroma, across and down.
    const fn shared(self) -> (u32, u32) {
        match self {
            Self::Yuyv => (2, 1),
            Self::Nv12 | Self::Nv21 => (2, 2),
            _ => (1, 1),
        }
    }

    /// Bytes of a row, the same in every plane.
    pub(super) const fn row_bytes(self, width: u32) -> usize {
        // Sides are at most 2^24: no overflow, on 32 bits either.
        width as usize * self.bytes_per_pixel()
    }

    /// Rows of a plane.
    const fn rows(self, plane: usize, height: u32) -> usize {
        if plane == 0 { height as usize } else { height as usize / 2 }
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rgb => "RGB",
            Self::Bgr => "BGR",
            Self::Rgba => "RGBA",
            Self::Grey8 => "GREY8",
            Self::Rgb565 => "RGB565",
            Self::Yuyv => "YUYV",
            Self::Nv12 => "NV12",
            Self::Nv21 => "NV21",
        })
    }
}

/// A plane of a frame.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// From the first byte of the first row; may go on after the last.
    pub data: &'a [u8],
    /// Bytes from the start of a row to that of the next.
    pub stride: usize,
}

/// Why a frame was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// A width or height is zero.
    ZeroSide {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A side is longer than 2^24.
    SideTooLong {
        /// The side in pixels.
        side: u32,
        /// The longest side allowed.
        most: u32,
    },
    /// An odd width or height, where pixels share chroma.
    OddSide {
        /// The format.
        format: PixelFormat,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// Another number of planes than the format has.
    Planes {
        /// The format.
        format: PixelFormat,
        /// Planes that it has.
        needed: usize,
        /// Planes given.
        given: usize,
    },
    /// A stride that is shorter than a row.
    Stride {
        /// Which plane, from 0.
        plane: usize,
        /// Bytes of a row.
        needed: usize,
        /// The stride.
        given: usize,
    },
    /// A plane ends before its last row does.
    TooShort {
        /// Which plane, from 0.
        plane: usize,
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
    /// A plane's bytes do not fit this machine's address space.
    TooLarge {
        /// Which plane, from 0.
        plane: usize,
        /// Its stride.
        stride: usize,
        /// Its rows.
        rows: usize,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroSide { width, height } => {
                write!(f, "a frame of {width}×{height} pixels has no pixels")
            }
            Self::SideTooLong { side, most } => {
                write!(f, "a frame's side of {side} pixels is longer than the {most} that can be resized")
            }
            Self::OddSide { format, width, height } => {
                let (across, down) = format.shared();
                write!(f, "{format} shares colour among {across}×{down} pixels, which {width}×{height} cuts")
            }
            Self::Planes { format, needed, given } => {
                write!(f, "a frame in {format} has {needed} planes, {given} were given")
            }
            Self::Stride { plane, needed, given } => {
                write!(f, "plane {plane}: rows of {needed} bytes do not fit a stride of {given}")
            }
            Self::TooShort { plane, needed, given } => {
                write!(f, "plane {plane} has {given} bytes, {needed} are needed")
            }
            Self::TooLarge { plane, stride, rows } => {
                write!(f, "plane {plane}: {rows} rows of {stride} bytes do not fit this machine's memory")
            }
        }
    }
}

impl core::error::Error for FrameError {}

/// A frame: pixels of somebody else's, looked at where they are.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    format: PixelFormat,
    colors: Colors,
    width: u32,
    height: u32,
    /// The second is empty where the format has one plane.
    planes: [Plane<'a>; 2],
}

impl<'a> Frame<'a> {
    /// A frame of `width`×`height` pixels in as many planes as the format has ([`PixelFormat::planes`]). `colors`
    /// matters to formats with luma and chroma only.
    ///
    /// # Errors
    /// [`FrameError`], see the module.
    pub fn new(
        format: PixelFormat,
        colors: Colors,
        (width, height): (u32, u32),
        planes: &[Plane<'a>],
    ) -> Result<Self, FrameError> {
        if width == 0 || height == 0 {
            return Err(FrameError::ZeroSide { width, height });
        }
        let side = width.max(height);
        if side > MOST_SIDE {
            return Err(FrameError::SideTooLong { side, most: MOST_SIDE });
        }
        let (across, down) = format.shared();
        if width % across != 0 || height % down != 0 {
            return Err(FrameError::OddSide { format, width, height });
        }
        let (needed, given) = (format.planes(), planes.len());
        if needed != given {
            return Err(FrameError::Planes { format, needed, given });
        }
        let mut held = [Plane { data: &[], stride: 0 }; 2];
        for (index, (held, plane)) in held.iter_mut().zip(planes).enumerate() {
            check_plane(index, plane, format.row_bytes(width), format.rows(index, height))?;
            *held = *plane;
        }
        Ok(Self { format, colors, width, height, planes: held })
    }

    /// An RGB frame with no gap between its rows.
    ///
    /// # Errors
    /// As [`Frame::new`].
    pub fn rgb(data: &'a [u8], width: u32, height: u32) -> Result<Self, FrameError> {
        let stride = (width as usize).saturating_mul(3);
        Self::new(PixelFormat::Rgb, Colors::default(), (width, height), &[Plane { data, stride }])
    }

    /// Width in pixels.
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// How its pixels lie in memory.
    pub const fn format(&self) -> PixelFormat {
        self.format
    }

    /// What luma and chroma mean.
    pub const fn colors(&self) -> Colors {
        self.colors
    }

    /// The bytes of its pixels, row by row and plane by plane, without what lies between the rows.
    pub fn bytes(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (format, width, height) = (self.format, self.width, self.height);
        let planes = self.planes.into_iter().take(format.planes()).enumerate();
        planes.flat_map(move |(index, plane)| {
            (0..format.rows(index, height)).map(move |y| line(&plane, y, format.row_bytes(width)))
        })
    }

    /// Row `y` of the first plane, and that of the second which belongs to it.
    pub(super) fn row(&self, y: u32) -> (&'a [u8], &'a [u8]) {
        let bytes = self.format.row_bytes(self.width);
        let chroma =
            if self.format.planes() == 2 { line(&self.planes[1], y as usize / 2, bytes) } else { &[] };
        (line(&self.planes[0], y as usize, bytes), chroma)
    }
}

fn check_plane(plane: usize, given: &Plane<'_>, row: usize, rows: usize) -> Result<(), FrameError> {
    if given.stride < row {
        return Err(FrameError::Stride { plane, needed: row, given: given.stride });
    }
    let before = given.stride.checked_mul(rows.saturating_sub(1));
    let needed = before.and_then(|before| before.checked_add(row));
    let needed = needed.ok_or(FrameError::TooLarge { plane, stride: given.stride, rows })?;
    if given.data.len() < needed {
        return Err(FrameError::TooShort { plane, needed, given: given.data.len() });
    }
    Ok(())
}

/// Row `y` of a plane that [`check_plane`] has seen.
fn line<'a>(plane: &Plane<'a>, y: usize, bytes: usize) -> &'a [u8] {
    let start = y * plane.stride;
    let Range { start, end } = start..start + bytes;
    plane.data.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
