//! Hyper-parameters out of a configuration, by the tables' keys.

use crate::error::Error;
use crate::json::Json;
use crate::model::{Absent, HEAD, Key, Kind, Must};
use ocelli_gguf::Outline;
use serde_json::Value;

/// More blocks than any model has: a bound on what a configuration can make this do.
const BLOCKS: usize = 1024;

/// The values of a table's keys.
#[derive(Clone, Debug)]
pub(crate) struct Hyper {
    values: Vec<(&'static Key, Option<f64>)>,
}

impl Hyper {
    /// Reads and checks them.
    pub(crate) fn read(config: &Json, keys: &'static [Key]) -> Result<Hyper, Error> {
        let mut hyper = Hyper { values: Vec::with_capacity(keys.len()) };
        for key in keys {
            let value = match key.kind {
                Kind::Size => config.size(key.from)?.map(|size| size as f64),
                Kind::Float => config.number(key.from)?,
            };
            let value = match (value, key.absent) {
                (Some(value), _) => Some(value),
                (None, Absent::Nothing) => None,
                (None, Absent::Number(number)) => Some(number),
                (None, Absent::As(HEAD)) => Some(hyper.head(config)? as f64),
                (None, Absent::As(other)) => hyper.named(other),
            };
            if key.kind == Kind::Size && value.is_some_and(|value| value < 1.0) {
                return Err(config.range(key.from, 0, "must be at least 1"));
            }
            if key.kind == Kind::Float && value.is_some_and(|value| !(value > 0.0 && value < 1e9)) {
                let found = value.unwrap_or_default();
                return Err(config.range(key.from, found, "must be a positive number"));
            }
            hyper.values.push((key, value));
        }
        if hyper.size("block_count") > BLOCKS {
            let found = hyper.size("block_count");
            return Err(config.range("num_hidden_layers", found, "cannot be more than 1024"));
        }
        Ok(hyper)
    }

    /// The width of a head where the configuration does not say.
    fn head(&self, config: &Json) -> Result<usize, Error> {
        let (width, heads) = (self.size("embedding_length"), self.size("attention.head_count"));
        match width.checked_div(heads) {
            Some(head) if head * heads == width => Ok(head),
            _ => Err(config.range("num_attention_heads", heads, "must divide hidden_size")),
        }
    }

    /// The width of a head.
    pub(crate) fn head_width(&self, config: &Json) -> Result<usize, Error> {
        let head = match self.size("attention.key_length") {
            0 => self.head(config)?,
            head => head,
        };
        if !head.is_multiple_of(2) {
            return Err(config.range("head_dim", head, "must be even"));
        }
        Ok(head)
    }

    fn named(&self, from: &str) -> Option<f64> {
        self.values.iter().find(|(key, _)| key.from == from).and_then(|(_, value)| *value)
    }

    /// The value of a key; 0 where there is none.
    pub(crate) fn size(&self, to: &str) -> usize {
        self.values
            .iter()
            .find(|(key, _)| key.to == to)
            .and_then(|(_, value)| *value)
            .map_or(0, |v| v as usize)
    }

    /// Another value than the configuration's.
    pub(crate) fn set(&mut self, to: &str, size: usize) {
        if let Some((_, value)) = self.values.iter_mut().find(|(key, _)| key.to == to) {
            *value = Some(size as f64);
        }
    }

    /// Writes the keys.
    pub(crate) fn write(&self, architecture: &str, outline: &mut Outline) {
        for (key, value) in &self.values {
            let Some(value) = value else { continue };
            let name = format!("{architecture}.{}", key.to);
            match key.kind {
                Kind::Size => outline.metadata(&name, *value as u32),
                Kind::Float => outline.metadata(&name, *value as f32),
            };
        }
    }
}

/// Whether two numbers are the same in 32 bits, however they are written.
fn same(wanted: Option<&Value>, found: &Value) -> bool {
    let number = |value: &Value| value.as_f64().map(|number| number as f32);
    wanted.and_then(number).is_some_and(|wanted| number(found) == Some(wanted))
}

/// Checks entries that have one value.
pub(crate) fn check(config: &Json, musts: &[Must]) -> Result<(), Error> {
    for must in musts {
        let wanted = serde_json::from_str::<Value>(must.is).ok();
        let found = match config.get(must.from) {
            // The class has a value of its own for what is not there.
            None if wanted == Some(Value::Null) && !config.says(must.from) => "left out".into(),
            None => continue,
            Some(found) if wanted.as_ref() == Some(found) => continue,
            Some(found) if same(wanted.as_ref(), found) => continue,
            Some(found) => crate::json::brief(found),
        };
        return Err(Error::Unsupported { what: must.what, found: format!("{} is {found}", must.from) });
    }
    Ok(())
}
