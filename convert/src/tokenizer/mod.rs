//! The tokenizer of a checkpoint, as keys of the file.
//!
//! ```text
//! tokenizer.json, byte level        byte-level BPE: tokens and merges                       byte_level.rs
//! tokenizer.json, byte fallback     SentencePiece, as merges: their order makes scores      fallback.rs
//! tokenizer.model                   SentencePiece: pieces with scores                       sentencepiece.rs
//! vocab.json, merges.txt            byte-level BPE
//! tokenizer_config.json, special_tokens_map.json, chat_template.jinja, ...   special tokens, template   special.rs, template.rs
//! ```
//! The first of these files that is there counts, as in transformers. Beside a `tokenizer.json` that says the same a
//! `tokenizer.model` has the scores; one that says something else is not what transformers reads, and not looked at. Ids without
//! a token are filled up to `vocab_size`.

mod added;
mod byte_level;
mod fallback;
mod pretokenizer;
mod sentencepiece;
mod special;
mod template;

use crate::error::Error;
use crate::folder::Folder;
use crate::json::Json;
use added::Added;
use ocelli_gguf::Outline;
use special::Special;
use template::Template;

/// Where tokens are described today.
const JSON: &str = "tokenizer.json";

/// `tokenizer.ggml.token_type`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
enum TokenKind {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// Tokens by id.
#[derive(Clone, Debug)]
struct Vocabulary {
    tokens: Vec<Option<String>>,
    kinds: Vec<TokenKind>,
    scores: Vec<f32>,
}

impl Vocabulary {
    /// So many ids, none with a token.
    fn new(size: usize, score: f32) -> Vocabulary {
        Vocabulary {
            tokens: vec![None; size],
            kinds: vec![TokenKind::Unused; size],
            scores: vec![score; size],
        }
    }

    /// Gives an id its token, in place of what was there.
    fn put(&mut self, id: u64, token: &str, kind: TokenKind, score: f32) -> Result<(), Error> {
        let size = self.tokens.len();
        let at = usize::try_from(id).ok().filter(|at| *at < size);
        let beyond = || Error::Token { token: token.into(), id, size };
        let at = at.ok_or_else(beyond)?;
        if let (Some(slot), Some(of), Some(worth)) =
            (self.tokens.get_mut(at), self.kinds.get_mut(at), self.scores.get_mut(at))
        {
            (*slot, *of, *worth) = (Some(token.into()), kind, score);
        }
        Ok(())
    }

    /// The id of a token; of several the first.
    fn find(&self, text: &str) -> Option<u32> {
        let at = self.tokens.iter().position(|token| token.as_deref() == Some(text))?;
        u32::try_from(at).ok()
    }

    fn has(&self, id: u64) -> bool {
        usize::try_from(id).ok().and_then(|id| self.tokens.get(id)).is_some_and(Option::is_some)
    }

    /// Gives the tokens that were added their ids.
    fn add(&mut self, added: &Added, score: f32) -> Result<(), Error> {
        for token in added.tokens() {
            let kind = if token.special { TokenKind::Control } else { TokenKind::UserDefined };
            self.put(token.id, &token.text(), kind, score)?;
        }
        Ok(())
    }

    fn write(self, scored: bool, outline: &mut Outline) {
        let name = |(id, token): (usize, Option<String>)| token.unwrap_or_else(|| format!("[PAD{id}]"));
        let tokens: Vec<String> = self.tokens.into_iter().enumerate().map(name).collect();
        outline.metadata("tokenizer.ggml.tokens", &tokens);
        if scored {
            outline.metadata("tokenizer.ggml.scores", &self.scores);
        }
        let kinds: Vec<i32> = self.kinds.iter().map(|kind| *kind as i32).collect();
        outline.metadata("tokenizer.ggml.token_type", &kinds);
    }
}

/// The files that more than one part looks into.
struct Files {
    tokenizer: Option<Json>,
    config: Json,
    added: Json,
}

/// A tokenizer, ready to be written.
#[derive(Debug)]
pub(crate) struct Tokenizer {
    /// Where the tokens are from.
    pub(crate) file: &'static str,
    model: &'static str,
    pre: &'static str,
    vocabulary: Vocabulary,
    merges: Option<Vec<String>>,
    /// Whether a text gets a space in front; `None` is what is usual for the kind.
    space: Option<bool>,
    special: Special,
    template: Template,
}

impl Tokenizer {
    /// Reads it, with `size` ids; `root` is `config.json`, `without_bos` as [`Decoder`](crate::model::Decoder) has it, and
    /// `sees` says whether the model has a vision tower.
    pub(crate) fn read(
        folder: &dyn Folder,
        root: &Json,
        size: usize,
        without_bos: &[usize],
        sees: bool,
    ) -> Result<Tokenizer, Error> {
        let or_empty = |file: &str| -> Result<Json, Error> {
            Ok(Json::read(folder, file)?.unwrap_or_else(|| Json::empty(file)))
        };
        let mut files = Files {
            tokenizer: Json::read(folder, JSON)?,
            config: or_empty("tokenizer_config.json")?,
            added: Json::empty("added_tokens.json"),
        };
        // Files of an older form, which count where the newer one says nothing.
        if files.config.get(added::DECODER).is_none() {
            files.added = or_empty("added_tokens.json")?;
            files.config = files.config.overlaid(or_empty("special_tokens_map.json")?);
        }
        let read = match &files.tokenizer {
            Some(json) if fallback::is(json)? => {
                match sentencepiece::read_beside(folder, json, &files, size)? {
                    Some(read) => read,
                    None => fallback::read(json, &files, size)?,
                }
            }
            Some(json) => byte_level::read(json, &files, size)?,
            None => match sentencepiece::read(folder, &files, size)? {
                Some(read) => read,
                None => byte_level::read_two(folder, &files, size)?,
            },
        };
        let space = files.config.flag("add_prefix_space")?.or(read.space);
        let mut special = Special::read(folder, root, &files, &read.vocabulary)?;
        if without_bos.contains(&size) {
            special.add_bos = Some(false);
        }
        let template = Template::read(folder, &files.config, sees)?;
        Ok(Tokenizer { space, special, template, ..read })
    }

    /// A tokenizer without what other files say of it.
    fn of(
        model: &'static str,
        pre: &'static str,
        vocabulary: Vocabulary,
        merges: Option<Vec<String>>,
    ) -> Self {
        let (special, template) = (Special::default(), Template::default());
        Tokenizer { file: JSON, model, pre, vocabulary, merges, space: None, special, template }
    }

    /// Writes its keys.
    pub(crate) fn write(self, outline: &mut Outline) {
        outline.metadata("tokenizer.ggml.model", self.model).metadata("tokenizer.ggml.pre", self.pre);
        self.vocabulary.write(self.merges.is_none(), outline);
        if let Some(merges) = &self.merges {
            outline.metadata("tokenizer.ggml.merges", merges);
        }
        if let Some(space) = self.space {
            outline.metadata("tokenizer.ggml.add_space_prefix", space);
        }
        self.special.write(outline);
        self.template.write(outline);
    }
}
