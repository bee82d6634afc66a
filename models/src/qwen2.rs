//! Qwen2 (Yang et al., 2024): LLaMA's decoder with biases on queries, keys and values, and GPT-NeoX's rotation.

use crate::llama::Llama;
use crate::{Decoder, Error, Source};
use ocelli_tape::{Pairing, Tape, TapeError};

/// A Qwen2 decoder. Its biases are read because the file has them.
#[derive(Debug)]
pub struct Qwen2(Llama);

impl Qwen2 {
    /// Reads a `qwen2` file.
    ///
    /// # Errors
    /// What the file says of itself does not fit together or is not supported.
    pub fn read(source: &Source<'_>) -> Result<Qwen2, Error> {
        Ok(Qwen2(Llama::family(source, "qwen2", Pairing::Halves)?))
    }
}

impl Decoder for Qwen2 {
    fn width(&self) -> usize {
        self.0.width()
    }

    fn vocabulary(&self) -> usize {
        self.0.vocabulary()
    }

    fn context(&self) -> usize {
        self.0.context()
    }

    fn decode(&self, max_rows: usize) -> Result<Tape, TapeError> {
        self.0.decode(max_rows)
    }

    fn decode_every(&self, max_rows: usize) -> Result<Tape, TapeError> {
        self.0.decode_every(max_rows)
    }
}
