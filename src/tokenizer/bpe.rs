//! Byte-level BPE: words of a pre-tokenizer, bytes as first symbols, then always the merge with the lowest rank, of
//! several the leftmost.
//!
//! A priority queue holds the merges that were possible when a pair came to be; one whose pair has changed since is
//! skipped. n symbols make at most 3n entries, so a word of a megabyte is n log n work.
//!
//! Where the reference brings a text to normal form C, its tables are of an older Unicode: combining marks encoded
//! since then are ordered by their class here and left where they are there (5 of 6377 random texts).

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;

#[cfg(feature = "unicode")]
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::TokenizerError;
use super::index::reserve;
use super::merges::Merges;
use super::pretokenize::Pre;
use super::vocab::Vocab;

/// No neighbour.
const NONE: u32 = u32::MAX;

/// What byte-level BPE needs beside the tokens.
#[derive(Clone, Debug)]
pub(super) struct Bpe {
    pub(super) pre: Pre,
    pub(super) merges: Merges,
    /// The token of each single byte; bytes that UTF-8 never uses are often missing.
    byte_ids: Vec<Option<u32>>,
}

#[derive(Clone, Copy)]
struct Symbol {
    id: u32,
    previous: u32,
    next: u32,
}

/// A possible merge: rank, place of the left symbol, and the ids that were there.
type Candidate = Reverse<(u32, u32, u32, u32)>;

/// Symbols and queue, kept from word to word.
#[derive(Default)]
pub(super) struct Scratch {
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Candidate>,
}

impl Bpe {
    pub(super) fn new(pre: Pre, merges: Merges, vocab: &Vocab) -> Result<Self, TokenizerError> {
        let mut byte_ids = reserve(256)?;
        byte_ids.extend((0..=u8::MAX).map(|byte| vocab.find(&[byte])));
        Ok(Self { pre, merges, byte_ids })
    }

    /// Whether the vocabulary can write this byte.
    pub(super) fn writes(&self, byte: u8) -> bool {
        self.byte_ids.get(usize::from(byte)).is_some_and(Option::is_some)
    }

    /// Encodes a text without special tokens.
    pub(super) fn encode(&self, text: &str, vocab: &Vocab, scratch: &mut Scratch, out: &mut Vec<u32>) {
        #[cfg(feature = "unicode")]
        let text = if self.pre.normalizes() && !is_nfc(text) {
            alloc::borrow::Cow::Owned(text.nfc().collect())
        } else {
            alloc::borrow::Cow::Borrowed(text)
        };
        #[cfg(feature = "unicode")]
        let text = &*text;
        self.pre.split(text, &mut |word| self.encode_word(word.as_bytes(), vocab, scratch, out));
    }

    fn encode_word(&self, word: &[u8], vocab: &Vocab, scratch: &mut Scratch, out: &mut Vec<u32>) {
        if self.pre.ignores_merges()
            && let Some(id) = vocab.find(word)
        {
            out.push(id);
            return;
        }
        scratch.fill(word.iter().filter_map(|byte| self.byte_ids.get(usize::from(*byte)).copied().flatten()));
        scratch.merge(&self.merges);
        let mut at = 0;
        while let Some(symbol) = scratch.symbols.get(at as usize) {
            out.push(symbol.id);
            at = symbol.next;
        }
    }

    /// The bytes held.
    pub(super) fn table_bytes(&self) -> usize {
        self.merges.table_bytes() + self.byte_ids.capacity() * size_of::<Option<u32>>()
    }
}

impl Scratch {
    fn fill(&mut self, ids: impl Iterator<Item = u32>) {
        self.symbols.clear();
        self.queue.clear();
        self.symbols.extend(ids.zip(0u32..).map(|(id, at)| Symbol {
            id,
            previous: at.checked_sub(1).unwrap_or(NONE),
            next: at + 1,
        }));
        if let Some(last) = self.symbols.last_mut() {
            last.next = NONE;
        }
    }

    fn merge(&mut self, merges: &Merges) {
        for left in 0..self.symbols.len() as u32 {
            self.propose(left, merges);
        }
        while let Some(Reverse((_, left, left_id, right_id))) = self.queue.pop() {
            let Some((first, second)) = self.pair(left) else { continue };
            if (first.id, second.id) != (left_id, right_id) {
                continue;
            }
            let Some((_, merged)) = merges.find(left_id, right_id) else { continue };
            self.join(left, first, second, merged);
            self.propose(first.previous, merges);
            self.propose(left, merges);
        }
    }

    /// The symbol at `left` and the one after it.
    fn pair(&self, left: u32) -> Option<(Symbol, Symbol)> {
        let first = *self.symbols.get(left as usize)?;
        let second = *self.symbols.get(first.next as usize)?;
        Some((first, second))
    }

    fn propose(&mut self, left: u32, merges: &Merges) {
        if let Some((first, second)) = self.pair(left)
            && let Some((rank, _)) = merges.find(first.id, second.id)
        {
            self.queue.push(Reverse((rank, left, first.id, second.id)));
        }
    }

    fn join(&mut self, left: u32, first: Symbol, second: Symbol, merged: u32) {
        if let Some(gone) = self.symbols.get_mut(first.next as usize) {
            // No token has this id and it has no neighbour: every candidate that names it is stale.
            *gone = Symbol { id: NONE, previous: NONE, next: NONE };
        }
        if let Some(after) = self.symbols.get_mut(second.next as usize) {
            after.previous = left;
        }
        if let Some(symbol) = self.symbols.get_mut(left as usize) {
            *symbol = Symbol { id: merged, previous: first.previous, next: second.next };
        }
    }
}
