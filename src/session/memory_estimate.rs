//! The memory bill: every byte, known before any is allocated.

use core::fmt;

/// What a session costs, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Bill {
    /// The language model's file, mapped.
    pub text_weights: u64,
    /// The vision tower's file, mapped.
    pub vision_weights: u64,
    /// The vision tower's matrices once more, as 8-bit codes (`Options::tower_int8`).
    pub vision_int8: u64,
    /// The model's own tables: tokens, merges, tapes.
    pub tables: u64,
    /// Activations of the larger of the two towers, and scratch of every thread.
    pub arena: u64,
    /// What the language model alone would need of it.
    pub text_arena: u64,
    /// What the vision tower alone would need of it.
    pub vision_arena: u64,
    /// Keys and values of the whole context.
    pub kv: u64,
    /// Images on their way in (encoded, decoded and resized), tokens on their way out.
    pub io: u64,
    /// The longest prompt on its way in: its text, what encoding it takes, its positions.
    pub prompt: u64,
}

impl Bill {
    /// Weights of both towers, as they lie in files.
    pub fn weights(&self) -> u64 {
        self.text_weights + self.vision_weights
    }

    /// Everything.
    pub fn total(&self) -> u64 {
        self.weights() + self.vision_int8 + self.tables + self.arena + self.kv + self.io + self.prompt
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bill { vision_int8, tables, arena, kv, io, prompt, .. } = self;
        write!(f, "weights {}, ", self.weights())?;
        if *vision_int8 > 0 {
            write!(f, "tower in int8 {vision_int8}, ")?;
        }
        write!(f, "tables {tables}, arena {arena}, kv {kv}, io {io}, prompt {prompt}")
    }
}
