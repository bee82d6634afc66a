//! Attributes, items and slices.
//!
//! `value.name` is Python's attribute, else the item with that name; `value[key]` the item, else the attribute. What is
//! neither is undefined. The sandbox hides methods that would change a value.

use alloc::format;
use alloc::vec::Vec;

use super::call::integer;
use super::fault::Fault;
use super::run::Run;
use super::strings;
use super::text::Text;
use super::value::{Function, Items, Value};

const LISTS: [&str; 3] = ["count", "index", "copy"];
const DICTS: [&str; 6] = ["get", "keys", "values", "items", "copy", "fromkeys"];
const INTS: [&str; 5] = ["bit_length", "bit_count", "conjugate", "as_integer_ratio", "to_bytes"];
const FLOATS: [&str; 4] = ["is_integer", "conjugate", "as_integer_ratio", "hex"];
const CHANGES_LISTS: [&str; 8] = ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"];
const CHANGES_DICTS: [&str; 5] = ["clear", "pop", "popitem", "setdefault", "update"];

impl Run<'_> {
    /// Whether a value has a method with this name.
    pub(super) fn is_method(&self, value: &Value, name: &str) -> bool {
        match value {
            Value::Str(_) => strings::METHODS.contains(&name),
            Value::List(_) => LISTS.contains(&name),
            Value::Tuple(list) if list.group && name == "list" => false,
            Value::Tuple(_) | Value::Range(_) => name != "copy" && LISTS.contains(&name),
            Value::Dict(_) => DICTS.contains(&name),
            Value::Loop(_) => ["cycle", "changed"].contains(&name),
            Value::Cycler(_) => ["next", "reset"].contains(&name),
            Value::Int(_) | Value::Bool(_) => INTS.contains(&name),
            Value::Float(_) => FLOATS.contains(&name),
            _ => false,
        }
    }

    /// Python's own attribute.
    fn own_attribute(&mut self, value: &Value, name: &str) -> Result<Option<Value>, Fault> {
        if self.is_method(value, name) {
            if let Value::Loop(at) = value {
                self.loop_escapes(*at);
            }
            return Value::method(value, name, &self.budget).map(Some);
        }
        Ok(match (value, name) {
            (Value::List(_), name) if CHANGES_LISTS.contains(&name) => Some(unsafe_attribute(value, name)),
            (Value::Dict(_), name) if CHANGES_DICTS.contains(&name) => Some(unsafe_attribute(value, name)),
            (Value::Loop(at), name) => self.loop_attribute(*at, name)?,
            (Value::Namespace(at), name) => {
                let namespace = self.namespaces.get(*at);
                self.budget.spend(namespace.map_or(0, Vec::len) as u64 / 8)?;
                let entry = namespace.and_then(|all| all.iter().find(|(key, _)| key.as_str() == Some(name)));
                entry.map(|(_, value)| value.clone())
            }
            (Value::Cycler(at), "current") => {
                self.cyclers.get(*at).and_then(|(items, next)| items.get(*next)).cloned()
            }
            (Value::Cycler(at), "pos") => self.cyclers.get(*at).map(|(_, next)| Value::Int(*next as i128)),
            (Value::Joiner(at), "sep") => self.joiners.get(*at).map(|(between, _)| between.clone()),
            (Value::Tuple(list), "grouper") if list.group => list.items.first().cloned(),
            (Value::Tuple(list), "list") if list.group => list.items.get(1).cloned(),
            (Value::Range(range), "start") => Some(Value::Int(range.start)),
            (Value::Range(range), "stop") => Some(Value::Int(range.stop)),
            (Value::Range(range), "step") => Some(Value::Int(range.step)),
            (Value::Int(_) | Value::Bool(_), "real" | "numerator") => value.as_int().map(Value::Int),
            (Value::Int(_) | Value::Bool(_), "imag") => Some(Value::Int(0)),
            (Value::Int(_) | Value::Bool(_), "denominator") => Some(Value::Int(1)),
            (Value::Float(_), "real") => Some(value.clone()),
            (Value::Float(_), "imag") => Some(Value::Float(0.0)),
            (Value::Function(Function::Dict), "fromkeys") => Some(Value::Function(Function::FromKeys)),
            (Value::Function(Function::Blocks), name) => {
                let at = self.program.blocks.iter().position(|(block, _)| block == name);
                at.map(|at| Value::Function(Function::Block(at)))
            }
            (Value::Macro(at), name) => self.macro_attribute(*at, name)?,
            _ => None,
        })
    }

    fn macro_attribute(&mut self, at: usize, name: &str) -> Result<Option<Value>, Fault> {
        let Some((of, _)) = self.macros.get(at).copied() else { return Ok(None) };
        Ok(Some(match name {
            "name" => of.name.as_ref().map_or(Value::None, |(_, name)| Value::str(name.as_str())),
            "arguments" => {
                let names = of.arguments.iter().map(|(_, name)| Value::str(name.as_str())).collect();
                Value::tuple(names, &self.budget)?
            }
            "catch_kwargs" => Value::Bool(of.uses.kwargs),
            "catch_varargs" => Value::Bool(of.uses.varargs),
            "caller" => Value::Bool(of.uses.caller || of.arguments.iter().any(|(_, name)| name == "caller")),
            _ => return Ok(None),
        }))
    }

    /// What is found by a key; `None` where Python raises `TypeError` or `LookupError`.
    fn own_item(&mut self, value: &Value, key: &Value) -> Result<Option<Value>, Fault> {
        Ok(match (value, key) {
            (Value::Dict(_), Value::List(_) | Value::Dict(_)) => None,
            (Value::Dict(dict), key) => dict.get(key, &self.budget)?.cloned(),
            (Value::List(list) | Value::Tuple(list), key) => {
                let at = key.as_int().and_then(|at| index(at, list.items.len()));
                at.and_then(|at| list.items.get(at)).cloned()
            }
            (Value::Range(range), key) => {
                let at = key.as_int().and_then(|at| index(at, range.len()));
                at.and_then(|at| range.get(at))
            }
            (Value::Str(text), key) => match key.as_int() {
                Some(at) => self.character(text, at)?,
                None => None,
            },
            _ => None,
        })
    }

    fn character(&mut self, text: &Text, at: i128) -> Result<Option<Value>, Fault> {
        self.budget.read(text.len())?;
        let count = if at < 0 { text.as_str().chars().count() } else { usize::MAX };
        let found = index(at, count).and_then(|at| text.as_str().char_indices().nth(at));
        found.map(|(at, c)| self.cut(text, at, at + c.len_utf8())).transpose()
    }

    /// A stretch of a text.
    pub(super) fn cut(&mut self, text: &Text, from: usize, to: usize) -> Result<Value, Fault> {
        if from == 0 && to == text.len() {
            return Ok(Value::Str(text.clone()));
        }
        let mut out = self.builder();
        out.push_piece(text, from, to);
        Ok(Value::Str(out.finish_as(text.is_markup())?))
    }

    /// `value.name`.
    pub(super) fn attribute(&mut self, value: &Value, name: &str) -> Result<Value, Fault> {
        if let Value::Undefined(what) = value {
            return Err(Fault::new(&**what));
        }
        if let Some(found) = self.own_attribute(value, name)? {
            return Ok(found);
        }
        if let Value::Dict(dict) = value
            && let Some(found) = dict.named(name)
        {
            return Ok(found.clone());
        }
        self.missing(value, name)
    }

    fn missing(&mut self, value: &Value, name: &str) -> Result<Value, Fault> {
        self.budget.take(128 + name.len())?;
        Ok(match value {
            Value::None => Value::undefined(format!("'None' has no attribute '{name}'")),
            other => Value::undefined(format!("'{} object' has no attribute '{name}'", other.type_name())),
        })
    }

    /// `value[key]`.
    pub(super) fn item(&mut self, value: &Value, key: &Value) -> Result<Value, Fault> {
        if let Value::Undefined(what) = value {
            return Err(Fault::new(&**what));
        }
        if let Some(found) = self.own_item(value, key)? {
            return Ok(found);
        }
        if let Value::Str(name) = key {
            return match self.own_attribute(value, name.as_str())? {
                Some(found) => Ok(found),
                None => self.missing(value, name.as_str()),
            };
        }
        self.budget.take(128)?;
        let mut key_text = self.builder();
        self.write_repr(&mut key_text, key, 0)?;
        let key_text = key_text.finish()?;
        let kind = value.type_name();
        Ok(Value::undefined(format!("{kind} object has no element {}", key_text.as_str())))
    }

    /// `value[a:b:c]`.
    pub(super) fn slice(&mut self, value: &Value, bounds: [Option<Value>; 3]) -> Result<Value, Fault> {
        if let Value::Undefined(what) = value {
            return Err(Fault::new(&**what));
        }
        let bound = |value: &Option<Value>| match value {
            None | Some(Value::None) => Ok(None),
            Some(value) => match value.as_int() {
                Some(at) => Ok(Some(at)),
                None => Err(Fault::new("slice indices must be integers or None")),
            },
        };
        let [start, stop, step] = &bounds;
        let (start, stop, step) = (bound(start)?, bound(stop)?, bound(step)?.unwrap_or(1));
        if step == 0 {
            return Err(Fault::new("slice step cannot be zero"));
        }
        let len = match value {
            Value::Str(text) => {
                self.budget.read(text.len())?;
                text.as_str().chars().count()
            }
            Value::List(list) | Value::Tuple(list) => list.items.len(),
            Value::Range(range) => range.len(),
            other => return Err(Fault::new(format!("'{}' object is not subscriptable", other.type_name()))),
        };
        let places = Places::new(start, stop, step, len);
        match value {
            Value::Str(text) => self.slice_text(text, &places),
            Value::List(list) | Value::Tuple(list) => {
                self.budget.items(places.count)?;
                self.budget.spend(places.count as u64 / 8)?;
                let items: Vec<Value> = places.iter().filter_map(|at| list.items.get(at).cloned()).collect();
                match value {
                    Value::List(_) => Value::list(items, &self.budget),
                    _ => Value::tuple(items, &self.budget),
                }
            }
            Value::Range(range) => {
                let at = |at: i128| Value::Int(range.start + at * range.step);
                let end = places.first + places.count as i128 * step;
                let args = [at(places.first), at(end), Value::Int(step * range.step)];
                self.call(&Value::Function(Function::Range), super::call::Args::of(args.into()))
            }
            _ => Ok(Value::None),
        }
    }

    fn slice_text(&mut self, text: &Text, places: &Places) -> Result<Value, Fault> {
        let whole = text.as_str();
        if places.step == 1 {
            let from = byte_at(whole, places.first as usize);
            let len = byte_at(whole.get(from..).unwrap_or_default(), places.count);
            return self.cut(text, from, from + len);
        }
        self.budget.items(whole.len())?;
        let chars: Vec<(usize, char)> = whole.char_indices().collect();
        let mut out = self.builder();
        for (at, c) in places.iter().filter_map(|at| chars.get(at)) {
            out.push_piece(text, *at, at + c.len_utf8());
        }
        Ok(Value::Str(out.finish_as(text.is_markup())?))
    }

    /// `len(value)`.
    pub(super) fn length_of(&mut self, value: &Value) -> Result<usize, Fault> {
        Ok(match value {
            Value::Undefined(_) => 0,
            Value::Str(text) => {
                self.budget.read(text.len())?;
                text.as_str().chars().count()
            }
            Value::List(list) | Value::Tuple(list) => list.items.len(),
            Value::Dict(dict) | Value::View(_, dict) => dict.entries.len(),
            Value::Range(range) => range.len(),
            Value::Loop(at) => self.loop_length(*at)?,
            other => return Err(Fault::new(format!("object of type '{}' has no len()", other.type_name()))),
        })
    }

    /// All items of a value.
    pub(super) fn all_items(&mut self, value: &Value) -> Result<Vec<Value>, Fault> {
        Items::of(value)?.rest(&self.budget)
    }
}

fn unsafe_attribute(value: &Value, name: &str) -> Value {
    Value::undefined(format!("access to attribute '{name}' of '{}' object is unsafe.", value.type_name()))
}

/// A place counted from the end where it is negative.
pub(super) fn index(at: i128, len: usize) -> Option<usize> {
    let at = if at < 0 { at + len as i128 } else { at };
    usize::try_from(at).ok().filter(|at| *at < len)
}

/// Where the character with this number begins; the end of the text where it has fewer.
pub(super) fn byte_at(text: &str, chars: usize) -> usize {
    text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at)
}

/// The places of a slice.
struct Places {
    first: i128,
    step: i128,
    count: usize,
}

impl Places {
    fn new(start: Option<i128>, stop: Option<i128>, step: i128, len: usize) -> Self {
        let len = len as i128;
        let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let bound = |at: Option<i128>, default: i128| match at {
            None => default,
            Some(at) if at < 0 => at.saturating_add(len).clamp(low, high),
            Some(at) => at.clamp(low, high),
        };
        let (start, stop) = if step > 0 {
            (bound(start, 0), bound(stop, len))
        } else {
            (bound(start, len - 1), bound(stop, -1))
        };
        let span = if step > 0 { stop - start } else { start - stop };
        let count = if span > 0 { (span - 1) / step.saturating_abs() + 1 } else { 0 };
        Self { first: start.max(0), step, count: usize::try_from(count).unwrap_or_default() }
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        let (first, step) = (self.first, self.step);
        (0..self.count as i128).map(move |i| (first + i * step) as usize)
    }
}

/// Places of a text between two bounds, as `find`, `count` and `startswith` take them: in bytes.
pub(super) fn span(
    text: &str,
    start: Option<&Value>,
    stop: Option<&Value>,
) -> Result<Option<(usize, usize)>, Fault> {
    if start.is_none() && stop.is_none() {
        return Ok(Some((0, text.len())));
    }
    let len = text.chars().count() as i128;
    let bound = |value: Option<&Value>, default: i128| match value {
        None | Some(Value::None) => Ok(default),
        Some(value) => {
            let at = integer(value)?;
            Ok(if at < 0 { at.saturating_add(len).max(0) } else { at })
        }
    };
    let (start, stop) = (bound(start, 0)?, bound(stop, len)?.min(len));
    if start > stop {
        return Ok(None);
    }
    Ok(Some((byte_at(text, start as usize), byte_at(text, stop as usize))))
}
