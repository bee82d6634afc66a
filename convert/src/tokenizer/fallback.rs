//! SentencePiece's vocabulary in `tokenizer.json`: BPE with byte fallback.
//!
//! The file has merges in the order in which they are tried and no scores, a model of this kind has scores and no merges.
//! A token's score is minus the place of the first merge that makes it: the pair with the best score is then the pair
//! that is merged first, as in the file. (The peer gives every token -1000, with which the leftmost pair is merged first.)

use super::added::Added;
use super::byte_level::fill;
use super::{Files, TokenKind, Tokenizer, Vocabulary};
use crate::error::Error;
use crate::json::Json;
use serde_json::Value;
use std::collections::HashMap;

/// The score of what no merge makes.
const NONE: f32 = -1000.0;

/// Whether this is such a file.
pub(super) fn is(json: &Json) -> Result<bool, Error> {
    let Some(model) = json.object("model")? else { return Ok(false) };
    Ok(model.string("type")? == Some("BPE") && model.flag("byte_fallback")? == Some(true))
}

/// Reads it.
pub(super) fn read(json: &Json, files: &Files, size: usize) -> Result<Tokenizer, Error> {
    let model = json.object("model")?.ok_or_else(|| json.missing("model", "an object"))?;
    let vocab = model.get("vocab").and_then(Value::as_object);
    let vocab = vocab.ok_or_else(|| model.missing("vocab", "an object"))?;
    let merges = model.list("merges")?.unwrap_or_default();
    let mut scores: HashMap<String, f32> = HashMap::with_capacity(merges.len());
    for (place, merge) in merges.iter().enumerate() {
        let whole = joined(merge).ok_or_else(|| model.entry("merges", "pairs", merge))?;
        scores.entry(whole).or_insert(-(place as f32));
    }
    let mut vocabulary = Vocabulary::new(size, NONE);
    fill(&mut vocabulary, vocab, |token| {
        let kind = if is_byte(token) { TokenKind::Byte } else { TokenKind::Normal };
        (kind, scores.get(token).copied().unwrap_or(NONE))
    })?;
    vocabulary.add(&Added::of_both(files, vocab)?, NONE)?;
    let mut tokenizer = Tokenizer::of("llama", "default", vocabulary, None);
    tokenizer.space = space(json);
    Ok(tokenizer)
}

/// Whether the file says that no blank is put in front of a text.
pub(super) fn never_prefixed(json: &Json) -> bool {
    space(json) == Some(false)
}

/// What a merge makes.
pub(super) fn joined(merge: &Value) -> Option<String> {
    match merge {
        Value::String(text) => text.split_once(' ').map(|(left, right)| format!("{left}{right}")),
        Value::Array(pair) => {
            let [left, right] = pair.as_slice() else { return None };
            Some(format!("{}{}", left.as_str()?, right.as_str()?))
        }
        _ => None,
    }
}

/// `<0x0A>`
fn is_byte(token: &str) -> bool {
    let hex = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    hex.is_some_and(|hex| hex.len() == 2 && hex.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// Whether a blank is put in front of a text: no step of the normalizer or the pre-tokenizer does it.
fn space(json: &Json) -> Option<bool> {
    let says = |step: &Value| match step.get("type").and_then(Value::as_str) {
        Some("Prepend") => true,
        Some("Metaspace") => {
            let scheme = step.get("prepend_scheme").and_then(Value::as_str);
            scheme
                .map_or(step.get("add_prefix_space") == Some(&Value::Bool(true)), |scheme| scheme != "never")
        }
        _ => false,
    };
    let any =
        [("normalizer", "normalizers"), ("pre_tokenizer", "pretokenizers")].iter().any(|(key, inner)| {
            let Some(value) = json.get(key) else { return false };
            value
                .get(inner)
                .and_then(Value::as_array)
                .map_or_else(|| says(value), |list| list.iter().any(says))
        });
    // A space in front is usual for this kind of vocabulary.
    (!any).then_some(false)
}
