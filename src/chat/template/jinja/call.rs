//! What is called: macros, Jinja's functions, methods of everything but texts.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::fault::{Fault, Kind};
use super::run::Run;
use super::time;
use super::value::{Dict, Function, Items, Range, Value, View};

/// The longest range (the sandbox's own bound).
const MAX_RANGE: usize = 100_000;

/// Arguments of a call.
#[derive(Debug, Default)]
pub(super) struct Args {
    pub(super) positional: Vec<Value>,
    pub(super) named: Vec<(String, Value)>,
}

impl Args {
    pub(super) fn of(positional: Vec<Value>) -> Self {
        Self { positional, named: Vec::new() }
    }

    /// Arguments by the names of the parameters, of which the first `required` must be there.
    pub(super) fn bind<const N: usize>(
        self,
        what: &str,
        names: [&str; N],
        required: usize,
    ) -> Result<[Option<Value>; N], Fault> {
        let given = self.positional.len();
        if given > N {
            return Err(Fault::new(format!("{what} takes at most {N} arguments, {given} are given")));
        }
        let mut found = [const { None }; N];
        for (place, value) in found.iter_mut().zip(self.positional) {
            *place = Some(value);
        }
        for (name, value) in self.named {
            let place = names.iter().position(|known| *known == name).and_then(|at| found.get_mut(at));
            match place {
                Some(place @ None) => *place = Some(value),
                Some(_) => return Err(Fault::new(format!("{what} got two values for '{name}'"))),
                None => {
                    return Err(Fault::new(format!("{what} got an unexpected keyword argument '{name}'")));
                }
            }
        }
        match found.iter().zip(names).take(required).find(|(place, _)| place.is_none()) {
            Some((_, name)) => Err(Fault::new(format!("{what} is missing its argument '{name}'"))),
            None => Ok(found),
        }
    }

    /// Without arguments.
    pub(super) fn none(self, what: &str) -> Result<(), Fault> {
        self.bind(what, [], 0).map(|[]: [Option<Value>; 0]| ())
    }

    /// One argument.
    pub(super) fn one(self, what: &str) -> Result<Value, Fault> {
        let [value] = self.bind(what, [""], 1)?;
        Ok(value.unwrap_or(Value::None))
    }
}

/// An integer, where one is needed.
pub(super) fn integer(value: &Value) -> Result<i128, Fault> {
    if let Value::Undefined(what) = value {
        return Err(Fault::new(&**what));
    }
    value.as_int().ok_or_else(|| {
        Fault::new(format!("'{}' object cannot be interpreted as an integer", value.type_name()))
    })
}

impl<'p> Run<'p> {
    pub(super) fn call(&mut self, function: &Value, args: Args) -> Result<Value, Fault> {
        self.deeper()?;
        let value = match function {
            Value::Macro(at) => self.call_macro(*at, args)?,
            Value::Function(function) => self.call_function(*function, args)?,
            Value::Method(method) => self.call_method(&method.0, &method.1, args)?,
            Value::Loop(at) => {
                let items = args.one("loop()")?;
                self.loop_again(*at, &items)?
            }
            Value::Joiner(at) => {
                args.none("joiner")?;
                match self.joiners.get_mut(*at) {
                    Some((between, used)) if *used => between.clone(),
                    Some((_, used)) => {
                        *used = true;
                        Value::str("")
                    }
                    None => Value::None,
                }
            }
            Value::Undefined(what) => return Err(Fault::new(&**what)),
            other => return Err(Fault::new(format!("'{}' object is not callable", other.type_name()))),
        };
        self.shallower();
        Ok(value)
    }

    pub(super) fn macro_name(&self, at: usize) -> Option<&str> {
        self.macros.get(at)?.0.name.as_ref().map(|(_, name)| name.as_str())
    }

    fn call_macro(&mut self, at: usize, args: Args) -> Result<Value, Fault> {
        let Some((of, scope)) = self.macros.get(at).copied() else { return Ok(Value::None) };
        let name = of.name.as_ref().map_or("caller", |(_, name)| name.as_str());
        let Args { positional, mut named } = args;
        let mut pop = |wanted: &str| {
            let at = named.iter().position(|(name, _)| name == wanted)?;
            Some(named.remove(at).1)
        };
        let count = of.arguments.len();
        let mut positional = positional.into_iter();
        let mut bound: Vec<Option<Value>> = positional.by_ref().take(count).map(Some).collect();
        let mut caller_bound = bound.len() == count && of.arguments.iter().any(|(_, name)| name == "caller");
        for (_, name) in of.arguments.iter().skip(bound.len()) {
            caller_bound |= name == "caller";
            bound.push(pop(name));
        }
        let caller = (of.uses.caller && !caller_bound)
            .then(|| pop("caller").unwrap_or_else(|| Value::undefined("No caller defined")));
        let rest: Vec<Value> = positional.collect();
        if let (false, Some((unknown, _))) = (of.uses.kwargs, named.first()) {
            return Err(Fault::new(format!("macro '{name}' takes no keyword argument '{unknown}'")));
        }
        if !of.uses.varargs && !rest.is_empty() {
            return Err(Fault::new(format!("macro '{name}' takes not more than {count} argument(s)")));
        }
        let symbol = |name: &str| self.program.names.get(name).copied();
        let (caller_name, kwargs, varargs) = (symbol("caller"), symbol("kwargs"), symbol("varargs"));
        self.captured(|run| {
            run.within(scope, |run| {
                if let (Some(value), Some(sym)) = (caller, caller_name) {
                    run.assign(sym, value)?;
                }
                if let (true, Some(sym)) = (of.uses.kwargs, kwargs) {
                    let entries = named.into_iter().map(|(name, value)| (Value::str(name), value)).collect();
                    let entries = Value::dict(entries, &run.budget)?;
                    run.assign(sym, entries)?;
                }
                if let (true, Some(sym)) = (of.uses.varargs, varargs) {
                    let rest = Value::tuple(rest, &run.budget)?;
                    run.assign(sym, rest)?;
                }
                let first_default = count - of.defaults.len().min(count);
                for (i, ((sym, name), value)) in of.arguments.iter().zip(bound).enumerate() {
                    let default = i.checked_sub(first_default).and_then(|at| of.defaults.get(at));
                    let value = match (value, default) {
                        (Some(value), _) => value,
                        (None, Some(default)) => run.eval(default)?,
                        (None, None) => {
                            run.budget.take(64)?;
                            Value::undefined(format!("parameter '{name}' was not provided"))
                        }
                    };
                    run.assign(*sym, value)?;
                }
                run.block(&of.body).map(drop)
            })
        })
        .map(Value::Str)
    }

    fn call_function(&mut self, function: Function, args: Args) -> Result<Value, Fault> {
        match function {
            Function::Range => self.range(args),
            Function::Dict => {
                let entries = self.dict_entries(args)?;
                Value::dict(entries, &self.budget)
            }
            Function::FromKeys => {
                let [keys, value] = args.bind("fromkeys()", ["iterable", "value"], 1)?;
                let value = value.unwrap_or(Value::None);
                let keys = Items::of(&keys.unwrap_or(Value::None))?.rest(&self.budget)?;
                Value::dict(keys.into_iter().map(|key| (key, value.clone())).collect(), &self.budget)
            }
            Function::Namespace => {
                let entries = self.dict_entries(args)?;
                entries.iter().filter_map(|(key, _)| key.as_str()).try_for_each(check_name)?;
                // Its keys are unique, as those of a map.
                let Value::Dict(dict) = Value::dict(entries, &self.budget)? else { return Ok(Value::None) };
                self.namespaces.push(dict.entries.clone());
                Ok(Value::Namespace(self.namespaces.len() - 1))
            }
            Function::Cycler => {
                if args.positional.is_empty() {
                    return Err(Fault::new("at least one item has to be provided"));
                }
                self.budget.items(args.positional.len())?;
                self.cyclers.push((args.positional, 0));
                Ok(Value::Cycler(self.cyclers.len() - 1))
            }
            Function::Joiner => {
                let [between] = args.bind("joiner()", ["sep"], 0)?;
                self.budget.items(2)?;
                self.joiners.push((between.unwrap_or_else(|| Value::str(", ")), false));
                Ok(Value::Joiner(self.joiners.len() - 1))
            }
            Function::Lipsum => Err(Fault::unsupported("lipsum()", "it makes random text")),
            Function::RaiseException => {
                let message = args.one("raise_exception()")?;
                let message = self.printed(&message)?;
                Err(Fault::of(Kind::Raised, message.as_str()))
            }
            Function::StrftimeNow => {
                let format = args.one("strftime_now()")?;
                let Value::Str(format) = format else {
                    return Err(Fault::new("strftime_now() takes a text"));
                };
                let mut out = self.builder();
                time::strftime(&mut out, &format, time::now())?;
                Ok(Value::Str(out.finish()?))
            }
            Function::Blocks => Err(Fault::new("'self' is not callable")),
            Function::Block(at) => {
                args.none("a block")?;
                self.block_text(at)
            }
        }
    }

    fn range(&mut self, args: Args) -> Result<Value, Fault> {
        let [a, b, step] = args.bind("range()", ["", "", ""], 1)?;
        let bound = |value: Option<Value>| value.as_ref().map(integer).transpose();
        let (a, b, step) = (bound(a)?.unwrap_or_default(), bound(b)?, bound(step)?.unwrap_or(1));
        let (start, stop) = b.map_or((0, a), |b| (a, b));
        let limit = 1 << 100;
        if step == 0 {
            return Err(Fault::new("range() arg 3 must not be zero"));
        }
        if [start, stop, step].iter().any(|bound| bound.abs() > limit) {
            return Err(Fault::new("range() of numbers that large is not supported"));
        }
        let range = Range { start, stop, step };
        if range.len() > MAX_RANGE {
            return Err(Fault::new(format!("range too big: the sandbox allows {MAX_RANGE} items")));
        }
        self.budget.take(96)?;
        Ok(Value::Range(Rc::new(range)))
    }

    /// The entries that `dict(…)` has.
    fn dict_entries(&mut self, args: Args) -> Result<Vec<(Value, Value)>, Fault> {
        let Args { positional, named } = args;
        let mut entries = Vec::new();
        match positional.as_slice() {
            [] => {}
            [Value::Dict(dict)] => {
                self.budget.items(2 * dict.entries.len())?;
                entries.extend(dict.entries.iter().cloned());
            }
            [items] => {
                let mut items = Items::of(items)?;
                while let Some(pair) = items.next(&self.budget)? {
                    let mut pair = Items::of(&pair)?.rest(&self.budget)?.into_iter();
                    let (Some(key), Some(value), None) = (pair.next(), pair.next(), pair.next()) else {
                        return Err(Fault::new("dictionary update sequence elements must have length 2"));
                    };
                    entries.push((key, value));
                }
            }
            _ => return Err(Fault::new("dict expected at most 1 argument")),
        }
        self.budget.items(3 * named.len())?;
        entries.extend(named.into_iter().map(|(name, value)| (Value::str(name), value)));
        Ok(entries)
    }

    /// `{% set namespace.name = value %}`.
    pub(super) fn set_attribute(&mut self, at: usize, name: &str, value: Value) -> Result<(), Fault> {
        check_name(name)?;
        let Some(namespace) = self.namespaces.get_mut(at) else { return Ok(()) };
        self.budget.spend(1 + namespace.len() as u64 / 8)?;
        match namespace.iter_mut().find(|(key, _)| key.as_str() == Some(name)) {
            Some(entry) => entry.1 = value,
            None => {
                self.budget.take(256 + name.len())?;
                namespace.push((Value::str(name), value));
            }
        }
        Ok(())
    }

    pub(super) fn call_method(&mut self, value: &Value, name: &str, args: Args) -> Result<Value, Fault> {
        match value {
            Value::Str(text) => self.text_method(text, name, args),
            Value::List(list) | Value::Tuple(list) => self.list_method(value, &list.items, name, args),
            Value::Dict(dict) => self.dict_method(dict, name, args),
            Value::Loop(at) => self.loop_method(*at, name, args.positional),
            Value::Cycler(at) => {
                args.none(name)?;
                let Some((items, next)) = self.cyclers.get_mut(*at) else { return Ok(Value::None) };
                if name == "reset" {
                    *next = 0;
                    return Ok(Value::None);
                }
                let item = items.get(*next).cloned().unwrap_or(Value::None);
                *next = (*next + 1) % items.len().max(1);
                Ok(item)
            }
            Value::Range(range) => {
                let wanted = args.one(name)?;
                let at =
                    wanted.as_int().filter(|n| range.contains(*n)).map(|n| (n - range.start) / range.step);
                match (name, at) {
                    ("count", at) => Ok(Value::Int(i128::from(at.is_some()))),
                    (_, Some(at)) => Ok(Value::Int(at)),
                    (_, None) => Err(Fault::new("the value is not in range")),
                }
            }
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => number_method(value, name, args, self),
            other => Err(Fault::new(format!("'{} object' has no attribute '{name}'", other.type_name()))),
        }
    }

    fn list_method(
        &mut self,
        value: &Value,
        items: &[Value],
        name: &str,
        args: Args,
    ) -> Result<Value, Fault> {
        match name {
            "count" => {
                let wanted = args.one("count()")?;
                let mut count = 0;
                for item in items {
                    count += i128::from(self.equal(item, &wanted)?);
                }
                Ok(Value::Int(count))
            }
            "index" => {
                let [wanted, start, stop] = args.bind("index()", ["", "", ""], 1)?;
                let wanted = wanted.unwrap_or(Value::None);
                let len = items.len() as i128;
                let bound = |value: Option<Value>, default| -> Result<usize, Fault> {
                    let at = value.as_ref().map(integer).transpose()?.unwrap_or(default);
                    Ok((if at < 0 { at + len } else { at }).clamp(0, len) as usize)
                };
                let (start, stop) = (bound(start, 0)?, bound(stop, len)?);
                for (at, item) in items.iter().enumerate().take(stop).skip(start) {
                    if self.equal(item, &wanted)? {
                        return Ok(Value::Int(at as i128));
                    }
                }
                Err(Fault::new(format!("the value is not in the {}", value.type_name())))
            }
            _ => {
                args.none("copy()")?;
                self.budget.items(items.len())?;
                Value::list(items.to_vec(), &self.budget)
            }
        }
    }

    fn dict_method(&mut self, dict: &Rc<Dict>, name: &str, args: Args) -> Result<Value, Fault> {
        match name {
            "get" => {
                let [key, default] = args.bind("get()", ["", ""], 1)?;
                let found = dict.get(&key.unwrap_or(Value::None), &self.budget)?;
                Ok(found.cloned().or(default).unwrap_or(Value::None))
            }
            "fromkeys" => self.call_function(Function::FromKeys, args),
            "copy" => {
                args.none("copy()")?;
                self.budget.items(2 * dict.entries.len())?;
                Value::dict(dict.entries.clone(), &self.budget)
            }
            view => {
                args.none(view)?;
                let view = match view {
                    "keys" => View::Keys,
                    "values" => View::Values,
                    _ => View::Items,
                };
                Ok(Value::View(view, Rc::clone(dict)))
            }
        }
    }
}

/// Attributes of namespaces do not begin with `_`.
fn check_name(name: &str) -> Result<(), Fault> {
    if name.starts_with('_') {
        return Err(Fault::new(format!(
            "a namespace cannot have the attribute '{name}', which begins with '_'"
        )));
    }
    Ok(())
}

fn number_method(value: &Value, name: &str, args: Args, run: &Run<'_>) -> Result<Value, Fault> {
    args.none(name)?;
    let number = value.as_int();
    Ok(match (name, number, value) {
        ("is_integer", _, Value::Float(x)) => Value::Bool(x.is_finite() && x.fract() == 0.0),
        ("bit_length", Some(n), _) => Value::Int(i128::from(128 - n.unsigned_abs().leading_zeros())),
        ("bit_count", Some(n), _) => Value::Int(i128::from(n.unsigned_abs().count_ones())),
        ("as_integer_ratio", Some(n), _) => {
            Value::tuple(Vec::from([Value::Int(n), Value::Int(1)]), &run.budget)?
        }
        ("conjugate", Some(n), _) => Value::Int(n),
        ("conjugate", None, _) => value.clone(),
        _ => {
            let what = format!("{}.{name}()", value.type_name());
            return Err(Fault::unsupported(&what, "chat templates have no use for it"));
        }
    })
}
