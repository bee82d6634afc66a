//! Which pre-tokenizer a `tokenizer.json` describes.
//!
//! The peer recognises tokenizers by a hash of what they make of one text, so that every vocabulary needs an entry; here it
//! is what the file itself says about cutting a text into words. What is not in the table is refused: a wrong name would
//! be a model that understands almost everything.

use crate::error::Error;
use crate::json::Json;
use serde_json::Value;

/// The normalizer and the steps of the pre-tokenizer, as [`step`] writes them, and the name in a file.
const KNOWN: [(&str, &str); 5] = [
    ("bytes of words", "gpt-2"),
    ("digits | bytes of words", "smollm"),
    (
        r"NFC | split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ | bytes",
        "qwen2",
    ),
    (
        r"split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ | bytes",
        "llama-bpe",
    ),
    (
        r"split [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+ | bytes",
        "tekken",
    ),
];

/// Names of rules whose words are not merged where they are tokens, and the name where they are.
const WHOLE: [(&str, Option<&str>); 2] = [("llama-bpe", Some("smaug-bpe")), ("tekken", None)];

/// The classes of tokenizers whose `vocab.json` says nothing of it.
const CLASSES: [(&str, &str); 2] = [("GPT2Tokenizer", "gpt-2"), ("Qwen2Tokenizer", "qwen2")];

/// The name of a class of tokenizers, `Fast` or not.
pub(super) fn of_class(class: &str) -> Result<&'static str, Error> {
    let plain = class.strip_suffix("Fast").unwrap_or(class);
    let known = CLASSES.iter().find(|(known, _)| *known == plain);
    known.map(|(_, pre)| *pre).ok_or_else(|| unknown(format!("tokenizer_class is {class:?}")))
}

/// The name of what `tokenizer.json` says; `whole` says that a word that is a token is taken as it is (`ignore_merges`).
pub(super) fn name(json: &Json, whole: bool) -> Result<&'static str, Error> {
    let mut steps = Vec::new();
    for (key, inner) in [("normalizer", "normalizers"), ("pre_tokenizer", "pretokenizers")] {
        let Some(value) = json.get(key) else { continue };
        match value.get(inner).and_then(Value::as_array) {
            Some(list) => steps.extend(list.iter().map(step)),
            None => steps.push(step(value)),
        }
    }
    let all = steps.join(" | ");
    let known = KNOWN.iter().find(|(known, _)| *known == all);
    let (_, pre) = known.ok_or_else(|| unknown(format!("tokenizer.json: {all}")))?;
    let merged = WHOLE.iter().find(|(name, _)| name == pre).map(|(_, merged)| *merged);
    let name = match (merged, whole) {
        (Some(_), true) | (None, false) => Some(*pre),
        (Some(merged), false) => merged,
        (None, true) => None,
    };
    name.ok_or_else(|| unknown(format!("tokenizer.json: {all}, where model.ignore_merges is {whole}")))
}

fn unknown(found: String) -> Error {
    Error::Unsupported { what: "this way to cut a text into words", found }
}

/// A step in words; one that is not known as its JSON.
fn step(value: &Value) -> String {
    let is = |key: &str, wanted: bool| value.get(key).and_then(Value::as_bool) == Some(wanted);
    match value.get("type").and_then(Value::as_str) {
        Some("NFC") => "NFC".into(),
        Some("Digits") if is("individual_digits", true) => "digits".into(),
        Some("ByteLevel") if is("add_prefix_space", false) && is("use_regex", false) => "bytes".into(),
        // `use_regex` was not written once, and meant.
        Some("ByteLevel") if is("add_prefix_space", false) => "bytes of words".into(),
        // What matches is a word, and what does not is none: the same where every character matches, as in all that are known.
        Some("Split")
            if matches!(
                (value.get("behavior").and_then(Value::as_str), is("invert", true)),
                (Some("Isolated"), false) | (Some("Removed"), true)
            ) =>
        {
            let regex = value.get("pattern").and_then(|pattern| pattern.get("Regex")).and_then(Value::as_str);
            regex.map_or_else(|| value.to_string(), |regex| format!("split {regex}"))
        }
        _ => value.to_string(),
    }
}
