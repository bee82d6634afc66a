//! Exit codes: what a script is told. The table is in `ocelli --help`; every kind of failure says its own.

use super::Failure;
use ocelli::Error;
use ocelli::chat::template::TemplateError;
use ocelli::image::ImageError;
use ocelli::tokenizer::TokenizerError;
use ocelli_tools::{atomic_file, calibrate, compare, convert_folder, quantize_file, synthesize, verify};
use std::fmt::{Debug, Display};

/// Something else failed.
const OTHER: u8 = 1;
/// The arguments are wrong.
pub const USAGE: u8 = 2;
/// A model cannot be used.
const MODEL: u8 = 3;
/// An image cannot be used.
const IMAGE: u8 = 4;
/// More memory than allowed.
const MEMORY: u8 = 5;
/// The deadline has passed.
const LATE: u8 = 6;
/// Interrupted.
const STOPPED: u8 = 130;

/// A failure with an exit code.
trait Code: Debug + Display + Send + Sync + 'static {
    fn code(&self) -> u8;
}

/// The exit code of what ended a command.
pub fn code(error: &anyhow::Error) -> u8 {
    fn of<E: Code>(error: &anyhow::Error) -> Option<u8> {
        error.downcast_ref::<E>().map(Code::code)
    }
    let kinds = [
        of::<Error>,
        of::<Failure>,
        of::<ImageError>,
        of::<atomic_file::Failure>,
        of::<quantize_file::Failure>,
        of::<convert_folder::Failure>,
        of::<synthesize::Error>,
        of::<calibrate::Failure>,
        of::<compare::Failure>,
        of::<verify::Failure>,
    ];
    kinds.iter().find_map(|kind| kind(error)).unwrap_or(OTHER)
}

impl Code for Error {
    fn code(&self) -> u8 {
        match self {
            Error::Template { error: TemplateError::Empty, .. } => USAGE,
            Error::Io { .. }
            | Error::Path { .. }
            | Error::File { .. }
            | Error::Model { .. }
            | Error::Widths { .. }
            | Error::Vocabulary { .. }
            | Error::Vocab { .. }
            | Error::Template { .. }
            | Error::Tape { .. }
            | Error::Encode { .. }
            | Error::NotANumber { .. } => MODEL,
            Error::Option { .. }
            | Error::Sampling(_)
            | Error::Isa(_)
            | Error::Kv { .. }
            | Error::LeftOut { .. }
            | Error::Pin(_) => USAGE,
            Error::Tokenizer(TokenizerError::OutOfMemory { .. }) => MEMORY,
            Error::Tokenizer(_) => USAGE,
            Error::Image(_) | Error::ImageMemory { .. } | Error::NoVision => IMAGE,
            Error::Memory { .. } | Error::OutOfMemory { .. } => MEMORY,
            Error::Deadline => LATE,
            Error::Stopped => STOPPED,
            _ => OTHER,
        }
    }
}

impl Code for Failure {
    fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => USAGE,
            Failure::Photo { .. } | Failure::Large { .. } => IMAGE,
        }
    }
}

impl Code for ImageError {
    fn code(&self) -> u8 {
        IMAGE
    }
}

impl Code for atomic_file::Failure {
    fn code(&self) -> u8 {
        match self {
            atomic_file::Failure::Exists(_) | atomic_file::Failure::Source(_) => USAGE,
            _ => OTHER,
        }
    }
}

impl Code for quantize_file::Failure {
    fn code(&self) -> u8 {
        use ocelli_quantize::Error as Why;
        match self {
            quantize_file::Failure::Open(_) => MODEL,
            // What the command line asks for that this file has not.
            quantize_file::Failure::Quantize {
                error: Why::NoSuchTensor { .. } | Why::DoesNotFit { .. } | Why::Isa(_),
                ..
            } => USAGE,
            quantize_file::Failure::Quantize { .. } => MODEL,
            quantize_file::Failure::Write(error) => error.code(),
        }
    }
}

impl Code for convert_folder::Failure {
    fn code(&self) -> u8 {
        match self {
            convert_folder::Failure::Checkpoint { error: ocelli_convert::Error::Isa(_), .. } => USAGE,
            convert_folder::Failure::NoFolder { .. } | convert_folder::Failure::Checkpoint { .. } => MODEL,
            convert_folder::Failure::Write(error) => error.code(),
        }
    }
}

impl Code for synthesize::Error {
    fn code(&self) -> u8 {
        match self {
            synthesize::Error::Folder { .. } => USAGE,
            synthesize::Error::Write { error, .. } => error.code(),
            synthesize::Error::Content { .. } => OTHER,
        }
    }
}

impl Code for calibrate::Failure {
    fn code(&self) -> u8 {
        match self {
            calibrate::Failure::Engine(error) => error.code(),
            calibrate::Failure::Text { .. } | calibrate::Failure::Short { .. } => USAGE,
            calibrate::Failure::NotFinite { .. } => MODEL,
            calibrate::Failure::Write(error) => error.code(),
        }
    }
}

impl Code for compare::Failure {
    fn code(&self) -> u8 {
        match self {
            compare::Failure::Model { error, .. } => error.code(),
            compare::Failure::Text { .. }
            | compare::Failure::Short { .. }
            | compare::Failure::NoImages { .. } => USAGE,
            _ => MODEL,
        }
    }
}

impl Code for verify::Failure {
    fn code(&self) -> u8 {
        match self {
            verify::Failure::Engine(error) => error.code(),
            _ => USAGE,
        }
    }
}
