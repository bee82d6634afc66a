//! What stands around Ocelli in a device, over the traits of embedded-hal 1.0: where frames come from, what else is measured,
//! and what an answer does.
//!
//! ```text
//! camera.rs sensor.rs          a camera with a memory of its own on SPI, its image sensor on I2C
//! thermometer.rs motion.rs     readings that become words of a question
//! text.rs                      words into a caller's bytes
//! words.rs                     whether an answer, coming in pieces, is the word that was asked for
//! lamp.rs stop.rs              what is done then; the second fails safe
//! ```
//!
//! No allocation, no `std`, no thread, and no knowledge of the engine: bytes of a frame, of a question and of an answer are
//! all that passes. Nothing waits without a bound.
#![no_std]

pub mod camera;
mod error;
pub mod lamp;
pub mod motion;
pub mod sensor;
pub mod stop;
pub mod text;
pub mod thermometer;
pub mod words;

pub use error::Error;

/// The program in the README is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
