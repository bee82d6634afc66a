//! Reading a file: header, metadata, tensor descriptions, and the index to find them by name.

use alloc::vec::Vec;

use crate::asked::Asked;
use crate::cursor::Cursor;
use crate::error::Error;
use crate::from_value::{FromValue, Mismatch};
use crate::tensor::{Description, TensorInfo};
use crate::value::{Value, ValueType};
use crate::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, limits};

/// A GGUF file in memory, checked and indexed. Nothing of it is copied.
#[derive(Clone, Debug)]
pub struct Gguf<'a> {
    version: u32,
    alignment: u32,
    metadata: Vec<Entry<'a>>,
    tensors: Vec<TensorInfo<'a>>,
    /// Positions in `metadata`, sorted by key.
    by_key: Vec<u32>,
    /// Positions in `tensors`, sorted by name.
    by_name: Vec<u32>,
    /// One for each of `metadata`.
    pub(crate) keys_asked: Asked,
    /// One for each of `tensors`.
    pub(crate) tensors_asked: Asked,
}

#[derive(Clone, Debug)]
struct Entry<'a> {
    key: &'a str,
    /// Where in the file the value's type and value begin.
    at: usize,
    value: Value<'a>,
}

impl<'a> Gguf<'a> {
    /// Reads the file's own description of itself and checks every word of it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::parse_beginning(bytes, bytes.len())
    }

    /// The same of a file of `len` bytes of which only the beginning is here: tensors that lie beyond it have no
    /// [`data`](TensorInfo::data). For looking at a file before it is written, or while it is on its way.
    pub fn parse_beginning(bytes: &'a [u8], len: usize) -> Result<Self, Error> {
        let Head { version, alignment, metadata, by_key, descriptions, by_name, end } = Head::read(bytes)?;
        let tensors = place_all((bytes, len), &descriptions, end as u64, u64::from(alignment))?;
        let (keys_asked, tensors_asked) = (Asked::none_of(metadata.len()), Asked::none_of(tensors.len()));
        Ok(Self { version, alignment, metadata, tensors, by_key, by_name, keys_asked, tensors_asked })
    }

    /// The version of the format: 2 or 3.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The multiple of bytes at which each tensor begins.
    pub fn alignment(&self) -> u32 {
        self.alignment
    }

    /// The metadata in the order of the file.
    pub fn metadata(&self) -> impl ExactSizeIterator<Item = (&'a str, Value<'a>)> + Clone {
        self.metadata.iter().map(|entry| (entry.key, entry.value))
    }

    /// The tensors in the order of the file.
    pub fn tensors(&self) -> &[TensorInfo<'a>] {
        &self.tensors
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        self.entry(key).map(|entry| entry.value)
    }

    /// The value of a key as a `T`. An error names the key, what was wanted and what is there.
    ///
    /// `T` is an integer (any width in the file whose value fits), `f32`, `bool`, `&str`, [`Text`](crate::Text),
    /// [`Array`](crate::Array) or a [`List`](crate::List) of those.
    pub fn require<T: FromValue<'a>>(&self, key: &str) -> Result<T, Error> {
        self.optional(key)?.ok_or_else(|| Error::MissingKey { key: key.into(), wanted: T::WANTED })
    }

    /// Like [`require`](Self::require), with `None` when the key is absent. A value of another type is an error.
    pub fn optional<T: FromValue<'a>>(&self, key: &str) -> Result<Option<T>, Error> {
        let Some(entry) = self.entry(key) else { return Ok(None) };
        T::from_value(entry.value).map(Some).map_err(|mismatch| entry.mismatch(mismatch, T::WANTED))
    }

    /// The tensor of a name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo<'a>> {
        let i = self.position(name)?;
        self.tensors_asked.mark(i);
        self.tensors.get(i as usize)
    }

    /// Whether there is a tensor of this name. It does not count as asked for.
    pub fn has_tensor(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    fn position(&self, name: &str) -> Option<u32> {
        let found = self.by_name.binary_search_by(|&i| name_of(&self.tensors, i).cmp(name)).ok()?;
        self.by_name.get(found).copied()
    }

    /// The tensor of a name, or an error that says which is missing.
    pub fn require_tensor(&self, name: &str) -> Result<&TensorInfo<'a>, Error> {
        self.tensor(name).ok_or_else(|| Error::MissingTensor { name: name.into() })
    }

    fn entry(&self, key: &str) -> Option<&Entry<'a>> {
        let i = find_key(&self.metadata, &self.by_key, key)?;
        self.keys_asked.mark(i);
        self.metadata.get(i as usize)
    }
}

impl Entry<'_> {
    fn mismatch(&self, mismatch: Mismatch, wanted: &'static str) -> Error {
        let (key, at) = (self.key.into(), self.at);
        match mismatch {
            Mismatch::Type => Error::WrongType { key, at, wanted, found: self.value.type_name() },
            Mismatch::Range => Error::DoesNotFit { key, at, wanted },
            Mismatch::Utf8 { bad } => Error::ValueNotUtf8 { key, at, bad },
        }
    }
}

/// What comes before the data: everything but the places of the tensors. The writer reads its own with it.
pub(crate) struct Head<'a> {
    version: u32,
    alignment: u32,
    metadata: Vec<Entry<'a>>,
    by_key: Vec<u32>,
    descriptions: Vec<Description<'a>>,
    by_name: Vec<u32>,
    /// One past its last byte.
    end: usize,
}

impl<'a> Head<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(bytes);
        let version = read_version(&mut cursor)?;
        let (n_tensors, n_metadata) = read_counts(&mut cursor)?;
        let (metadata, by_key) = read_metadata(&mut cursor, n_metadata)?;
        let alignment = read_alignment(
            find_key(&metadata, &by_key, ALIGNMENT_KEY).and_then(|i| metadata.get(i as usize)),
        )?;
        let (descriptions, by_name) = read_descriptions(&mut cursor, n_tensors)?;
        Ok(Self { version, alignment, metadata, by_key, descriptions, by_name, end: cursor.at() })
    }
}

/// The alignment of the tensors: a u32, as ggml wants it, and a power of two.
fn read_alignment(entry: Option<&Entry<'_>>) -> Result<u32, Error> {
    let Some(entry) = entry else { return Ok(DEFAULT_ALIGNMENT) };
    match entry.value {
        Value::U32(alignment) if alignment.is_power_of_two() => Ok(alignment),
        Value::U32(alignment) => Err(Error::BadAlignment { at: entry.at, alignment }),
        _ => Err(entry.mismatch(Mismatch::Type, ValueType::U32.name())),
    }
}

fn read_version(cursor: &mut Cursor<'_>) -> Result<u32, Error> {
    let magic = cursor.array("the magic")?;
    if magic != *b"GGUF" {
        return Err(Error::NotGguf { found: magic });
    }
    match cursor.u32("the version")? {
        version @ (2 | 3) => Ok(version),
        1 => Err(Error::VersionOne),
        // A big-endian file's small version number has its low half in the other one.
        version if version != 0 && version & 0xFFFF == 0 => {
            Err(Error::BigEndian { version: version.swap_bytes() })
        }
        version => Err(Error::UnknownVersion { version }),
    }
}

fn read_counts(cursor: &mut Cursor<'_>) -> Result<(u64, u64), Error> {
    let at = cursor.at();
    let tensors = cursor.u64("the number of tensors")?;
    if tensors > limits::TENSOR_COUNT {
        return Err(Error::TooManyTensors { at, count: tensors });
    }
    let at = cursor.at();
    let metadata = cursor.u64("the number of metadata entries")?;
    if metadata > limits::METADATA_COUNT {
        return Err(Error::TooManyKeys { at, count: metadata });
    }
    Ok((tensors, metadata))
}

/// The entries and their positions sorted by key. The vectors grow with what is read, not with what is claimed.
fn read_metadata<'a>(cursor: &mut Cursor<'a>, count: u64) -> Result<(Vec<Entry<'a>>, Vec<u32>), Error> {
    let mut entries = Vec::new();
    for _ in 0..count {
        let key = read_key(cursor)?;
        let at = cursor.at();
        entries.push(Entry { key, at, value: Value::read(cursor, key)? });
    }
    let order = sorted(entries.len(), |i| key_of(&entries, i));
    match twin(&order, |i| key_of(&entries, i)) {
        None => Ok((entries, order)),
        Some((first, second)) => {
            let at = |i: u32| entries.get(i as usize).map_or(0, |entry| entry.at);
            Err(Error::DuplicateKey {
                key: key_of(&entries, second).into(),
                first: at(first),
                at: at(second),
            })
        }
    }
}

fn read_key<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, Error> {
    let (at, bytes) = cursor.string("a metadata key")?;
    if bytes.is_empty() {
        return Err(Error::EmptyKey { at });
    }
    if bytes.len() > limits::KEY_BYTES {
        return Err(Error::KeyTooLong { at, len: bytes.len() });
    }
    core::str::from_utf8(bytes).map_err(|e| Error::KeyNotUtf8 { at, bad: at + e.valid_up_to() })
}

fn read_descriptions<'a>(
    cursor: &mut Cursor<'a>,
    count: u64,
) -> Result<(Vec<Description<'a>>, Vec<u32>), Error> {
    let mut found: Vec<Description<'a>> = Vec::new();
    let mut budget = limits::ELEMENTS;
    for _ in 0..count {
        found.push(Description::read(cursor, &mut budget)?);
    }
    let name_of = |i: u32| found.get(i as usize).map_or("", |tensor| tensor.name);
    let order = sorted(found.len(), name_of);
    match twin(&order, name_of) {
        None => Ok((found, order)),
        Some((first, second)) => {
            let at = |i: u32| found.get(i as usize).map_or(0, |tensor| tensor.at);
            Err(Error::DuplicateTensor { name: name_of(second).into(), first: at(first), at: at(second) })
        }
    }
}

/// Gives each tensor its bytes: one after the other from the first multiple of the alignment on.
///
/// With at most 2^16 tensors of together at most 2^43 bytes and an alignment of at most 2^31, no sum reaches 2^48.
fn place_all<'a>(
    file: (&'a [u8], usize),
    descriptions: &[Description<'a>],
    header_end: u64,
    alignment: u64,
) -> Result<Vec<TensorInfo<'a>>, Error> {
    let data_start = header_end.next_multiple_of(alignment);
    let mut tensors = Vec::with_capacity(descriptions.len());
    let mut offset = 0u64;
    for description in descriptions {
        let tensor = description.place(file, data_start, offset)?;
        offset = (offset + tensor.range().len() as u64).next_multiple_of(alignment);
        tensors.push(tensor);
    }
    Ok(tensors)
}

fn find_key(entries: &[Entry<'_>], by_key: &[u32], key: &str) -> Option<u32> {
    let found = by_key.binary_search_by(|&i| key_of(entries, i).cmp(key)).ok()?;
    by_key.get(found).copied()
}

fn key_of<'a>(entries: &[Entry<'a>], i: u32) -> &'a str {
    entries.get(i as usize).map_or("", |entry| entry.key)
}

fn name_of<'a>(tensors: &[TensorInfo<'a>], i: u32) -> &'a str {
    tensors.get(i as usize).map_or("", |tensor| tensor.name)
}

/// The positions 0..n by name, equal names by position.
fn sorted<'a>(n: usize, name: impl Fn(u32) -> &'a str) -> Vec<u32> {
    // The counts are bounded by 65 536.
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.sort_unstable_by(|&a, &b| name(a).cmp(name(b)).then(a.cmp(&b)));
    order
}

/// The first two positions with one name.
fn twin<'a>(order: &[u32], name: impl Fn(u32) -> &'a str) -> Option<(u32, u32)> {
    order.windows(2).find_map(|pair| match *pair {
        [a, b] if name(a) == name(b) => Some((a, b)),
        _ => None,
    })
}
