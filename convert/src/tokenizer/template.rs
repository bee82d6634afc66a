//! The chat template: in `tokenizer_config.json`, or else in `chat_template.jinja` or `chat_template.json`.
//!
//! `tokenizer_config.json` may have several, by name; the one called `default` is the one.

use crate::error::Error;
use crate::folder::{Folder, text};
use crate::json::Json;
use ocelli_gguf::Outline;
use serde_json::Value;

const KEY: &str = "chat_template";

/// The templates of a checkpoint.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    default: Option<String>,
    named: Vec<(String, String)>,
}

impl Template {
    /// Reads them.
    pub(super) fn read(folder: &dyn Folder, config: &Json) -> Result<Template, Error> {
        let beside = || -> Result<Option<String>, Error> {
            if let Some(template) = text(folder, "chat_template.jinja")? {
                return Ok(Some(template));
            }
            let Some(json) = Json::read(folder, "chat_template.json")? else { return Ok(None) };
            Ok(json.string(KEY)?.map(String::from))
        };
        match config.get(KEY) {
            None => Ok(Template { default: beside()?, named: Vec::new() }),
            Some(Value::String(template)) => {
                Ok(Template { default: Some(template.clone()), named: Vec::new() })
            }
            Some(Value::Array(list)) => {
                let mut templates = Template::default();
                for entry in list {
                    let part = |key: &str| entry.get(key).and_then(Value::as_str);
                    let (Some(name), Some(template)) = (part("name"), part("template")) else {
                        return Err(config.entry(KEY, "templates with names", entry));
                    };
                    templates.put(name, template);
                }
                Ok(templates)
            }
            Some(other) => Err(config.entry(KEY, "a template", other)),
        }
    }

    fn put(&mut self, name: &str, template: &str) {
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        match name.as_str() {
            "" => {}
            "default" => self.default = Some(template.into()),
            _ => {
                self.named.retain(|(known, _)| *known != name);
                self.named.push((name, template.into()));
            }
        }
    }

    /// Writes the keys.
    pub(super) fn write(&self, outline: &mut Outline) {
        if let Some(template) = &self.default {
            outline.metadata("tokenizer.chat_template", template.as_str());
        }
        for (name, template) in &self.named {
            outline.metadata(&format!("tokenizer.chat_template.{name}"), template.as_str());
        }
        if !self.named.is_empty() {
            let names: Vec<&str> = self.named.iter().map(|(name, _)| name.as_str()).collect();
            outline.metadata("tokenizer.chat_templates", &names);
        }
    }
}
