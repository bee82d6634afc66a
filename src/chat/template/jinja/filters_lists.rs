//! Filters of sequences.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::ast::Op;
use super::budget::ITEM;
use super::call::{Args, integer};
use super::fault::Fault;
use super::letters::{Case, cased, is_digit};
use super::run::Run;
use super::strings::text_of;
use super::value::{Items, Value, View};

impl Run<'_> {
    pub(super) fn list_filter(&mut self, name: &str, value: Value, args: Args) -> Result<Value, Fault> {
        match name {
            "first" => {
                args.none(name)?;
                let first = Items::of(&value)?.next(&self.budget)?;
                Ok(first.unwrap_or_else(|| Value::undefined("No first item, sequence was empty.")))
            }
            "last" => {
                args.none(name)?;
                match &value {
                    Value::Generator(_) | Value::None | Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
                        Err(Fault::new(format!("'{}' object is not reversible", value.type_name())))
                    }
                    Value::Str(_) => {
                        let last = self.item(&value, &Value::Int(-1))?;
                        Ok(match last {
                            Value::Undefined(_) => Value::undefined("No last item, sequence was empty."),
                            last => last,
                        })
                    }
                    _ => {
                        let last = self.all_items(&value)?.pop();
                        Ok(last.unwrap_or_else(|| Value::undefined("No last item, sequence was empty.")))
                    }
                }
            }
            "list" => {
                args.none(name)?;
                let items = self.all_items(&value)?;
                Value::list(items, &self.budget)
            }
            "items" => {
                args.none(name)?;
                let items = match &value {
                    Value::Undefined(_) => Vec::new(),
                    Value::Dict(dict) => self.all_items(&Value::View(View::Items, Rc::clone(dict)))?,
                    _ => return Err(Fault::new("Can only get item pairs from a mapping.")),
                };
                Value::generator(items, &self.budget)
            }
            "reverse" => {
                args.none(name)?;
                if let Value::Str(_) = value {
                    return self.slice(&value, [None, None, Some(Value::Int(-1))]);
                }
                let mut items = self.all_items(&value)?;
                items.reverse();
                match value {
                    Value::Generator(_) | Value::Undefined(_) => Value::list(items, &self.budget),
                    _ => Value::generator(items, &self.budget),
                }
            }
            "batch" => self.batch(&value, args),
            "slice" => self.slices(&value, args),
            "map" => self.map(&value, args),
            "select" | "reject" | "selectattr" | "rejectattr" => self.select(name, &value, args),
            "sort" => {
                let [reverse, case, attribute] =
                    args.bind(name, ["reverse", "case_sensitive", "attribute"], 0)?;
                let reverse = reverse.map_or(Ok(false), |reverse| self.truth(&reverse))?;
                let case = case.map_or(Ok(false), |case| self.truth(&case))?;
                let items = self.all_items(&value)?;
                let keyed = self.keyed(items, attribute.as_ref(), case, true)?;
                let sorted = self.sorted(keyed, reverse)?;
                Value::list(sorted.into_iter().map(|(_, item)| item).collect(), &self.budget)
            }
            "unique" => {
                let [case, attribute] = args.bind(name, ["case_sensitive", "attribute"], 0)?;
                let case = case.map_or(Ok(false), |case| self.truth(&case))?;
                let items = self.all_items(&value)?;
                let mut seen = alloc::collections::BTreeSet::new();
                let mut out = Vec::new();
                for (key, item) in self.keyed(items, attribute.as_ref(), case, false)? {
                    self.budget.take(2 * ITEM)?;
                    if seen.insert(key.key(&self.budget)?) {
                        out.push(item);
                    }
                }
                Value::generator(out, &self.budget)
            }
            "min" | "max" => {
                let [case, attribute] = args.bind(name, ["case_sensitive", "attribute"], 0)?;
                let case = case.map_or(Ok(false), |case| self.truth(&case))?;
                let items = self.all_items(&value)?;
                let mut best: Option<(Value, Value)> = None;
                for (key, item) in self.keyed(items, attribute.as_ref(), case, false)? {
                    let better = match &best {
                        None => true,
                        Some((so_far, _)) if name == "min" => self.less(&key, so_far)?,
                        Some((so_far, _)) => self.less(so_far, &key)?,
                    };
                    if better {
                        best = Some((key, item));
                    }
                }
                Ok(best.map_or_else(
                    || Value::undefined("No aggregated item, sequence was empty."),
                    |(_, item)| item,
                ))
            }
            "groupby" => self.group(&value, args),
            "dictsort" => self.sort_dict(&value, args),
            _ => {
                let [attribute, start] = args.bind(name, ["attribute", "start"], 0)?;
                let mut sum = start.unwrap_or(Value::Int(0));
                if let Value::Str(_) = sum {
                    return Err(Fault::new("sum() can't sum strings"));
                }
                let items = self.all_items(&value)?;
                for item in self.attributes(items, attribute.as_ref())? {
                    sum = self.binary(Op::Add, &sum, &item)?;
                }
                Ok(sum)
            }
        }
    }

    /// `a.b.0`: items one in another.
    fn path(&mut self, item: &Value, path: &Value, default: Option<&Value>) -> Result<Value, Fault> {
        let mut item = item.clone();
        let step = |run: &mut Self, item: Value, key: &Value| {
            let found = run.item(&item, key)?;
            Ok::<_, Fault>(match (&found, default) {
                (Value::Undefined(_), Some(default)) => default.clone(),
                _ => found,
            })
        };
        match path {
            Value::None => Ok(item),
            Value::Str(path) => {
                for part in path.as_str().split('.') {
                    self.budget.take(96 + part.len())?;
                    let number = part.parse().ok().filter(|_| !part.is_empty() && part.chars().all(is_digit));
                    let key = number.map_or_else(|| Value::str(part), Value::Int);
                    item = step(self, item, &key)?;
                }
                Ok(item)
            }
            key => step(self, item, key),
        }
    }

    /// The items' attributes, where one is named.
    pub(super) fn attributes(
        &mut self,
        items: Vec<Value>,
        path: Option<&Value>,
    ) -> Result<Vec<Value>, Fault> {
        match path {
            None | Some(Value::None) => Ok(items),
            Some(path) => items.iter().map(|item| self.path(item, path, None)).collect(),
        }
    }

    fn ignoring_case(&mut self, value: Value, sensitive: bool) -> Result<Value, Fault> {
        match &value {
            Value::Str(text) if !sensitive => cased(text, Case::Lower, &self.budget).map(Value::Str),
            _ => Ok(value),
        }
    }

    /// Items with what they are compared by. `several`: paths with commas between them.
    fn keyed(
        &mut self,
        items: Vec<Value>,
        path: Option<&Value>,
        sensitive: bool,
        several: bool,
    ) -> Result<Vec<(Value, Value)>, Fault> {
        let none = Value::None;
        let path = path.unwrap_or(&none);
        let paths: Vec<Value> = match path {
            Value::Str(text) if several => {
                self.budget.items(text.len())?;
                text.as_str().split(',').map(|path| Value::str(String::from(path))).collect()
            }
            other => Vec::from([other.clone()]),
        };
        self.budget.items(2 * items.len())?;
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            self.budget.spend(1)?;
            let mut keys = Vec::with_capacity(paths.len());
            for path in &paths {
                let key = self.path(&item, path, None)?;
                keys.push(self.ignoring_case(key, sensitive)?);
            }
            let key = match (keys.len(), keys.pop()) {
                (1, Some(key)) => key,
                (_, last) => {
                    keys.extend(last);
                    Value::list(keys, &self.budget)?
                }
            };
            out.push((key, item));
        }
        Ok(out)
    }

    fn batch(&mut self, value: &Value, args: Args) -> Result<Value, Fault> {
        let [count, fill] = args.bind("batch", ["linecount", "fill_with"], 1)?;
        let count = integer(&count.unwrap_or(Value::None))?;
        let fill = fill.filter(|fill| !matches!(fill, Value::None));
        let mut out = Vec::new();
        let mut batch: Vec<Value> = Vec::new();
        for item in self.all_items(value)? {
            if batch.len() as i128 == count {
                out.push(Value::list(core::mem::take(&mut batch), &self.budget)?);
            }
            self.budget.take(ITEM)?;
            batch.push(item);
        }
        if !batch.is_empty() {
            if let Some(fill) = fill {
                let missing = usize::try_from(count - batch.len() as i128).unwrap_or_default();
                self.budget.items(missing)?;
                batch.extend(core::iter::repeat_n(fill, missing));
            }
            out.push(Value::list(batch, &self.budget)?);
        }
        Value::generator(out, &self.budget)
    }

    fn slices(&mut self, value: &Value, args: Args) -> Result<Value, Fault> {
        let [count, fill] = args.bind("slice", ["slices", "fill_with"], 1)?;
        let count = integer(&count.unwrap_or(Value::None))?;
        if count == 0 {
            return Err(Fault::new("division by zero"));
        }
        let count = usize::try_from(count).unwrap_or_default();
        let fill = fill.filter(|fill| !matches!(fill, Value::None));
        self.budget.take(count.saturating_mul(4 * ITEM))?;
        let items = self.all_items(value)?;
        let (each, more) = (items.len() / count.max(1), items.len() % count.max(1));
        let mut items = items.into_iter();
        let mut out = Vec::new();
        for i in 0..count {
            let mut slice: Vec<Value> = items.by_ref().take(each + usize::from(i < more)).collect();
            if i >= more {
                slice.extend(fill.clone());
            }
            out.push(Value::list(slice, &self.budget)?);
        }
        Value::generator(out, &self.budget)
    }

    fn map(&mut self, value: &Value, args: Args) -> Result<Value, Fault> {
        let Args { mut positional, mut named } = args;
        let items = if self.truth(value)? { self.all_items(value)? } else { Vec::new() };
        let mut out = Vec::with_capacity(items.len());
        if positional.is_empty() && named.iter().any(|(name, _)| name == "attribute") {
            let mut pop = |wanted: &str| {
                let at = named.iter().position(|(name, _)| name == wanted)?;
                Some(named.remove(at).1)
            };
            let (path, default) = (pop("attribute").unwrap_or(Value::None), pop("default"));
            if let Some((name, _)) = named.first() {
                return Err(Fault::new(format!("map got an unexpected keyword argument '{name}'")));
            }
            let default = default.filter(|default| !matches!(default, Value::None));
            for item in &items {
                out.push(self.path(item, &path, default.as_ref())?);
            }
        } else {
            let Some(name) = self.name_of("map", &mut positional)? else {
                if items.is_empty() {
                    return Value::generator(out, &self.budget);
                }
                return Err(Fault::new("map requires a filter argument"));
            };
            self.deeper()?;
            for item in items {
                let args = Args { positional: positional.clone(), named: named.clone() };
                self.budget.items(positional.len() + 2 * named.len())?;
                out.push(self.filter(name.as_str(), item, args)?);
            }
            self.shallower();
        }
        Value::generator(out, &self.budget)
    }

    fn select(&mut self, name: &str, value: &Value, args: Args) -> Result<Value, Fault> {
        let Args { mut positional, named } = args;
        let items = if self.truth(value)? { self.all_items(value)? } else { Vec::new() };
        if items.is_empty() {
            return Value::generator(items, &self.budget);
        }
        let path = if name.ends_with("attr") {
            if positional.is_empty() {
                return Err(Fault::new("Missing parameter for attribute name"));
            }
            positional.remove(0)
        } else {
            Value::None
        };
        let test = self.name_of(name, &mut positional)?;
        let takes = name.starts_with("select");
        let mut out = Vec::new();
        for item in items {
            let tested = self.path(&item, &path, None)?;
            let truth = match &test {
                Some(test) => {
                    let args = Args { positional: positional.clone(), named: named.clone() };
                    self.budget.items(positional.len() + 2 * named.len())?;
                    self.test(test.as_str(), &tested, args)?
                }
                None => self.truth(&tested)?,
            };
            if truth == takes {
                out.push(item);
            }
        }
        Value::generator(out, &self.budget)
    }

    fn group(&mut self, value: &Value, args: Args) -> Result<Value, Fault> {
        let [path, default, case] = args.bind("groupby", ["attribute", "default", "case_sensitive"], 1)?;
        let case = case.map_or(Ok(false), |case| self.truth(&case))?;
        let (path, default) =
            (path.unwrap_or(Value::None), default.filter(|value| !matches!(value, Value::None)));
        let mut keyed = Vec::new();
        for item in self.all_items(value)? {
            self.budget.take(2 * ITEM)?;
            let key = self.path(&item, &path, default.as_ref())?;
            keyed.push((self.ignoring_case(key, case)?, item));
        }
        let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
        for (key, item) in self.sorted(keyed, false)? {
            match groups.last_mut() {
                Some((last, items)) if self.equal(last, &key)? => items.push(item),
                _ => groups.push((key, Vec::from([item]))),
            }
        }
        let mut out = Vec::new();
        for (key, items) in groups {
            let key = match items.first() {
                Some(first) if !case => self.path(first, &path, default.as_ref())?,
                _ => key,
            };
            let items = Value::list(items, &self.budget)?;
            out.push(Value::group(key, items, &self.budget)?);
        }
        Value::list(out, &self.budget)
    }

    fn sort_dict(&mut self, value: &Value, args: Args) -> Result<Value, Fault> {
        let [case, by, reverse] = args.bind("dictsort", ["case_sensitive", "by", "reverse"], 0)?;
        let case = case.map_or(Ok(false), |case| self.truth(&case))?;
        let reverse = reverse.map_or(Ok(false), |reverse| self.truth(&reverse))?;
        let by = by.unwrap_or_else(|| Value::str("key"));
        let by_key = match text_of("dictsort", &by)?.as_str() {
            "key" => true,
            "value" => false,
            _ => return Err(Fault::new("You can only sort by either \"key\" or \"value\"")),
        };
        let Value::Dict(dict) = value else { return Err(super::filters::bad_operand("dictsort", value)) };
        let mut keyed = Vec::new();
        for (key, value) in &dict.entries {
            let compared = self.ignoring_case(if by_key { key.clone() } else { value.clone() }, case)?;
            let pair = Value::tuple(Vec::from([key.clone(), value.clone()]), &self.budget)?;
            keyed.push((compared, pair));
        }
        let sorted = self.sorted(keyed, reverse)?;
        Value::list(sorted.into_iter().map(|(_, pair)| pair).collect(), &self.budget)
    }
}
