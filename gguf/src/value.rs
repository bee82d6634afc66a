//! Metadata values: thirteen types, borrowed from the file.
//!
//! ```text
//! 0 u8   1 i8   2 u16   3 i16   4 u32   5 i32   6 f32   7 bool (one byte, 0 or 1)
//! 8 string { u64 length, bytes }   9 array { u32 element type, u64 count, elements }   10 u64   11 i64   12 f64
//! ```
//! Strings are UTF-8 by convention only, so a [`Text`] is checked when somebody asks for a `str`. Arrays of arrays
//! are refused: nothing writes them and ggml does not read them.

use core::fmt;

use crate::cursor::Cursor;
use crate::error::Error;
use crate::limits;

/// The type of a metadata value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
#[repr(u8)]
pub enum ValueType {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl ValueType {
    const ALL: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::String,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    /// The type of a number in a file.
    pub fn from_id(id: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(id).ok()?).copied()
    }

    /// The number that stands for the type in a file.
    pub const fn id(self) -> u32 {
        self as u32
    }

    /// The name in messages, such as `u32`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::F32 => "f32",
            Self::Bool => "bool",
            Self::String => "string",
            Self::Array => "array",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F64 => "f64",
        }
    }

    /// The bytes of a value, `None` for strings and arrays, which have their own lengths.
    pub const fn size(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::String | Self::Array => None,
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A metadata value.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Value<'a> {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(Text<'a>),
    Array(Array<'a>),
    U64(u64),
    I64(i64),
    F64(f64),
}

impl<'a> Value<'a> {
    /// The value's type.
    pub const fn kind(&self) -> ValueType {
        match self {
            Self::U8(_) => ValueType::U8,
            Self::I8(_) => ValueType::I8,
            Self::U16(_) => ValueType::U16,
            Self::I16(_) => ValueType::I16,
            Self::U32(_) => ValueType::U32,
            Self::I32(_) => ValueType::I32,
            Self::F32(_) => ValueType::F32,
            Self::Bool(_) => ValueType::Bool,
            Self::String(_) => ValueType::String,
            Self::Array(_) => ValueType::Array,
            Self::U64(_) => ValueType::U64,
            Self::I64(_) => ValueType::I64,
            Self::F64(_) => ValueType::F64,
        }
    }

    /// The type in words, with the element type of an array: `array of string`.
    pub const fn type_name(&self) -> &'static str {
        let Value::Array(array) = self else { return self.kind().name() };
        match array.element {
            ValueType::U8 => "array of u8",
            ValueType::I8 => "array of i8",
            ValueType::U16 => "array of u16",
            ValueType::I16 => "array of i16",
            ValueType::U32 => "array of u32",
            ValueType::I32 => "array of i32",
            ValueType::F32 => "array of f32",
            ValueType::Bool => "array of bool",
            ValueType::String => "array of string",
            ValueType::Array => "array of array",
            ValueType::U64 => "array of u64",
            ValueType::I64 => "array of i64",
            ValueType::F64 => "array of f64",
        }
    }

    /// The value of any integer type; `None` for the others.
    pub const fn as_integer(&self) -> Option<i128> {
        Some(match *self {
            Self::U8(x) => x as i128,
            Self::I8(x) => x as i128,
            Self::U16(x) => x as i128,
            Self::I16(x) => x as i128,
            Self::U32(x) => x as i128,
            Self::I32(x) => x as i128,
            Self::U64(x) => x as i128,
            Self::I64(x) => x as i128,
            Self::F32(_) | Self::F64(_) | Self::Bool(_) | Self::String(_) | Self::Array(_) => return None,
        })
    }

    /// A value of a type with a fixed size from the start of `bytes`; `None` for other types or too few bytes.
    fn fixed(kind: ValueType, bytes: &[u8]) -> Option<Value<'static>> {
        Some(match kind {
            ValueType::U8 => Value::U8(*bytes.first()?),
            ValueType::I8 => Value::I8(i8::from_le_bytes(*bytes.first_chunk()?)),
            ValueType::U16 => Value::U16(u16::from_le_bytes(*bytes.first_chunk()?)),
            ValueType::I16 => Value::I16(i16::from_le_bytes(*bytes.first_chunk()?)),
            ValueType::U32 => Value::U32(u32::from_le_bytes(*bytes.first_chunk()?)),
            ValueType::I32 => Value::I32(i32::from_le_bytes(*bytes.first_chunk()?)),
            ValueType::F32 => Value::F32(f32::from_le_bytes(*bytes.first_chunk()?)),
            ValueType::Bool => Value::Bool(*bytes.first()? != 0),
            ValueType::U64 => Value::U64(u64::from_le_bytes(*bytes.first_chunk()?)),
            ValueType::I64 => Value::I64(i64::from_le_bytes(*bytes.first_chunk()?)),
            ValueType::F64 => Value::F64(f64::from_le_bytes(*bytes.first_chunk()?)),
            ValueType::String | ValueType::Array => return None,
        })
    }

    /// Reads a value with its type in front.
    pub(crate) fn read(cursor: &mut Cursor<'a>, key: &str) -> Result<Self, Error> {
        let at = cursor.at();
        match read_type(cursor, key)? {
            ValueType::String => {
                let (at, bytes) = cursor.string("a string value")?;
                Ok(Value::String(Text { at, bytes }))
            }
            ValueType::Array => Array::read(cursor, key).map(Value::Array),
            kind => {
                let start = cursor.at();
                let bytes = cursor.take(kind.size().unwrap_or_default() as u64, "a value")?;
                if kind == ValueType::Bool {
                    check_bools(key, start, bytes)?;
                }
                Self::fixed(kind, bytes).ok_or_else(|| Error::unknown_value_type(key, at, kind.id()))
            }
        }
    }
}

fn read_type(cursor: &mut Cursor<'_>, key: &str) -> Result<ValueType, Error> {
    let at = cursor.at();
    let id = cursor.u32("a value's type")?;
    ValueType::from_id(id).ok_or_else(|| Error::unknown_value_type(key, at, id))
}

fn check_bools(key: &str, at: usize, bytes: &[u8]) -> Result<(), Error> {
    match bytes.iter().enumerate().find(|(_, byte)| **byte > 1) {
        None => Ok(()),
        Some((i, &byte)) => Err(Error::BadBool { key: key.into(), at: at + i, byte }),
    }
}

/// A string of the file, not yet known to be UTF-8. Equality looks at the bytes, not at the place.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    at: usize,
    bytes: &'a [u8],
}

impl<'a> Text<'a> {
    /// The bytes as they are in the file.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The text, or an error that names the first byte that is not UTF-8.
    pub fn to_str(self) -> Result<&'a str, Error> {
        core::str::from_utf8(self.bytes)
            .map_err(|e| Error::NotUtf8 { at: self.at, bad: self.at + e.valid_up_to() })
    }

    /// Where in the file the first byte of the text is.
    pub const fn offset(self) -> usize {
        self.at
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.bytes.escape_ascii())
    }
}

/// An array of the file: a view, decoded as it is read.
#[derive(Clone, Copy)]
pub struct Array<'a> {
    element: ValueType,
    count: usize,
    at: usize,
    bytes: &'a [u8],
}

impl<'a> Array<'a> {
    /// Walks over the elements, so that everything said about them later is in bounds.
    fn read(cursor: &mut Cursor<'a>, key: &str) -> Result<Self, Error> {
        let at = cursor.at();
        let element = read_type(cursor, key)?;
        if element == ValueType::Array {
            return Err(Error::NestedArray { key: key.into(), at });
        }
        let at = cursor.at();
        let count = cursor.u64("an array's length")?;
        if count > limits::ARRAY_COUNT {
            return Err(Error::ArrayTooLong { key: key.into(), at, count });
        }
        let at = cursor.at();
        let bytes = match element.size() {
            // At most 2^30 x 8, so the product cannot overflow.
            Some(size) => cursor.take(count * size as u64, "an array's elements")?,
            None => strings_of(cursor, count)?,
        };
        if element == ValueType::Bool {
            check_bools(key, at, bytes)?;
        }
        Ok(Self { element, count: count as usize, at, bytes })
    }

    /// The type of the elements; never [`ValueType::Array`].
    pub const fn element_type(&self) -> ValueType {
        self.element
    }

    /// The number of elements.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no elements.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The elements as they are in the file, the lengths of strings included.
    pub(crate) const fn encoded(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where in the file the first element is.
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// Element `i`. Strings are found by walking from the first: iterate to visit many.
    pub fn get(&self, i: usize) -> Option<Value<'a>> {
        match self.element.size() {
            Some(size) => Value::fixed(self.element, self.bytes.get(i.checked_mul(size)?..)?),
            None => self.iter().nth(i),
        }
    }

    /// The elements in order.
    pub const fn iter(&self) -> ArrayIter<'a> {
        ArrayIter { element: self.element, left: self.count, at: self.at, rest: self.bytes }
    }
}

/// Steps over `count` strings and gives the bytes they take, lengths included.
fn strings_of<'a>(cursor: &mut Cursor<'a>, count: u64) -> Result<&'a [u8], Error> {
    let mut end = cursor.fork();
    for _ in 0..count {
        end.string("a string of an array")?;
    }
    cursor.take((end.at() - cursor.at()) as u64, "an array's strings")
}

impl<'a> IntoIterator for Array<'a> {
    type Item = Value<'a>;
    type IntoIter = ArrayIter<'a>;

    fn into_iter(self) -> ArrayIter<'a> {
        self.iter()
    }
}

impl PartialEq for Array<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.element, self.count, self.bytes) == (other.element, other.count, other.bytes)
    }
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}; {}]", self.element, self.count)
    }
}

/// The elements of an [`Array`] in order.
#[derive(Clone)]
pub struct ArrayIter<'a> {
    element: ValueType,
    left: usize,
    at: usize,
    rest: &'a [u8],
}

impl<'a> ArrayIter<'a> {
    /// Splits the next `n` bytes off; the reader has made sure that they are there.
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(n)?;
        self.rest = tail;
        self.at += n;
        Some(head)
    }
}

impl<'a> Iterator for ArrayIter<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.left = self.left.checked_sub(1)?;
        if let Some(size) = self.element.size() {
            return Value::fixed(self.element, self.take(size)?);
        }
        let len = u64::from_le_bytes(*self.take(8)?.first_chunk()?);
        let at = self.at;
        Some(Value::String(Text { at, bytes: self.take(usize::try_from(len).ok()?)? }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for ArrayIter<'_> {}
