//! `tokenizer.model`: a SentencePiece model, which is a protocol buffer.
//!
//! ```text
//! ModelProto       1 pieces (repeated SentencePiece)   2 trainer_spec   3 normalizer_spec
//! SentencePiece    1 piece (string)   2 score (float)   3 type: 1 normal 2 unknown 3 control 4 user-defined 5 unused 6 byte
//! TrainerSpec      3 model_type: 1 unigram 2 BPE 3 word 4 char
//! NormalizerSpec   2 precompiled_charsmap (bytes)   3 add_dummy_prefix (bool, true when absent)
//! a field          varint (number << 3 | wire), then: 0 varint   1 eight bytes   2 varint length, bytes   5 four bytes
//! ```
//! Fields that are not named here are passed over. Refused are other kinds than BPE, and a table of characters to replace,
//! because what reads the file would not replace them.
//!
//! Source: `sentencepiece_model.proto` and the encoding's description.

use super::added::Added;
use super::{Files, TokenKind, Tokenizer, Vocabulary, fallback};
use crate::error::Error;
use crate::folder::{Folder, whole};
use crate::json::Json;
use serde_json::Value;
use std::collections::HashMap;

const FILE: &str = "tokenizer.model";

/// The score of an id without a piece, and of a token that was added.
const UNUSED: f32 = -10000.0;
const ADDED: f32 = -1000.0;

/// Reads it; `None` when it is not there.
pub(super) fn read(folder: &dyn Folder, files: &Files, size: usize) -> Result<Option<Tokenizer>, Error> {
    let Some(bytes) = whole(folder, FILE)? else { return Ok(None) };
    let model = Model::parse(&bytes)?;
    let mut added = Added::default();
    added.configured(&files.config)?;
    added.simple(&files.added)?;
    model.tokenizer(|_| added, size).map(Some)
}

/// Reads it beside a `tokenizer.json`, which counts: `None` when it is not there, is not read, or does not say the same.
pub(super) fn read_beside(
    folder: &dyn Folder,
    json: &Json,
    files: &Files,
    size: usize,
) -> Result<Option<Tokenizer>, Error> {
    let Some(bytes) = whole(folder, FILE)? else { return Ok(None) };
    let Ok(model) = Model::parse(&bytes) else { return Ok(None) };
    if model.pieces.len() > size || !model.says(json)? {
        return Ok(None);
    }
    let mut added = Added::default();
    added.listed(json)?;
    added.configured(&files.config)?;
    added.simple(&files.added)?;
    model.tokenizer(|vocabulary| added.beside(vocabulary), size).map(Some)
}

impl Model<'_> {
    /// The tokenizer, with the tokens that were added to its vocabulary.
    fn tokenizer(&self, added: impl FnOnce(&Vocabulary) -> Added, size: usize) -> Result<Tokenizer, Error> {
        let mut vocabulary = Vocabulary::new(size, UNUSED);
        for (id, piece) in self.pieces.iter().enumerate() {
            vocabulary.put(id as u64, piece.text, piece.kind, piece.score)?;
        }
        let added = added(&vocabulary);
        vocabulary.add(&added, ADDED)?;
        let mut tokenizer = Tokenizer::of("llama", "default", vocabulary, None);
        // A blank in front is usual for this kind of vocabulary.
        (tokenizer.file, tokenizer.space) = (FILE, (!self.prefix).then_some(false));
        Ok(tokenizer)
    }

    /// Whether a `tokenizer.json` has these pieces, and merges in the order of their scores.
    fn says(&self, json: &Json) -> Result<bool, Error> {
        let Some(model) = json.object("model")? else { return Ok(false) };
        let Some(vocab) = model.get("vocab").and_then(Value::as_object) else { return Ok(false) };
        let mut scores: HashMap<&str, f32> = HashMap::with_capacity(self.pieces.len());
        for (id, piece) in self.pieces.iter().enumerate() {
            if vocab.get(piece.text).and_then(Value::as_u64) != Some(id as u64) {
                return Ok(false);
            }
            scores.insert(piece.text, piece.score);
        }
        let mut before = f32::INFINITY;
        for merge in model.list("merges")?.unwrap_or_default() {
            let made = fallback::joined(merge);
            let Some(score) = made.and_then(|made| scores.get(made.as_str()).copied()) else {
                return Ok(false);
            };
            if score > before {
                return Ok(false);
            }
            before = score;
        }
        Ok(vocab.len() == scores.len() && self.prefix != fallback::never_prefixed(json))
    }
}

struct Piece<'b> {
    text: &'b str,
    score: f32,
    kind: TokenKind,
}

struct Model<'b> {
    pieces: Vec<Piece<'b>>,
    prefix: bool,
}

impl<'b> Model<'b> {
    fn parse(bytes: &'b [u8]) -> Result<Model<'b>, Error> {
        let mut model = Model { pieces: Vec::new(), prefix: true };
        let mut kind = 1;
        for field in Fields::of(bytes, 0) {
            match field? {
                (1, Field::Bytes(bytes, at)) => model.pieces.push(piece(bytes, at)?),
                (2, Field::Bytes(bytes, at)) => {
                    for field in Fields::of(bytes, at) {
                        if let (3, Field::Number(number)) = field? {
                            kind = number;
                        }
                    }
                }
                (3, Field::Bytes(bytes, at)) => model.normalizer(bytes, at)?,
                _ => {}
            }
        }
        if kind != 2 {
            let found = format!("{FILE}: model_type is {kind}");
            return Err(Error::Unsupported { what: "a SentencePiece model of another kind than BPE", found });
        }
        Ok(model)
    }

    fn normalizer(&mut self, bytes: &'b [u8], at: usize) -> Result<(), Error> {
        for field in Fields::of(bytes, at) {
            match field? {
                (2, Field::Bytes(table, _)) if !table.is_empty() => {
                    let found = format!("{FILE}: a table of {} bytes", table.len());
                    return Err(Error::Unsupported {
                        what: "a SentencePiece model that replaces characters",
                        found,
                    });
                }
                (3, Field::Number(flag)) => self.prefix = flag != 0,
                _ => {}
            }
        }
        Ok(())
    }
}

fn piece(bytes: &[u8], at: usize) -> Result<Piece<'_>, Error> {
    let mut piece = Piece { text: "", score: 0.0, kind: TokenKind::Normal };
    for field in Fields::of(bytes, at) {
        match field? {
            (1, Field::Bytes(text, at)) => {
                let wrong = |error: core::str::Utf8Error| broken(at + error.valid_up_to(), "no UTF-8");
                piece.text = core::str::from_utf8(text).map_err(wrong)?;
            }
            (2, Field::Four(bits)) => piece.score = f32::from_bits(bits),
            // What was defined by a user is an ordinary piece for the peer, and so for files of this kind.
            (3, Field::Number(kind)) => {
                piece.kind = match kind {
                    2 => TokenKind::Unknown,
                    3 => TokenKind::Control,
                    5 => TokenKind::Unused,
                    6 => TokenKind::Byte,
                    _ => TokenKind::Normal,
                };
            }
            _ => {}
        }
    }
    Ok(piece)
}

/// A field's value; bytes with where they begin in the file.
enum Field<'b> {
    Number(u64),
    Four(u32),
    Bytes(&'b [u8], usize),
    Other,
}

/// The fields of a message, until the first that is broken.
struct Fields<'b> {
    rest: &'b [u8],
    at: usize,
}

fn broken(at: usize, what: &'static str) -> Error {
    Error::Protobuf { file: FILE.into(), at, what }
}

impl<'b> Fields<'b> {
    fn of(bytes: &'b [u8], at: usize) -> Fields<'b> {
        Fields { rest: bytes, at }
    }

    fn take(&mut self, len: u64) -> Result<&'b [u8], Error> {
        let len = usize::try_from(len).ok();
        let split = len.and_then(|len| self.rest.split_at_checked(len));
        let (taken, rest) = split.ok_or_else(|| broken(self.at, "a field ends after the file"))?;
        (self.rest, self.at) = (rest, self.at + taken.len());
        Ok(taken)
    }

    /// Seven bits a byte, lowest first, while the highest bit is set.
    fn varint(&mut self) -> Result<u64, Error> {
        let at = self.at;
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first().unwrap_or(&0);
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(broken(at, "a number of more than 64 bits"))
    }

    fn field(&mut self) -> Result<(u64, Field<'b>), Error> {
        let at = self.at;
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Number(self.varint()?),
            1 => self.take(8).map(|_| Field::Other)?,
            2 => {
                let len = self.varint()?;
                let at = self.at;
                Field::Bytes(self.take(len)?, at)
            }
            5 => {
                let four = self.take(4)?.first_chunk().copied().unwrap_or_default();
                Field::Four(u32::from_le_bytes(four))
            }
            _ => return Err(broken(at, "a field of an unknown kind")),
        };
        Ok((tag >> 3, field))
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = Result<(u64, Field<'b>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}
