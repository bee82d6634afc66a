//! The tokens: one blob of bytes, where each begins, what kind it is, and an index from bytes to id.
//!
//! A token is stored as the bytes it stands for in a text, not as the file writes it: byte-level BPE through the
//! inverse byte map, SPM with U+2581 as a space, a byte token as its byte. So a piece is decoded by looking it up. Only
//! normal, user-defined and unused tokens are in the index: no text can become a control token by merging.

use alloc::vec::Vec;

use super::index::{Index, hash_bytes, reserve};
use super::{TokenizerError, bytemap};

/// The most tokens a file may have: 2^22, twenty times the largest vocabulary in use.
pub(super) const TOKEN_LIMIT: usize = 1 << 22;
/// The longest token, in bytes.
pub(super) const LENGTH_LIMIT: usize = 1 << 16;

/// What a token is (`tokenizer.ggml.token_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TokenKind {
    /// A piece of text.
    Normal = 1,
    /// Stands for what the vocabulary cannot write.
    Unknown = 2,
    /// Has a meaning and no text, such as the end of a turn.
    Control = 3,
    /// Added by the model's makers; recognised as a whole wherever its text stands.
    UserDefined = 4,
    /// Not in use.
    Unused = 5,
    /// One byte, for text that no other piece covers (SPM).
    Byte = 6,
}

impl TokenKind {
    /// The kind with a number of the file.
    pub(super) fn numbered(number: i32) -> Option<Self> {
        Some(match number {
            1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => return None,
        })
    }
}

/// How a file writes its pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    Spm,
    ByteLevel,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Vocab {
    bytes: Vec<u8>,
    /// Token `i` is `bytes[starts[i]..starts[i + 1]]`.
    starts: Vec<u32>,
    kinds: Vec<TokenKind>,
    index: Index,
    longest: usize,
}

/// Collects tokens in the order of their ids.
pub(super) struct VocabBuilder {
    writing: Writing,
    bytes: Vec<u8>,
    starts: Vec<u32>,
    kinds: Vec<TokenKind>,
    /// Tokens of byte-level BPE that are not written in the byte map; kept as they are and never matched.
    foreign: Vec<u32>,
}

impl VocabBuilder {
    /// Room for `count` tokens that the file writes with `bytes` bytes.
    pub(super) fn new(writing: Writing, count: usize, bytes: usize) -> Result<Self, TokenizerError> {
        let mut starts = reserve(count + 1)?;
        starts.push(0);
        Ok(Self { writing, bytes: reserve(bytes)?, starts, kinds: reserve(count)?, foreign: Vec::new() })
    }

    /// The next token.
    pub(super) fn push(&mut self, text: &[u8], kind: TokenKind) -> Result<(), TokenizerError> {
        let id = self.kinds.len() as u32;
        if text.len() > LENGTH_LIMIT {
            return Err(TokenizerError::LongToken { id, len: text.len(), limit: LENGTH_LIMIT });
        }
        match (kind, self.writing) {
            (TokenKind::Byte, _) => {
                self.bytes.push(byte_of_token(text).ok_or(TokenizerError::ByteToken { id })?);
            }
            (TokenKind::Normal | TokenKind::Unused, Writing::Spm) => push_spaced(text, &mut self.bytes),
            (TokenKind::Normal | TokenKind::Unused, Writing::ByteLevel) => {
                if !bytemap::unmap(text, &mut self.bytes) {
                    self.bytes.extend_from_slice(text);
                    self.foreign.push(id);
                }
            }
            _ => self.bytes.extend_from_slice(text),
        }
        // At most 2^22 tokens of 2^16 bytes, but the file is in memory: a 32-bit overflow means over 4 GiB of text.
        let end = u32::try_from(self.bytes.len())
            .map_err(|_| TokenizerError::OutOfMemory { bytes: self.bytes.len() })?;
        self.starts.push(end);
        self.kinds.push(kind);
        Ok(())
    }

    /// Indexes the tokens.
    pub(super) fn finish(self) -> Result<Vocab, TokenizerError> {
        let Self { bytes, starts, kinds, foreign, .. } = self;
        let longest =
            starts.iter().zip(starts.iter().skip(1)).map(|(a, b)| (b - a) as usize).max().unwrap_or(0);
        let mut vocab = Vocab { bytes, starts, kinds, index: Index::empty()?, longest };
        let of_kinds = |kinds: &'static [TokenKind]| {
            let (vocab, foreign) = (&vocab, &foreign);
            (0..vocab.len() as u32).filter(move |&id| {
                vocab.kind(id).is_some_and(|kind| kinds.contains(&kind))
                    && !vocab.bytes_of(id).is_empty()
                    && foreign.binary_search(&id).is_err()
            })
        };
        // The later entry takes the place, so a piece goes before a user-defined token with the same bytes.
        let matched = of_kinds(&[TokenKind::UserDefined])
            .chain(of_kinds(&[TokenKind::Unused]))
            .chain(of_kinds(&[TokenKind::Normal]));
        let index = Index::build(
            "tokens",
            matched,
            |id, seed| hash_bytes(vocab.bytes_of(id), seed),
            |a, b| vocab.bytes_of(a) == vocab.bytes_of(b),
        )?;
        vocab.index = index;
        Ok(vocab)
    }
}

impl Vocab {
    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    pub(super) fn kind(&self, id: u32) -> Option<TokenKind> {
        self.kinds.get(id as usize).copied()
    }

    /// The bytes a token stands for; none for an id that is not a token.
    pub(super) fn bytes_of(&self, id: u32) -> &[u8] {
        let at = id as usize;
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(&start), Some(&end)) => self.bytes.get(start as usize..end as usize).unwrap_or(&[]),
            _ => &[],
        }
    }

    /// The token that stands for these bytes; of several the last.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<u32> {
        if bytes.len() > self.longest {
            return None;
        }
        self.index.find(|seed| hash_bytes(bytes, seed), |id| self.bytes_of(id) == bytes)
    }

    /// The bytes of the longest token.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// The bytes held.
    pub(super) fn table_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.starts.capacity() * size_of::<u32>()
            + self.kinds.capacity() * size_of::<TokenKind>()
            + self.index.bytes()
    }
}

/// U+2581, which SPM writes for a space.
pub(super) const SPACE_MARK: &str = "\u{2581}";

/// Appends `text` with every U+2581 as a space.
fn push_spaced(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some((&byte, rest)) = text.split_first() {
        if let Some(rest) = text.strip_prefix(SPACE_MARK.as_bytes()) {
            out.push(b' ');
            text = rest;
        } else {
            out.push(byte);
            text = rest;
        }
    }
}

/// The byte of `<0xHH>`.
fn byte_of_token(text: &[u8]) -> Option<u8> {
    let digits = text.strip_prefix(b"<0x")?.strip_suffix(b">")?;
    match *digits {
        [high, low] => {
            let digit = |c: u8| char::from(c).to_digit(16);
            u8::try_from(digit(high)? << 4 | digit(low)?).ok()
        }
        _ => None,
    }
}
