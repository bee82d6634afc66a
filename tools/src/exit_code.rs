//! Exit codes: what a script is told when a tool fails. The table is in `ocelli --help`; each kind of failure says its own.

use crate::{atomic_file, calibrate, compare, convert_folder, quantize_file, synthesize, verify};
use ocelli::Error;
use ocelli::chat::template::TemplateError;
use ocelli::image::ImageError;
use ocelli::tokenizer::TokenizerError;

/// Something else failed.
pub const OTHER: u8 = 1;
/// The arguments are wrong.
pub const USAGE: u8 = 2;
/// A model cannot be used.
pub const MODEL: u8 = 3;
/// An image cannot be used.
pub const IMAGE: u8 = 4;
/// More memory than allowed.
pub const MEMORY: u8 = 5;
/// The deadline has passed.
pub const LATE: u8 = 6;
/// Interrupted.
pub const STOPPED: u8 = 130;

/// A failure with an exit code.
pub trait ExitCode: std::error::Error + 'static {
    /// The exit code of a program that ends with it.
    fn exit_code(&self) -> u8;
}

/// The exit code of a failure of the engine or of a tool; `None` of any other.
pub fn exit_code(error: &(dyn std::error::Error + 'static)) -> Option<u8> {
    fn of<E: ExitCode>(error: &(dyn std::error::Error + 'static)) -> Option<u8> {
        error.downcast_ref::<E>().map(E::exit_code)
    }
    let kinds = [
        of::<Error>,
        of::<ImageError>,
        of::<atomic_file::Failure>,
        of::<quantize_file::Failure>,
        of::<convert_folder::Failure>,
        of::<synthesize::Error>,
        of::<calibrate::Failure>,
        of::<compare::Failure>,
        of::<verify::Failure>,
    ];
    kinds.iter().find_map(|kind| kind(error))
}

impl ExitCode for Error {
    fn exit_code(&self) -> u8 {
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

impl ExitCode for ImageError {
    fn exit_code(&self) -> u8 {
        IMAGE
    }
}

impl ExitCode for atomic_file::Failure {
    fn exit_code(&self) -> u8 {
        match self {
            atomic_file::Failure::Exists(_) | atomic_file::Failure::Source(_) => USAGE,
            _ => OTHER,
        }
    }
}

impl ExitCode for quantize_file::Failure {
    fn exit_code(&self) -> u8 {
        use ocelli_quantize::Error as Why;
        match self {
            quantize_file::Failure::Open(_) => MODEL,
            // What the command line asks for that this file has not.
            quantize_file::Failure::Quantize {
                error: Why::NoSuchTensor { .. } | Why::DoesNotFit { .. } | Why::Isa(_),
                ..
            } => USAGE,
            quantize_file::Failure::Quantize { .. } => MODEL,
            quantize_file::Failure::Write(error) => error.exit_code(),
        }
    }
}

impl ExitCode for convert_folder::Failure {
    fn exit_code(&self) -> u8 {
        match self {
            convert_folder::Failure::Checkpoint { error: ocelli_convert::Error::Isa(_), .. } => USAGE,
            convert_folder::Failure::NoFolder { .. } | convert_folder::Failure::Checkpoint { .. } => MODEL,
            convert_folder::Failure::Write(error) => error.exit_code(),
        }
    }
}

impl ExitCode for synthesize::Error {
    fn exit_code(&self) -> u8 {
        match self {
            synthesize::Error::Folder { .. } => USAGE,
            synthesize::Error::Write { error, .. } => error.exit_code(),
            synthesize::Error::Content { .. } => OTHER,
        }
    }
}

impl ExitCode for calibrate::Failure {
    fn exit_code(&self) -> u8 {
        match self {
            calibrate::Failure::Engine(error) => error.exit_code(),
            calibrate::Failure::Text { .. } | calibrate::Failure::Short { .. } => USAGE,
            calibrate::Failure::NotFinite { .. } => MODEL,
            calibrate::Failure::Write(error) => error.exit_code(),
        }
    }
}

impl ExitCode for compare::Failure {
    fn exit_code(&self) -> u8 {
        match self {
            compare::Failure::Model { error, .. } => error.exit_code(),
            compare::Failure::Text { .. }
            | compare::Failure::Short { .. }
            | compare::Failure::NoImages { .. } => USAGE,
            _ => MODEL,
        }
    }
}

impl ExitCode for verify::Failure {
    fn exit_code(&self) -> u8 {
        match self {
            verify::Failure::Engine(error) => error.exit_code(),
            _ => USAGE,
        }
    }
}
