//! Filters and methods, each after a check of what it will make ([`Meter`]).
//!
//! Most make no more than they are given, times the largest factor that its kind has: a letter has up to three
//! capitals, a quoted character six, a list of characters has an item for each. Those that can make more (`replace`, `join`,
//! `indent`, `batch`, `slice`, `format`) say how much by their arguments.

use core::ops::Not;

use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, State, Value, filters};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::json;
use super::meter::{ITEM, Meter, QUOTED};

/// What a filter does with its arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cost {
    /// Reads a text, or an item or two.
    Read,
    /// Makes of each character as many as a quoted one has.
    Widen,
    /// Makes an item of each item or character.
    Items,
    /// Looks into everything.
    Whole,
}

/// Puts the checks in front of all filters and methods.
pub(super) fn install(environment: &mut Environment<'_>) {
    macro_rules! filters {
        ($($cost:ident: $($name:literal $filter:path),*;)*) => {
            $($(environment.add_filter($name, checked($name, Cost::$cost, Value::from_function($filter)));)*)*
        };
    }
    filters! {
        Read: "safe" filters::safe, "length" filters::length, "count" filters::length, "trim" filters::trim,
            "default" filters::default, "d" filters::default, "round" filters::round, "abs" filters::abs,
            "int" filters::int, "float" filters::float, "bool" filters::bool, "attr" filters::attr,
            "first" filters::first, "last" filters::last, "items" filters::items, "split" filters::split,
            "lines" filters::lines, "replace" filters::replace, "indent" filters::indent, "format" filters::format;
        Widen: "escape" filters::escape, "e" filters::escape, "lower" filters::lower, "upper" filters::upper,
            "title" filters::title, "capitalize" filters::capitalize;
        Items: "list" filters::list, "reverse" filters::reverse, "map" filters::map, "select" filters::select,
            "reject" filters::reject, "selectattr" filters::selectattr, "rejectattr" filters::rejectattr,
            "batch" filters::batch, "slice" filters::slice, "zip" filters::zip, "chain" filters::chain;
        Whole: "string" filters::string, "pprint" filters::pprint, "tojson" json::tojson, "join" filters::join,
            "sort" filters::sort, "unique" filters::unique, "min" filters::min, "max" filters::max,
            "sum" filters::sum, "groupby" filters::groupby, "dictsort" filters::dictsort;
    }
    environment.set_unknown_method_callback(|state, value, name, arguments| {
        let meter = Meter::of(state);
        let all: alloc::vec::Vec<Value> = [value].into_iter().chain(arguments).cloned().collect();
        let cost = match name {
            "upper" | "lower" | "title" | "capitalize" => Cost::Widen,
            "join" | "count" => Cost::Whole,
            _ => Cost::Read,
        };
        check(&meter, name, cost, &all)?;
        meter.keep(unknown_method_callback(state, value, name, arguments)?)
    });
}

fn checked(
    name: &'static str,
    cost: Cost,
    filter: Value,
) -> impl Fn(&State<'_, '_>, Rest<Value>) -> Result<Value, Error> + Send + Sync + 'static {
    move |state: &State<'_, '_>, arguments: Rest<Value>| {
        let meter = Meter::of(state);
        check(&meter, name, cost, &arguments)?;
        meter.keep(filter.call(state, &arguments)?)
    }
}

/// Takes what it will make.
fn check(meter: &Meter, name: &str, cost: Cost, arguments: &[Value]) -> Result<(), Error> {
    for value in arguments {
        match cost {
            Cost::Read if value.as_str().is_some() => meter.top(value, 1)?,
            Cost::Read => {}
            Cost::Widen => meter.top(value, QUOTED)?,
            Cost::Items => meter.top(value, ITEM)?,
            Cost::Whole => {
                meter.whole(value)?;
                meter.top(value, QUOTED)?;
            }
        }
    }
    more(meter, name, arguments)
}

/// Takes what is not bounded by the arguments' sizes.
fn more(meter: &Meter, name: &str, arguments: &[Value]) -> Result<(), Error> {
    let text = |at: usize| arguments.get(at).and_then(Value::as_str).unwrap_or_default();
    let len = |at: usize| arguments.get(at).and_then(Value::len).unwrap_or_default();
    match name {
        "replace" => {
            // What is no text is printed first.
            arguments
                .iter()
                .filter(|value| value.as_str().is_none())
                .try_for_each(|value| meter.whole(value))?;
            let old = arguments.get(1).map(Value::to_string).unwrap_or_default();
            let new = arguments.get(2).map(Value::to_string).unwrap_or_default();
            meter.take_times(text(0).matches(old.as_str()).count(), new.len())
        }
        // As a filter the list comes first, as a method the text between its items does.
        "join" => {
            let (items, between) = if is_text(arguments, 0) { (1, 0) } else { (0, 1) };
            let count = if is_text(arguments, items) { text(items).len() } else { len(items) };
            meter.take_times(count, text(between).len())
        }
        "split" => {
            let pieces = match text(1) {
                "" => text(0).split_whitespace().count(),
                between => text(0).matches(between).count() + 1,
            };
            meter.take_times(pieces, ITEM)
        }
        "lines" | "splitlines" => meter.take_times(text(0).matches('\n').count() + 1, ITEM),
        "sort" | "unique" | "min" | "max" | "sum" | "groupby" => meter.top(&arguments[0], ITEM),
        "indent" => meter.take_times(text(0).matches('\n').count() + 1, largest_number(arguments)),
        "batch" | "slice" => meter.take_times(largest_number(arguments), ITEM),
        "format" => formatted(meter, text(0), arguments),
        _ => Ok(()),
    }
}

fn is_text(arguments: &[Value], at: usize) -> bool {
    arguments.get(at).is_some_and(|value| value.as_str().is_some())
}

/// The largest number among arguments and keyword arguments after the first one.
fn largest_number(arguments: &[Value]) -> usize {
    let number = |value: &Value| value.as_usize().unwrap_or_default();
    let named = |value: &Value| {
        let keys = value.try_iter().into_iter().flatten();
        keys.filter_map(|key| value.get_item(&key).ok()).map(|value| number(&value)).max().unwrap_or_default()
    };
    let of = |value: &Value| if value.kind() == ValueKind::Map { named(value) } else { number(value) };
    arguments.iter().skip(1).map(of).max().unwrap_or_default()
}

/// A format repeats its arguments, and widens them to numbers that it has, or to arguments.
fn formatted(meter: &Meter, format: &str, arguments: &[Value]) -> Result<(), Error> {
    let widths = format.split(|c: char| c.is_ascii_digit().not()).filter(|digits| digits.is_empty().not());
    for digits in widths {
        meter.take(digits.parse().unwrap_or(usize::MAX))?;
    }
    let places = format.matches(['{', '%']).count();
    if format.contains('*') || format.contains(":{") {
        meter.take_times(places, largest_number(arguments))?;
    }
    for _ in 0..places {
        arguments.iter().skip(1).try_for_each(|value| meter.whole(value))?;
    }
    Ok(())
}
