//! A temperature over I2C: LM75 and its descendants, TMP102 among them.
//!
//! ```text
//! register 0     two bytes, the higher first: a signed number of 1/256 degrees Celsius, of which the highest bits count
//!     LM75       9 bits (0.5 degrees); the others mean nothing
//!     LM75B      11 bits (0.125)
//!     TMP102     12 bits (0.0625); bit 0 says that it was set to 13 bits
//! address        0x48 to 0x4f, by pins
//! ```
//!
//! (Texas Instruments LM75B SNIS153, 7.5; NXP LM75B, 7.4.3; Texas Instruments TMP102 SBOS397, 7.5.2.)
//!
//! Refused: what is colder than -55 degrees or hotter than 125, which none of them measures; TMP102 in its extended mode, whose
//! bits lie differently. (A bus on which nobody answers reads as all ones, which TMP102's bit 0 shows and LM75 cannot.)

use crate::Error;
use crate::text::Decimal;
use core::fmt;
use embedded_hal::i2c::I2c;

/// The address without any pin set.
pub const ADDRESS: u8 = 0x48;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 0.5 degrees.
    Lm75,
    /// 0.125 degrees.
    Lm75b,
    /// 0.0625 degrees.
    Tmp102,
}

impl Kind {
    /// Bits that count.
    fn mask(self) -> u16 {
        match self {
            Kind::Lm75 => 0xff80,
            Kind::Lm75b => 0xffe0,
            Kind::Tmp102 => 0xfff0,
        }
    }
}

/// One of them on its bus.
#[derive(Debug)]
pub struct Thermometer<I> {
    i2c: I,
    address: u8,
    kind: Kind,
}

/// Degrees Celsius; as text, to a tenth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Temperature {
    /// In parts of 256.
    pub parts: i16,
}

impl<I: I2c> Thermometer<I> {
    /// Nothing is sent: these measure from the moment they have power.
    pub fn new(i2c: I, address: u8, kind: Kind) -> Self {
        Thermometer { i2c, address, kind }
    }

    /// The bus back.
    pub fn release(self) -> I {
        self.i2c
    }

    /// The last measurement.
    pub fn read(&mut self) -> Result<Temperature, Error<I::Error>> {
        let mut bytes = [0; 2];
        self.i2c.write_read(self.address, &[0], &mut bytes).map_err(Error::bus("reading a temperature"))?;
        Temperature::from_register(self.kind, u16::from_be_bytes(bytes)).map_err(|raw| Error::Reading { raw })
    }
}

impl Temperature {
    /// What the register means; or the register, where it cannot mean anything.
    pub fn from_register(kind: Kind, raw: u16) -> Result<Self, u16> {
        let parts = (raw & kind.mask()).cast_signed();
        let extended = kind == Kind::Tmp102 && raw & 1 != 0;
        let measured = -55 * 256..=125 * 256;
        if extended || !measured.contains(&parts) { Err(raw) } else { Ok(Temperature { parts }) }
    }
}

impl fmt::Display for Temperature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "temperature {} C", Decimal::of(self.parts.into(), 256, 1))
    }
}
