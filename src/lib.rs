//! Ocelli: quantized vision-language models on small machines. GGUF files in, text out, on the CPU.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod answer;
mod bill;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "std")]
pub mod conversation;
mod error;
#[cfg(feature = "std")]
mod files;
pub mod image;
mod interrupt;
mod model;
mod options;
mod plan;
mod prompt;
pub mod sampler;
mod session;
pub mod stream;
#[cfg(feature = "std")]
pub mod template;
mod timings;
pub mod tokenizer;

pub use bill::Bill;
pub use error::Error;
#[cfg(feature = "std")]
pub use files::{Load, Mmproj};
pub use interrupt::Stopper;
pub use model::{Bytes, Model, TowerFiles};
pub use options::{ImageSizes, Options, Preprocess, Stored};
pub use plan::Plan;
pub use prompt::{ImageReport, Photo, Segment};
pub use session::{Progress, Reading, Session};
pub use timings::{Stage, Timings};
