//! What a call comes to: a number for programs, a sentence for people, and no memory for either.

use core::fmt::{self, Write};
use ocelli::Error;
use ocelli::tokenizer::TokenizerError;

/// `ocelli_status`. The numbers are the header's.
pub type Status = i32;

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $words:literal;)*) => {
        $($(#[$doc])* pub const $name: Status = $value;)*
        /// All of them, with the header's names.
        pub const ALL: &[(&str, Status)] = &[$((concat!("OCELLI_", stringify!($name)), $value)),*];
        /// A status in words.
        pub fn words(status: Status) -> &'static core::ffi::CStr {
            match status {
                $($value => $words,)*
                _ => c"no status of this version",
            }
        }
    };
}

statuses! {
    /// Success.
    OK = 0, c"success";
    /// An answer is complete.
    END = 1, c"the answer is complete";
    /// Stopped as asked.
    CANCELLED = 2, c"stopped";
    /// The deadline has passed.
    LATE = 3, c"the deadline has passed";
    /// NULL, an impossible length, a value out of range.
    BAD_ARGUMENT = -1, c"an argument makes no sense";
    /// Not a handle.
    BAD_HANDLE = -2, c"not a handle, or one that was freed";
    /// Not UTF-8.
    BAD_TEXT = -3, c"a text is not UTF-8";
    /// A key or a value.
    BAD_OPTION = -4, c"no such option, or a value it does not take";
    /// Nothing was added that could be answered.
    BAD_ORDER = -5, c"this call does not fit what went before";
    /// Another header.
    BAD_VERSION = -6, c"the header is not the library's";
    /// A model file.
    BAD_FILE = -7, c"a model file cannot be read, or is damaged";
    /// A model that is not supported.
    BAD_MODEL = -8, c"the model is not supported, or its files do not belong together";
    /// An image.
    BAD_IMAGE = -9, c"an image is damaged, not supported or too large";
    /// In use.
    BUSY = -10, c"in use";
    /// Memory.
    NO_MEMORY = -11, c"not enough memory";
    /// A buffer.
    NO_ROOM = -12, c"the buffer is too short";
    /// The context.
    NO_CONTEXT = -13, c"the conversation is longer than the context";
    /// A model without a vision tower.
    NO_VISION = -14, c"the model has no vision tower";
    /// What this build of the library does not have.
    UNSUPPORTED = -16, c"this library was built without it";
    /// Something that should not happen.
    FAULT = -15, c"a fault in Ocelli, or damaged weights";
}

/// A text of limited length, followed by a zero.
pub struct Text {
    bytes: [u8; 512],
    length: usize,
}

impl Text {
    /// No text.
    pub const EMPTY: Text = Text { bytes: [0; 512], length: 0 };

    /// The text.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or("")
    }

    /// The text, which ends before a zero.
    pub fn as_ptr(&self) -> *const core::ffi::c_char {
        self.bytes.as_ptr().cast()
    }
}

impl Write for Text {
    /// What does not fit is cut off, between characters.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // The last byte stays zero.
        let room = self.bytes.len() - 1 - self.length;
        let end = text.floor_char_boundary(room);
        for (to, from) in self.bytes.iter_mut().skip(self.length).zip(text.as_bytes().iter().take(end)) {
            // A zero would end the text for its readers, and what comes from a file may command a terminal.
            *to = if from.is_ascii_control() { b'?' } else { *from };
        }
        self.length += end;
        Ok(())
    }
}

/// Why a call did nothing.
pub struct Failure {
    /// The number.
    pub status: Status,
    /// The sentence.
    pub text: Text,
}

impl Failure {
    /// With a sentence of its own.
    pub fn new(status: Status, message: fmt::Arguments<'_>) -> Failure {
        let mut text = Text::EMPTY;
        // Cannot fail: see `write_str`.
        let _ = text.write_fmt(message);
        Failure { status, text }
    }
}

/// `fail!(STATUS, "…", …)`: a failure with a sentence.
macro_rules! fail {
    ($status:ident, $($message:tt)*) => {
        $crate::status::Failure::new($crate::status::$status, format_args!($($message)*))
    };
}
pub(crate) use fail;

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::new(number(&error), format_args!("{error}"))
    }
}

/// The number of an engine's error.
fn number(error: &Error) -> Status {
    match error {
        #[cfg(feature = "std")]
        Error::Io { .. } | Error::Path { .. } => BAD_FILE,
        Error::File { .. } => BAD_FILE,
        Error::Model { .. }
        | Error::Widths { .. }
        | Error::Vocab { .. }
        | Error::Vocabulary { .. }
        | Error::Template { .. }
        | Error::Tape { .. } => BAD_MODEL,
        #[cfg(feature = "tower-int8")]
        Error::Encode { .. } => BAD_MODEL,
        #[cfg(feature = "std")]
        Error::Pin(_) => BAD_OPTION,
        Error::Image(_) | Error::ImageMemory { .. } | Error::PixelsGone { .. } => BAD_IMAGE,
        Error::NoVision => NO_VISION,
        Error::EmptyPrompt => BAD_ORDER,
        Error::Context { .. } | Error::LongText { .. } => NO_CONTEXT,
        Error::Memory { .. } | Error::OutOfMemory { .. } => NO_MEMORY,
        Error::Tokenizer(TokenizerError::OutOfMemory { .. }) => NO_MEMORY,
        // Longer than any context.
        Error::Tokenizer(_) => NO_CONTEXT,
        Error::Kv { .. } | Error::LeftOut { .. } | Error::Option { .. } => BAD_OPTION,
        Error::Sampling(_) | Error::Isa(_) => BAD_OPTION,
        Error::Stopped => CANCELLED,
        Error::Deadline => LATE,
        // Weights that compute no numbers, and what cannot happen.
        _ => FAULT,
    }
}
