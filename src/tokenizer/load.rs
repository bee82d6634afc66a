//! A tokenizer from a file's metadata.
//!
//! ```text
//! tokenizer.ggml.model                   "llama" (SPM) or "gpt2" (byte-level BPE)
//! tokenizer.ggml.pre                     BPE: the pre-tokenizer
//! tokenizer.ggml.tokens                  strings
//! tokenizer.ggml.token_type              i32, 1 to 6; all normal when absent
//! tokenizer.ggml.scores                  f32, SPM; all 0 when absent
//! tokenizer.ggml.merges                  strings "left right", BPE
//! tokenizer.ggml.{bos,eos,eot,eom,unknown}_token_id
//! tokenizer.ggml.add_{bos,eos}_token, .add_space_prefix
//! ```
//! When keys are missing: SPM has bos 1, eos 2, unknown 0, adds BOS and a leading space; BPE has no such ids (llama.cpp
//! takes 11 for both, which is a word in most vocabularies) and adds BOS for Llama 3 only.

use alloc::string::String;
use alloc::vec::Vec;

use log::{info, warn};
use ocelli_gguf::{Gguf, List, Text};

use super::bpe::Bpe;
use super::index::reserve;
use super::merges::Merges;
use super::pretokenize::Pre;
use super::special::Specials;
use super::spm::Spm;
use super::vocab::{TOKEN_LIMIT, TokenKind, Vocab, VocabBuilder, Writing};
use super::{Family, Tokenizer, TokenizerError};

const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
const SCORES: &str = "tokenizer.ggml.scores";

/// Control tokens whose texts end an answer, whatever the ids in the file say.
const ENDS: [&str; 12] = [
    "<|im_end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<end_of_utterance>",
    "<end_of_turn>",
    "</s>",
    "<eos>",
    "<EOT>",
    "[EOS]",
];

/// The special ids as the file says them, in range.
struct Ids {
    bos: Option<u32>,
    eos: Option<u32>,
    eot: Option<u32>,
    eom: Option<u32>,
    unknown: Option<u32>,
}

impl Ids {
    fn read(file: &Gguf<'_>, tokens: usize, spm: bool) -> Result<Self, TokenizerError> {
        let id = |key, default: u32| {
            let said: Option<u32> = file.optional(key)?;
            if let Some(id) = said
                && id as usize >= tokens
            {
                return Err(TokenizerError::IdOutOfRange { key, id, tokens });
            }
            Ok(said.or((spm && (default as usize) < tokens).then_some(default)))
        };
        const NO_DEFAULT: u32 = u32::MAX;
        Ok(Self {
            bos: id("tokenizer.ggml.bos_token_id", 1)?,
            eos: id("tokenizer.ggml.eos_token_id", 2)?,
            eot: id("tokenizer.ggml.eot_token_id", NO_DEFAULT)?,
            eom: id("tokenizer.ggml.eom_token_id", NO_DEFAULT)?,
            unknown: id("tokenizer.ggml.unknown_token_id", 0)?,
        })
    }

    fn ends(&self) -> impl Iterator<Item = u32> {
        [self.eos, self.eot, self.eom].into_iter().flatten()
    }
}

impl Tokenizer {
    /// The tokenizer that a file's metadata describes.
    pub fn from_gguf(file: &Gguf<'_>) -> Result<Self, TokenizerError> {
        let model: &str = file.require("tokenizer.ggml.model")?;
        let writing = match model {
            "llama" => Writing::Spm,
            "gpt2" => Writing::ByteLevel,
            other => return Err(TokenizerError::UnknownModel(String::from(other))),
        };
        let tokens: List<'_, Text<'_>> = file.require(TOKENS)?;
        let count = tokens.len();
        if count == 0 || count > TOKEN_LIMIT {
            return Err(TokenizerError::TokenCount { count, limit: TOKEN_LIMIT });
        }
        let ids = Ids::read(file, count, writing == Writing::Spm)?;
        let vocab = read_vocab(file, tokens, writing, &ids)?;
        let specials = Specials::of(&vocab)?;
        let (family, adds_bos) = match writing {
            Writing::Spm => (Family::Spm(read_spm(file, &ids, &vocab)?), true),
            Writing::ByteLevel => {
                let bpe = read_bpe(file, &vocab)?;
                let adds_bos = bpe.pre.adds_bos();
                (Family::Bpe(bpe), adds_bos)
            }
        };
        let adds_bos =
            adds(file, "tokenizer.ggml.add_bos_token", adds_bos, "tokenizer.ggml.bos_token_id", ids.bos)?;
        let adds_eos =
            adds(file, "tokenizer.ggml.add_eos_token", false, "tokenizer.ggml.eos_token_id", ids.eos)?;
        let ends = read_ends(&ids, &vocab, &specials)?;
        let tokenizer =
            Self { vocab, specials, family, bos: ids.bos, eos: ids.eos, adds_bos, adds_eos, ends };
        tokenizer.tell_unwritable_bytes();
        // As for models: without `std` nobody looks.
        let left = if cfg!(feature = "std") { ocelli_models::account::tokenizer(file).next() } else { None };
        match left {
            Some(left) => Err(TokenizerError::Left(left)),
            None => Ok(tokenizer),
        }
    }

    /// Every byte that occurs in UTF-8 should have a token; published vocabularies lack some controls, which no prompt has.
    fn tell_unwritable_bytes(&self) {
        let in_utf8 = |byte: &u8| !matches!(byte, 0xc0 | 0xc1 | 0xf5..);
        let missing: Vec<u8> =
            (0..=u8::MAX).filter(in_utf8).filter(|byte| !self.family.writes(*byte)).collect();
        if !missing.is_empty() {
            info!("the vocabulary cannot write the bytes {missing:02x?}; they are left out of prompts");
        }
    }
}

/// Whether the file asks for a token, which must then exist.
fn adds(
    file: &Gguf<'_>,
    asked_by: &'static str,
    default: bool,
    key: &'static str,
    id: Option<u32>,
) -> Result<bool, TokenizerError> {
    match (file.optional(asked_by)?, id) {
        (Some(true), None) => Err(TokenizerError::MissingId { asked_by, key }),
        (said, id) => Ok(said.unwrap_or(default) && id.is_some()),
    }
}

/// A list that must be as long as the tokens are many, where the file has it.
fn beside<'a, T: ocelli_gguf::FromValue<'a>>(
    file: &Gguf<'a>,
    key: &'static str,
    tokens: usize,
) -> Result<Option<List<'a, T>>, TokenizerError> {
    let list: Option<List<'a, T>> = file.optional(key)?;
    match list {
        Some(list) if list.len() < tokens => Err(TokenizerError::ShortList { key, len: list.len(), tokens }),
        list => Ok(list),
    }
}

fn read_vocab(
    file: &Gguf<'_>,
    tokens: List<'_, Text<'_>>,
    writing: Writing,
    ids: &Ids,
) -> Result<Vocab, TokenizerError> {
    let types = beside::<i32>(file, TYPES, tokens.len())?;
    let mut types = types.map(|list| list.iter());
    let bytes = tokens.iter().map(|text| text.as_bytes().len()).sum();
    let mut builder = VocabBuilder::new(writing, tokens.len(), bytes)?;
    for (text, id) in tokens.iter().zip(0u32..) {
        let number = types.as_mut().map_or(Some(default_kind(id, ids) as i32), Iterator::next);
        let number = number.unwrap_or_default();
        let kind = TokenKind::numbered(number).ok_or(TokenizerError::TokenType { id, kind: number })?;
        builder.push(text.as_bytes(), surely_control(text.as_bytes(), kind, id))?;
    }
    builder.finish()
}

/// The kind of a token in a file without types.
fn default_kind(id: u32, ids: &Ids) -> TokenKind {
    if ids.unknown == Some(id) {
        TokenKind::Unknown
    } else if ids.bos == Some(id) || ids.ends().any(|end| end == id) {
        TokenKind::Control
    } else {
        TokenKind::Normal
    }
}

/// Some converters marked the ends of turns as normal text. A user could then write one, so those whose form leaves no
/// doubt are control tokens. (Not `</s>`: Qwen's vocabulary has it as text.)
fn surely_control(text: &[u8], kind: TokenKind, id: u32) -> TokenKind {
    let ends = ENDS.iter().any(|end| end.as_bytes() == text);
    let marked = text.starts_with(b"<|") || text.starts_with(b"<end_of_");
    if kind == TokenKind::Control || !(ends && marked) {
        return kind;
    }
    warn!(
        "token {id} ({}) ends an answer and is not marked as a control token; it is one",
        text.escape_ascii()
    );
    TokenKind::Control
}

fn read_spm(file: &Gguf<'_>, ids: &Ids, vocab: &Vocab) -> Result<Spm, TokenizerError> {
    let mut scores = Vec::new();
    if let Some(list) = beside::<f32>(file, SCORES, vocab.len())? {
        scores = reserve(vocab.len())?;
        for (score, id) in list.iter().take(vocab.len()).zip(0u32..) {
            if score.is_nan() {
                return Err(TokenizerError::Score { id });
            }
            // -0 becomes 0, so that equal scores are equal in the total order.
            scores.push(score + 0.0);
        }
    }
    let space_prefix = file.optional("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
    // No text may become a control token, not even text that the vocabulary cannot write.
    let unknown = ids.unknown.filter(|id| vocab.kind(*id) != Some(TokenKind::Control));
    Spm::new(scores, unknown, space_prefix, vocab)
}

fn read_bpe(file: &Gguf<'_>, vocab: &Vocab) -> Result<Bpe, TokenizerError> {
    let name: Option<&str> = file.optional("tokenizer.ggml.pre")?;
    let pre = Pre::named(name.unwrap_or("default"))
        .ok_or_else(|| TokenizerError::UnknownPre(String::from(name.unwrap_or_default())))?;
    #[cfg(feature = "unicode")]
    if pre == Pre::Generic {
        warn!(
            "the file does not name its pre-tokenizer (tokenizer.ggml.pre); generic rules are used, and prompts may \
             become other tokens than the model was trained on"
        );
    }
    let merges = Merges::read(file.require("tokenizer.ggml.merges")?, vocab)?;
    Bpe::new(pre, merges, vocab)
}

/// The ids that end an answer, ascending: eos, eot, eom, and the tokens with known texts.
fn read_ends(ids: &Ids, vocab: &Vocab, specials: &Specials) -> Result<Vec<u32>, TokenizerError> {
    let mut ends = reserve(ENDS.len() + 3)?;
    ends.extend(ids.ends());
    ends.extend(ENDS.iter().filter_map(|text| specials.find(text.as_bytes(), vocab)));
    ends.sort_unstable();
    ends.dedup();
    Ok(ends)
}
