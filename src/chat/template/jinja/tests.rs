//! `value is name`: Jinja's tests.

use super::ast::{Comparison, Op};
use super::call::Args;
use super::fault::Fault;
use super::run::Run;
use super::strings::is_class;
use super::value::{Items, Value};

/// All of Jinja 3.1.6.
pub(super) const NAMES: [&str; 39] = [
    "odd",
    "even",
    "divisibleby",
    "defined",
    "undefined",
    "filter",
    "test",
    "none",
    "boolean",
    "false",
    "true",
    "integer",
    "float",
    "lower",
    "upper",
    "string",
    "mapping",
    "number",
    "sequence",
    "iterable",
    "callable",
    "sameas",
    "escaped",
    "in",
    "==",
    "eq",
    "equalto",
    "!=",
    "ne",
    ">",
    "gt",
    "greaterthan",
    "ge",
    ">=",
    "<",
    "lt",
    "lessthan",
    "<=",
    "le",
];

impl Run<'_> {
    pub(super) fn test(&mut self, name: &str, value: &Value, args: Args) -> Result<bool, Fault> {
        let comparison = match name {
            "==" | "eq" | "equalto" => Some(Comparison::Eq),
            "!=" | "ne" => Some(Comparison::Ne),
            ">" | "gt" | "greaterthan" => Some(Comparison::Gt),
            ">=" | "ge" => Some(Comparison::Ge),
            "<" | "lt" | "lessthan" => Some(Comparison::Lt),
            "<=" | "le" => Some(Comparison::Le),
            "in" => Some(Comparison::In),
            _ => None,
        };
        if let Some(comparison) = comparison {
            let [other] = args.bind(name, ["seq"], 1)?;
            return self.compare(comparison, value, &other.unwrap_or(Value::None));
        }
        if name == "sameas" {
            let [other] = args.bind(name, ["other"], 1)?;
            return Ok(self.same(value, &other.unwrap_or(Value::None)));
        }
        if name == "divisibleby" {
            let [by] = args.bind(name, ["num"], 1)?;
            return self.rest_is(value, &by.unwrap_or(Value::None), 0);
        }
        if !NAMES.contains(&name) {
            return Err(Fault::new(alloc::format!("there is no test '{name}'")));
        }
        args.none(name)?;
        Ok(match name {
            "odd" => return self.rest_is(value, &Value::Int(2), 1),
            "even" => return self.rest_is(value, &Value::Int(2), 0),
            "defined" => !matches!(value, Value::Undefined(_)),
            "undefined" => matches!(value, Value::Undefined(_)),
            "filter" => value.as_str().is_some_and(|name| super::filters::NAMES.contains(&name)),
            "test" => value.as_str().is_some_and(|name| NAMES.contains(&name)),
            "none" => matches!(value, Value::None),
            "boolean" => matches!(value, Value::Bool(_)),
            "true" => matches!(value, Value::Bool(true)),
            "false" => matches!(value, Value::Bool(false)),
            "integer" => matches!(value, Value::Int(_)),
            "float" => matches!(value, Value::Float(_)),
            "number" => matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_)),
            "string" => matches!(value, Value::Str(_)),
            "mapping" => matches!(value, Value::Dict(_)),
            "escaped" => matches!(value, Value::Str(text) if text.is_markup()),
            "lower" | "upper" => {
                let text = self.printed(value)?;
                is_class(&self.budget, text.as_str(), if name == "lower" { "islower" } else { "isupper" })?
            }
            "sequence" => matches!(
                value,
                Value::Str(_)
                    | Value::List(_)
                    | Value::Tuple(_)
                    | Value::Dict(_)
                    | Value::Range(_)
                    | Value::Undefined(_)
            ),
            "iterable" => matches!(value, Value::Loop(_)) || Items::of(value).is_ok(),
            _ => matches!(
                value,
                Value::Function(_)
                    | Value::Method(_)
                    | Value::Macro(_)
                    | Value::Joiner(_)
                    | Value::Loop(_)
                    | Value::Undefined(_)
            ),
        })
    }

    /// `value % by == rest`.
    fn rest_is(&mut self, value: &Value, by: &Value, rest: i128) -> Result<bool, Fault> {
        let found = self.binary(Op::Mod, value, by)?;
        self.equal(&found, &Value::Int(rest))
    }
}
