//! Tokens with a purpose: where a text begins and ends, and whether that is put there without being asked.
//!
//! An id comes from the first of: the token that `tokenizer_config.json` names, in the vocabulary; `<purpose>_token_id` in
//! `config.json`, there or in its `text_config`. Whether BOS and EOS are put around a text is what the post-processor of
//! `tokenizer.json` does; without that file it is what `tokenizer_config.json` says. What says nothing puts nothing there: a
//! file would mean something else without the key.
//!
//! An answer ends at every id of `eos_token_id` in `generation_config.json` (`config.json` where that says none). A file has
//! room for two beside EOS (`eot_token_id`, `eom_token_id`), and whoever reads it knows some by their texts.

use super::added::content;
use super::{Files, Vocabulary};
use crate::error::Error;
use crate::folder::Folder;
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

/// Keys for more ends of an answer.
const MORE: [&str; 2] = ["eot_token_id", "eom_token_id"];

/// Texts of ends that readers of a file know without being told.
const KNOWN: [&str; 9] = [
    "<|im_end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<end_of_utterance>",
    "<end_of_turn>",
    "<EOT>",
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
    pub(super) fn read(
        folder: &dyn Folder,
        root: &Json,
        files: &Files,
        vocabulary: &Vocabulary,
    ) -> Result<Special, Error> {
        let mut special = Special::default();
        let size = vocabulary.tokens.len();
        let text = root.object("text_config")?;
        let sources = [Some(root), text.as_ref()];
        for (purpose, key) in PURPOSES {
            let name = files.config.get(&format!("{purpose}_token")).and_then(content);
            let found = name.and_then(|name| vocabulary.find(&name)).map(u64::from);
            // A list of ids, as for several ends, names none.
            let said = || {
                sources.iter().flatten().find_map(|json| json.get(&format!("{purpose}_token_id")))?.as_u64()
            };
            let id = found.or_else(said).and_then(|id| u32::try_from(id).ok());
            if let Some(id) = id.filter(|id| (*id as usize) < size) {
                special.ids.push((key, id));
            }
        }
        let (begins, ends) = match &files.tokenizer {
            Some(_) => around(files)?,
            None => (files.config.flag("add_bos_token")?, files.config.flag("add_eos_token")?),
        };
        (special.add_bos, special.add_eos) = (Some(begins == Some(true)), Some(ends == Some(true)));
        special.ends(folder, root, text.as_ref(), vocabulary)?;
        Ok(special)
    }

    /// Every other end of an answer.
    fn ends(
        &mut self,
        folder: &dyn Folder,
        root: &Json,
        text: Option<&Json>,
        vocabulary: &Vocabulary,
    ) -> Result<(), Error> {
        const KEY: &str = "eos_token_id";
        let generation = Json::read(folder, "generation_config.json")?;
        let says = |json: &&Json| json.get(KEY).is_some();
        let Some(json) = generation.iter().chain([root]).chain(text).find(says) else { return Ok(()) };
        let said = json.get(KEY).map(core::slice::from_ref).unwrap_or_default();
        let said = said.first().and_then(Value::as_array).map_or(said, Vec::as_slice);
        let mut more: Vec<u32> = Vec::new();
        for id in said {
            let known = id.as_u64().and_then(|id| usize::try_from(id).ok());
            let Some(Some(token)) = known.and_then(|id| vocabulary.tokens.get(id)) else {
                return Err(json.entry(KEY, "ids of tokens", id));
            };
            let id = known.unwrap_or_default() as u32;
            if !KNOWN.contains(&token.as_str()) && !self.ids.contains(&(KEY, id)) && !more.contains(&id) {
                more.push(id);
            }
        }
        if !more.is_empty() && !self.ids.iter().any(|(key, _)| *key == KEY) {
            self.ids.push((KEY, more.remove(0)));
        }
        if more.len() > MORE.len() {
            let found = format!("{KEY} has {more:?} beside the token that the tokenizer names");
            return Err(Error::Unsupported { what: "an answer that many tokens can end", found });
        }
        self.ids.extend(MORE.into_iter().zip(more));
        Ok(())
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
