//! What can go wrong, one cause each.

use crate::generate::sampler::SamplerError;
use crate::image::ImageError;
use crate::session::memory_estimate::Bill;
use crate::tokenizer::TokenizerError;
use alloc::string::String;
use core::fmt;
use ocelli_kernels::cpu::UnknownIsa;
use ocelli_tape::RunError;
use ocelli_tape::TapeError;

/// Why something was not done.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[cfg(feature = "std")]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file's name or place does not say what is needed.
    #[cfg(feature = "std")]
    Path {
        /// The file or folder.
        path: std::path::PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file is not a GGUF file, or a damaged one.
    File {
        /// Which file: a path, or what it is for.
        name: String,
        /// Why.
        error: ocelli_gguf::Error,
    },
    /// A file is no model that is known.
    Model {
        /// Which file: a path, or what it is for.
        name: String,
        /// Why.
        error: ocelli_models::Error,
    },
    /// The two files of a model do not belong together.
    Widths {
        /// The two: the language model and the tower.
        files: [String; 2],
        /// Width of an image's rows.
        vision: usize,
        /// Width of the language model.
        text: usize,
    },
    /// A text cannot be tokenized.
    Tokenizer(TokenizerError),
    /// The tokenizer that a file describes.
    Vocab {
        /// Which file: a path, or what it is for.
        name: String,
        /// Why it is none.
        error: TokenizerError,
    },
    /// The tokenizer and the language model do not belong together.
    Vocabulary {
        /// The file: a path, or what it is for.
        name: String,
        /// Tokens of the tokenizer.
        tokens: usize,
        /// Rows of the embedding table.
        rows: usize,
    },
    /// A model's chat template, or a conversation that it cannot write.
    Template {
        /// The model's file: a path, or what it is for.
        name: String,
        /// Why.
        error: crate::chat::template::TemplateError,
    },
    /// A model's weights do not fit each other.
    Tape {
        /// The file: a path, or what it is for.
        name: String,
        /// Why.
        error: TapeError,
    },
    /// An image.
    Image(ImageError),
    /// An image for a model without a vision tower.
    NoVision,
    /// A larger image than was planned for.
    ImageMemory {
        /// Bytes it takes.
        needed: usize,
        /// Bytes planned.
        planned: usize,
    },
    /// An image is to be encoded again, and its pixels are not there any more.
    PixelsGone {
        /// Which one of the prompt's images, from 0.
        image: usize,
    },
    /// The prompt is empty: there is nothing to answer.
    EmptyPrompt,
    /// The prompt's texts are longer than planned for, or than the context can hold.
    LongText {
        /// Bytes they have, at least.
        bytes: usize,
        /// Bytes there may be.
        most: usize,
    },
    /// The prompt does not fit the context.
    Context {
        /// Positions needed.
        needed: usize,
        /// Positions there are.
        context: usize,
    },
    /// More memory than allowed.
    Memory {
        /// What is needed.
        bill: Bill,
        /// What is allowed, in bytes.
        limit: u64,
    },
    /// The memory cannot be had.
    OutOfMemory {
        /// Bytes asked for.
        bytes: usize,
    },
    /// Keys and values cannot be stored like this.
    Kv {
        /// Elements of a head.
        head_dim: usize,
    },
    /// What was asked for is left out of this build.
    LeftOut {
        /// The feature that brings it.
        feature: &'static str,
        /// What can be done without.
        instead: &'static str,
    },
    /// An option that makes no sense.
    Option {
        /// Its name.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A way to choose tokens that makes no sense.
    Sampling(SamplerError),
    /// The instruction set asked for.
    Isa(UnknownIsa),
    /// Numbers of a vision tower cannot be stored in 8 bits.
    #[cfg(feature = "tower-int8")]
    Encode {
        /// The tower's file: a path, or what it is for.
        name: String,
        /// The tensor.
        tensor: String,
        /// Which numbers, and why.
        error: ocelli_quantize::encode::EncodeError,
    },
    /// Threads cannot be kept to processors.
    #[cfg(feature = "std")]
    Pin(ocelli_kernels::pool::PinError),
    /// The model's numbers are not numbers: damaged or unsuitable weights.
    NotANumber {
        /// The language model's file: a path, or what it is for.
        name: String,
    },
    /// Stopped by another thread.
    Stopped,
    /// The deadline has passed.
    Deadline,
    /// An inner inconsistency while running.
    Run(RunError),
}

macro_rules! from {
    ($($variant:ident($type:ty)),*) => {$(
        impl From<$type> for Error {
            fn from(error: $type) -> Error {
                Error::$variant(error)
            }
        }
    )*};
}

from!(Tokenizer(TokenizerError), Image(ImageError), Isa(UnknownIsa));

impl From<RunError> for Error {
    fn from(error: RunError) -> Error {
        match error {
            RunError::Stopped => Error::Stopped,
            RunError::Context { expected, found } => Error::Context { needed: expected, context: found },
            other => Error::Run(other),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "std")]
            Error::Io { path, error } => write!(f, "{}: {error}", path.display()),
            #[cfg(feature = "std")]
            Error::Path { path, what } => write!(f, "{}: {what}", path.display()),
            Error::File { name, error } => write!(f, "{name}: {error}"),
            Error::Model { name, error } => write!(f, "{name}: {error}"),
            Error::Widths { files: [model, tower], vision, text } => {
                write!(f, "{tower}: the vision tower makes rows of {vision} values, {model} takes {text}: ")?;
                f.write_str("the two files do not belong together")
            }
            Error::Tokenizer(error) => error.fmt(f),
            Error::Vocab { name, error } => write!(f, "{name}: {error}"),
            Error::Vocabulary { name, tokens, rows } => {
                write!(f, "{name}: the tokenizer has {tokens} tokens, the embedding table {rows} rows")
            }
            Error::Template { name, error } => write!(f, "{name}: {error}"),
            Error::Tape { name, error } => write!(f, "{name}: {error}"),
            Error::Image(error) => error.fmt(f),
            Error::NoVision => {
                f.write_str("the model has no vision tower: name its mmproj file to use images")
            }
            Error::ImageMemory { needed, planned } => {
                write!(
                    f,
                    "the image takes {needed} bytes on its way to the model, {planned} were planned for"
                )
            }
            Error::PixelsGone { image } => {
                write!(f, "image {image} of the conversation is no longer in memory and must be shown again")
            }
            Error::EmptyPrompt => f.write_str("the prompt is empty"),
            Error::LongText { bytes, most } => {
                write!(f, "the prompt has {bytes} bytes of text or more, and this context takes {most}")
            }
            Error::Context { needed, context } => {
                write!(f, "the prompt needs {needed} positions and the context has {context}")
            }
            Error::Memory { bill, limit } => {
                write!(f, "{} bytes are needed and {limit} allowed ({bill})", bill.total())
            }
            Error::OutOfMemory { bytes } => write!(f, "{bytes} bytes of memory cannot be had"),
            Error::Kv { head_dim } => {
                write!(
                    f,
                    "keys and values with heads of {head_dim} elements cannot be stored as q8_0, which takes "
                )?;
                f.write_str("multiples of 32; f16 and f32 can")
            }
            Error::LeftOut { feature, instead } => {
                write!(f, "this library was built without {feature}: {instead}")
            }
            Error::Option { name, expected } => write!(f, "{name} must be {expected}"),
            Error::Sampling(error) => error.fmt(f),
            Error::Isa(error) => error.fmt(f),
            #[cfg(feature = "tower-int8")]
            Error::Encode { name, tensor, error } => write!(f, "{name}: tensor {tensor:?}: {error}"),
            #[cfg(feature = "std")]
            Error::Pin(error) => error.fmt(f),
            Error::NotANumber { name } => {
                write!(f, "{name}: the model computes values that are no numbers: its weights are damaged")
            }
            Error::Stopped => f.write_str("stopped"),
            Error::Deadline => f.write_str("the deadline has passed"),
            Error::Run(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {}
