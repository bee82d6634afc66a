//! Text to token ids and back, from a file's own metadata.
//!
//! Two families: SentencePiece's BPE (`spm`) and byte-level BPE (`bpe`) with the pre-tokenizers of
//! `pretokenize`. The tables are flat: one blob of token bytes with offsets, open-addressing indices of `u32`s, and
//! the merges as arrays; [`Tokenizer::table_bytes`] says how many bytes they are.
//!
//! Control tokens come from text only where the caller vouches for it ([`Special::Parse`]). A conversation is encoded
//! with [`Tokenizer::encode_runs`]: the template's text and the users' are one text for merging, and only the
//! template's can hold control tokens.
//!
//! Refused: other families (WordPiece, Unigram), unknown pre-tokenizers, lists that are too short, ids that are not
//! tokens, merges that are not of the vocabulary. Every function is total; work is n log n in the text at worst.

mod bpe;
mod bytemap;
mod error;
mod index;
mod load;
mod merges;
mod pretokenize;
mod special;
mod spm;
mod vocab;

use alloc::string::String;
use alloc::vec::Vec;

pub use error::TokenizerError;
pub use vocab::TokenKind;

use bpe::Bpe;
use special::{Part, Rules, Specials};
use spm::Spm;
use vocab::Vocab;

/// The longest text that is encoded at once. Places are 32 bits wide; SPM adds up to a byte a part.
const TEXT_LIMIT: usize = 1 << 30;

/// Whether the texts of control tokens are control tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// They are: the text is a template's, or a prompt given as it is.
    Parse,
    /// They are text like any other: a user wrote it.
    Plain,
}

/// A stretch of a text and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// The text.
    pub text: &'a str,
    /// Whether control tokens are recognised in it.
    pub special: Special,
}

/// Runs that were joined: one text, and where which rule holds. Neighbours under one rule are one run, so texts of a byte
/// cost no more than that, and empty ones nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Joined {
    text: String,
    rules: Vec<(usize, Special)>,
}

impl Joined {
    /// Nothing yet, with room for so many bytes of so many runs; nothing if there is no such memory.
    pub(crate) fn with_room(bytes: usize, runs: usize) -> Option<Joined> {
        let mut joined = Joined::default();
        joined.text.try_reserve_exact(bytes).and(joined.rules.try_reserve_exact(runs)).ok()?;
        Some(joined)
    }

    /// Appends a text.
    pub(crate) fn push(&mut self, text: &str, special: Special) {
        if text.is_empty() {
            return;
        }
        self.text.push_str(text);
        match self.rules.last_mut() {
            Some((end, same)) if *same == special => *end = self.text.len(),
            _ => self.rules.push((self.text.len(), special)),
        }
    }

    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.rules.clear();
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    vocab: Vocab,
    specials: Specials,
    family: Family,
    bos: Option<u32>,
    eos: Option<u32>,
    adds_bos: bool,
    adds_eos: bool,
    ends: Vec<u32>,
}

#[derive(Clone, Debug)]
enum Family {
    Spm(Spm),
    Bpe(Bpe),
}

impl Family {
    fn writes(&self, byte: u8) -> bool {
        match self {
            Self::Spm(spm) => spm.writes(byte),
            Self::Bpe(bpe) => bpe.writes(byte),
        }
    }
}

impl Tokenizer {
    /// Appends the tokens of `text` to `out`. BOS and EOS are the caller's: [`Self::bos`], [`Self::adds_bos`].
    pub fn encode(&self, text: &str, special: Special, out: &mut Vec<u32>) -> Result<(), TokenizerError> {
        if text.len() > TEXT_LIMIT {
            return Err(TokenizerError::LongText { len: text.len(), limit: TEXT_LIMIT });
        }
        self.encode_ruled(text, &Rules(&[(text.len(), special)]), out);
        Ok(())
    }

    /// Appends the tokens of one text that is made of several runs. Pieces may reach over the border of two runs, as
    /// they would if the text came from one hand; control tokens may not reach into a [`Special::Plain`] one.
    pub fn encode_runs(&self, runs: &[Run<'_>], out: &mut Vec<u32>) -> Result<(), TokenizerError> {
        let len = runs.iter().map(|run| run.text.len()).fold(0, usize::saturating_add);
        let room = Joined::with_room(len, runs.iter().filter(|run| !run.text.is_empty()).count());
        let mut joined = room.ok_or(TokenizerError::OutOfMemory { bytes: len })?;
        for run in runs {
            joined.push(run.text, run.special);
        }
        self.encode_joined(&joined, out)
    }

    /// The same of runs that were joined before.
    pub(crate) fn encode_joined(&self, joined: &Joined, out: &mut Vec<u32>) -> Result<(), TokenizerError> {
        let len = joined.text.len();
        if len > TEXT_LIMIT {
            return Err(TokenizerError::LongText { len, limit: TEXT_LIMIT });
        }
        self.encode_ruled(&joined.text, &Rules(&joined.rules), out);
        Ok(())
    }

    /// The most bytes that a text of so many bytes takes while it is encoded: its runs joined, a rule for each byte where
    /// they are that short, what the encoder works in, and its tokens, which are copied while they grow.
    pub fn work_bytes(&self, text: usize) -> usize {
        let (work, tokens) = match &self.family {
            Family::Spm(spm) => (spm.per_byte(), spm.tokens_per_byte(&self.vocab)),
            Family::Bpe(bpe) => (bpe.per_byte(), 1),
        };
        let joined = 1 + size_of::<(usize, Special)>();
        text.saturating_mul(joined + work + 3 * size_of::<u32>() * tokens)
    }

    /// The bytes of the longest text that can become so many tokens, where the vocabulary can write all of it. Texts are
    /// written in normal form C and spaces as U+2581, both of which make them at most three times shorter.
    pub fn longest_text(&self, tokens: usize) -> usize {
        tokens.saturating_mul(3 * self.longest_piece().max(4))
    }

    fn encode_ruled(&self, text: &str, rules: &Rules<'_>, out: &mut Vec<u32>) {
        let mut spm_scratch = spm::Scratch::default();
        let mut bpe_scratch = bpe::Scratch::default();
        self.specials.cut(text, rules, &self.vocab, |part| match (part, &self.family) {
            (Part::Token(id), _) => out.push(id),
            (Part::Text(text), Family::Spm(spm)) => spm.encode(text, &self.vocab, &mut spm_scratch, out),
            (Part::Text(text), Family::Bpe(bpe)) => bpe.encode(text, &self.vocab, &mut bpe_scratch, out),
        });
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.vocab.len()
    }

    /// Never: a file without tokens is refused.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The token that begins a text.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The token that ends a text.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// Whether the file asks for [`Self::bos`] in front of a text; there is one then.
    pub fn adds_bos(&self) -> bool {
        self.adds_bos
    }

    /// Whether the file asks for [`Self::eos`] after a text; there is one then.
    pub fn adds_eos(&self) -> bool {
        self.adds_eos
    }

    /// The tokens that end an answer, ascending.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Whether a token ends an answer.
    pub fn is_end(&self, id: u32) -> bool {
        self.ends.binary_search(&id).is_ok()
    }

    /// What a token is; `None` when there is no such token.
    pub fn kind(&self, id: u32) -> Option<TokenKind> {
        self.vocab.kind(id)
    }

    /// The bytes that a token stands for in a text: part of a character, a character or more. Control, unknown and
    /// unused tokens stand for nothing, and so does an id that is not a token.
    pub fn piece(&self, id: u32) -> &[u8] {
        match self.kind(id) {
            Some(TokenKind::Normal | TokenKind::UserDefined | TokenKind::Byte) => self.vocab.bytes_of(id),
            _ => &[],
        }
    }

    /// Like [`Self::piece`], with the names of control, unknown and unused tokens.
    pub fn piece_with_control(&self, id: u32) -> &[u8] {
        self.vocab.bytes_of(id)
    }

    /// The bytes of the longest piece.
    pub fn longest_piece(&self) -> usize {
        self.vocab.longest()
    }

    /// The control, unknown or user-defined token with exactly this text, such as `<image>`.
    pub fn special(&self, text: &str) -> Option<u32> {
        self.specials.find(text.as_bytes(), &self.vocab)
    }

    /// The texts of the control and unknown tokens, as far as they are UTF-8: what a user's text must not become.
    pub fn controls(&self) -> impl Iterator<Item = &str> {
        self.specials.ids().iter().filter_map(|id| match self.kind(*id) {
            Some(TokenKind::Control | TokenKind::Unknown) => {
                core::str::from_utf8(self.vocab.bytes_of(*id)).ok()
            }
            _ => None,
        })
    }

    /// Whether encoding puts a space in front of a text, so that the first space of a decoded text is not the
    /// writer's (SPM).
    pub fn adds_space(&self) -> bool {
        match &self.family {
            Family::Spm(spm) => spm.space_prefix(),
            Family::Bpe(_) => false,
        }
    }

    /// The bytes of a text, without the space that encoding put in front.
    pub fn decode(&self, ids: &[u32]) -> Vec<u8> {
        let mut bytes: Vec<u8> = ids.iter().flat_map(|id| self.piece(*id)).copied().collect();
        if self.adds_space() && bytes.first() == Some(&b' ') {
            bytes.remove(0);
        }
        bytes
    }

    /// The bytes that the tables hold.
    pub fn table_bytes(&self) -> usize {
        let family = match &self.family {
            Family::Spm(spm) => spm.table_bytes(),
            Family::Bpe(bpe) => bpe.table_bytes(),
        };
        self.vocab.table_bytes()
            + self.specials.table_bytes()
            + family
            + self.ends.capacity() * size_of::<u32>()
    }
}
