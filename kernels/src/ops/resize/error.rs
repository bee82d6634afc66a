//! Why a resize was refused or did not finish.

use core::fmt;

/// One cause each, with its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResizeError {
    /// A width or height is zero.
    ZeroSide {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A source side is longer than 2^24.
    SideTooLong {
        /// The side in pixels.
        side: u32,
        /// The longest side allowed.
        most: u32,
    },
    /// A channel count other than 1 or 3.
    Channels {
        /// What was asked for.
        channels: usize,
    },
    /// A window reaches outside its image.
    Window {
        /// The window's first column or row.
        start: u32,
        /// Its width or height.
        length: u32,
        /// The side it must lie in.
        side: u32,
    },
    /// The source's rows are not of the size the resample was planned for.
    Source {
        /// Planned width, height.
        planned: (u32, u32),
        /// The source's width, height.
        given: (u32, u32),
    },
    /// A byte slice is shorter than needed.
    TooShort {
        /// Which slice: "source", "output" or "scratch".
        what: &'static str,
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
    /// A row was asked for that does not exist.
    Row {
        /// The row.
        row: u32,
        /// The number of rows.
        height: u32,
    },
    /// A byte count does not fit this machine's address space.
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The caller asked to stop.
    Cancelled,
}

impl fmt::Display for ResizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroSide { width, height } => {
                write!(f, "an image of {width}×{height} pixels has no pixels")
            }
            Self::SideTooLong { side, most } => {
                write!(f, "an image side of {side} pixels is longer than the {most} that can be resized")
            }
            Self::Channels { channels } => write!(f, "{channels} channels asked for; 1 and 3 are possible"),
            Self::Window { start, length, side } => {
                write!(f, "a window of {length} pixels at {start} reaches outside a side of {side}")
            }
            Self::Source { planned, given } => write!(
                f,
                "the resize was planned for {}×{} pixels, the source has {}×{}",
                planned.0, planned.1, given.0, given.1
            ),
            Self::TooShort { what, needed, given } => {
                write!(f, "the {what} has {given} bytes, {needed} are needed")
            }
            Self::Row { row, height } => write!(f, "row {row} of an image with {height} rows was asked for"),
            Self::TooLarge { width, height } => {
                write!(f, "an image of {width}×{height} pixels does not fit this machine's address space")
            }
            Self::Cancelled => write!(f, "stopped by the caller while resizing"),
        }
    }
}

impl core::error::Error for ResizeError {}
