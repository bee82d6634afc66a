//! Tokens with a purpose: where a text begins and ends, and whether that is put there without being asked.
//!
//! An id comes from the first of: the token that `tokenizer_config.json` names, among the tokens that `tokenizer.json` added;
//! `<purpose>_token_id` in `config.json`, there or in its `text_config`. Whether BOS and EOS are put around a text is what the
//! post-processor of `tokenizer.json` does, else what `tokenizer_config.json` says.

use super::Files;
use super::added::content;
use crate::error::Error;
use crate::json::Json;
use ocelli_gguf::Outline;
use serde_json::Value;

/// Purposes in the configurations, and their keys; the one with the odd spelling is spelt so everywhere.
const PURPOSES: [(&str, &str); 7] = [
    ("bos", "bos_token_id"),
    ("eos", "eos_token_id"),
    ("unk", "unknown_token_id"),
    ("sep", "seperator_token_id"),
    ("pad", "padding_token_id"),
    ("cls", "cls_token_id"),
    ("mask", "mask_token_id"),
];

/// Tokens with a purpose.
#[derive(Clone, Debug, Default)]
pub(super) struct Special {
    ids: Vec<(&'static str, u32)>,
    /// Whether a text begins with BOS.
    pub(super) add_bos: Option<bool>,
    add_eos: Option<bool>,
}

impl Special {
    /// Reads them; `root` is `config.json`.
    pub(super) fn read(root: &Json, files: &Files, size: usize) -> Result<Special, Error> {
        let mut special = Special::default();
        let added = match &files.tokenizer {
            Some(json) => json.list("added_tokens")?.unwrap_or_default(),
            None => &[],
        };
        let text = root.object("text_config")?;
        let sources = [Some(root), text.as_ref()];
        for (purpose, key) in PURPOSES {
            let name = files.config.get(&format!("{purpose}_token")).and_then(content);
            let is = |token: &&Value| token.get("content").and_then(Value::as_str) == name.as_deref();
            let found =
                added.iter().filter(|_| name.is_some()).find(is).and_then(|token| token.get("id")?.as_u64());
            // A list of ids, as for several ends, names none.
            let said = || {
                sources.iter().flatten().find_map(|json| json.get(&format!("{purpose}_token_id")))?.as_u64()
            };
            let id = found.or_else(said).and_then(|id| u32::try_from(id).ok());
            if let Some(id) = id.filter(|id| (*id as usize) < size) {
                special.ids.push((key, id));
            }
        }
        (special.add_bos, special.add_eos) = around(files)?;
        let or = |found: Option<bool>, key: &str| match found {
            None => files.config.flag(key),
            found => Ok(found),
        };
        special.add_bos = or(special.add_bos, "add_bos_token")?;
        special.add_eos = or(special.add_eos, "add_eos_token")?;
        Ok(special)
    }

    /// Writes the keys.
    pub(super) fn write(&self, outline: &mut Outline) {
        for (key, id) in &self.ids {
            outline.metadata(&format!("tokenizer.ggml.{key}"), *id);
        }
        for (key, flag) in [("add_bos_token", self.add_bos), ("add_eos_token", self.add_eos)] {
            if let Some(flag) = flag {
                outline.metadata(&format!("tokenizer.ggml.{key}"), flag);
            }
        }
    }
}

/// What the post-processor puts in front of a text and behind it: BOS and EOS, or not; `None` where it does not say.
fn around(files: &Files) -> Result<(Option<bool>, Option<bool>), Error> {
    let Some(post) = files.tokenizer.as_ref().and_then(|json| json.get("post_processor")) else {
        return Ok((None, None));
    };
    let named = |key: &str| files.config.get(key).and_then(content);
    let first_of = |a: &str, b: &str| named(a).filter(|name| !name.is_empty()).or_else(|| named(b));
    let (bos, eos) = (first_of("bos_token", "cls_token"), first_of("eos_token", "sep_token"));
    let one = core::slice::from_ref(post);
    let list = post.get("processors").and_then(Value::as_array).map_or(one, Vec::as_slice);
    let (mut begins, mut ends) = (None, None);
    for processor in list {
        match processor.get("type").and_then(Value::as_str) {
            Some("ByteLevel") => (begins, ends) = (begins.or(Some(false)), ends.or(Some(false))),
            Some("RobertaProcessing") => (begins, ends) = (Some(true), Some(true)),
            Some("TemplateProcessing") => {
                let single = processor.get("single").and_then(Value::as_array);
                let single = single.map_or(&[][..], Vec::as_slice);
                let token = |part: Option<&Value>| {
                    Some(part?.get("SpecialToken")?.get("id")?.as_str()?.to_string())
                        .filter(|_| single.len() > 1)
                };
                if let Some(token) = token(single.first()) {
                    begins = Some(bos.as_deref().is_none_or(|bos| bos == token));
                }
                if let Some(token) = token(single.last()) {
                    ends = Some(same_end(&token, eos.as_deref())?);
                }
            }
            _ => {}
        }
    }
    Ok((begins, ends))
}

/// Whether what is put behind a text is its end.
fn same_end(token: &str, eos: Option<&str>) -> Result<bool, Error> {
    match eos {
        Some(eos) if eos != token => Err(Error::Unsupported {
            what: "a text that is ended by another token than eos_token",
            found: format!("{token:?} and not {eos:?}"),
        }),
        _ => Ok(true),
    }
}
