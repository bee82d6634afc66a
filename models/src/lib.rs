//! What is computed: one file per paper.
//!
//! A model reads its weights' places and hyper-parameters from a file ([`Source`]), checking every shape against every
//! number, and *records* what it computes on a tape: straight lines that read like the paper. It touches no number
//! itself, knows no file system, no user's text and no device.
//!
//! ```text
//! decoders (general.architecture)      llama.rs  qwen2.rs                    tokens and rows to logits
//! encoders (clip.projector_type)       llava.rs (over clip.rs)  smolvlm.rs (over siglip.rs)   pixels to rows
//! ```
//!
//! To add a model: one file, and one line in [`DECODERS`] or [`ENCODERS`].
#![no_std]

extern crate alloc;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use ocelli_gguf::Gguf;
use ocelli_tape::{Tape, TapeError};

pub mod account;
pub mod clip;
mod error;
pub mod llama;
pub mod llava;
pub mod qwen2;
pub mod recipe;
mod rope;
pub mod siglip;
pub mod smolvlm;
mod source;
pub mod vit;

pub use error::Error;
pub use source::{Instead, Source};

use recipe::{ImageRecipe, ViewPlan};

/// A language model: tokens and rows of embeddings in, logits of the next token out.
pub trait Decoder: Send + Sync {
    /// Width of a row of embeddings.
    fn width(&self) -> usize;
    /// Number of tokens, the length of the logits.
    fn vocabulary(&self) -> usize;
    /// Positions the model was trained for.
    fn context(&self) -> usize;
    /// Records the computation of the last row's logits for calls of at most `max_rows` inputs.
    ///
    /// # Errors
    /// A weight that does not fit the others.
    fn decode(&self, max_rows: usize) -> Result<Tape, TapeError>;
    /// Records the same with the logits of every row, for measuring a text.
    ///
    /// # Errors
    /// As [`decode`](Decoder::decode).
    fn decode_every(&self, max_rows: usize) -> Result<Tape, TapeError>;
}

/// A vision tower with its projector: patches of pixels in, rows of the decoder's embedding space out.
pub trait Encoder: Send + Sync {
    /// Width of a row, which must be the decoder's.
    fn width(&self) -> usize;
    /// How an image becomes views. `None` is the model's own way.
    ///
    /// # Errors
    /// The model knows no such way.
    fn recipe(&self, preprocess: Option<Preprocess>) -> Result<ImageRecipe, Error>;
    /// The text in which the views of an image stand.
    fn frame(&self, plan: &ViewPlan) -> Vec<Piece>;
    /// Records the computation of the rows of at most `max_views` views.
    ///
    /// # Errors
    /// A weight that does not fit the others.
    fn encode(&self, max_views: usize) -> Result<Tape, TapeError>;
}

// Not a supertrait: every model would bring the printing of each of its numbers into a firmware, floats included, 16 kB of code.
impl fmt::Debug for dyn Decoder + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("width", &self.width())
            .field("vocabulary", &self.vocabulary())
            .finish()
    }
}

impl fmt::Debug for dyn Encoder + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("width", &self.width()).finish()
    }
}

/// Ways to bring an image to a square, where a model is used with more than one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preprocess {
    /// Pad to a square: nothing is lost.
    Pad,
    /// Cut the centre out.
    Crop,
}

/// A part of the text around an image's views.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// Text with control tokens in it.
    Text(String),
    /// The rows of a view.
    View(u32),
}

/// A decoder that can be read.
pub struct DecoderEntry {
    /// `general.architecture`.
    pub name: &'static str,
    /// Reads its weights' places and numbers.
    pub read: fn(&Source<'_>) -> Result<Box<dyn Decoder>, Error>,
}

/// An encoder that can be read.
pub struct EncoderEntry {
    /// `clip.projector_type`.
    pub name: &'static str,
    /// Models that use it, for people.
    pub models: &'static str,
    /// Reads its weights' places and numbers.
    pub read: fn(&Source<'_>) -> Result<Box<dyn Encoder>, Error>,
}

/// Every decoder.
pub const DECODERS: &[DecoderEntry] = &[
    DecoderEntry { name: "llama", read: |s| Ok(Box::new(llama::Llama::read(s)?)) },
    DecoderEntry { name: "qwen2", read: |s| Ok(Box::new(qwen2::Qwen2::read(s)?)) },
];

/// Every encoder.
pub const ENCODERS: &[EncoderEntry] = &[
    EncoderEntry { name: "mlp", models: "LLaVA-1.5", read: |s| Ok(Box::new(llava::Llava::read(s)?)) },
    EncoderEntry {
        name: "idefics3",
        models: "SmolVLM, SmolVLM2, Idefics3",
        read: |s| Ok(Box::new(smolvlm::SmolVlm::read(s)?)),
    },
];

/// Reads the language model of a file.
///
/// # Errors
/// The architecture is not one of [`DECODERS`], or the file does not hold what it says or says more than is [read](account).
pub fn decoder(source: &Source<'_>) -> Result<Box<dyn Decoder>, Error> {
    let name: &str = source.file().require("general.architecture")?;
    let unknown = || Error::Architecture {
        key: "general.architecture",
        found: name.into(),
        known: DECODERS.iter().map(|d| d.name).collect(),
    };
    let decoder = (DECODERS.iter().find(|d| d.name == name).ok_or_else(unknown)?.read)(source)?;
    account::settle(source)?;
    Ok(decoder)
}

/// The projector that a vision tower's file names, by which everybody knows what the tower is.
///
/// `clip.projector_type`, or `clip.vision.projector_type` where a file has encoders of several kinds; an empty name is none.
/// Without either it is `mlp` where `clip.has_llava_projector` is true: those files were written before there was another
/// projector.
///
/// # Errors
/// The file says that it has no vision encoder, names two projectors, or none.
pub fn projector<'a>(file: &Gguf<'a>) -> Result<&'a str, Error> {
    const KEY: &str = "clip.projector_type";
    if account::HELD && file.optional("clip.has_vision_encoder")? == Some(false) {
        let what = "a file without a vision encoder";
        return Err(Error::Unsupported { what, found: "clip.has_vision_encoder is false".into() });
    }
    let named = |key| Ok::<_, Error>(file.optional::<&str>(key)?.filter(|name| !name.is_empty()));
    match (named(KEY)?, named("clip.vision.projector_type")?) {
        (Some(name), Some(other)) if account::HELD && name != other => {
            let found = format!("{KEY} is '{name}' and clip.vision.projector_type '{other}'");
            Err(Error::Unsupported { what: "a tower with two projectors", found })
        }
        (Some(name), _) | (None, Some(name)) => Ok(name),
        (None, None) if file.optional("clip.has_llava_projector")? == Some(true) => Ok("mlp"),
        (None, None) => match file.require::<&str>(KEY)? {
            "" => Err(Error::Architecture { key: KEY, found: String::new(), known: encoders() }),
            name => Ok(name),
        },
    }
}

/// Reads the vision tower of a file.
///
/// # Errors
/// The [`projector`] is not one of [`ENCODERS`], or the file does not hold what it says or says more than is
/// [read](account).
pub fn encoder(source: &Source<'_>) -> Result<Box<dyn Encoder>, Error> {
    let name = projector(source.file())?;
    let unknown =
        || Error::Architecture { key: "clip.projector_type", found: name.into(), known: encoders() };
    let encoder = (ENCODERS.iter().find(|d| d.name == name).ok_or_else(unknown)?.read)(source)?;
    account::settle(source)?;
    Ok(encoder)
}

fn encoders() -> Vec<&'static str> {
    ENCODERS.iter().map(|encoder| encoder.name).collect()
}
