//! Words into a caller's bytes, for a question with readings in it:
//!
//! ```text
//! write!(text, "Sensors: {temperature}; {motion}. Is the gauge in the red?")
//! ```
//!
//! Refused: what does not fit, wholly (`core::fmt::Error`); what is there stays, and is UTF-8.

use core::fmt;

/// Some bytes, the first of which are text.
#[derive(Debug)]
pub struct Text<'b> {
    bytes: &'b mut [u8],
    length: usize,
}

impl<'b> Text<'b> {
    /// Nothing yet.
    pub fn new(bytes: &'b mut [u8]) -> Self {
        Text { bytes, length: 0 }
    }

    /// What was written.
    pub fn as_str(&self) -> &str {
        // Only whole `str`s are ever written, so this is never anything else.
        core::str::from_utf8(self.bytes.get(..self.length).unwrap_or_default()).unwrap_or_default()
    }

    /// Nothing again.
    pub fn clear(&mut self) {
        self.length = 0;
    }
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let end = self.length.checked_add(piece.len()).ok_or(fmt::Error)?;
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(piece.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// A number with a fixed point, without floating-point formatting, which would be 3 kB of code: `value / 10^places`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// As a whole number of its last place.
    pub value: i32,
    /// Digits behind the point, at most nine.
    pub places: u8,
}

impl Decimal {
    /// `value / unit`, rounded to so many places, halves away from zero; the largest there is where it does not fit.
    pub fn of(value: i32, unit: u32, places: u8) -> Self {
        let places = places.min(9);
        let unit = i64::from(unit.max(1));
        let scaled = i64::from(value) * 10_i64.pow(places.into());
        let rounded = (scaled.abs() + unit / 2) / unit * scaled.signum();
        let value = i32::try_from(rounded).unwrap_or(if rounded < 0 { -i32::MAX } else { i32::MAX });
        Decimal { value, places }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.places.min(9);
        let one = 10_u32.pow(places.into());
        let (sign, all) = (if self.value < 0 { "-" } else { "" }, self.value.unsigned_abs());
        write!(f, "{sign}{}", all / one)?;
        if places > 0 { write!(f, ".{:0width$}", all % one, width = usize::from(places)) } else { Ok(()) }
    }
}
