//! Byte-level BPE: words of a pre-tokenizer, bytes as first symbols, then always the merge with the lowest rank, of
//! several the leftmost.
//!
//! A priority queue holds the merges that were possible when a pair came to be; one whose pair has changed since is
//! skipped. n symbols make at most 3n entries, so a word of a megabyte is n log n work. At most 2n of them are there at
//! once (each merge takes one out and puts two in), and a rank says which pair it was.
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

/// A possible merge: its rank, which is the pair's alone, above the place of the left symbol.
type Candidate = Reverse<u64>;

/// Bytes that a word's symbols and its queue take for each byte of it: the queue has room for n candidates, and where they
/// become more for 2n, while the first room is still there.
const PER_BYTE: usize = size_of::<Symbol>() + 3 * size_of::<Candidate>();
/// Normal form C makes a text at most three times as long; the new text is copied once while it grows.
#[cfg(feature = "unicode")]
const NORMAL: usize = 3;

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
        let ids = word.iter().filter_map(|byte| self.byte_ids.get(usize::from(*byte)).copied().flatten());
        scratch.fill(word.len(), ids);
        scratch.merge(&self.merges);
        let mut at = 0;
        while let Some(symbol) = scratch.symbols.get(at as usize) {
            out.push(symbol.id);
            at = symbol.next;
        }
    }

    /// The most bytes that encoding takes for each byte of a text, beside its tokens.
    pub(super) fn per_byte(&self) -> usize {
        #[cfg(feature = "unicode")]
        if self.pre.normalizes() {
            return NORMAL * (PER_BYTE + 3);
        }
        PER_BYTE
    }

    /// The bytes held.
    pub(super) fn table_bytes(&self) -> usize {
        self.merges.table_bytes() + self.byte_ids.capacity() * size_of::<Option<u32>>()
    }
}

impl Scratch {
    fn fill(&mut self, most: usize, ids: impl Iterator<Item = u32>) {
        self.symbols.clear();
        self.queue.clear();
        self.symbols.reserve_exact(most);
        self.queue.reserve_exact(most);
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
        while let Some(Reverse(candidate)) = self.queue.pop() {
            let (rank, left) = ((candidate >> 32) as u32, candidate as u32);
            let Some((first, second)) = self.pair(left) else { continue };
            let Some((now, merged)) = merges.find(first.id, second.id) else { continue };
            if now != rank {
                continue;
            }
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
            self.queue.push(Reverse(u64::from(rank) << 32 | u64::from(left)));
        }
    }

    fn join(&mut self, left: u32, first: Symbol, second: Symbol, merged: u32) {
        if let Some(gone) = self.symbols.get_mut(first.next as usize) {
            // It has no neighbour, so it is the left one of no pair: every candidate that names it is stale.
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
