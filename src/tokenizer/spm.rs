//! SentencePiece's BPE: characters as first symbols, then always the pair whose text is the token with the highest
//! score, of several the leftmost. (It is not the Unigram model: no search for the best sum.)
//!
//! 1. A space is put in front (when the file asks for it), U+2581 and space are the same.
//! 2. Merging, with a priority queue as in [`super::bpe`]; the text of a pair is a slice of the text.
//! 3. A symbol that is a token is that token; an unused token falls apart into the two it was merged from; a character
//!    that is no token becomes its bytes, or the unknown token where the vocabulary has no byte tokens.
//!
//! Source: SentencePiece's `bpe_model.cc`.

use alloc::collections::{BTreeMap, BinaryHeap};
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::TokenizerError;
use super::index::reserve;
use super::vocab::{SPACE_MARK, TokenKind, Vocab};

/// No neighbour.
const NONE: u32 = u32::MAX;

/// What SPM needs beside the tokens.
#[derive(Clone, Debug)]
pub(super) struct Spm {
    scores: Vec<f32>,
    /// The token of each byte.
    byte_ids: Vec<Option<u32>>,
    unknown: Option<u32>,
    space_prefix: bool,
}

/// A slice of the text; empty when it was merged into the one before.
#[derive(Clone, Copy)]
struct Symbol {
    start: u32,
    end: u32,
    previous: u32,
    next: u32,
}

/// A possible merge. Ordered so that the highest score comes first, then the leftmost.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    score: OrderedScore,
    left: Reverse<u32>,
    /// The end of the pair in the text when it was proposed. A pair from the same place to the same end is the same text,
    /// wherever its halves meet.
    end: u32,
}

/// Bytes that encoding takes for each byte of a text: the text, its symbols, and the queue, which has room for n
/// candidates, and where they become more for 2n, while the first room is still there.
const PER_BYTE: usize = 1 + size_of::<Symbol>() + 3 * size_of::<Candidate>();

/// Total order of scores; they are not NaN, and -0 was made 0.
#[derive(PartialEq)]
struct OrderedScore(f32);

impl Eq for OrderedScore {}

impl PartialOrd for OrderedScore {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OrderedScore {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Text, symbols and queue, kept from part to part.
#[derive(Default)]
pub(super) struct Scratch {
    text: String,
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Candidate>,
    /// Where an unused token, met while merging, was joined.
    joints: BTreeMap<u32, u32>,
    stack: Vec<(u32, u32)>,
}

impl Spm {
    pub(super) fn new(
        scores: Vec<f32>,
        unknown: Option<u32>,
        space_prefix: bool,
        vocab: &Vocab,
    ) -> Result<Self, TokenizerError> {
        let mut byte_ids = reserve(256)?;
        // A vocabulary without byte tokens may still have the ASCII characters as pieces.
        byte_ids.extend((0..=u8::MAX).map(|byte| vocab.find(&[byte])));
        for id in 0..vocab.len() as u32 {
            if vocab.kind(id) == Some(TokenKind::Byte)
                && let &[byte] = vocab.bytes_of(id)
                && let Some(slot) = byte_ids.get_mut(usize::from(byte))
            {
                *slot = Some(id);
            }
        }
        Ok(Self { scores, byte_ids, unknown, space_prefix })
    }

    /// Whether a text gets a space in front, which a decoded text then loses again.
    pub(super) fn space_prefix(&self) -> bool {
        self.space_prefix
    }

    /// Whether the vocabulary can write this byte.
    pub(super) fn writes(&self, byte: u8) -> bool {
        self.unknown.is_some() || self.byte_ids.get(usize::from(byte)).is_some_and(Option::is_some)
    }

    /// Encodes a text without special tokens that is not empty.
    pub(super) fn encode(&self, text: &str, vocab: &Vocab, scratch: &mut Scratch, out: &mut Vec<u32>) {
        scratch.fill(text, self.space_prefix);
        self.merge(vocab, scratch);
        let mut at = 0;
        while let Some(symbol) = scratch.symbols.get(at as usize).copied() {
            self.emit(symbol, vocab, scratch, out);
            at = symbol.next;
        }
    }

    fn merge(&self, vocab: &Vocab, scratch: &mut Scratch) {
        for left in 0..scratch.symbols.len() as u32 {
            self.propose(left, vocab, scratch);
        }
        while let Some(Candidate { left: Reverse(left), end, .. }) = scratch.queue.pop() {
            let Some((first, second)) = scratch.pair(left) else { continue };
            if second.end != end {
                continue;
            }
            scratch.join(left, first, second);
            self.propose(first.previous, vocab, scratch);
            self.propose(left, vocab, scratch);
        }
    }

    fn propose(&self, left: u32, vocab: &Vocab, scratch: &mut Scratch) {
        let Some((first, second)) = scratch.pair(left) else { return };
        let Some(id) = vocab.find(scratch.slice(first.start, second.end)) else { return };
        let score = OrderedScore(self.scores.get(id as usize).copied().unwrap_or(0.0));
        scratch.queue.push(Candidate { score, left: Reverse(left), end: second.end });
        if vocab.kind(id) == Some(TokenKind::Unused) {
            scratch.joints.insert(id, second.start - first.start);
        }
    }

    /// Emits what a final symbol is. Falling apart goes by an explicit stack: its depth is up to a token's length.
    fn emit(&self, symbol: Symbol, vocab: &Vocab, scratch: &mut Scratch, out: &mut Vec<u32>) {
        scratch.stack.push((symbol.start, symbol.end));
        while let Some((start, end)) = scratch.stack.pop() {
            let text = scratch.slice(start, end);
            match vocab.find(text) {
                Some(id) if vocab.kind(id) != Some(TokenKind::Unused) => out.push(id),
                Some(id) if let Some(joint) = scratch.joints.get(&id) => {
                    let middle = start + joint;
                    scratch.stack.push((middle, end));
                    scratch.stack.push((start, middle));
                }
                _ => self.emit_bytes(text, out),
            }
        }
    }

    fn emit_bytes(&self, text: &[u8], out: &mut Vec<u32>) {
        let written = if text == b" " { SPACE_MARK.as_bytes() } else { text };
        let ids = || written.iter().map(|byte| self.byte_ids.get(usize::from(*byte)).copied().flatten());
        if ids().all(|id| id.is_some()) {
            out.extend(ids().flatten());
        } else {
            out.extend(self.unknown);
        }
    }

    /// The most bytes that encoding takes for each byte of a text, beside its tokens.
    pub(super) fn per_byte(&self) -> usize {
        PER_BYTE
    }

    /// The most tokens that a byte of a text becomes: three where the vocabulary has no space and it is written as U+2581.
    pub(super) fn tokens_per_byte(&self, vocab: &Vocab) -> usize {
        if vocab.find(b" ").is_some() { 1 } else { SPACE_MARK.len() }
    }

    /// The bytes held.
    pub(super) fn table_bytes(&self) -> usize {
        self.scores.capacity() * size_of::<f32>() + self.byte_ids.capacity() * size_of::<Option<u32>>()
    }
}

impl Scratch {
    /// The text with spaces for U+2581, one symbol a character.
    fn fill(&mut self, text: &str, space_prefix: bool) {
        self.text.clear();
        self.symbols.clear();
        self.queue.clear();
        self.joints.clear();
        self.text.reserve_exact(text.len() + 1);
        if space_prefix {
            self.text.push(' ');
        }
        self.text.extend(text.chars().map(|c| if c == '\u{2581}' { ' ' } else { c }));
        let count = self.text.chars().count();
        self.symbols.reserve_exact(count);
        self.queue.reserve_exact(count);
        // The caller refuses texts that do not fit 32 bits.
        self.symbols.extend(self.text.char_indices().zip(0u32..).map(|((start, c), at)| Symbol {
            start: start as u32,
            end: (start + c.len_utf8()) as u32,
            previous: at.checked_sub(1).unwrap_or(NONE),
            next: at + 1,
        }));
        if let Some(last) = self.symbols.last_mut() {
            last.next = NONE;
        }
    }

    fn slice(&self, start: u32, end: u32) -> &[u8] {
        self.text.as_bytes().get(start as usize..end as usize).unwrap_or(&[])
    }

    /// The symbol at `left` and the one after it.
    fn pair(&self, left: u32) -> Option<(Symbol, Symbol)> {
        let first = *self.symbols.get(left as usize)?;
        let second = *self.symbols.get(first.next as usize)?;
        Some((first, second))
    }

    fn join(&mut self, left: u32, first: Symbol, second: Symbol) {
        if let Some(gone) = self.symbols.get_mut(first.next as usize) {
            *gone = Symbol { start: second.end, end: second.end, previous: NONE, next: NONE };
        }
        if let Some(after) = self.symbols.get_mut(second.next as usize) {
            after.previous = left;
        }
        if let Some(symbol) = self.symbols.get_mut(left as usize) {
            *symbol = Symbol { end: second.end, next: second.next, ..first };
        }
    }
}
