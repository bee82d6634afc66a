//! Ocelli: quantized vision-language models on small machines. GGUF files in, text out, on the CPU.
//!
//! A [`Model`] is the files of a language model and, where there is one, its vision tower. A [`Session`] is a model at
//! work: [`Model::plan`] says to the byte what it will take, making it allocates that much once, and between the first
//! and the last token of an answer nothing is allocated. What it reads are [`Segment`]s: text and images in any order.
//!
//! ```
//! use ocelli::generate::AnswerOptions;
//! use ocelli::chat::{Content, Message, Template};
//! use ocelli::image::{DecodeOptions, decode};
//! use ocelli::{Load, Mmproj, Model, Options, Segment};
//! use std::path::Path;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # std::env::set_current_dir(env!("CARGO_MANIFEST_DIR"))?;
//! let folder = Path::new("tests/golden/models");
//! let tower = folder.join("mmproj-smolvlm-x2.gguf");
//! let model = Model::open(&folder.join("smolvlm.gguf"), Mmproj::File(&tower), Load::Map)?;
//! let mut session = model.session(&Options::default())?;
//!
//! // A question about a picture, as the model's own chat template writes it.
//! let images = [decode(&std::fs::read(folder.join("photo.png"))?, &DecodeOptions::default())?];
//! let question = Content::Text("What is the number?".into());
//! let message = Message { role: "user".into(), content: vec![Content::Image(0), question] };
//! let parts = Template::of(&model)?.render(&[message])?;
//! let segments: Vec<Segment<'_>> = parts.iter().map(|part| part.segment(&images)).collect();
//! session.read(&segments, &mut |_progress| ())?;
//!
//! // The answer, piece by piece. Another thread could stop it with `session.stopper().clone().stop()`.
//! let mut options = AnswerOptions::default();
//! options.max_tokens = 12;
//! let mut answer = session.answer(&options)?;
//! while let Some(text) = answer.next()? {
//!     print!("{text}");
//! }
//! assert_eq!(answer.finish().ids, [64, 101, 26, 124, 230, 124, 52, 70, 230, 63, 218, 148]);
//! # Ok(())
//! # }
//! ```
//!
//! The tokens of that (random) model are the same on every machine, for every instruction set and number of threads.
//!
//! The feature `full` is all of the library; `std` with some of `images`, `jinja`, `tower-int8`, `unicode`, `formats` (or families of
//! them), `kv-q8`, `unrolled` and `newer-isas` is what a device needs of it. Without `std` the crate needs an allocator only:
//! models come from memory ([`Model::from_bytes`]), images as pixels ([`Photo`]) or frames, chat templates are those that
//! [`chat::template`] knows by their text, and time is measured by a clock that the caller gives ([`Session::set_clock`]). What is left
//! out is an error where it is asked for.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

// From the bottom up: a room uses those above it in this list, and the errors.
pub mod chat;
mod error;
pub mod generate;
pub mod image;
mod model;
#[cfg(feature = "pocket")]
pub mod pocket;
mod session;
pub mod tokenizer;

pub use error::Error;
#[cfg(feature = "std")]
pub use model::{Beginning, Load, Mmproj};
pub use model::{Bytes, Model, TowerFiles};
pub use session::{
    Bill, Embedding, ImageReport, ImageSizes, Options, Photo, Plan, Preprocess, Progress, Reading, Seen,
    Segment, Session, Stage, Stopper, Stored, Timings,
};
pub use session::{low_level, profile};
