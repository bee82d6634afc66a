//! A lamp that is lit while the last answer had a word in it. It informs; what must be safe is in `stop.rs`.
//!
//! It is dark from the beginning of a turn until the word is complete, and stays lit until the next turn begins.

use crate::Error;
use crate::words::{Verdict, Watch};
use embedded_hal::digital::{OutputPin, PinState};

/// The lamp, and the word that lights it.
#[derive(Debug)]
pub struct Lamp<'w, P> {
    pin: P,
    lit: PinState,
    watch: Watch<'w>,
}

impl<'w, P: OutputPin> Lamp<'w, P> {
    /// Dark from now on; `lit` is the level at which it shines.
    pub fn new(pin: P, lit: PinState, watch: Watch<'w>) -> Result<Self, Error<P::Error>> {
        let mut lamp = Lamp { pin, lit, watch };
        lamp.begin()?;
        Ok(lamp)
    }

    /// A turn begins.
    pub fn begin(&mut self) -> Result<(), Error<P::Error>> {
        self.watch.reset();
        self.pin.set_state(!self.lit).map_err(Error::Pin)
    }

    /// A piece of the answer. Gives whether the lamp is lit.
    pub fn feed(&mut self, piece: impl AsRef<[u8]>) -> Result<bool, Error<P::Error>> {
        let yes = self.watch.feed(piece) == Verdict::Yes;
        self.show(yes)
    }

    /// The answer is complete. Gives whether the lamp is lit.
    pub fn end(&mut self) -> Result<bool, Error<P::Error>> {
        let yes = self.watch.end();
        self.show(yes)
    }

    fn show(&mut self, yes: bool) -> Result<bool, Error<P::Error>> {
        if yes {
            self.pin.set_state(self.lit).map_err(Error::Pin)?;
        }
        Ok(yes)
    }

    /// The pin back, as it is.
    pub fn release(self) -> P {
        self.pin
    }
}
