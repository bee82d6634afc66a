//! `tojson` as transformers has it: `json.dumps(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`, nothing
//! escaped for HTML.

use alloc::format;
use alloc::vec::Vec;

use super::call::{Args, integer};
use super::fault::Fault;
use super::number::float_repr;
use super::run::Run;
use super::text::{Builder, Origin, TEMPLATE, Text};
use super::value::Value;

struct Options {
    ascii: bool,
    /// What each level is indented by.
    indent: Option<Text>,
    between_items: Text,
    after_key: Text,
    sorted: bool,
}

impl Run<'_> {
    pub(super) fn json(&mut self, value: &Value, args: Args) -> Result<Value, Fault> {
        let [ascii, indent, separators, sorted] =
            args.bind("tojson", ["ensure_ascii", "indent", "separators", "sort_keys"], 0)?;
        let mut flag = |value: Option<Value>| value.map_or(Ok(false), |value| self.truth(&value));
        let (ascii, sorted) = (flag(ascii)?, flag(sorted)?);
        let indent = match indent {
            None | Some(Value::None) => None,
            Some(Value::Str(text)) => Some(text),
            Some(width) => {
                let mut blanks = self.builder();
                blanks.fill(' ', TEMPLATE, usize::try_from(integer(&width)?.max(0)).unwrap_or(usize::MAX));
                Some(blanks.finish()?)
            }
        };
        let (between_items, after_key) = match separators {
            None | Some(Value::None) => {
                (Text::new(if indent.is_some() { "," } else { ", " }, TEMPLATE), Text::new(": ", TEMPLATE))
            }
            Some(pair) => match self.all_items(&pair)?.as_slice() {
                [Value::Str(items), Value::Str(key)] => (items.clone(), key.clone()),
                _ => return Err(Fault::new("tojson: separators must be two texts")),
            },
        };
        let options = Options { ascii, indent, between_items, after_key, sorted };
        let mut out = self.builder();
        self.write_json(&mut out, value, &options, 0)?;
        Ok(Value::Str(out.finish()?))
    }

    fn write_json(
        &mut self,
        out: &mut Builder,
        value: &Value,
        options: &Options,
        depth: usize,
    ) -> Result<(), Fault> {
        self.budget.spend(1)?;
        match value {
            Value::None => out.push_own("null"),
            Value::Bool(truth) => out.push_own(if *truth { "true" } else { "false" }),
            Value::Int(number) => out.push_own(&format!("{number}")),
            Value::Float(number) => out.push_own(&float(*number)),
            Value::Str(text) => quote(out, text, options.ascii),
            Value::List(list) | Value::Tuple(list) => {
                out.push_own("[");
                for (i, item) in list.items.iter().enumerate() {
                    between(out, options, i, depth + 1);
                    self.write_json(out, item, options, depth + 1)?;
                }
                end(out, options, list.items.is_empty(), depth);
                out.push_own("]");
            }
            Value::Dict(dict) => {
                let mut entries: Vec<(Value, Value)> = Vec::new();
                if options.sorted {
                    self.budget.items(2 * dict.entries.len())?;
                    entries = self.sorted(dict.entries.clone(), false)?;
                }
                let entries = if options.sorted { &entries } else { &dict.entries };
                out.push_own("{");
                for (i, (key, value)) in entries.iter().enumerate() {
                    between(out, options, i, depth + 1);
                    write_key(out, key, options.ascii)?;
                    out.push_text(&options.after_key);
                    self.write_json(out, value, options, depth + 1)?;
                }
                end(out, options, entries.is_empty(), depth);
                out.push_own("}");
            }
            other => {
                let kind = other.type_name();
                return Err(Fault::new(format!("Object of type {kind} is not JSON serializable")));
            }
        }
        Ok(())
    }
}

fn write_key(out: &mut Builder, key: &Value, ascii: bool) -> Result<(), Fault> {
    match key {
        Value::Str(text) => quote(out, text, ascii),
        Value::None => out.push_own("\"null\""),
        Value::Bool(truth) => out.push_own(if *truth { "\"true\"" } else { "\"false\"" }),
        Value::Int(number) => out.push_own(&format!("\"{number}\"")),
        Value::Float(number) => out.push_own(&format!("\"{}\"", float(*number))),
        other => {
            let kind = other.type_name();
            return Err(Fault::new(format!("keys must be str, int, float, bool or None, not {kind}")));
        }
    }
    Ok(())
}

fn float(number: f64) -> alloc::string::String {
    match number {
        x if x.is_nan() => "NaN".into(),
        x if x.is_infinite() => if x > 0.0 { "Infinity" } else { "-Infinity" }.into(),
        x => float_repr(x),
    }
}

/// What stands in front of an item.
fn between(out: &mut Builder, options: &Options, i: usize, depth: usize) {
    if i > 0 {
        out.push_text(&options.between_items);
    }
    line(out, options, depth);
}

/// What stands in front of the closing bracket.
fn end(out: &mut Builder, options: &Options, empty: bool, depth: usize) {
    if !empty {
        line(out, options, depth);
    }
}

fn line(out: &mut Builder, options: &Options, depth: usize) {
    if let Some(indent) = &options.indent {
        out.push_own("\n");
        out.repeat(indent, depth);
    }
}

/// A text in quotes.
fn quote(out: &mut Builder, text: &Text, ascii: bool) {
    let code = |out: &mut Builder, unit: u32, origin: Origin| out.push(&format!("\\u{unit:04x}"), origin);
    out.push_own("\"");
    for (_, c, origin) in text.chars() {
        match c {
            '"' => out.push("\\\"", origin),
            '\\' => out.push("\\\\", origin),
            '\n' => out.push("\\n", origin),
            '\r' => out.push("\\r", origin),
            '\t' => out.push("\\t", origin),
            '\u{8}' => out.push("\\b", origin),
            '\u{c}' => out.push("\\f", origin),
            c if c < ' ' => code(out, c.into(), origin),
            c if ascii && !(' '..='~').contains(&c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    code(out, (*unit).into(), origin);
                }
            }
            c => out.push_char(c, origin),
        }
    }
    out.push_own("\"");
}
