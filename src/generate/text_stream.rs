//! Pieces of tokens become text to print: whole characters only, and nothing of a stop string.
//!
//! ```text
//! piece ─> pending: up to 3 bytes of a character that has begun
//!       ─> held:    text that could be the beginning of a stop string
//!       ─> the caller
//! ```
//! Bytes that are no UTF-8 become U+FFFD, one for each longest run that could have begun a character (Unicode, §3.9,
//! "maximal subpart"; Python's and Rust's lossy decoding do the same). A character that is still incomplete when the
//! text ends becomes one too. After construction nothing allocates.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Bytes that are taken from a piece at a time, so that the buffers' sizes do not depend on the pieces.
const STEP: usize = 64;
/// The longest beginning of a character that is not a character.
const UNFINISHED: usize = 3;
/// U+FFFD has three bytes and can stand for one.
const WORST: usize = 3 * (STEP + UNFINISHED);

/// Whether more text is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It is.
    Going,
    /// A stop string was found; what follows is dropped.
    Stopped,
}

/// A stop string without characters, which would stop every text before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyStop;

impl fmt::Display for EmptyStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stop string is empty")
    }
}

impl core::error::Error for EmptyStop {}

/// See the module.
#[derive(Clone, Debug)]
pub struct TextStream {
    stops: Vec<String>,
    pending: Vec<u8>,
    held: String,
    /// The first byte of the text, if it is a space, is not printed.
    drop_space: bool,
    flow: Flow,
}

impl TextStream {
    /// A stream that ends at the first of `stops`. With `drop_space` a space at the very beginning is left out: SPM
    /// writes one in front of the first word (`Tokenizer::adds_space`).
    ///
    /// # Errors
    /// One of `stops` is empty.
    pub fn new<S: AsRef<str>>(stops: &[S], drop_space: bool) -> Result<Self, EmptyStop> {
        let stops: Vec<String> = stops.iter().map(|stop| String::from(stop.as_ref())).collect();
        if stops.iter().any(String::is_empty) {
            return Err(EmptyStop);
        }
        let longest = stops.iter().map(String::len).max().unwrap_or(0);
        let pending = Vec::with_capacity(STEP + UNFINISHED);
        Ok(Self {
            stops,
            pending,
            held: String::with_capacity(longest + WORST),
            drop_space,
            flow: Flow::Going,
        })
    }

    /// Takes a piece and gives the text that is certain to `sink`, if any.
    pub fn push(&mut self, piece: &[u8], sink: &mut dyn FnMut(&str)) -> Flow {
        let mut piece = piece;
        if let Some((first, rest)) = piece.split_first() {
            if self.drop_space && *first == b' ' {
                piece = rest;
            }
            self.drop_space = false;
        }
        for step in piece.chunks(STEP) {
            if self.flow == Flow::Stopped {
                break;
            }
            self.pending.extend_from_slice(step);
            self.decode();
            self.release(sink);
        }
        self.flow
    }

    /// Ends the text: what was held back is given to `sink`. A new text may follow.
    pub fn finish(&mut self, sink: &mut dyn FnMut(&str)) {
        if self.flow == Flow::Going {
            if !self.pending.is_empty() {
                self.held.push(char::REPLACEMENT_CHARACTER);
            }
            // The replacement may complete a stop string that holds one.
            self.release(sink);
        }
        if self.flow == Flow::Going && !self.held.is_empty() {
            sink(&self.held);
        }
        self.pending.clear();
        self.held.clear();
        self.flow = Flow::Going;
    }

    /// Moves whole characters from `pending` to `held`.
    fn decode(&mut self) {
        let mut done = 0;
        for chunk in self.pending.utf8_chunks() {
            self.held.push_str(chunk.valid());
            done += chunk.valid().len();
            let bad = chunk.invalid();
            let last = done + bad.len() == self.pending.len();
            if bad.is_empty() || (last && unfinished(bad)) {
                break;
            }
            self.held.push(char::REPLACEMENT_CHARACTER);
            done += bad.len();
        }
        self.pending.drain(..done);
    }

    /// Gives away what can be no part of a stop string, up to one if it is there.
    fn release(&mut self, sink: &mut dyn FnMut(&str)) {
        let stop = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min();
        let certain = stop.unwrap_or_else(|| self.held.len() - self.possible());
        if let Some(text) = self.held.get(..certain)
            && !text.is_empty()
        {
            sink(text);
        }
        if stop.is_some() {
            self.flow = Flow::Stopped;
            self.held.clear();
        } else {
            self.held.drain(..certain);
        }
    }

    /// The bytes at the end of `held` that a stop string could begin with.
    fn possible(&self) -> usize {
        let tails = self.held.char_indices().map(|(at, _)| self.held.get(at..).unwrap_or_default());
        let begins = |tail: &&str| self.stops.iter().any(|stop| stop.starts_with(tail));
        tails.into_iter().find(begins).map_or(0, str::len)
    }
}

/// Whether bytes that are no character could become one: `utf8_chunks` gives the longest such beginning, so what is
/// at the end of the text and begins with a right first byte is only incomplete.
fn unfinished(bytes: &[u8]) -> bool {
    match core::str::from_utf8(bytes) {
        Ok(_) => false,
        Err(error) => error.error_len().is_none(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_buffers_never_grow() {
        let mut stream = TextStream::new(&["\u{fffd}\u{fffd}\u{fffd}x", "stop"], false).unwrap();
        let sizes = |stream: &TextStream| (stream.pending.capacity(), stream.held.capacity());
        let before = sizes(&stream);
        for piece in [&[0xff; 1000][..], &[0xe2, 0x82], &b"sto".repeat(500), &[0xf0; 999], b"x"] {
            stream.push(piece, &mut |_| ());
            stream.finish(&mut |_| ());
            stream.push(piece, &mut |_| ());
        }
        assert_eq!(sizes(&stream), before);
    }
}
