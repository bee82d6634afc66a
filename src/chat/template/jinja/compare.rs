//! Truth, equality, order, membership, and sorting.

use alloc::format;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::ast::Comparison;
use super::fault::Fault;
use super::run::Run;
use super::value::{Items, Value, View};

impl Run<'_> {
    /// `bool(value)`.
    pub(super) fn truth(&mut self, value: &Value) -> Result<bool, Fault> {
        Ok(match value {
            Value::Undefined(_) | Value::None => false,
            Value::Bool(truth) => *truth,
            Value::Int(number) => *number != 0,
            Value::Float(number) => *number != 0.0,
            Value::Str(text) => !text.as_str().is_empty(),
            Value::List(list) | Value::Tuple(list) => !list.items.is_empty(),
            Value::Dict(dict) | Value::View(_, dict) => !dict.entries.is_empty(),
            Value::Range(range) => range.len() > 0,
            Value::Loop(at) => self.loop_length(*at)? > 0,
            _ => true,
        })
    }

    pub(super) fn compare(&mut self, how: Comparison, a: &Value, b: &Value) -> Result<bool, Fault> {
        match how {
            Comparison::Eq => self.equal(a, b),
            Comparison::Ne => Ok(!self.equal(a, b)?),
            Comparison::In => self.contains(b, a),
            Comparison::NotIn => Ok(!self.contains(b, a)?),
            Comparison::Lt => Ok(self.order("<", a, b)? == Some(Ordering::Less)),
            Comparison::Gt => Ok(self.order(">", a, b)? == Some(Ordering::Greater)),
            Comparison::Le => Ok(matches!(self.order("<=", a, b)?, Some(Ordering::Less | Ordering::Equal))),
            Comparison::Ge => {
                Ok(matches!(self.order(">=", a, b)?, Some(Ordering::Greater | Ordering::Equal)))
            }
        }
    }

    /// `a == b`.
    pub(super) fn equal(&self, a: &Value, b: &Value) -> Result<bool, Fault> {
        self.budget.spend(1)?;
        Ok(match (a, b) {
            (Value::Undefined(_), Value::Undefined(_)) | (Value::None, Value::None) => true,
            (Value::Str(a), Value::Str(b)) => {
                if a.same(b) {
                    return Ok(true);
                }
                self.budget.read(if a.len() == b.len() { a.len() } else { 0 })?;
                a.as_str() == b.as_str()
            }
            (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
                if a.items.len() != b.items.len() {
                    return Ok(false);
                }
                for (a, b) in a.items.iter().zip(&b.items) {
                    if !self.equal(a, b)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Value::Dict(a), Value::Dict(b)) => {
                if a.entries.len() != b.entries.len() {
                    return Ok(false);
                }
                for (key, value) in &a.entries {
                    match b.get(key, &self.budget)? {
                        Some(other) if self.equal(value, other)? => {}
                        _ => return Ok(false),
                    }
                }
                true
            }
            (Value::View(View::Keys, a), Value::View(View::Keys, b)) => {
                if a.entries.len() != b.entries.len() {
                    return Ok(false);
                }
                for (key, _) in &a.entries {
                    if b.get(key, &self.budget)?.is_none() {
                        return Ok(false);
                    }
                }
                true
            }
            (Value::Range(a), Value::Range(b)) => {
                let (len, other) = (a.len(), b.len());
                len == other && (len == 0 || (a.start == b.start && (len == 1 || a.step == b.step)))
            }
            (Value::Method(a), Value::Method(b)) => a.1 == b.1 && self.equal(&a.0, &b.0)?,
            _ => match (a.as_int(), b.as_int()) {
                (Some(a), Some(b)) => a == b,
                _ => match (a.as_float(), b.as_float()) {
                    (Some(a), Some(b)) => a == b,
                    _ => self.same(a, b),
                },
            },
        })
    }

    /// `a is b`. Texts and small numbers that are equal count as the same.
    pub(super) fn same(&self, a: &Value, b: &Value) -> bool {
        use alloc::rc::Rc;
        match (a, b) {
            (Value::None, Value::None) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Str(a), Value::Str(b)) => a.as_str() == b.as_str(),
            (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => Rc::ptr_eq(a, b),
            (Value::Dict(a), Value::Dict(b)) => Rc::ptr_eq(a, b),
            (Value::Generator(a), Value::Generator(b)) => Rc::ptr_eq(a, b),
            (Value::Range(a), Value::Range(b)) => Rc::ptr_eq(a, b),
            (Value::Namespace(a), Value::Namespace(b))
            | (Value::Loop(a), Value::Loop(b))
            | (Value::Cycler(a), Value::Cycler(b))
            | (Value::Joiner(a), Value::Joiner(b))
            | (Value::Macro(a), Value::Macro(b)) => a == b,
            (Value::Function(a), Value::Function(b)) => a == b,
            (Value::Undefined(a), Value::Undefined(b)) => Rc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// How two values stand to each other; `None` where neither is less (not a number).
    fn order(&self, sign: &str, a: &Value, b: &Value) -> Result<Option<Ordering>, Fault> {
        self.budget.spend(1)?;
        if let Value::Undefined(what) = a {
            return Err(Fault::new(&**what));
        }
        if let Value::Undefined(what) = b {
            return Err(Fault::new(&**what));
        }
        match (a, b) {
            (Value::Str(a), Value::Str(b)) => {
                self.budget.read(a.len().min(b.len()))?;
                return Ok(Some(a.as_str().cmp(b.as_str())));
            }
            (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
                for (a, b) in a.items.iter().zip(&b.items) {
                    if !self.equal(a, b)? {
                        return self.order(sign, a, b);
                    }
                }
                return Ok(Some(a.items.len().cmp(&b.items.len())));
            }
            _ => {}
        }
        if let (Some(a), Some(b)) = (a.as_int(), b.as_int()) {
            return Ok(Some(a.cmp(&b)));
        }
        if let (Some(a), Some(b)) = (a.as_float(), b.as_float()) {
            return Ok(a.partial_cmp(&b));
        }
        let (a, b) = (a.type_name(), b.type_name());
        Err(Fault::new(format!("'{sign}' not supported between instances of '{a}' and '{b}'")))
    }

    /// `a < b`.
    pub(super) fn less(&self, a: &Value, b: &Value) -> Result<bool, Fault> {
        Ok(self.order("<", a, b)? == Some(Ordering::Less))
    }

    /// `item in container`.
    pub(super) fn contains(&mut self, container: &Value, item: &Value) -> Result<bool, Fault> {
        match container {
            Value::Str(text) => {
                let Value::Str(item) = item else {
                    if let Value::Undefined(_) = item {
                        return Err(Fault::new(
                            "'in <string>' requires string as left operand, not Undefined",
                        ));
                    }
                    let kind = item.type_name();
                    return Err(Fault::new(format!(
                        "'in <string>' requires string as left operand, not {kind}"
                    )));
                };
                self.budget.read(text.len())?;
                Ok(text.as_str().contains(item.as_str()))
            }
            Value::Dict(dict) | Value::View(View::Keys, dict) => Ok(dict.get(item, &self.budget)?.is_some()),
            Value::Range(range) if item.as_int().is_some() => {
                Ok(range.contains(item.as_int().unwrap_or_default()))
            }
            other => {
                let mut items = Items::of(other).map_err(|_| {
                    Fault::new(format!("argument of type '{}' is not iterable", other.type_name()))
                })?;
                while let Some(found) = items.next(&self.budget)? {
                    if self.equal(&found, item)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    /// Items in the order of their keys; those with equal keys stay in theirs.
    pub(super) fn sorted(
        &mut self,
        items: Vec<(Value, Value)>,
        reverse: bool,
    ) -> Result<Vec<(Value, Value)>, Fault> {
        if items.len() < 2 {
            return Ok(items);
        }
        self.budget.items(2 * items.len())?;
        let mut left = items;
        let right = left.split_off(left.len() / 2);
        let mut left = self.sorted(left, reverse)?.into_iter().peekable();
        let mut right = self.sorted(right, reverse)?.into_iter().peekable();
        let mut out = Vec::with_capacity(left.len() + right.len());
        loop {
            let from_right = match (left.peek(), right.peek()) {
                (Some((a, _)), Some((b, _))) if reverse => self.less(a, b)?,
                (Some((a, _)), Some((b, _))) => self.less(b, a)?,
                (None, Some(_)) => true,
                _ => false,
            };
            match if from_right { right.next() } else { left.next() } {
                Some(item) => out.push(item),
                None => return Ok(out),
            }
        }
    }
}
