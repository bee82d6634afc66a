//! `tojson` as Hugging Face's templates have it: Python's `json.dumps` with `ensure_ascii=False`, nothing escaped for
//! HTML. With `indent` each item has its own line; without, `", "` and `": "` stand between them.

use alloc::string::String;
use core::fmt::Write;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use super::meter::LIMIT;

/// How deep values may nest.
const DEPTH_LIMIT: usize = 64;

/// The filter.
pub(super) fn tojson(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // The other options of Python's function keep their defaults.
    for name in ["ensure_ascii", "separators", "sort_keys"] {
        let _: Option<Value> = options.get(name)?;
    }
    options.assert_all_used()?;
    let mut out = String::new();
    write(&mut out, value, indent.map(|width| width.min(16)), 0)?;
    Ok(Value::from_safe_string(out))
}

fn write(out: &mut String, value: &Value, indent: Option<usize>, depth: usize) -> Result<(), Error> {
    // Lines and their indents are what the budget has not been asked for.
    if out.len() > LIMIT {
        return Err(Error::from(ErrorKind::WriteFailure));
    }
    if depth > DEPTH_LIMIT {
        return Err(Error::new(ErrorKind::InvalidOperation, "tojson: values nest too deeply"));
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => {
            let _ = write!(out, "{value}");
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter()?;
            list(out, ['[', ']'], items, indent, depth, |out, item| write(out, &item, indent, depth + 1))?;
        }
        ValueKind::Map => {
            let keys = value.try_iter()?;
            list(out, ['{', '}'], keys, indent, depth, |out, key| {
                quote(out, &key.to_string());
                out.push_str(": ");
                write(out, &value.get_item(&key)?, indent, depth + 1)
            })?;
        }
        _ => quote(out, &value.to_string()),
    }
    Ok(())
}

fn list(
    out: &mut String,
    [open, close]: [char; 2],
    items: impl Iterator<Item = Value>,
    indent: Option<usize>,
    depth: usize,
    mut item: impl FnMut(&mut String, Value) -> Result<(), Error>,
) -> Result<(), Error> {
    let line = |out: &mut String, depth: usize| {
        if let Some(width) = indent {
            out.push('\n');
            out.extend(core::iter::repeat_n(' ', width * depth));
        }
    };
    out.push(open);
    let mut any = false;
    for value in items {
        if any {
            out.push_str(if indent.is_some() { "," } else { ", " });
        }
        any = true;
        line(out, depth + 1);
        item(out, value)?;
    }
    if any {
        line(out, depth);
    }
    out.push(close);
    Ok(())
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
