//! Tokens that were added to a vocabulary: they are found in a text before anything else.
//!
//! They stand in `tokenizer.json` (`added_tokens`), in `tokenizer_config.json` (`added_tokens_decoder`) and, where that has
//! none, in `added_tokens.json`. One that is special, or looks like it, is a control token, which no user's text becomes.

use super::Files;
use crate::error::Error;
use crate::json::Json;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The entry of `tokenizer_config.json` with added tokens; where it is, files of an older form do not count.
pub(super) const DECODER: &str = "added_tokens_decoder";

/// A token that was added.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) id: u64,
    pub(super) content: String,
    pub(super) special: bool,
}

impl Token {
    /// As the file has it: SentencePiece's blank is a space in the words that users type.
    pub(super) fn text(&self) -> String {
        if self.special { self.content.clone() } else { self.content.replace('\u{2581}', " ") }
    }
}

/// Every token that was added.
#[derive(Clone, Debug, Default)]
pub(super) struct Added(BTreeMap<u64, Token>);

impl Added {
    /// Those of `tokenizer.json`, and what `tokenizer_config.json` has beside them.
    pub(super) fn of_both(
        files: &Files,
        vocabulary: &serde_json::Map<String, Value>,
    ) -> Result<Added, Error> {
        let mut added = Added::default();
        if let Some(json) = &files.tokenizer {
            added.listed(json)?;
        }
        added.configured(&files.config)?;
        added.simple(&files.added)?;
        let named: BTreeSet<String> = names(&files.config).into_iter().collect();
        for token in added.0.values_mut() {
            token.special |= named.contains(&token.content);
        }
        for name in named {
            let known = added.0.values().any(|token| token.content == name);
            if let Some(id) = vocabulary.get(&name).and_then(Value::as_u64).filter(|_| !known) {
                added.0.insert(id, Token { id, content: name, special: true });
            }
        }
        Ok(added)
    }

    /// Those of `tokenizer.json`.
    pub(super) fn listed(&mut self, json: &Json) -> Result<(), Error> {
        for token in json.list("added_tokens")?.unwrap_or_default() {
            let id = token.get("id").and_then(Value::as_u64);
            let id = id.ok_or_else(|| json.entry("added_tokens", "tokens with ids", token))?;
            self.put(json, id, token)?;
        }
        Ok(())
    }

    /// Without those that are in a vocabulary already.
    pub(super) fn beside(mut self, vocabulary: &super::Vocabulary) -> Added {
        self.0.retain(|id, token| {
            let known = usize::try_from(*id).ok().and_then(|id| vocabulary.tokens.get(id));
            known.and_then(Option::as_ref) != Some(&token.content)
        });
        self
    }

    /// Those of `added_tokens.json` alone: words that users type.
    pub(super) fn simple(&mut self, json: &Json) -> Result<(), Error> {
        for (content, id) in json.entries() {
            let id = id.as_u64().ok_or_else(|| json.entry(content, "a token's id", id))?;
            let token = Token { id, content: content.clone(), special: looks_special(content) };
            self.0.entry(id).or_insert(token);
        }
        Ok(())
    }

    /// Those of `added_tokens_decoder`.
    pub(super) fn configured(&mut self, config: &Json) -> Result<(), Error> {
        const KEY: &str = DECODER;
        let Some(decoder) = config.object(KEY)? else { return Ok(()) };
        for (id, token) in decoder.entries() {
            let number = id.parse().map_err(|_| config.entry(KEY, "tokens by their ids", token))?;
            self.put(&decoder, number, token)?;
        }
        Ok(())
    }

    fn put(&mut self, json: &Json, id: u64, token: &Value) -> Result<(), Error> {
        let content = token.get("content").and_then(Value::as_str);
        let content = content.ok_or_else(|| json.entry(&id.to_string(), "a token with content", token))?;
        let special =
            token.get("special").and_then(Value::as_bool).unwrap_or(false) || looks_special(content);
        self.0.insert(id, Token { id, content: content.into(), special });
        Ok(())
    }

    /// By id.
    pub(super) fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.0.values()
    }
}

/// The names of tokens for a purpose.
const PURPOSES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// Every text that the configuration gives a purpose.
fn names(config: &Json) -> Vec<String> {
    let mut names: Vec<String> = PURPOSES.iter().filter_map(|key| content(config.get(key)?)).collect();
    for key in ["additional_special_tokens", "extra_special_tokens"] {
        match config.get(key) {
            Some(Value::Array(list)) => names.extend(list.iter().filter_map(content)),
            Some(Value::Object(map)) => names.extend(map.values().filter_map(content)),
            _ => {}
        }
    }
    names
}

/// A token that is given as its text, or as an object with its text in it.
pub(super) fn content(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value.get("content")?.as_str()).map(String::from)
}

/// Whether a token that is not marked as special is one by its looks: some models forget to say.
fn looks_special(token: &str) -> bool {
    let between = |start: &str, end: &str| token.starts_with(start) && token.ends_with(end);
    matches!(token, "<pad>" | "<mask>" | "<2mass>" | "[@BOS@]")
        || between("<|", "|>")
        || between("<\u{ff5c}", "\u{ff5c}>")
        || between("<unused", ">")
}
