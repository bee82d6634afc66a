//! `value|name`: which filter is which, and those of numbers.

use alloc::format;
use alloc::vec::Vec;

use super::call::{Args, integer};
use super::fault::Fault;
use super::number::{Parsed, parse_float, parse_int, round_float, round_int};
use super::run::Run;
use super::strings::text_of;
use super::text::{TEMPLATE, Text};
use super::value::Value;

/// All of Jinja 3.1.6.
pub(super) const NAMES: [&str; 54] = [
    "abs",
    "attr",
    "batch",
    "capitalize",
    "center",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "filesizeformat",
    "first",
    "float",
    "forceescape",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "random",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "string",
    "striptags",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "urlize",
    "wordcount",
    "wordwrap",
    "xmlattr",
];

impl Run<'_> {
    pub(super) fn filter(&mut self, name: &str, value: Value, args: Args) -> Result<Value, Fault> {
        self.budget.spend(1)?;
        match name {
            "abs" => {
                args.none(name)?;
                match value {
                    Value::Float(x) => Ok(Value::Float(x.abs())),
                    other => {
                        let n = other.as_int().ok_or_else(|| bad_operand("abs()", &other))?;
                        Ok(Value::Int(n.checked_abs().unwrap_or(i128::MAX)))
                    }
                }
            }
            "attr" => {
                let name = args.one("attr")?;
                let name = text_of("attr", &name)?.clone();
                match value {
                    Value::Dict(_) if !self.is_method(&value, name.as_str()) => {
                        Ok(Value::undefined(format!("'dict object' has no attribute '{}'", name.as_str())))
                    }
                    other => self.attribute(&other, name.as_str()),
                }
            }
            "default" | "d" => {
                let [default, boolean] = args.bind(name, ["default_value", "boolean"], 0)?;
                let boolean = boolean.map_or(Ok(false), |boolean| self.truth(&boolean))?;
                let replaced = matches!(value, Value::Undefined(_)) || (boolean && !self.truth(&value)?);
                Ok(if replaced { default.unwrap_or_else(|| Value::str("")) } else { value })
            }
            "int" => self.integer(&value, args),
            "float" => {
                let [default] = args.bind(name, ["default"], 0)?;
                if let Value::Undefined(what) = &value {
                    return Err(Fault::new(&**what));
                }
                let number = match &value {
                    Value::Str(text) => parse_float(text.as_str()),
                    other => other.as_float(),
                };
                Ok(number.map_or_else(|| default.unwrap_or(Value::Float(0.0)), Value::Float))
            }
            "round" => self.round(&value, args),
            "filesizeformat" => self.file_size(&value, args),
            "length" | "count" => {
                args.none(name)?;
                self.length_of(&value).map(|len| Value::Int(len as i128))
            }
            "tojson" => self.json(&value, args),
            "random" => Err(Fault::unsupported("the filter 'random'", "a prompt is the same each time")),
            "urlize" => Err(Fault::unsupported("the filter 'urlize'", "chat templates are no HTML")),
            "first" | "last" | "list" | "items" | "reverse" | "batch" | "slice" | "map" | "select"
            | "reject" | "selectattr" | "rejectattr" | "sort" | "unique" | "groupby" | "dictsort" | "min"
            | "max" | "sum" => self.list_filter(name, value, args),
            name if NAMES.contains(&name) => self.text_filter(name, value, args),
            name => Err(Fault::new(format!("there is no filter '{name}'"))),
        }
    }

    fn integer(&mut self, value: &Value, args: Args) -> Result<Value, Fault> {
        let [default, base] = args.bind("int", ["default", "base"], 0)?;
        let default = default.unwrap_or(Value::Int(0));
        let base = base.as_ref().map(integer).transpose()?.unwrap_or(10);
        if base != 0 && !(2..=36).contains(&base) {
            return Ok(default);
        }
        let large =
            || Fault::unsupported("an integer of more than 127 bits", "they are computed with in 128");
        let float = match value {
            Value::Undefined(what) => return Err(Fault::new(&**what)),
            Value::Str(text) => {
                self.budget.read(4 * text.len())?;
                match parse_int(text.as_str(), base as u32) {
                    Parsed::Int(number) => return Ok(Value::Int(number)),
                    Parsed::Large => return Err(large()),
                    Parsed::No => parse_float(text.as_str()),
                }
            }
            Value::Float(x) => Some(*x),
            other => return Ok(other.as_int().map_or(default, Value::Int)),
        };
        match float {
            // Python raises OverflowError for an infinite float, which the filter takes for the default.
            Some(x) if x.is_finite() && x.abs() < 1e38 => Ok(Value::Int(x as i128)),
            Some(x) if x.is_finite() => Err(large()),
            Some(x) if x.is_infinite() && !matches!(value, Value::Str(_)) => {
                Err(Fault::new("cannot convert float infinity to integer"))
            }
            _ => Ok(default),
        }
    }

    fn round(&mut self, value: &Value, args: Args) -> Result<Value, Fault> {
        let [precision, method] = args.bind("round", ["precision", "method"], 0)?;
        let digits = precision.as_ref().map(integer).transpose()?.unwrap_or(0);
        let method = method.unwrap_or_else(|| Value::str("common"));
        match text_of("round", &method)?.as_str() {
            "common" => match value {
                Value::Float(x) => Ok(Value::Float(round_float(*x, digits))),
                other => {
                    let n = other.as_int().ok_or_else(|| bad_operand("round()", other))?;
                    Ok(Value::Int(round_int(n, digits)))
                }
            },
            method @ ("ceil" | "floor") => {
                let x = value.as_float().ok_or_else(|| bad_operand("round()", value))?;
                let unit = 10_f64.powi(i32::try_from(digits).unwrap_or_default());
                let scaled = x * unit;
                Ok(Value::Float(if method == "ceil" { scaled.ceil() } else { scaled.floor() } / unit))
            }
            _ => Err(Fault::new("method must be common, ceil or floor")),
        }
    }

    fn file_size(&mut self, value: &Value, args: Args) -> Result<Value, Fault> {
        let [binary] = args.bind("filesizeformat", ["binary"], 0)?;
        let binary = binary.map_or(Ok(false), |binary| self.truth(&binary))?;
        let bytes = match value {
            Value::Str(text) => parse_float(text.as_str()),
            other => other.as_float(),
        };
        let bytes = bytes.ok_or_else(|| bad_operand("filesizeformat", value))?;
        let base = if binary { 1024.0 } else { 1000.0 };
        if bytes == 1.0 {
            return Ok(Value::str("1 Byte"));
        }
        if bytes < base {
            return Ok(Value::str(format!("{} Bytes", bytes.trunc() as i64)));
        }
        let prefixes = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
        let mut unit = base;
        let mut prefix = "";
        for next in prefixes {
            prefix = next;
            unit *= base;
            if bytes < unit {
                break;
            }
        }
        let kind = match (binary, prefix) {
            (true, "k") => "KiB".into(),
            (true, prefix) => format!("{prefix}iB"),
            (false, prefix) => format!("{prefix}B"),
        };
        Ok(Value::str(format!("{:.1} {kind}", base * bytes / unit)))
    }

    /// `soft_str(value)`: a text as it is, anything else as Python prints it.
    pub(super) fn soft_text(&mut self, value: &Value) -> Result<Text, Fault> {
        match value {
            Value::Str(text) => Ok(text.clone()),
            Value::Undefined(_) => Ok(Text::new("", TEMPLATE)),
            other => self.printed(other),
        }
    }

    /// Filter or test by a value that names it, with the arguments after it.
    pub(super) fn name_of(&mut self, what: &str, args: &mut Vec<Value>) -> Result<Option<Text>, Fault> {
        if args.is_empty() {
            return Ok(None);
        }
        let name = args.remove(0);
        text_of(what, &name).cloned().map(Some)
    }
}

pub(super) fn bad_operand(what: &str, value: &Value) -> Fault {
    match value {
        Value::Undefined(what) => Fault::new(&**what),
        other => Fault::new(format!("bad operand type for {what}: '{}'", other.type_name())),
    }
}
