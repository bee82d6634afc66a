//! What a model computes, written down for any device.
//!
//! A [`Tape`] is a straight-line program (other engines call it a compute graph): values, operations, weights by handle.
//! A model records one on a [`Recorder`]; nothing is computed then. A [`Backend`] is a device. It turns a tape into a
//! [`Program`], which says what memory it needs and runs calls.
//!
//! ```text
//! value.rs op.rs      values and their rows; the operations, their numbers
//! recorder.rs         what a model writes on: shape rules, errors that name the model's line
//! weight.rs format.rs where weights lie, and how they are stored
//! state.rs            what a program remembers from call to call: keys and values
//! call.rs backend.rs  what varies from call to call; what a device is
//! cost.rs profile.rs  operations and bytes, counted from a tape; time, measured
//! image.rs            filters and windows of a resize, as descriptions
//! ```
//!
//! Nothing here knows a CPU: no int8 rows, no transposed keys, no place in memory. A device that wants those makes them
//! when it lowers a tape.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod backend;
pub mod call;
pub mod cost;
pub mod format;
pub mod image;
pub mod op;
pub mod profile;
pub mod recorder;
pub mod state;
pub mod value;
pub mod weight;

pub use backend::{
    Backend, Inputs, Interrupt, Memory, Need, Never, Observer, PrepareError, Program, RunError, Stopped,
    Watch,
};
pub use call::{Call, Input};
pub use cost::{Extent, Work};
pub use format::Format;
pub use op::{Activation, Heads, Keys, Linear, Long, Norm, Op, Pairing, Rotary, Visible, frequencies};
pub use profile::{Clock, Description, Profile, Spent};
pub use recorder::{Probe, Recorder, Step, Tape, TapeError};
pub use state::{KvType, State, StateOptions};
pub use value::{Rows, Shape, Value};
pub use weight::{Matrix, Weight, Weights};
