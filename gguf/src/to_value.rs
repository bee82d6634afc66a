//! From Rust types to metadata values, for the writer.

use alloc::string::String;
use alloc::vec::Vec;

use crate::value::{Text, Value, ValueType};

/// What can be an element of an array: every type of value but arrays.
pub trait Element {
    /// The type in the file.
    const KIND: ValueType;

    /// Appends the value's bytes.
    fn encode(&self, out: &mut Vec<u8>);
}

/// What can be the value of a metadata key: an [`Element`], a slice of them, or a [`Value`] read from another file.
pub trait ToValue {
    /// The type in the file.
    fn kind(&self) -> ValueType;

    /// Appends the value's bytes, without the type.
    fn encode(&self, out: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($t:ident $kind:ident)*) => {$(
        impl Element for $t {
            const KIND: ValueType = ValueType::$kind;

            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

numbers!(u8 U8 i8 I8 u16 U16 i16 I16 u32 U32 i32 I32 f32 F32 u64 U64 i64 I64 f64 F64);

impl Element for bool {
    const KIND: ValueType = ValueType::Bool;

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Element for &str {
    const KIND: ValueType = ValueType::String;

    fn encode(&self, out: &mut Vec<u8>) {
        string(self.as_bytes(), out);
    }
}

impl Element for String {
    const KIND: ValueType = ValueType::String;

    fn encode(&self, out: &mut Vec<u8>) {
        string(self.as_bytes(), out);
    }
}

impl Element for Text<'_> {
    const KIND: ValueType = ValueType::String;

    fn encode(&self, out: &mut Vec<u8>) {
        string(self.as_bytes(), out);
    }
}

/// A u64 length and the bytes.
pub(crate) fn string(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// The element type, a u64 count and the elements.
fn array(element: ValueType, count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&element.id().to_le_bytes());
    out.extend_from_slice(&(count as u64).to_le_bytes());
}

impl<T: Element> ToValue for T {
    fn kind(&self) -> ValueType {
        T::KIND
    }

    fn encode(&self, out: &mut Vec<u8>) {
        Element::encode(self, out);
    }
}

impl<T: Element> ToValue for &[T] {
    fn kind(&self) -> ValueType {
        ValueType::Array
    }

    fn encode(&self, out: &mut Vec<u8>) {
        array(T::KIND, self.len(), out);
        self.iter().for_each(|element| element.encode(out));
    }
}

impl<T: Element, const N: usize> ToValue for &[T; N] {
    fn kind(&self) -> ValueType {
        ValueType::Array
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.as_slice().encode(out);
    }
}

impl<T: Element> ToValue for &Vec<T> {
    fn kind(&self) -> ValueType {
        ValueType::Array
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.as_slice().encode(out);
    }
}

/// Copies a value from one file into another.
impl ToValue for Value<'_> {
    fn kind(&self) -> ValueType {
        Value::kind(self)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::U8(x) => Element::encode(x, out),
            Self::I8(x) => Element::encode(x, out),
            Self::U16(x) => Element::encode(x, out),
            Self::I16(x) => Element::encode(x, out),
            Self::U32(x) => Element::encode(x, out),
            Self::I32(x) => Element::encode(x, out),
            Self::F32(x) => Element::encode(x, out),
            Self::Bool(x) => Element::encode(x, out),
            Self::String(x) => Element::encode(x, out),
            Self::U64(x) => Element::encode(x, out),
            Self::I64(x) => Element::encode(x, out),
            Self::F64(x) => Element::encode(x, out),
            Self::Array(x) => {
                array(x.element_type(), x.len(), out);
                out.extend_from_slice(x.encoded());
            }
        }
    }
}
