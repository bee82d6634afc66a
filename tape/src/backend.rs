//! What a device must offer: it lowers a tape to a program, and a program runs calls.
//!
//! ```text
//! tape ── Backend::prepare ──> program ── Program::load ──> ── Program::run, Program::output, call after call
//!           nothing large is allocated      weights, for a
//!           yet: the need is known          device with memory of its own
//! ```

use crate::call::Call;
#[cfg(feature = "std")]
use crate::cost::{Extent, Work};
#[cfg(feature = "std")]
use crate::profile::Description;
use crate::profile::Profile;
use crate::recorder::{Probe, Tape, TapeError};
use crate::state::{KvType, StateOptions};
use crate::weight::{Weight, Weights};
use alloc::boxed::Box;
use core::fmt;

/// A device.
pub trait Backend: Send + Sync {
    /// What people call it: an instruction set, a graphics card.
    fn name(&self) -> &str;

    /// Lowers a tape: the steps in the device's own form, every place in memory decided. Nothing large is allocated.
    ///
    /// # Errors
    /// The device cannot compute what the tape says.
    fn prepare(&self, tape: &Tape, state: &StateOptions) -> Result<Box<dyn Program>, PrepareError>;
}

/// A tape as a device runs it.
pub trait Program: Send + Sync {
    /// The memory it works in, which the caller brings.
    fn need(&self) -> Need;

    /// Copies the weights, where the device has memory of its own. Called once, before the first run.
    ///
    /// # Errors
    /// They do not fit.
    fn load(&mut self, _weights: &Weights<'_>) -> Result<(), RunError> {
        Ok(())
    }

    /// Runs a call.
    ///
    /// # Errors
    /// See [`RunError`]. After an error the arena and the state beyond `call.past` hold nothing of use; positions before
    /// it are untouched.
    fn run(
        &mut self,
        call: &Call<'_>,
        memory: &mut Memory<'_>,
        watch: Watch<'_>,
        interrupt: &dyn Interrupt,
    ) -> Result<(), RunError>;

    /// The result of the last call, which had so many items: rows one after another.
    fn output<'m>(&'m self, memory: &'m [f32], items: usize) -> &'m [f32];

    /// What its steps are, in order, as a [`Profile`] counts them.
    #[cfg(feature = "std")]
    fn steps(&self) -> alloc::vec::Vec<Description>;

    /// What a call of this size does in all steps together.
    #[cfg(feature = "std")]
    fn work(&self, extent: &Extent) -> Work;
}

/// Memory that a program works in: `f32` words of the host, and bytes of the device's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Need {
    /// Words for values.
    pub arena: usize,
    /// Words for all threads' scratch.
    pub scratch: usize,
    /// Words of state, which stay from call to call.
    pub state: usize,
    /// Bytes of the device's memory.
    pub device: u64,
    /// Bytes that the program itself takes.
    pub tables: usize,
    /// Steps, for a [`Profile`].
    pub steps: usize,
    /// Items that a call may have at most.
    pub max_items: usize,
}

/// The host's memory, in the sizes of [`Need`].
pub struct Memory<'a> {
    /// For values.
    pub arena: &'a mut [f32],
    /// For all threads' scratch.
    pub scratch: &'a mut [f32],
    /// For state.
    pub state: &'a mut [f32],
}

/// Says when work should stop: a cancel flag, a deadline.
pub trait Interrupt: Sync {
    /// Asked before each piece of work, by every thread, so it should cost less than a microsecond.
    fn stopped(&self) -> bool;
}

/// Never stops.
pub struct Never;

impl Interrupt for Never {
    fn stopped(&self) -> bool {
        false
    }
}

/// The work was stopped by its [`Interrupt`]; what it was writing is incomplete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stopped;

/// Sees probed values as they are computed.
pub type Observer<'a> = &'a mut dyn FnMut(&Probe, &[f32]);

/// Sees the rows that linear layers are given, in full precision.
pub type Inputs<'a> = &'a mut dyn FnMut(&Weight, &[f32]);

/// Who looks on while a program runs; by default nobody.
#[derive(Default)]
pub struct Watch<'a> {
    /// Sees probed values.
    pub observer: Option<Observer<'a>>,
    /// Gathers the time of every step.
    pub profile: Option<&'a mut Profile>,
    /// Sees what linear layers are given.
    pub inputs: Option<Inputs<'a>>,
}

/// Why a tape cannot be lowered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PrepareError {
    /// A step does not fit the device.
    Tape(TapeError),
    /// Heads of this length cannot be stored as this type.
    Kv {
        /// The type.
        kv: KvType,
        /// Elements of a head.
        head_dim: usize,
    },
}

impl From<TapeError> for PrepareError {
    fn from(error: TapeError) -> PrepareError {
        PrepareError::Tape(error)
    }
}

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PrepareError::Tape(error) => error.fmt(f),
            PrepareError::Kv { kv, head_dim } => {
                write!(f, "heads of {head_dim} elements cannot be kept as {kv:?}")
            }
        }
    }
}

impl core::error::Error for PrepareError {}

/// Why a run did not end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunError {
    /// Its interrupt said so.
    Stopped,
    /// The call has more items than the program was prepared for, or its rows are missing.
    Call {
        /// Items or values needed or allowed.
        expected: usize,
        /// Items or values given.
        found: usize,
    },
    /// Less memory than needed.
    Memory {
        /// Words needed.
        expected: usize,
        /// Words given.
        found: usize,
    },
    /// The state is full.
    Context {
        /// Positions needed.
        expected: usize,
        /// Positions there are.
        found: usize,
    },
    /// A weight lies outside its file.
    Weight,
}

impl From<Stopped> for RunError {
    fn from(_: Stopped) -> RunError {
        RunError::Stopped
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Stopped => f.write_str("stopped"),
            RunError::Call { expected, found } => write!(f, "call of {found} where {expected} fit"),
            RunError::Memory { expected, found } => {
                write!(f, "{found} cells of memory, {expected} are needed")
            }
            RunError::Context { expected, found } => {
                write!(f, "{expected} positions needed, the context has {found}")
            }
            RunError::Weight => f.write_str("a weight lies outside its file"),
        }
    }
}

impl core::error::Error for RunError {}
