//! JSON files of a checkpoint, and what is asked of them.
//!
//! A value that is absent and one that is `null` are the same: that is how these files are written. A value of the wrong
//! kind is an error that names the file and the key.
//!
//! These files are Python's: it writes and reads `NaN`, `Infinity` and `-Infinity`, which JSON does not have. They are read as
//! their names, so a file that has one where nothing reads it is fine, and where a number is asked for it is named. A byte
//! order mark is refused, as Python does.

use crate::error::Error;
use crate::folder::{Folder, whole};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

/// An object with its entries in their order, and twice where they are there twice.
pub(crate) struct Entries(pub(crate) Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Entries;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        from.deserialize_map(Each)
    }
}

/// An object of a file: its root, or one inside of it.
#[derive(Clone, Debug)]
pub(crate) struct Json {
    file: String,
    /// Before a key in messages: `text_config.`
    path: String,
    map: Map<String, Value>,
}

impl Json {
    /// Reads a file; `None` when it is not there.
    pub(crate) fn read(folder: &dyn Folder, file: &str) -> Result<Option<Json>, Error> {
        let Some(bytes) = whole(folder, file)? else { return Ok(None) };
        if bytes.starts_with(b"\xef\xbb\xbf") {
            return Err(Error::ByteOrderMark { file: file.into() });
        }
        let value = serde_json::from_slice(&bytes).or_else(|error| {
            let named = named(&bytes).ok_or(error)?;
            serde_json::from_slice(&named)
        });
        match value.map_err(|error| Error::Json { file: file.into(), error })? {
            Value::Object(map) => Ok(Some(Json { map, ..Json::empty(file) })),
            other => Err(Error::Entry {
                file: file.into(),
                key: "the file".into(),
                wanted: "an object",
                found: brief(&other),
            }),
        }
    }

    /// Nothing, under this name.
    pub(crate) fn empty(file: &str) -> Json {
        Json { file: file.into(), path: String::new(), map: Map::new() }
    }

    /// The value of a key, unless it is `null`.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Whether there is an entry, be it `null`.
    pub(crate) fn says(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// Every entry.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.map.iter()
    }

    /// This object with the entries of another, which count where both have one.
    pub(crate) fn overlaid(mut self, other: Json) -> Json {
        self.map.extend(other.map);
        self
    }

    /// The object of a key.
    pub(crate) fn object(&self, key: &str) -> Result<Option<Json>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Json {
                file: self.file.clone(),
                path: format!("{}{key}.", self.path),
                map: map.clone(),
            })),
            Some(other) => Err(self.entry(key, "an object", other)),
        }
    }

    /// A string.
    pub(crate) fn string(&self, key: &str) -> Result<Option<&str>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.entry(key, "a string", other)),
        }
    }

    /// A boolean.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.entry(key, "true or false", other)),
        }
    }

    /// A whole number of at most 31 bits: none of a model's is larger, and products of two fit 64 bits.
    pub(crate) fn size(&self, key: &str) -> Result<Option<usize>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let size = value.as_u64().filter(|size| *size <= i32::MAX as u64);
        size.map(|size| Some(size as usize)).ok_or_else(|| self.entry(key, "a whole number", value))
    }

    /// A number.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| self.entry(key, "a number", value))
    }

    /// A list.
    pub(crate) fn list(&self, key: &str) -> Result<Option<&[Value]>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(other) => Err(self.entry(key, "a list", other)),
        }
    }

    /// Three numbers.
    pub(crate) fn colors(&self, key: &str) -> Result<Option<[f32; 3]>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let three = value.as_array().and_then(|list| {
            let [r, g, b] = list.as_slice() else { return None };
            Some([r.as_f64()? as f32, g.as_f64()? as f32, b.as_f64()? as f32])
        });
        let three = three.ok_or_else(|| self.entry(key, "three numbers", value))?;
        if three.iter().any(|number| !number.is_finite()) {
            return Err(self.range(key, brief(value), "must be three numbers that 32 bits can hold"));
        }
        Ok(Some(three))
    }

    /// The error that this value is not of the wanted kind.
    pub(crate) fn entry(&self, key: &str, wanted: &'static str, found: &Value) -> Error {
        Error::Entry {
            file: self.file.clone(),
            key: format!("{}{key}", self.path),
            wanted,
            found: brief(found),
        }
    }

    /// The error that a key is missing.
    pub(crate) fn missing(&self, key: &str, wanted: &'static str) -> Error {
        Error::Entry {
            file: self.file.clone(),
            key: format!("{}{key}", self.path),
            wanted,
            found: "missing".into(),
        }
    }

    /// The error that a value is out of range.
    pub(crate) fn range(&self, key: &str, found: impl ToString, rule: &'static str) -> Error {
        Error::Range {
            file: self.file.clone(),
            key: format!("{}{key}", self.path),
            found: found.to_string(),
            rule,
        }
    }
}

/// The text with Python's numbers that are none as strings; `None` where there is none of them.
fn named(text: &[u8]) -> Option<Vec<u8>> {
    const WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
    let mut out = Vec::with_capacity(text.len());
    let (mut at, mut inside, mut any) = (0, false, false);
    while let Some(byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let word = WORDS.iter().find(|word| !inside && rest.starts_with(word));
        let taken = match (word, byte) {
            (Some(word), _) => {
                out.push(b'"');
                out.extend_from_slice(word);
                out.push(b'"');
                any = true;
                word.len()
            }
            (None, b'\\') if inside => {
                out.extend(rest.iter().take(2));
                2
            }
            (None, _) => {
                inside ^= *byte == b'"';
                out.push(*byte);
                1
            }
        };
        at += taken;
    }
    any.then_some(out)
}

/// A value in a message: its beginning is enough to find it.
pub(crate) fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
