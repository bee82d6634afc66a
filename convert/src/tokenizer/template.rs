//! The chat template, where transformers finds it.
//!
//! ```text
//! chat_template.jinja, additional_chat_templates/<name>.jinja   one called `default` counts before the first
//! tokenizer_config.json, chat_template                           only where there are no such files
//! ```
//! A model with a vision tower is asked through its processor, which looks elsewhere first:
//!
//! ```text
//! processor_config.json, chat_template
//! chat_template.json                       refused beside additional_chat_templates
//! chat_template.jinja, additional_chat_templates/<name>.jinja   the first counts before one called `default`
//! ```
//! Where it finds nothing, the tokenizer's is taken. Several templates without one called `default` are refused: transformers
//! would ask which.

use crate::error::Error;
use crate::folder::{Folder, text};
use crate::json::Json;
use ocelli_gguf::Outline;
use serde_json::Value;

const KEY: &str = "chat_template";
const FILE: &str = "chat_template.jinja";
const MORE: &str = "additional_chat_templates";
const OLD: &str = "chat_template.json";
const DEFAULT: &str = "default";

/// The templates of a checkpoint.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    default: Option<String>,
    named: Vec<(String, String)>,
}

impl Template {
    /// Reads them; `sees` says whether the model has a vision tower.
    pub(super) fn read(folder: &dyn Folder, config: &Json, sees: bool) -> Result<Template, Error> {
        let processor = if sees { Template::of_processor(folder)? } else { None };
        let found = match processor {
            Some(found) => found,
            None => Template::of_tokenizer(folder, config)?,
        };
        if found.default.is_none() && !found.named.is_empty() {
            let names: Vec<&str> = found.named.iter().map(|(name, _)| name.as_str()).collect();
            let what = "a checkpoint with chat templates and no default one among them";
            return Err(Error::Unsupported { what, found: names.join(", ") });
        }
        Ok(found)
    }

    /// As a processor finds them.
    fn of_processor(folder: &dyn Folder) -> Result<Option<Template>, Error> {
        if let Some(json) = Json::read(folder, "processor_config.json")?
            && let Some(found) = Template::of_entry(&json)?
        {
            return Ok(Some(found));
        }
        let more = more(folder)?;
        let Some(json) = Json::read(folder, OLD)? else {
            let mut found = Template { default: None, named: more };
            found.take_default();
            found.default = text(folder, FILE)?.or(found.default);
            return Ok(Some(found).filter(|found| !found.is_empty()));
        };
        if !more.is_empty() {
            let found = format!("{OLD} and files in {MORE}");
            return Err(Error::Unsupported { what: "a checkpoint with chat templates of two kinds", found });
        }
        // A processor fails without the entry.
        let found = Template::of_entry(&json)?.ok_or_else(|| json.missing(KEY, "a template"))?;
        Ok(Some(found))
    }

    /// As a tokenizer finds them.
    fn of_tokenizer(folder: &dyn Folder, config: &Json) -> Result<Template, Error> {
        let mut found = Template { default: None, named: more(folder)? };
        found.take_default();
        found.default = match found.default {
            None => text(folder, FILE)?,
            named => named,
        };
        if found.is_empty() {
            found = Template::of_entry(config)?.unwrap_or_default();
        }
        Ok(found)
    }

    /// The entry of a configuration: a template, several by name, or a list of those.
    fn of_entry(json: &Json) -> Result<Option<Template>, Error> {
        let mut found = Template::default();
        match json.get(KEY) {
            None => return Ok(None),
            Some(Value::String(template)) => found.default = Some(template.clone()),
            Some(Value::Object(map)) => {
                for (name, template) in map {
                    let template =
                        template.as_str().ok_or_else(|| json.entry(KEY, "templates by name", template))?;
                    found.put(name, template);
                }
            }
            Some(Value::Array(list)) => {
                for entry in list {
                    let part = |key: &str| entry.get(key).and_then(Value::as_str);
                    let (Some(name), Some(template)) = (part("name"), part("template")) else {
                        return Err(json.entry(KEY, "templates with names", entry));
                    };
                    found.put(name, template);
                }
            }
            Some(other) => return Err(json.entry(KEY, "a template", other)),
        }
        found.take_default();
        Ok(Some(found))
    }

    fn is_empty(&self) -> bool {
        self.default.is_none() && self.named.is_empty()
    }

    /// Of two templates with one name the last counts.
    fn put(&mut self, name: &str, template: &str) {
        self.named.retain(|(known, _)| known != name);
        self.named.push((name.into(), template.into()));
    }

    fn take_default(&mut self) {
        if let Some(at) = self.named.iter().position(|(name, _)| name == DEFAULT) {
            self.default = Some(self.named.remove(at).1);
        }
    }

    /// Writes the keys; a key has letters, digits and `_` only.
    pub(super) fn write(&self, outline: &mut Outline) {
        if let Some(template) = &self.default {
            outline.metadata("tokenizer.chat_template", template.as_str());
        }
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut names: Vec<String> = Vec::new();
        for (name, template) in &self.named {
            let name: String = name.chars().map(plain).collect();
            if !name.is_empty() && !names.contains(&name) {
                outline.metadata(&format!("tokenizer.chat_template.{name}"), template.as_str());
                names.push(name);
            }
        }
        if !names.is_empty() {
            outline.metadata("tokenizer.chat_templates", &names);
        }
    }
}

/// The templates in files of their own, by name.
fn more(folder: &dyn Folder) -> Result<Vec<(String, String)>, Error> {
    let files = folder.files_in(MORE).map_err(|error| Error::Io { file: MORE.into(), error })?;
    let mut found = Vec::new();
    for file in files {
        if let Some(name) = file.strip_suffix(".jinja")
            && let Some(template) = text(folder, &format!("{MORE}/{file}"))?
        {
            found.push((name.to_string(), template));
        }
    }
    Ok(found)
}
