//! Acceleration and rotation over I2C: MPU-6050.
//!
//! ```text
//! 0x1b  range of rotation        bits 4..3: 250, 500, 1000, 2000 degrees a second
//! 0x1c  range of acceleration    bits 4..3: 2, 4, 8, 16 g
//! 0x3b  fourteen bytes: acceleration x y z, temperature, rotation x y z; signed, the higher byte first
//! 0x6b  power                    bit 7: reset; bit 6: asleep, as it wakes up; bits 2..0: clock, 1 is the gyroscope's
//! 0x75  name                     0x68
//! address                        0x68, or 0x69 by its pin AD0
//! ```
//!
//! (InvenSense, MPU-6000 and MPU-6050 Register Map and Descriptions, RM-MPU-6000A-00, revision 4.2.) The smallest ranges are
//! used: 16384 steps a g, 131 steps a degree a second.
//!
//! Refused: a device with another name.

use crate::Error;
use crate::text::Decimal;
use core::fmt;
use embedded_hal::i2c::I2c;

/// The address with AD0 low.
pub const ADDRESS: u8 = 0x68;

const ROTATION_RANGE: u8 = 0x1b;
const ACCELERATION_RANGE: u8 = 0x1c;
const READINGS: u8 = 0x3b;
const POWER: u8 = 0x6b;
const NAME: u8 = 0x75;
/// What it says, whatever its address.
const SAYS: u8 = 0x68;

/// Steps of a g.
const G: u32 = 16_384;
/// Steps of a degree a second.
const DEGREE: u32 = 131;

/// The device on its bus.
#[derive(Debug)]
pub struct Mpu6050<I> {
    i2c: I,
    address: u8,
}

/// One measurement, x, y and z as printed on the board; as text, to a hundredth of a g and a tenth of a degree a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Motion {
    /// In steps of 1/16384 g.
    pub acceleration: [i16; 3],
    /// In steps of 1/131 degrees a second.
    pub rotation: [i16; 3],
}

impl<I: I2c> Mpu6050<I> {
    /// Nothing is sent yet.
    pub fn new(i2c: I, address: u8) -> Self {
        Mpu6050 { i2c, address }
    }

    /// The bus back.
    pub fn release(self) -> I {
        self.i2c
    }

    /// Looks whether it is the device, wakes it, and sets the smallest ranges.
    pub fn begin(&mut self) -> Result<(), Error<I::Error>> {
        let mut name = [0];
        self.i2c
            .write_read(self.address, &[NAME], &mut name)
            .map_err(Error::bus("asking the motion sensor's name"))?;
        if name[0] != SAYS {
            return Err(Error::WrongDevice {
                address: self.address,
                expected: SAYS.into(),
                found: name[0].into(),
            });
        }
        for setting in [[POWER, 1], [ROTATION_RANGE, 0], [ACCELERATION_RANGE, 0]] {
            self.i2c.write(self.address, &setting).map_err(Error::bus("setting up the motion sensor"))?;
        }
        Ok(())
    }

    /// The last measurement: all of it in one transfer, so that it is one moment's.
    pub fn read(&mut self) -> Result<Motion, Error<I::Error>> {
        let mut bytes = [0; 14];
        self.i2c
            .write_read(self.address, &[READINGS], &mut bytes)
            .map_err(Error::bus("reading the motion sensor"))?;
        let words: [i16; 7] = core::array::from_fn(|i| i16::from_be_bytes([bytes[2 * i], bytes[2 * i + 1]]));
        let [x, y, z, _temperature, a, b, c] = words;
        Ok(Motion { acceleration: [x, y, z], rotation: [a, b, c] })
    }
}

impl fmt::Display for Motion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, y, z] = self.acceleration.map(|step| Decimal::of(step.into(), G, 2));
        let [a, b, c] = self.rotation.map(|step| Decimal::of(step.into(), DEGREE, 1));
        write!(f, "acceleration {x} {y} {z} g, rotation {a} {b} {c} degrees/s")
    }
}
