//! A stop line: a machine may move only for a while, and only after an answer that says so. Whatever else happens stops it.
//!
//! ```text
//!              begin      feed ... feed      end: the word alone, in time
//!  stopped ──────────────────────────────────────────────────────> moving, for permit_ms from here on
//!     ^                                                               │
//!     ├── another answer (known as soon as it differs)      <─────────┤  not latched: the next answer may let it move
//!     └── late, no answer, an error, a clock that goes back <─────────┘  latched: until `reset`, which lets nothing move
//! ```
//!
//! | what happens | what it is called | the line |
//! |---|---|---|
//! | the answer is complete after `answer_ms` | [`Cause::Late`] | stops, latched |
//! | it never is | [`Cause::Late`], by `check` | stops, latched |
//! | no new permission within `permit_ms` | [`Cause::Expired`], by `check` | stops, latched |
//! | camera, engine or sensor fail: `fail` | [`Cause::Failed`] | stops, latched |
//! | a turn begins within a turn, a piece comes outside of one | [`Cause::Order`] | stops, latched |
//! | the clock goes back | [`Cause::Clock`] | stops, latched |
//! | the pin cannot be set | [`Cause::Pin`] | stops, latched; tried anew at each `check` |
//! | the answer is another one | | stops |
//! | this value is dropped | | stops |
//!
//! **Call [`StopLine::check`] from a timer**, also while the engine works: nothing else notices an answer that never comes. A
//! timer's interrupt shares the line with the loop through a critical section (`critical_section::Mutex<RefCell<StopLine>>`); no
//! call here takes longer than setting a pin.
//!
//! **Wire it so that nothing is a stop:** the level that lets a machine move must be driven, and a resistor must pull the line to the
//! other one, so that a broken wire, a controller in reset and one that has lost its power stop it. Let a watchdog reset a
//! controller that hangs. This is no certified safety function, and a language model's answer is no protection of people: it
//! belongs in front of a stop that does not depend on it.

use crate::Error;
use crate::words::{Verdict, Watch};
use core::fmt;
use embedded_hal::digital::{OutputPin, PinState};

/// Why the line is stopped until it is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An answer was not complete in time.
    Late,
    /// A permission was not renewed in time.
    Expired,
    /// The caller said that something failed.
    Failed,
    /// Calls came in an order that has no meaning.
    Order,
    /// The clock went back.
    Clock,
    /// The pin could not be set.
    Pin,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Late => "an answer came too late",
            Cause::Expired => "no permission followed the last",
            Cause::Failed => "a part failed",
            Cause::Order => "calls came out of order",
            Cause::Clock => "the clock went back",
            Cause::Pin => "the pin could not be set",
        })
    }
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// From the beginning of a turn to the end of its answer, at most.
    pub answer_ms: u64,
    /// How long a permission lasts: longer than the time from one answer to the next, and no longer than a machine may move unseen.
    pub permit_ms: u64,
}

/// The line, and the word that lets the machine move.
#[derive(Debug)]
pub struct StopLine<'w, P: OutputPin> {
    pin: P,
    stopped: PinState,
    watch: Watch<'w>,
    times: Times,
    /// The latest time that was told.
    seen: u64,
    /// When the answer of the turn that is open is due.
    due: Option<u64>,
    /// Until when the machine may move.
    until: Option<u64>,
    latched: Option<Cause>,
}

impl<'w, P: OutputPin> StopLine<'w, P> {
    /// Stops; `stopped` is the level that does. An answer must be `word` and nothing else; `None` where no answer could be.
    pub fn new(
        pin: P,
        stopped: PinState,
        word: &'w str,
        times: Times,
    ) -> Result<Option<Self>, Error<P::Error>> {
        let mut pin = pin;
        // First of all, whatever the word is.
        pin.set_state(stopped).map_err(Error::Pin)?;
        Ok(Watch::alone(word).map(|watch| StopLine {
            pin,
            stopped,
            watch,
            times,
            seen: 0,
            due: None,
            until: None,
            latched: None,
        }))
    }

    /// A turn begins: before its frame is taken, as that may take too long as well.
    pub fn begin(&mut self, now_ms: u64) -> Result<(), Error<P::Error>> {
        self.ready(now_ms)?;
        if self.due.is_some() {
            return Err(self.fault(Cause::Order));
        }
        self.watch.reset();
        self.due = Some(now_ms.saturating_add(self.times.answer_ms));
        Ok(())
    }

    /// A piece of the answer: one that differs stops at once.
    pub fn feed(&mut self, piece: impl AsRef<[u8]>, now_ms: u64) -> Result<(), Error<P::Error>> {
        self.within(now_ms)?;
        if self.watch.feed(piece) == Verdict::No { self.stop() } else { Ok(()) }
    }

    /// The answer is complete. Gives whether the machine may move.
    pub fn end(&mut self, now_ms: u64) -> Result<bool, Error<P::Error>> {
        self.within(now_ms)?;
        self.due = None;
        if !self.watch.end() {
            return self.stop().map(|()| false);
        }
        if let Err(error) = self.pin.set_state(!self.stopped) {
            // It may have been set all the same.
            self.fault(Cause::Pin);
            return Err(Error::Pin(error));
        }
        self.until = Some(now_ms.saturating_add(self.times.permit_ms));
        Ok(true)
    }

    /// Something failed: the camera, the engine, a sensor.
    pub fn fail(&mut self) -> Error<P::Error> {
        self.fault(Cause::Failed)
    }

    /// For a timer. Gives whether the machine may move; a stop is written to the pin anew.
    pub fn check(&mut self, now_ms: u64) -> Result<bool, Error<P::Error>> {
        let past = |time: Option<u64>| time.is_some_and(|time| now_ms > time);
        if self.latched.is_none() {
            let cause = match () {
                () if now_ms < self.seen => Some(Cause::Clock),
                () if past(self.due) => Some(Cause::Late),
                () if past(self.until) => Some(Cause::Expired),
                () => None,
            };
            if let Some(cause) = cause {
                return Err(self.fault(cause));
            }
        }
        self.seen = self.seen.max(now_ms);
        if self.until.is_none() {
            self.stop()?;
        }
        Ok(self.until.is_some())
    }

    /// Why it is stopped until it is reset.
    pub fn latched(&self) -> Option<Cause> {
        self.latched
    }

    /// Somebody has looked: answers count again. Nothing moves before one.
    pub fn reset(&mut self, now_ms: u64) -> Result<(), Error<P::Error>> {
        self.due = None;
        self.stop()?;
        (self.latched, self.seen) = (None, now_ms);
        Ok(())
    }

    fn ready(&mut self, now_ms: u64) -> Result<(), Error<P::Error>> {
        self.check(now_ms)?;
        self.latched.map_or(Ok(()), |cause| Err(Error::Latched(cause)))
    }

    fn within(&mut self, now_ms: u64) -> Result<(), Error<P::Error>> {
        self.ready(now_ms)?;
        if self.due.is_some() { Ok(()) } else { Err(self.fault(Cause::Order)) }
    }

    /// Stops and latches; the first cause is kept.
    fn fault(&mut self, cause: Cause) -> Error<P::Error> {
        self.due = None;
        let cause = *self.latched.get_or_insert(cause);
        self.stop().err().unwrap_or(Error::Latched(cause))
    }

    fn stop(&mut self) -> Result<(), Error<P::Error>> {
        self.until = None;
        self.pin.set_state(self.stopped).map_err(|error| {
            self.due = None;
            self.latched.get_or_insert(Cause::Pin);
            Error::Pin(error)
        })
    }
}

impl<P: OutputPin> Drop for StopLine<'_, P> {
    fn drop(&mut self) {
        // Nobody is left to tell; a resistor and a watchdog are there for this.
        let _ = self.pin.set_state(self.stopped);
    }
}
