//! A camera with a memory of its own on SPI: the ArduChip of the ArduCAM Mini and Shield modules. It takes one frame from its
//! image sensor (`sensor.rs`) at the sensor's speed and keeps it, so that a slow controller may fetch it at its own.
//!
//! The protocol, from ArduCAM's "ArduCAM Mini hardware application note" and "Detailed data timing on the SPI bus": SPI mode 0, at most
//! 8 MHz, the highest bit first; with chip select low, an address, then data. The address has its bit 7 set for writing.
//!
//! ```text
//! 0x00  test               reads back what was written
//! 0x01  frames to take     bits 2..0: number less one
//! 0x03  timing             bit 1: VSYNC is active low
//! 0x04  FIFO control       bit 0: clear the flag "done"; bit 1: start to take a frame
//! 0x07  reset              bit 7: held in reset while set
//! 0x3c  burst read         bytes of the frame follow until chip select rises; older modules give one meaningless byte first
//! 0x41  state              bit 3: a frame is complete
//! 0x42, 0x43, 0x44         its bytes: 7..0, 15..8, 22..16
//! ```
//!
//! **RGB565 or JPEG.** Firmware wants RGB565: the engine reads such frames where they lie, and has no decoder of JPEG without an
//! operating system. A frame of 320x240 is 153,600 bytes, 0.16 s at 8 MHz; 640x480 does not fit the 384 kB of the older modules.
//! JPEG is for controllers that have the engine's `std` (Linux, over `linux-embedded-hal`): it is a tenth of that.
//!
//! Refused: a test register that does not read back, no frame after a bounded number of looks, a frame of a size that it cannot
//! have, a buffer that is too small, and JPEG without its first or last marker. A refused frame leaves the module ready for the
//! next.

use crate::Error;
use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{Operation, SpiDevice};

const TEST: u8 = 0x00;
const FRAMES: u8 = 0x01;
const TIMING: u8 = 0x03;
const FIFO: u8 = 0x04;
const RESET: u8 = 0x07;
const BURST: u8 = 0x3c;
const STATE: u8 = 0x41;
const SIZE: [u8; 3] = [0x42, 0x43, 0x44];

const WRITE: u8 = 0x80;
const CLEAR: u8 = 1 << 0;
const START: u8 = 1 << 1;
const DONE: u8 = 1 << 3;
const HELD: u8 = 1 << 7;

/// Milliseconds that a module is held in reset, and left alone afterwards: ArduCAM's own examples wait as long.
const SETTLE_MS: u32 = 100;

/// What differs between modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Module {
    /// Bytes that its memory holds.
    pub memory: u32,
    /// Whether a burst begins with a byte that means nothing.
    pub leading_byte: bool,
    /// What its timing register must have for its sensor.
    pub timing: u8,
}

/// ArduCAM Mini 2MP: OV2640, 384 kB.
pub const MINI_2MP: Module = Module { memory: 0x5_ffff, leading_byte: true, timing: 0 };
/// ArduCAM Mini 2MP Plus: OV2640, 8 MB.
pub const MINI_2MP_PLUS: Module = Module { memory: 0x7f_ffff, leading_byte: false, timing: 0 };
/// ArduCAM Mini 5MP Plus: OV5642, 8 MB, VSYNC active low.
pub const MINI_5MP_PLUS: Module = Module { memory: 0x7f_ffff, leading_byte: false, timing: 1 << 1 };

/// Which byte of a pixel the sensor sends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The one with red: they are exchanged while they lie in the buffer.
    HighFirst,
    /// The one with blue: as the engine reads them.
    LowFirst,
}

/// What the sensor was set up to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Two bytes a pixel; in the buffer the lower one comes first.
    Rgb565 {
        /// Pixels in a row.
        width: u16,
        /// Rows.
        height: u16,
        /// As the sensor sends them.
        order: Order,
    },
    /// A JPEG file.
    Jpeg,
}

/// How long to wait for a frame: at most `polls` looks, `pause_us` microseconds apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Looks at the state; none never sees a frame.
    pub polls: u32,
    /// Microseconds after a look that saw none.
    pub pause_us: u32,
}

/// The module on its SPI bus.
#[derive(Debug)]
pub struct Camera<S> {
    spi: S,
    module: Module,
}

impl<S: SpiDevice> Camera<S> {
    /// Nothing is sent yet.
    pub fn new(spi: S, module: Module) -> Self {
        Camera { spi, module }
    }

    /// The bus back.
    pub fn release(self) -> S {
        self.spi
    }

    /// Resets the module, looks whether it is there, and sets it to one frame at a time.
    pub fn begin(&mut self, delay: &mut impl DelayNs) -> Result<(), Error<S::Error>> {
        for held in [HELD, 0] {
            self.write("resetting the camera", RESET, held)?;
            delay.delay_ms(SETTLE_MS);
        }
        // Two patterns: a data line that hangs high or low fails one of them.
        for wrote in [0x55, 0xaa] {
            self.write("testing the camera", TEST, wrote)?;
            let read = self.read("testing the camera", TEST)?;
            if read != wrote {
                return Err(Error::NoCamera { wrote, read });
            }
        }
        self.write("setting the camera's timing", TIMING, self.module.timing)?;
        self.write("setting the camera to one frame", FRAMES, 0)
    }

    /// Takes a frame and reads it into the buffer; gives its bytes. The buffer has them only if this succeeds.
    pub fn take(
        &mut self,
        picture: Picture,
        patience: Patience,
        delay: &mut impl DelayNs,
        buffer: &mut [u8],
    ) -> Result<usize, Error<S::Error>> {
        if let Some(needed) = picture.bytes()
            && buffer.len() < needed as usize
        {
            return Err(Error::Buffer { bytes: buffer.len(), needed });
        }
        self.write("clearing the camera's memory", FIFO, CLEAR)?;
        self.write("starting a frame", FIFO, START)?;
        self.wait(patience, delay)?;
        let bytes = self.size()?;
        let count = picture.count(bytes, self.module.memory, buffer.len())?;
        let frame = buffer.get_mut(..count).ok_or(Error::Buffer { bytes: 0, needed: bytes })?;
        self.burst(frame)?;
        self.write("clearing the camera's flag", FIFO, CLEAR)?;
        picture.finish(frame).ok_or(Error::NotJpeg)
    }

    fn wait(&mut self, patience: Patience, delay: &mut impl DelayNs) -> Result<(), Error<S::Error>> {
        for _ in 0..patience.polls {
            if self.read("waiting for a frame", STATE)? & DONE != 0 {
                return Ok(());
            }
            delay.delay_us(patience.pause_us);
        }
        Err(Error::Timeout { polls: patience.polls })
    }

    fn size(&mut self) -> Result<u32, Error<S::Error>> {
        let mut size = [0; 4];
        for (byte, address) in size.iter_mut().zip(SIZE) {
            *byte = self.read("asking for a frame's size", address)?;
        }
        // 23 bits: the highest of the third register means nothing.
        Ok(u32::from_le_bytes(size) & 0x7f_ffff)
    }

    fn burst(&mut self, frame: &mut [u8]) -> Result<(), Error<S::Error>> {
        let mut leading = [0];
        let leading = if self.module.leading_byte { &mut leading[..] } else { &mut [] };
        let said = Error::bus("reading a frame");
        if leading.is_empty() {
            self.spi.transaction(&mut [Operation::Write(&[BURST]), Operation::Read(frame)]).map_err(said)
        } else {
            let operations =
                &mut [Operation::Write(&[BURST]), Operation::Read(leading), Operation::Read(frame)];
            self.spi.transaction(operations).map_err(said)
        }
    }

    fn write(&mut self, during: &'static str, address: u8, value: u8) -> Result<(), Error<S::Error>> {
        self.spi.write(&[WRITE | address, value]).map_err(Error::bus(during))
    }

    fn read(&mut self, during: &'static str, address: u8) -> Result<u8, Error<S::Error>> {
        let mut value = [0];
        self.spi
            .transaction(&mut [Operation::Write(&[address]), Operation::Read(&mut value)])
            .map_err(Error::bus(during))?;
        Ok(value[0])
    }
}

/// What is decided without a bus: the same for a driver that awaits.
impl Picture {
    /// Bytes of a frame, where they are known before.
    pub fn bytes(self) -> Option<u32> {
        match self {
            Picture::Rgb565 { width, height, .. } => (u32::from(width) * u32::from(height)).checked_mul(2),
            Picture::Jpeg => None,
        }
    }

    /// How many bytes to read when the module has so many. Modules add a few bytes after the last row, which are left there.
    fn count<E>(self, bytes: u32, memory: u32, buffer: usize) -> Result<usize, Error<E>> {
        // A JPEG file has at least its two markers.
        let least = self.bytes().unwrap_or(4).max(1);
        let most = match self {
            Picture::Rgb565 { .. } => memory,
            Picture::Jpeg => memory.min(u32::try_from(buffer).unwrap_or(u32::MAX)),
        };
        if bytes < least || bytes > most {
            return Err(Error::FrameSize { bytes, least, most });
        }
        Ok(self.bytes().unwrap_or(bytes) as usize)
    }

    /// The frame as the engine wants it, and how long it is.
    fn finish(self, frame: &mut [u8]) -> Option<usize> {
        match self {
            Picture::Rgb565 { order, .. } => {
                if order == Order::HighFirst {
                    frame.as_chunks_mut::<2>().0.iter_mut().for_each(|pixel| pixel.reverse());
                }
                Some(frame.len())
            }
            // Padding follows the last marker.
            Picture::Jpeg if frame.starts_with(&[0xff, 0xd8]) => {
                frame.windows(2).rposition(|marker| marker == [0xff, 0xd9]).map(|at| at + 2)
            }
            Picture::Jpeg => None,
        }
    }
}
