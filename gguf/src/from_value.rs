//! From a metadata value to a Rust type: any integer width that fits, strings that are UTF-8, typed lists.

use core::marker::PhantomData;

use crate::value::{Array, ArrayIter, Text, Value};

/// Why a value is not what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// It has another type.
    Type,
    /// It has the right type and the number does not fit.
    Range,
    /// It is a string that is not UTF-8 from the given byte of the file on.
    Utf8 {
        /// The file offset of the first bad byte.
        bad: usize,
    },
}

/// A type that [`Gguf::require`](crate::Gguf::require) and [`Gguf::optional`](crate::Gguf::optional) can give.
///
/// `u32`, `i32`, `u64`, `i64` and `usize` accept every integer type whose value fits; `f32` and `bool` accept their
/// own type only, because files that mix them up are files that mean something else.
pub trait FromValue<'a>: Sized {
    /// What is wanted, for the error.
    const WANTED: &'static str;
    /// What is wanted when the wanted thing is a list of these.
    const WANTED_LIST: &'static str;

    /// The value as this type.
    fn from_value(value: Value<'a>) -> Result<Self, Mismatch>;
}

macro_rules! integers {
    ($($t:ident)*) => {$(
        impl<'a> FromValue<'a> for $t {
            const WANTED: &'static str = concat!("an integer (", stringify!($t), ")");
            const WANTED_LIST: &'static str = concat!("an array of integers (", stringify!($t), ")");

            fn from_value(value: Value<'a>) -> Result<Self, Mismatch> {
                let wide = value.as_integer().ok_or(Mismatch::Type)?;
                Self::try_from(wide).map_err(|_| Mismatch::Range)
            }
        }
    )*};
}

integers!(u32 i32 u64 i64 usize);

impl<'a> FromValue<'a> for f32 {
    const WANTED: &'static str = "f32";
    const WANTED_LIST: &'static str = "array of f32";

    fn from_value(value: Value<'a>) -> Result<Self, Mismatch> {
        match value {
            Value::F32(x) => Ok(x),
            _ => Err(Mismatch::Type),
        }
    }
}

impl<'a> FromValue<'a> for bool {
    const WANTED: &'static str = "bool";
    const WANTED_LIST: &'static str = "array of bool";

    fn from_value(value: Value<'a>) -> Result<Self, Mismatch> {
        match value {
            Value::Bool(x) => Ok(x),
            _ => Err(Mismatch::Type),
        }
    }
}

impl<'a> FromValue<'a> for Text<'a> {
    const WANTED: &'static str = "string";
    const WANTED_LIST: &'static str = "array of string";

    fn from_value(value: Value<'a>) -> Result<Self, Mismatch> {
        match value {
            Value::String(x) => Ok(x),
            _ => Err(Mismatch::Type),
        }
    }
}

impl<'a> FromValue<'a> for &'a str {
    const WANTED: &'static str = "string";
    const WANTED_LIST: &'static str = "array of string";

    fn from_value(value: Value<'a>) -> Result<Self, Mismatch> {
        let text = Text::from_value(value)?;
        core::str::from_utf8(text.as_bytes())
            .map_err(|e| Mismatch::Utf8 { bad: text.offset() + e.valid_up_to() })
    }
}

impl<'a> FromValue<'a> for Array<'a> {
    const WANTED: &'static str = "array";
    const WANTED_LIST: &'static str = "array of array";

    fn from_value(value: Value<'a>) -> Result<Self, Mismatch> {
        match value {
            Value::Array(x) => Ok(x),
            _ => Err(Mismatch::Type),
        }
    }
}

/// An array whose elements are all known to be `T`s: `List<f32>`, `List<&str>`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct List<'a, T> {
    array: Array<'a>,
    element: PhantomData<T>,
}

impl<'a, T: FromValue<'a>> List<'a, T> {
    /// The number of elements.
    pub const fn len(&self) -> usize {
        self.array.len()
    }

    /// Whether there are no elements.
    pub const fn is_empty(&self) -> bool {
        self.array.is_empty()
    }

    /// Element `i`. Strings are found by walking from the first: iterate to visit many.
    pub fn get(&self, i: usize) -> Option<T> {
        T::from_value(self.array.get(i)?).ok()
    }

    /// The elements in order.
    pub const fn iter(&self) -> ListIter<'a, T> {
        ListIter { values: self.array.iter(), element: PhantomData }
    }
}

impl<'a, T: FromValue<'a>> FromValue<'a> for List<'a, T> {
    const WANTED: &'static str = T::WANTED_LIST;
    const WANTED_LIST: &'static str = "array of array";

    /// Converts every element once, so that reading the list later cannot fail. An empty array is an empty list of
    /// anything: writers have no element to take the type from.
    fn from_value(value: Value<'a>) -> Result<Self, Mismatch> {
        let array = Array::from_value(value)?;
        for element in array {
            T::from_value(element)?;
        }
        Ok(Self { array, element: PhantomData })
    }
}

impl<'a, T: FromValue<'a>> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = ListIter<'a, T>;

    fn into_iter(self) -> ListIter<'a, T> {
        self.iter()
    }
}

/// The elements of a [`List`] in order.
#[derive(Clone)]
pub struct ListIter<'a, T> {
    values: ArrayIter<'a>,
    element: PhantomData<T>,
}

impl<'a, T: FromValue<'a>> Iterator for ListIter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        T::from_value(self.values.next()?).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.values.size_hint()
    }
}

impl<'a, T: FromValue<'a>> ExactSizeIterator for ListIter<'a, T> {}
