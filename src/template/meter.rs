//! What a template may make: a budget of bytes for one rendering, taken before anything is made.
//!
//! Strings cost their length, items of lists and maps [`ITEM`] each, so that the sum of all values that are there at
//! any one time is within the budget, and so is the time that reading them takes. A value is a tree: one that is in a list
//! twice costs twice, as it does when it is printed or compared. [`guard`](super::guard) puts the checks in front
//! of the instructions, [`filters`](super::filters) in front of filters and methods.
//!
//! Refused: more than the budget, and values that nest deeper than [`DEPTH`], which is also how a namespace that contains
//! itself ends.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use minijinja::value::{Enumerator, Object, ValueKind};
use minijinja::{Error, ErrorKind, Output, State, Value};

/// What one rendering may make, in bytes.
pub(super) const LIMIT: usize = 32 << 20;
/// What an item costs beside its text: its place in a list or map, and a string's header.
pub(super) const ITEM: usize = 32;
/// The longest number that is printed: a float without an exponent.
const NUMBER: usize = 328;
/// A quoted character may become an escape of six.
pub(super) const QUOTED: usize = 6;
/// How deep values may nest.
const DEPTH: usize = 64;

/// What is left of the budget of one rendering.
#[derive(Debug)]
pub(super) struct Meter(AtomicUsize);

impl Object for Meter {}

impl Meter {
    /// That of the rendering.
    pub(super) fn of(state: &State<'_, '_>) -> Arc<Self> {
        state.get_or_set_temp_object("ocelli meter", || Self(AtomicUsize::new(LIMIT)))
    }

    /// Takes so many bytes.
    pub(super) fn take(&self, bytes: usize) -> Result<(), Error> {
        match self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes)) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::from(ErrorKind::WriteFailure)),
        }
    }

    /// Takes what a product is.
    pub(super) fn take_times(&self, count: usize, bytes: usize) -> Result<(), Error> {
        self.take(count.saturating_mul(bytes))
    }

    /// Takes what a value's text or its first level of items costs, at so much a byte of text.
    pub(super) fn top(&self, value: &Value, byte: usize) -> Result<(), Error> {
        match text_len(value) {
            Some(len) => self.take_times(len, byte),
            None => self.take_times(value.len().unwrap_or_default(), ITEM),
        }
    }

    /// Takes what printing or comparing a value costs at most.
    pub(super) fn whole(&self, value: &Value) -> Result<(), Error> {
        match text_len(value) {
            Some(len) => self.take(len.saturating_add(ITEM)),
            None => self.tree(value, DEPTH, QUOTED),
        }
    }

    /// Takes a value's items, and their texts at so much a byte.
    fn tree(&self, value: &Value, depth: usize, byte: usize) -> Result<(), Error> {
        let Some(below) = depth.checked_sub(1) else {
            return Err(Error::new(ErrorKind::InvalidOperation, "values nest too deeply"));
        };
        self.take(ITEM + text_len(value).unwrap_or_default().saturating_mul(byte))?;
        match value.kind() {
            ValueKind::Number if byte > 0 => self.take(NUMBER),
            ValueKind::Seq | ValueKind::Iterable => {
                value.try_iter()?.try_for_each(|item| self.tree(&item, below, byte))
            }
            ValueKind::Map => value.try_iter()?.try_for_each(|key| {
                self.tree(&key, below, byte)?;
                self.tree(&value.get_item(&key)?, below, byte)
            }),
            _ => Ok(()),
        }
    }

    /// Takes what a new value costs. What would be computed anew each time it is read becomes a list: chains of such
    /// values would nest as deep as the template likes.
    pub(super) fn keep(&self, value: Value) -> Result<Value, Error> {
        if let Some(len) = text_len(&value) {
            self.take(len.saturating_add(ITEM))?;
            return Ok(value);
        }
        let value = match value.kind() {
            ValueKind::Iterable => {
                let mut items = Vec::new();
                for item in value.try_iter()? {
                    self.take(ITEM)?;
                    items.push(item);
                }
                Value::from(items)
            }
            _ => value,
        };
        self.tree(&value, DEPTH, 0)?;
        Ok(value)
    }
}

/// Bytes of a text.
fn text_len(value: &Value) -> Option<usize> {
    value.as_bytes().map(<[u8]>::len)
}

/// Writes a value as Python prints it, into the budget.
pub(super) fn write_value(out: &mut Output<'_>, state: &State<'_, '_>, value: &Value) -> Result<(), Error> {
    let mut out = Metered { out, meter: Meter::of(state) };
    match value.kind() {
        ValueKind::Undefined => Ok(()),
        ValueKind::None => fmt::Write::write_str(&mut out, "None").map_err(Error::from),
        ValueKind::Bool => fmt::Write::write_str(&mut out, if value.is_true() { "True" } else { "False" })
            .map_err(Error::from),
        _ => fmt::write(&mut out, format_args!("{value}")).map_err(Error::from),
    }
}

struct Metered<'a, 'o> {
    out: &'a mut Output<'o>,
    meter: Arc<Meter>,
}

impl fmt::Write for Metered<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.meter.take(text.len()).map_err(|_| fmt::Error)?;
        self.out.write_str(text)
    }
}

/// What `namespace(…)` gives: minijinja's own, but for the check of what is put in.
#[derive(Debug, Default)]
pub(super) struct Namespace(Mutex<BTreeMap<Arc<str>, Value>>);

impl Namespace {
    fn values(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One with these values.
    pub(super) fn of(state: &State<'_, '_>, values: Option<&Value>) -> Result<Value, Error> {
        let namespace = Self::default();
        if let Some(values) = values {
            if values.kind() != ValueKind::Map {
                let wrong = alloc::format!("expected object or keyword arguments, got {}", values.kind());
                return Err(Error::new(ErrorKind::InvalidOperation, wrong));
            }
            for key in values.try_iter()? {
                let value = values.get_item(&key)?;
                namespace.values().extend(key.as_str().map(|key| (Arc::from(key), value)));
            }
        }
        Meter::of(state).keep(Value::from_object(namespace))
    }

    /// `{% set namespace.name = value %}`.
    pub(super) fn set(state: &State<'_, '_>, value: Value, to: &Value, name: &str) -> Result<(), Error> {
        let Some(namespace) = to.downcast_object_ref::<Self>() else {
            let wrong = alloc::format!("can only assign to namespaces, not {}", to.kind());
            return Err(Error::new(ErrorKind::InvalidOperation, wrong));
        };
        let before = namespace.values().insert(name.into(), value);
        let result = Meter::of(state).keep(to.clone());
        if result.is_err() {
            // A circle would never be freed.
            let _ = match before {
                Some(value) => namespace.values().insert(name.into(), value),
                None => namespace.values().remove(name),
            };
        }
        result.map(drop)
    }
}

impl Object for Namespace {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.values().get(key.as_str()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.values().keys().cloned().map(Value::from).collect())
    }
}

/// An error of usage.
pub(super) fn wrong(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, String::from(what))
}
