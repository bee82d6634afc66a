//! Values as texts: Python's `str` and `repr`.

use super::fault::Fault;
use super::letters::is_printable;
use super::number::float_repr;
use super::run::Run;
use super::text::{Builder, Origin, TEMPLATE, Text};
use super::value::{Value, View};

/// How deep `repr` goes: namespaces can contain each other.
const DEPTH: u32 = 80;

impl Run<'_> {
    /// `str(value)`.
    pub(super) fn printed(&mut self, value: &Value) -> Result<Text, Fault> {
        if let Value::Str(text) = value {
            return Ok(text.clone());
        }
        let mut out = self.builder();
        self.write(&mut out, value)?;
        out.finish()
    }

    /// Appends `str(value)`.
    pub(super) fn write(&mut self, out: &mut Builder, value: &Value) -> Result<(), Fault> {
        match value {
            Value::Str(text) => out.push_text(text),
            Value::Undefined(_) => {}
            other => self.write_repr(out, other, 0)?,
        }
        Ok(())
    }

    /// Appends `repr(value)`.
    pub(super) fn write_repr(&mut self, out: &mut Builder, value: &Value, depth: u32) -> Result<(), Fault> {
        self.budget.spend(1)?;
        if depth > DEPTH {
            return Err(Fault::new("values nest too deeply to be printed"));
        }
        match value {
            Value::Undefined(_) => out.push_own("Undefined"),
            Value::None => out.push_own("None"),
            Value::Bool(true) => out.push_own("True"),
            Value::Bool(false) => out.push_own("False"),
            Value::Int(number) => out.push_own(&alloc::format!("{number}")),
            Value::Float(number) => out.push_own(&float_repr(*number)),
            Value::Str(text) if text.is_markup() => {
                out.push_own("Markup(");
                quote(out, text);
                out.push_own(")");
            }
            Value::Str(text) => quote(out, text),
            Value::List(list) => {
                out.push_own("[");
                self.write_items(out, list.items.iter(), depth)?;
                out.push_own("]");
            }
            Value::Tuple(list) => {
                out.push_own("(");
                self.write_items(out, list.items.iter(), depth)?;
                out.push_own(if list.items.len() == 1 { ",)" } else { ")" });
            }
            Value::Dict(dict) => self.write_entries(out, &dict.entries, depth)?,
            Value::View(view, dict) => {
                out.push_own(value.type_name());
                out.push_own("([");
                match view {
                    View::Keys => self.write_items(out, dict.entries.iter().map(|(key, _)| key), depth)?,
                    View::Values => {
                        self.write_items(out, dict.entries.iter().map(|(_, value)| value), depth)?
                    }
                    View::Items => {
                        for (i, (key, value)) in dict.entries.iter().enumerate() {
                            out.push_own(if i > 0 { ", (" } else { "(" });
                            self.write_items(out, [key, value].into_iter(), depth)?;
                            out.push_own(")");
                        }
                    }
                }
                out.push_own("])");
            }
            Value::Range(range) if range.step == 1 => {
                out.push_own(&alloc::format!("range({}, {})", range.start, range.stop));
            }
            Value::Range(range) => {
                out.push_own(&alloc::format!("range({}, {}, {})", range.start, range.stop, range.step));
            }
            Value::Namespace(at) => {
                let entries = self.namespaces.get(*at).cloned().unwrap_or_default();
                out.push_own("<Namespace ");
                self.write_entries(out, &entries, depth)?;
                out.push_own(">");
            }
            Value::Macro(at) => {
                out.push_own("<Macro ");
                match self.macro_name(*at) {
                    Some(name) => quote(out, &Text::new(name, TEMPLATE)),
                    None => out.push_own("anonymous"),
                }
                out.push_own(">");
            }
            Value::Loop(at) => {
                let (index, length) = (self.loop_index(*at), self.loop_length(*at)?);
                out.push_own(&alloc::format!("<LoopContext {index}/{length}>"));
            }
            other => {
                let what = alloc::format!("printing a {}", other.type_name());
                return Err(Fault::unsupported(&what, "Python prints where it lies in memory"));
            }
        }
        Ok(())
    }

    fn write_items<'v>(
        &mut self,
        out: &mut Builder,
        items: impl Iterator<Item = &'v Value>,
        depth: u32,
    ) -> Result<(), Fault> {
        for (i, item) in items.enumerate() {
            if i > 0 {
                out.push_own(", ");
            }
            self.write_repr(out, item, depth + 1)?;
        }
        Ok(())
    }

    fn write_entries(
        &mut self,
        out: &mut Builder,
        entries: &[(Value, Value)],
        depth: u32,
    ) -> Result<(), Fault> {
        out.push_own("{");
        for (i, (key, value)) in entries.iter().enumerate() {
            if i > 0 {
                out.push_own(", ");
            }
            self.write_repr(out, key, depth + 1)?;
            out.push_own(": ");
            self.write_repr(out, value, depth + 1)?;
        }
        out.push_own("}");
        Ok(())
    }
}

/// `repr` of a text.
pub(super) fn quote(out: &mut Builder, text: &Text) {
    let double = text.as_str().contains('\'') && !text.as_str().contains('"');
    let quote = if double { '"' } else { '\'' };
    out.push_char(quote, TEMPLATE);
    for (_, c, origin) in text.chars() {
        match c {
            '\\' => out.push("\\\\", origin),
            '\n' => out.push("\\n", origin),
            '\r' => out.push("\\r", origin),
            '\t' => out.push("\\t", origin),
            c if c == quote => {
                out.push_char('\\', origin);
                out.push_char(c, origin);
            }
            c if is_printable(c) => out.push_char(c, origin),
            c => escape_code(out, c, origin),
        }
    }
    out.push_char(quote, TEMPLATE);
}

/// `\x1b`, `\u2028`, `\U000e0001`.
pub(super) fn escape_code(out: &mut Builder, c: char, origin: Origin) {
    let code = u32::from(c);
    let text = match code {
        0..=0xff => alloc::format!("\\x{code:02x}"),
        0x100..=0xffff => alloc::format!("\\u{code:04x}"),
        _ => alloc::format!("\\U{code:08x}"),
    };
    out.push(&text, origin);
}
