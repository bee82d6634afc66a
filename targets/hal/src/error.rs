//! Everything that can go wrong, with what it went wrong with.

use core::fmt;

/// `E` is the error of the bus or pin that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// The bus refused.
    Bus {
        /// What was being done.
        during: &'static str,
        /// What it said.
        error: E,
    },
    /// A pin could not be set.
    Pin(E),
    /// The camera's test register does not give back what was written to it: nothing is there, or the wiring is wrong.
    NoCamera {
        /// What was written.
        wrote: u8,
        /// What was read.
        read: u8,
    },
    /// A device names itself as another one.
    WrongDevice {
        /// Its address on the bus.
        address: u8,
        /// What it should say.
        expected: u16,
        /// What it said.
        found: u16,
    },
    /// No frame was complete after so many looks.
    Timeout {
        /// How often was asked.
        polls: u32,
    },
    /// The camera has another number of bytes than a frame could have.
    FrameSize {
        /// What it says it has.
        bytes: u32,
        /// The fewest that would do.
        least: u32,
        /// The most that would do.
        most: u32,
    },
    /// A frame does not fit the caller's buffer.
    Buffer {
        /// Bytes of the buffer.
        bytes: usize,
        /// Bytes of the frame.
        needed: u32,
    },
    /// What came is not a JPEG file from its first to its last marker.
    NotJpeg,
    /// A number that the device cannot mean.
    Reading {
        /// As the register had it.
        raw: u16,
    },
    /// The stop line has stopped for this reason, and nobody has reset it.
    Latched(crate::stop::Cause),
}

impl<E> Error<E> {
    /// Says what was being done, for `map_err`.
    pub(crate) fn bus(during: &'static str) -> impl FnOnce(E) -> Error<E> {
        move |error| Error::Bus { during, error }
    }
}

impl<E: fmt::Debug> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Bus { during, error } => write!(f, "{during}: the bus says {error:?}"),
            Error::Pin(error) => write!(f, "a pin could not be set: {error:?}"),
            Error::NoCamera { wrote, read } => {
                write!(f, "no camera: its test register gives {read:#04x} after {wrote:#04x}")
            }
            Error::WrongDevice { address, expected, found } => {
                write!(f, "the device at {address:#04x} says {found:#06x} and not {expected:#06x}")
            }
            Error::Timeout { polls } => write!(f, "no frame after {polls} looks"),
            Error::FrameSize { bytes, least, most } => {
                write!(f, "the camera has {bytes} bytes, and a frame {least} to {most}")
            }
            Error::Buffer { bytes, needed } => write!(f, "a frame of {needed} bytes, a buffer of {bytes}"),
            Error::NotJpeg => write!(f, "the camera's bytes are no JPEG file"),
            Error::Reading { raw } => write!(f, "{raw:#06x} is no reading"),
            Error::Latched(cause) => write!(f, "stopped, because {cause}; it was not reset"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for Error<E> {}
