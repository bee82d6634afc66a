//! Python's values, as far as templates meet them.
//!
//! Lists and maps cannot be changed once they are made (the sandbox refuses the methods that would), so nothing contains
//! itself. What can be changed (namespaces, loops, cyclers) lives in the rendering and is named by its number: it can be
//! reached in a circle, and is freed without following one. Values nest [`DEPTH`] deep at most.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use super::budget::{Budget, ENTRY, ITEM};
use super::fault::Fault;
use super::text::{TEMPLATE, Text};

/// How deep values may nest.
pub(super) const DEPTH: u32 = 64;

#[derive(Clone, Debug)]
pub(in crate::chat::template) enum Value {
    /// With what is said about it where it is used.
    Undefined(Rc<str>),
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Text),
    List(Rc<List>),
    Tuple(Rc<List>),
    Dict(Rc<Dict>),
    View(View, Rc<Dict>),
    Range(Rc<Range>),
    /// What gives its items once.
    Generator(Rc<Generator>),
    Namespace(usize),
    Loop(usize),
    Cycler(usize),
    Joiner(usize),
    Macro(usize),
    Method(Rc<(Value, String)>),
    Function(Function),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat::template) enum View {
    Keys,
    Values,
    Items,
}

/// What a template can call by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat::template) enum Function {
    Range,
    Dict,
    FromKeys,
    Namespace,
    Cycler,
    Joiner,
    Lipsum,
    RaiseException,
    StrftimeNow,
    /// `self`, whose attributes are the template's blocks.
    Blocks,
    Block(usize),
}

#[derive(Debug)]
pub(in crate::chat::template) struct List {
    pub(super) items: Vec<Value>,
    depth: u32,
    /// A pair of `groupby`, whose items have names.
    pub(super) group: bool,
}

#[derive(Debug)]
pub(in crate::chat::template) struct Dict {
    pub(super) entries: Vec<(Value, Value)>,
    /// Places by key, where there are many.
    index: BTreeMap<Key, usize>,
    depth: u32,
}

#[derive(Debug)]
pub(in crate::chat::template) struct Range {
    pub(super) start: i128,
    pub(super) stop: i128,
    pub(super) step: i128,
}

#[derive(Debug)]
pub(in crate::chat::template) struct Generator {
    pub(super) items: RefCell<alloc::vec::IntoIter<Value>>,
    depth: u32,
}

/// A value that can be a key: equal numbers are the same key, of whatever type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    None,
    Int(i128),
    Float(u64),
    Str(String),
    Tuple(Vec<Key>),
    Other(String),
}

/// Entries that are searched one after another.
const FEW: usize = 8;

impl Value {
    pub(in crate::chat::template) fn str(text: impl Into<String>) -> Self {
        Self::Str(Text::new(text, TEMPLATE))
    }

    pub(super) fn undefined(what: impl AsRef<str>) -> Self {
        Self::Undefined(Rc::from(what.as_ref()))
    }

    fn depth(&self) -> u32 {
        match self {
            Self::List(list) | Self::Tuple(list) => list.depth,
            Self::Dict(dict) | Self::View(_, dict) => dict.depth,
            Self::Generator(generator) => generator.depth,
            Self::Method(method) => 1 + method.0.depth(),
            _ => 0,
        }
    }

    /// A list.
    pub(super) fn list(items: Vec<Value>, budget: &Budget) -> Result<Self, Fault> {
        Ok(Self::List(Rc::new(List::new(items, budget)?)))
    }

    pub(super) fn tuple(items: Vec<Value>, budget: &Budget) -> Result<Self, Fault> {
        Ok(Self::Tuple(Rc::new(List::new(items, budget)?)))
    }

    /// A pair of `groupby`.
    pub(super) fn group(key: Value, items: Value, budget: &Budget) -> Result<Self, Fault> {
        let pair = List::new(Vec::from([key, items]), budget)?;
        Ok(Self::Tuple(Rc::new(List { group: true, ..pair })))
    }

    pub(super) fn dict(entries: Vec<(Value, Value)>, budget: &Budget) -> Result<Self, Fault> {
        Ok(Self::Dict(Rc::new(Dict::new(entries, budget)?)))
    }

    pub(super) fn generator(items: Vec<Value>, budget: &Budget) -> Result<Self, Fault> {
        let depth = deeper(items.iter())?;
        budget.items(items.len())?;
        Ok(Self::Generator(Rc::new(Generator { items: RefCell::new(items.into_iter()), depth })))
    }

    pub(super) fn method(of: &Value, name: &str, budget: &Budget) -> Result<Self, Fault> {
        deeper(core::iter::once(of))?;
        budget.take(ITEM + name.len() + 64)?;
        Ok(Self::Method(Rc::new((of.clone(), name.to_string()))))
    }

    /// What Python calls the type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(text) if text.is_markup() => "Markup",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::View(View::Keys, _) => "dict_keys",
            Self::View(View::Values, _) => "dict_values",
            Self::View(View::Items, _) => "dict_items",
            Self::Range(_) => "range",
            Self::Generator(_) => "generator",
            Self::Namespace(_) => "Namespace",
            Self::Loop(_) => "LoopContext",
            Self::Cycler(_) => "Cycler",
            Self::Joiner(_) => "Joiner",
            Self::Macro(_) => "Macro",
            Self::Method(_) | Self::Function(_) => "function",
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// An integer, or a truth value as one.
    pub(super) fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bool(truth) => Some(i128::from(*truth)),
            _ => None,
        }
    }

    /// A number.
    pub(super) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            other => other.as_int().map(|number| number as f64),
        }
    }

    /// The value as a key.
    pub(super) fn key(&self, budget: &Budget) -> Result<Key, Fault> {
        Ok(match self {
            Self::None => Key::None,
            Self::Bool(_) | Self::Int(_) => Key::Int(self.as_int().unwrap_or_default()),
            Self::Float(x) if x.fract() == 0.0 && x.abs() < 1e38 => Key::Int(*x as i128),
            Self::Float(x) => Key::Float(x.to_bits()),
            Self::Str(text) => {
                budget.read(text.len())?;
                budget.take(text.len())?;
                Key::Str(text.as_str().into())
            }
            Self::Tuple(tuple) => {
                budget.spend(tuple.items.len() as u64)?;
                budget.items(tuple.items.len())?;
                Key::Tuple(tuple.items.iter().map(|item| item.key(budget)).collect::<Result<_, _>>()?)
            }
            Self::List(_) | Self::Dict(_) | Self::View(..) => {
                return Err(Fault::new(alloc::format!("unhashable type: '{}'", self.type_name())));
            }
            Self::Range(range) => Key::Other(alloc::format!("{range:?}")),
            Self::Undefined(_) => Key::Other("undefined".into()),
            Self::Generator(generator) => Key::Other(alloc::format!("{:p}", Rc::as_ptr(generator))),
            Self::Method(method) => Key::Other(alloc::format!("{:p}", Rc::as_ptr(method))),
            Self::Namespace(n) | Self::Loop(n) | Self::Cycler(n) | Self::Joiner(n) | Self::Macro(n) => {
                Key::Other(alloc::format!("{} {n}", self.type_name()))
            }
            Self::Function(function) => Key::Other(alloc::format!("{function:?}")),
        })
    }
}

/// The depth of what contains these.
fn deeper<'a>(items: impl Iterator<Item = &'a Value>) -> Result<u32, Fault> {
    match items.map(Value::depth).max().unwrap_or_default() {
        depth if depth < DEPTH => Ok(depth + 1),
        _ => Err(Fault::new(alloc::format!("values nest deeper than {DEPTH}"))),
    }
}

impl List {
    fn new(items: Vec<Value>, budget: &Budget) -> Result<Self, Fault> {
        budget.items(items.len())?;
        let depth = deeper(items.iter())?;
        Ok(Self { items, depth, group: false })
    }
}

impl Dict {
    /// Of several entries with a key the first gives the place and the key, the last the value.
    pub(super) fn new(given: Vec<(Value, Value)>, budget: &Budget) -> Result<Self, Fault> {
        budget.take(given.len().saturating_mul(ENTRY).saturating_add(ENTRY))?;
        let depth = deeper(given.iter().flat_map(|(key, value)| [key, value]))?;
        let mut dict = Self { entries: Vec::with_capacity(given.len()), index: BTreeMap::new(), depth };
        let mut places = BTreeMap::new();
        for (key, value) in given {
            let at = *places.entry(key.key(budget)?).or_insert(dict.entries.len());
            match dict.entries.get_mut(at) {
                Some(entry) => entry.1 = value,
                None => dict.entries.push((key, value)),
            }
        }
        if dict.entries.len() > FEW {
            dict.index = places;
        }
        Ok(dict)
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &Value, budget: &Budget) -> Result<Option<&Value>, Fault> {
        if let (true, Value::Str(name)) = (self.index.is_empty(), key) {
            return Ok(self.named(name.as_str()));
        }
        let key = key.key(budget)?;
        if !self.index.is_empty() {
            return Ok(self.index.get(&key).and_then(|at| self.entries.get(*at)).map(|(_, value)| value));
        }
        for (found, value) in &self.entries {
            if found.key(budget)? == key {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The value of a text.
    pub(super) fn named(&self, name: &str) -> Option<&Value> {
        if !self.index.is_empty() {
            let at = self.index.get(&Key::Str(name.into()))?;
            return self.entries.get(*at).map(|(_, value)| value);
        }
        self.entries.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
    }
}

impl Range {
    pub(super) fn len(&self) -> usize {
        let (low, high, step) = if self.step > 0 {
            (self.start, self.stop, self.step)
        } else {
            (self.stop, self.start, -self.step)
        };
        if low >= high {
            return 0;
        }
        usize::try_from((high - 1 - low) / step + 1).unwrap_or(usize::MAX)
    }

    pub(super) fn get(&self, at: usize) -> Option<Value> {
        (at < self.len()).then(|| Value::Int(self.start + at as i128 * self.step))
    }

    pub(super) fn contains(&self, n: i128) -> bool {
        let inside =
            if self.step > 0 { self.start <= n && n < self.stop } else { self.stop < n && n <= self.start };
        inside && (n - self.start) % self.step == 0
    }
}

/// Items one after another.
#[derive(Debug)]
pub(super) struct Items {
    of: Source,
    at: usize,
}

#[derive(Debug)]
enum Source {
    Nothing,
    List(Rc<List>),
    Dict(View, Rc<Dict>),
    Range(Rc<Range>),
    Str(Text),
    Generator(Rc<Generator>),
    Owned(Box<alloc::vec::IntoIter<Value>>),
}

impl Items {
    /// Of a value that has items.
    pub(super) fn of(value: &Value) -> Result<Self, Fault> {
        let of = match value {
            Value::Undefined(_) => Source::Nothing,
            Value::List(list) | Value::Tuple(list) => Source::List(Rc::clone(list)),
            Value::Dict(dict) => Source::Dict(View::Keys, Rc::clone(dict)),
            Value::View(view, dict) => Source::Dict(*view, Rc::clone(dict)),
            Value::Range(range) => Source::Range(Rc::clone(range)),
            Value::Str(text) => Source::Str(text.clone()),
            Value::Generator(generator) => Source::Generator(Rc::clone(generator)),
            other => {
                return Err(Fault::new(alloc::format!("'{}' object is not iterable", other.type_name())));
            }
        };
        Ok(Self { of, at: 0 })
    }

    pub(super) fn owned(items: Vec<Value>) -> Self {
        Self { of: Source::Owned(Box::new(items.into_iter())), at: 0 }
    }

    pub(super) fn next(&mut self, budget: &Budget) -> Result<Option<Value>, Fault> {
        budget.spend(1)?;
        let at = self.at;
        self.at += 1;
        Ok(match &mut self.of {
            Source::Nothing => None,
            Source::List(list) => list.items.get(at).cloned(),
            Source::Range(range) => range.get(at),
            Source::Generator(generator) => generator.items.borrow_mut().next(),
            Source::Owned(items) => items.next(),
            Source::Dict(view, dict) => match (view, dict.entries.get(at)) {
                (_, None) => None,
                (View::Keys, Some((key, _))) => Some(key.clone()),
                (View::Values, Some((_, value))) => Some(value.clone()),
                (View::Items, Some((key, value))) => {
                    Some(Value::tuple(Vec::from([key.clone(), value.clone()]), budget)?)
                }
            },
            Source::Str(text) => match text.piece(at, text.len()).chars().next() {
                None => None,
                Some(c) => {
                    self.at = at + c.len_utf8();
                    budget.take(super::budget::TEXT + super::budget::RUN)?;
                    let c = Text::new(c, text.origin_at(at));
                    Some(Value::Str(c.with_markup(text.is_markup())))
                }
            },
        })
    }

    /// All that are left.
    pub(super) fn rest(mut self, budget: &Budget) -> Result<Vec<Value>, Fault> {
        let mut items = Vec::new();
        while let Some(item) = self.next(budget)? {
            budget.take(2 * ITEM)?;
            items.push(item);
        }
        Ok(items)
    }
}
