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
//! # Rooms
//!
//! From the bottom up; none imports from a later one, and a test holds that (`tests/house/layers.rs`).
//!
//! | room | what is in it |
//! |---|---|
//! | [`image`] | files and camera frames to patches: decoders, orientation, resizing as the model was trained |
//! | [`tokenizer`] | text to tokens and back |
//! | `model` | files opened and checked: [`Model`], [`Load`], [`Mmproj`] |
//! | `session` | [`Options`], [`Plan`], [`Session`], [`Stopper`], [`Timings`], [`profile`], and [`low_level`] for tools |
//! | [`generate`] | sampler, text stream, [`generate::Answer`] |
//! | [`chat`] | messages and chat templates |
//!
//! # Features
//!
//! The default is `full`: all of the library. A small build takes `default-features = false` and what it needs of these. What is
//! left out is an error where it is asked for ([`Error::LeftOut`]), never something else instead.
//!
//! | feature | brings | costs |
//! |---|---|---|
//! | `std` | paths, threads, mapped files, time, instruction sets found at run time | an operating system |
//! | `images` | [`image::decode`]: JPEG, PNG, WebP, BMP, GIF | code of five decoders |
//! | `jinja` | any chat template | code of an interpreter |
//! | `unicode` | normal form C (Qwen2), categories (files that name no pre-tokenizer) | 160 kB of tables |
//! | `tower-int8` | [`Options::tower_int8`]: a float tower computed in 8 bits | all formats of weights |
//! | `formats` | every format of weights; by family `small-quants`, `k-quants`, `iq-quants`, `halves`. F32 and Q8_0 are always there | a linear layer for each format |
//! | `kv-q8` | keys and values in 8 bits | code of a second attention |
//! | `unrolled` | loops written out: faster attention and decoding | code |
//! | `newer-isas` | instruction sets beyond the target's, chosen at run time | all kernels once more for each |
//! | `pocket` | `ocelli::pocket`, a small model inside the program; not in `full` | 8 MB |
//!
//! Without `std` the crate needs an allocator only: models come from memory ([`Model::from_bytes`]), images as pixels ([`Photo`])
//! or frames, chat templates are those that [`chat::template`] knows by their text, and the caller gives a clock
//! ([`Session::set_clock`]).
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod error;

// Pictures and text.
pub mod image;
pub mod tokenizer;

// Files become a model.
mod model;
#[cfg(feature = "pocket")]
pub mod pocket;

// A model at work.
mod session;

// What comes out of it, and what goes in.
pub mod chat;
pub mod generate;

pub use error::Error;
#[cfg(feature = "std")]
pub use model::{Beginning, Load, Mmproj};
pub use model::{Bytes, Model, TowerFiles};
pub use session::{
    Bill, Embedding, ImageReport, ImageSizes, Options, Photo, Plan, Preprocess, Progress, Reading, Seen,
    Segment, Session, Stage, Stopper, Stored, Timings,
};
pub use session::{low_level, profile};
