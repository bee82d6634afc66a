//! Byte-level BPE: `tokenizer.json`, or `vocab.json` and `merges.txt`.
//!
//! Tokens stay written in the alphabet of byte-level BPE, a character for each byte. A merge is stored as `left right`;
//! a blank inside of one, which the newer form of `tokenizer.json` can have, is written as that alphabet's `Ġ`.

use super::added::Added;
use super::{Files, TokenKind, Tokenizer, Vocabulary, pretokenizer};
use crate::error::Error;
use crate::folder::{Folder, text};
use crate::json::Json;
use serde_json::{Map, Value};

/// Reads `tokenizer.json`.
pub(super) fn read(json: &Json, files: &Files, size: usize) -> Result<Tokenizer, Error> {
    let model = json.object("model")?.ok_or_else(|| json.missing("model", "an object"))?;
    let kind = model.string("type")?.unwrap_or("BPE");
    if kind != "BPE" {
        let found = format!("tokenizer.json: model.type is {kind:?}");
        return Err(Error::Unsupported { what: "this kind of tokenizer", found });
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
        if let Some(part) = model.string(key)?.filter(|part| !part.is_empty()) {
            let found = format!("tokenizer.json: model.{key} is {part:?}");
            return Err(Error::Unsupported { what: "a byte-level BPE with marked parts of words", found });
        }
    }
    let pre = pretokenizer::name(json, model.flag("ignore_merges")? == Some(true))?;
    let vocab = model.get("vocab").and_then(Value::as_object);
    let vocab = vocab.ok_or_else(|| model.missing("vocab", "an object"))?;
    let merges = model.list("merges")?.unwrap_or_default();
    let merges = merges.iter().map(|m| merge(m).ok_or_else(|| model.entry("merges", "pairs", m)));
    let merges = merges.collect::<Result<Vec<String>, Error>>()?;
    whole(vocab, merges, pre, files, size)
}

/// Reads `vocab.json` and `merges.txt`.
pub(super) fn read_two(folder: &dyn Folder, files: &Files, size: usize) -> Result<Tokenizer, Error> {
    const NONE: Error =
        Error::NoFile { file: "tokenizer.model, tokenizer.json or vocab.json", what: "what tokens are" };
    let vocab = Json::read(folder, "vocab.json")?.ok_or(NONE)?;
    let merges = text(folder, "merges.txt")?;
    let merges = merges.ok_or(Error::NoFile { file: "merges.txt", what: "how tokens are merged" })?;
    let lines = merges.lines().enumerate();
    // A remark about the version is no merge; `#` also begins merges.
    let lines = lines.filter(|(_, line)| !(line.trim().is_empty() || line.starts_with("#version")));
    let mut pairs = Vec::new();
    for (i, line) in lines {
        let mut parts = line.split_whitespace();
        let (Some(left), Some(right), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::Entry {
                file: "merges.txt".into(),
                key: format!("line {}", i + 1),
                wanted: "two parts of a token",
                found: line.chars().take(60).collect(),
            });
        };
        pairs.push(format!("{left} {right}"));
    }
    let class = files.config.string("tokenizer_class")?.unwrap_or_default();
    let pre = pretokenizer::of_class(class)?;
    let vocab: Map<String, Value> = vocab.entries().map(|(token, id)| (token.clone(), id.clone())).collect();
    Ok(Tokenizer { file: "vocab.json", ..whole(&vocab, pairs, pre, files, size)? })
}

fn whole(
    vocab: &Map<String, Value>,
    merges: Vec<String>,
    pre: &'static str,
    files: &Files,
    size: usize,
) -> Result<Tokenizer, Error> {
    let mut vocabulary = Vocabulary::new(size, 0.0);
    fill(&mut vocabulary, vocab, |_| (TokenKind::Normal, 0.0))?;
    vocabulary.add(&Added::of_both(files, vocab)?, 0.0)?;
    Ok(Tokenizer::of("gpt2", pre, vocabulary, Some(merges)))
}

/// Puts every token where its id says.
pub(super) fn fill(
    vocabulary: &mut Vocabulary,
    vocab: &Map<String, Value>,
    is: impl Fn(&str) -> (TokenKind, f32),
) -> Result<(), Error> {
    for (token, id) in vocab {
        let Some(id) = id.as_u64() else {
            return Err(Error::Entry {
                file: "tokenizer.json".into(),
                key: format!("model.vocab.{token:?}"),
                wanted: "a token's id",
                found: crate::json::brief(id),
            });
        };
        if vocabulary.has(id) {
            let first = usize::try_from(id).ok().and_then(|id| vocabulary.tokens.get(id)?.clone());
            let first = first.unwrap_or_default();
            return Err(Error::TokenTwice { id: id as usize, first, second: token.clone() });
        }
        let (kind, score) = is(token);
        vocabulary.put(id, token, kind, score)?;
    }
    Ok(())
}

/// A merge as `left right`.
fn merge(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(pair) => {
            let [left, right] = pair.as_slice() else { return None };
            let written = |part: &Value| Some(part.as_str()?.replace(' ', "\u{120}"));
            Some(format!("{} {}", written(left)?, written(right)?))
        }
        _ => None,
    }
}
