//! The image sensor behind the camera: set up over SCCB, OmniVision's two-wire bus, as which an I2C bus serves (OmniVision,
//! "SCCB Functional Specification", 2.1).
//!
//! ```text
//! write a register     address, register (one or two bytes, the higher first), value
//! read a register      address, register; stop; address, value
//! ```
//!
//! SCCB knows no repeated start, so reading is two transfers here and not one.
//!
//! What makes a sensor send RGB565 of a certain size is a table of some two hundred registers, mostly undocumented, that its
//! maker gives out; it is the caller's. In the OV2640 it is register 0xda of bank 0 (IMAGE_MODE) that names the format: 0x08
//! RGB565, 0x10 JPEG (OV2640 data sheet 1.6, table 12).
//!
//! Refused: a sensor that names itself as another one.

use crate::Error;
use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

/// A register and what goes into it.
pub type Setting = (u16, u8);

/// What is known of a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sensor {
    /// Its address, of seven bits.
    pub address: u8,
    /// Whether its registers have addresses of two bytes.
    pub wide: bool,
    /// What must be written before it can be asked and reset.
    pub bank: Option<Setting>,
    /// The two registers of its name, the higher byte first.
    pub name: [u16; 2],
    /// What they say; bits of `mask` only.
    pub says: u16,
    /// Which bits of the name are no revision.
    pub mask: u16,
    /// What resets it.
    pub reset: Setting,
    /// Milliseconds until it can be set up after that.
    pub settle_ms: u32,
}

/// Two megapixels. Bank 1 has the sensor's registers (0xff); the name's last bits are a revision, 0x41 or 0x42.
pub const OV2640: Sensor = Sensor {
    address: 0x30,
    wide: false,
    bank: Some((0xff, 0x01)),
    name: [0x0a, 0x0b],
    says: 0x2640,
    mask: 0xfff0,
    reset: (0x12, 0x80),
    settle_ms: 100,
};

/// Five megapixels.
pub const OV5642: Sensor = Sensor {
    address: 0x3c,
    wide: true,
    bank: None,
    name: [0x300a, 0x300b],
    says: 0x5642,
    mask: 0xffff,
    reset: (0x3008, 0x80),
    settle_ms: 100,
};

impl Sensor {
    /// Looks which sensor it is, resets it, and writes the table.
    pub fn set_up<I: I2c>(
        &self,
        i2c: &mut I,
        delay: &mut impl DelayNs,
        table: &[Setting],
    ) -> Result<(), Error<I::Error>> {
        if let Some(bank) = self.bank {
            self.write(i2c, "choosing the sensor's bank", bank)?;
        }
        let found = u16::from_be_bytes([self.read(i2c, self.name[0])?, self.read(i2c, self.name[1])?]);
        if found & self.mask != self.says {
            return Err(Error::WrongDevice { address: self.address, expected: self.says, found });
        }
        self.write(i2c, "resetting the sensor", self.reset)?;
        delay.delay_ms(self.settle_ms);
        table.iter().try_for_each(|setting| self.write(i2c, "setting up the sensor", *setting))
    }

    fn write<I: I2c>(
        &self,
        i2c: &mut I,
        during: &'static str,
        (register, value): Setting,
    ) -> Result<(), Error<I::Error>> {
        let [high, low] = register.to_be_bytes();
        let message = [high, low, value];
        i2c.write(self.address, if self.wide { &message } else { &message[1..] }).map_err(Error::bus(during))
    }

    fn read<I: I2c>(&self, i2c: &mut I, register: u16) -> Result<u8, Error<I::Error>> {
        let register = register.to_be_bytes();
        let mut value = [0];
        i2c.write(self.address, if self.wide { &register } else { &register[1..] })
            .map_err(Error::bus("asking the sensor's name"))?;
        i2c.read(self.address, &mut value).map_err(Error::bus("reading the sensor's name"))?;
        Ok(value[0])
    }
}
