//! Filters that make texts.

use alloc::format;
use alloc::vec::Vec;

use super::call::{Args, integer};
use super::fault::Fault;
use super::letters::{Case, cased, is_alnum, is_space};
use super::run::Run;
use super::strings::text_of;
use super::text::{Builder, TEMPLATE, Text};
use super::value::Value;
use super::wrap::{Wrap, wrapped};

/// The longest line that `pprint` leaves whole.
const PRETTY: usize = 80;

impl Run<'_> {
    pub(super) fn text_filter(&mut self, name: &str, value: Value, args: Args) -> Result<Value, Fault> {
        match name {
            "upper" | "lower" | "capitalize" | "title" => {
                args.none(name)?;
                let text = self.soft_text(&value)?;
                match name {
                    "upper" => cased(&text, Case::Upper, &self.budget).map(Value::Str),
                    "lower" => cased(&text, Case::Lower, &self.budget).map(Value::Str),
                    "capitalize" => cased(&text, Case::Capital, &self.budget).map(Value::Str),
                    _ => self.title(&text),
                }
            }
            "trim" => {
                let [chars] = args.bind(name, ["chars"], 0)?;
                let text = self.soft_text(&value)?;
                self.strip(&text, "strip", chars.as_ref())
            }
            "string" => {
                args.none(name)?;
                self.soft_text(&value).map(Value::Str)
            }
            "safe" => {
                args.none(name)?;
                Ok(Value::Str(self.soft_text(&value)?.with_markup(true)))
            }
            "escape" | "e" | "forceescape" => {
                args.none(name)?;
                let text = self.soft_text(&value)?;
                let text = if name == "forceescape" { text.with_markup(false) } else { text };
                self.escaped(&text).map(Value::Str)
            }
            "join" => {
                let [between, attribute] = args.bind(name, ["d", "attribute"], 0)?;
                let items = self.all_items(&value)?;
                let items = self.attributes(items, attribute.as_ref())?;
                let between = match between {
                    Some(between) => self.printed(&between)?,
                    None => Text::new("", TEMPLATE),
                };
                let mut out = self.builder();
                for (i, item) in items.iter().enumerate() {
                    self.budget.spend(1)?;
                    if i > 0 {
                        out.push_text(&between);
                    }
                    self.write(&mut out, item)?;
                }
                Ok(Value::Str(out.finish()?))
            }
            "replace" => {
                let [old, new, count] = args.bind(name, ["old", "new", "count"], 2)?;
                let count = match count {
                    None | Some(Value::None) => -1,
                    Some(count) => integer(&count)?,
                };
                let text = self.printed(&value)?.with_markup(false);
                let old = self.printed(&old.unwrap_or(Value::None))?;
                let new = self.printed(&new.unwrap_or(Value::None))?;
                self.replace(&text, &old, &new, count)
            }
            "center" => {
                let [width] = args.bind(name, ["width"], 0)?;
                let width = width.as_ref().map(integer).transpose()?.unwrap_or(80);
                let text = self.soft_text(&value)?;
                self.pad(&text, "center", width, None)
            }
            "format" => {
                let text = self.soft_text(&value)?;
                let values = match (args.positional, args.named) {
                    (positional, named) if named.is_empty() => Value::tuple(positional, &self.budget)?,
                    (positional, named) if positional.is_empty() => {
                        let entries =
                            named.into_iter().map(|(name, value)| (Value::str(name), value)).collect();
                        Value::dict(entries, &self.budget)?
                    }
                    _ => {
                        let what = "can't handle positional and keyword arguments at the same time";
                        return Err(Fault::new(what));
                    }
                };
                self.percent(&text, &values)
            }
            "indent" => self.indent(&value, args),
            "truncate" => self.truncate(&value, args),
            "wordwrap" => self.wordwrap(&value, args),
            "wordcount" => {
                args.none(name)?;
                let text = self.soft_text(&value)?;
                self.budget.read(4 * text.len())?;
                let mut words = 0;
                let mut inside = false;
                for c in text.as_str().chars() {
                    let word = c == '_' || is_alnum(c);
                    words += i128::from(word && !inside);
                    inside = word;
                }
                Ok(Value::Int(words))
            }
            "pprint" => {
                args.none(name)?;
                self.pretty(&value)
            }
            "striptags" => {
                args.none(name)?;
                let text = self.soft_text(&value)?;
                self.strip_tags(&text)
            }
            "urlencode" => {
                args.none(name)?;
                self.url_encode(&value)
            }
            "xmlattr" => self.xml_attributes(&value, args),
            other => Err(Fault::new(format!("there is no filter '{other}'"))),
        }
    }

    /// Words begin after blanks, `-`, and opening brackets.
    fn title(&mut self, text: &Text) -> Result<Value, Fault> {
        let begins = |c: char| is_space(c) || "-({[<".contains(c);
        let mut out = self.builder();
        let whole = text.as_str();
        let mut at = 0;
        while at < whole.len() {
            self.budget.spend(1)?;
            let rest = whole.get(at..).unwrap_or_default();
            let between = rest.len() - rest.trim_start_matches(begins).len();
            out.push_piece(text, at, at + between);
            let word = rest.get(between..).unwrap_or_default();
            let first = word.chars().next().map_or(0, char::len_utf8);
            let end = at + between + word.find(begins).unwrap_or(word.len());
            for (from, to, case) in
                [(at + between, at + between + first, Case::Upper), (at + between + first, end, Case::Lower)]
            {
                if let Value::Str(piece) = self.cut(text, from.min(end), to.min(end).max(from.min(end)))? {
                    out.push_text(&cased(&piece, case, &self.budget)?);
                }
            }
            at = end.max(at + 1);
        }
        Ok(Value::Str(out.finish()?))
    }

    fn indent(&mut self, value: &Value, args: Args) -> Result<Value, Fault> {
        let [width, first, blank] = args.bind("indent", ["width", "first", "blank"], 0)?;
        let mut flag = |value: Option<Value>| value.map_or(Ok(false), |value| self.truth(&value));
        let (first, blank) = (flag(first)?, flag(blank)?);
        let by = match width {
            Some(Value::Str(text)) => text,
            width => {
                let width = width.as_ref().map(integer).transpose()?.unwrap_or(4);
                let mut blanks = self.builder();
                blanks.fill(' ', TEMPLATE, usize::try_from(width.max(0)).unwrap_or(usize::MAX));
                blanks.finish()?
            }
        };
        let text = text_of("indent", value)?;
        let by = if text.is_markup() { by.with_markup(true) } else { by };
        // A line end is added first, so that one at the end makes an empty line.
        let mut lines = self.lines(text, false)?;
        let ended = text.as_str().chars().next_back().is_none_or(super::letters::is_line_end);
        if ended {
            lines.push((text.len(), text.len()));
        }
        let mut out = self.builder();
        for (i, (from, to)) in lines.into_iter().enumerate() {
            self.budget.spend(1)?;
            if i > 0 {
                out.push_own("\n");
            }
            if (i == 0 && first) || (i > 0 && (blank || from < to)) {
                out.push_text(&by);
            }
            out.push_piece(text, from, to);
        }
        Ok(Value::Str(out.finish_as(text.is_markup())?))
    }

    fn truncate(&mut self, value: &Value, args: Args) -> Result<Value, Fault> {
        let [length, kill, end, leeway] =
            args.bind("truncate", ["length", "killwords", "end", "leeway"], 0)?;
        let length = length.as_ref().map(integer).transpose()?.unwrap_or(255);
        let kill = kill.map_or(Ok(false), |kill| self.truth(&kill))?;
        let end = end.unwrap_or_else(|| Value::str("..."));
        let end = text_of("truncate", &end)?.clone();
        let leeway = match leeway {
            None | Some(Value::None) => 5,
            Some(leeway) => integer(&leeway)?,
        };
        let end_len = end.as_str().chars().count() as i128;
        if length < end_len {
            return Err(Fault::new(format!("expected length >= {end_len}, got {length}")));
        }
        if leeway < 0 {
            return Err(Fault::new(format!("expected leeway >= 0, got {leeway}")));
        }
        let text = text_of("truncate", value)?;
        self.budget.read(text.len())?;
        if text.as_str().chars().count() as i128 <= length.saturating_add(leeway) {
            return Ok(value.clone());
        }
        let head = self.head(text, (length - end_len) as usize)?;
        let kept = if kill { head.len() } else { head.as_str().rfind(' ').unwrap_or(head.len()) };
        let mut out = self.builder();
        out.push_piece(&head, 0, kept);
        out.push_text(&end);
        Ok(Value::Str(out.finish_as(text.is_markup())?))
    }

    fn wordwrap(&mut self, value: &Value, args: Args) -> Result<Value, Fault> {
        let names = ["width", "break_long_words", "wrapstring", "break_on_hyphens"];
        let [width, long_words, between, hyphens] = args.bind("wordwrap", names, 0)?;
        let width = width.as_ref().map(integer).transpose()?.unwrap_or(79);
        if width <= 0 {
            return Err(Fault::new(format!("invalid width {width} (must be > 0)")));
        }
        let mut flag = |value: Option<Value>| value.map_or(Ok(true), |value| self.truth(&value));
        let options = Wrap {
            width: usize::try_from(width).unwrap_or(usize::MAX),
            long_words: flag(long_words)?,
            hyphens: flag(hyphens)?,
        };
        let between = match between {
            None | Some(Value::None) => Text::new("\n", TEMPLATE),
            Some(between) => text_of("wordwrap", &between)?.clone(),
        };
        let text = text_of("wordwrap", value)?;
        self.budget.read(8 * text.len())?;
        let mut out = self.builder();
        for (i, (from, to)) in self.lines(text, false)?.into_iter().enumerate() {
            if i > 0 {
                out.push_text(&between);
            }
            // What the line is taken apart into: characters, their places, and pieces of one at worst.
            self.budget.take((to - from).saturating_mul(ROOM))?;
            for (j, (start, end)) in wrapped(text.piece(from, to), &options).into_iter().enumerate() {
                if j > 0 {
                    out.push_text(&between);
                }
                out.push_piece(text, from + start, from + end);
            }
        }
        Ok(Value::Str(out.finish()?))
    }

    fn pretty(&mut self, value: &Value) -> Result<Value, Fault> {
        let value = self.with_sorted_keys(value)?;
        let mut out = self.builder();
        self.write_repr(&mut out, &value, 0)?;
        let text = out.finish()?;
        if text.as_str().chars().count() > PRETTY && !matches!(value, Value::Int(_) | Value::Float(_)) {
            return Err(Fault::unsupported(
                "the filter 'pprint' of more than 80 characters",
                "it is for people",
            ));
        }
        Ok(Value::Str(text))
    }

    /// `pprint` sorts maps by their keys.
    fn with_sorted_keys(&mut self, value: &Value) -> Result<Value, Fault> {
        self.deeper()?;
        let sorted = match value {
            Value::Dict(dict) => {
                self.budget.items(2 * dict.entries.len())?;
                let entries = self.sorted(dict.entries.clone(), false)?;
                let entries =
                    entries.into_iter().map(|(key, value)| Ok((key, self.with_sorted_keys(&value)?)));
                let entries = entries.collect::<Result<Vec<_>, Fault>>()?;
                Value::dict(entries, &self.budget)?
            }
            Value::List(list) | Value::Tuple(list) => {
                let items = list.items.iter().map(|item| self.with_sorted_keys(item));
                let items = items.collect::<Result<Vec<_>, Fault>>()?;
                match value {
                    Value::List(_) => Value::list(items, &self.budget)?,
                    _ => Value::tuple(items, &self.budget)?,
                }
            }
            other => other.clone(),
        };
        self.shallower();
        Ok(sorted)
    }

    /// Without tags and comments, blanks as one, entities as their characters.
    fn strip_tags(&mut self, text: &Text) -> Result<Value, Fault> {
        self.budget.read(4 * text.len())?;
        let whole = text.as_str();
        let mut plain = self.builder();
        let mut at = 0;
        while let Some(start) = whole.get(at..).and_then(|rest| rest.find('<')).map(|found| at + found) {
            let rest = whole.get(start..).unwrap_or_default();
            let end = match rest.strip_prefix("<!--") {
                Some(comment) => comment.find("-->").map(|end| start + end + 7),
                None => rest.find('>').map(|end| start + end + 1),
            };
            let Some(end) = end else { break };
            plain.push_piece(text, at, start);
            at = end;
        }
        plain.push_piece(text, at, whole.len());
        let plain = plain.finish()?;
        let mut out = self.builder();
        let mut pending = false;
        for (place, c, origin) in plain.chars() {
            if is_space(c) {
                pending = true;
                continue;
            }
            if pending && out.len() > 0 {
                out.push_own(" ");
            }
            pending = false;
            let _ = place;
            out.push_char(c, origin);
        }
        let text = out.finish()?;
        self.unescaped(&text)
    }

    fn unescaped(&mut self, text: &Text) -> Result<Value, Fault> {
        let whole = text.as_str();
        let mut out = self.builder();
        let mut at = 0;
        while let Some(start) = whole.get(at..).and_then(|rest| rest.find('&')).map(|found| at + found) {
            self.budget.spend(1)?;
            out.push_piece(text, at, start);
            let rest = whole.get(start + 1..).unwrap_or_default();
            let name = rest
                .get(..rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '#')).unwrap_or(rest.len()));
            let name = name.unwrap_or_default();
            let ended = rest.get(name.len()..).is_some_and(|rest| rest.starts_with(';'));
            let hex = name.strip_prefix("#x").or(name.strip_prefix("#X"));
            let code = match (hex, name.strip_prefix('#')) {
                (Some(hex), _) => u32::from_str_radix(hex, 16).ok(),
                (None, Some(decimal)) => decimal.parse().ok(),
                _ => None,
            };
            let c = match name {
                "amp" => Some('&'),
                "lt" => Some('<'),
                "gt" => Some('>'),
                "quot" => Some('"'),
                "apos" if ended => Some('\''),
                "nbsp" => Some('\u{a0}'),
                _ => code.filter(|code| (0x20..0x7f).contains(code) || *code > 0x9f).and_then(char::from_u32),
            };
            match c {
                Some(c) => {
                    out.push_char(c, text.origin_at(start));
                    at = start + 1 + name.len() + usize::from(ended);
                }
                None if ended && !name.is_empty() => {
                    let what = format!("the entity '&{name};' in the filter 'striptags'");
                    return Err(Fault::unsupported(&what, "HTML's table of them is not here"));
                }
                None => {
                    out.push_piece(text, start, start + 1);
                    at = start + 1;
                }
            }
        }
        out.push_piece(text, at, whole.len());
        Ok(Value::Str(out.finish()?))
    }

    fn url_encode(&mut self, value: &Value) -> Result<Value, Fault> {
        let mut out = self.builder();
        let pairs = match value {
            Value::Dict(dict) => dict.entries.clone(),
            Value::List(_) | Value::Tuple(_) | Value::Generator(_) | Value::View(..) | Value::Range(_) => {
                let mut pairs = Vec::new();
                for pair in self.all_items(value)? {
                    match self.all_items(&pair)?.as_slice() {
                        [key, value] => pairs.push((key.clone(), value.clone())),
                        _ => return Err(Fault::new("urlencode takes pairs")),
                    }
                }
                pairs
            }
            other => {
                let text = self.printed(other)?;
                quote_url(&mut out, &text, false);
                return Ok(Value::Str(out.finish()?));
            }
        };
        for (i, (key, value)) in pairs.iter().enumerate() {
            if i > 0 {
                out.push_own("&");
            }
            quote_url(&mut out, &self.printed(key)?, true);
            out.push_own("=");
            quote_url(&mut out, &self.printed(value)?, true);
        }
        Ok(Value::Str(out.finish()?))
    }

    fn xml_attributes(&mut self, value: &Value, args: Args) -> Result<Value, Fault> {
        let [space] = args.bind("xmlattr", ["autospace"], 0)?;
        let space = space.map_or(Ok(true), |space| self.truth(&space))?;
        let Value::Dict(dict) = value else { return Err(super::filters::bad_operand("xmlattr", value)) };
        let mut out = self.builder();
        let entries =
            dict.entries.iter().filter(|(_, value)| !matches!(value, Value::None | Value::Undefined(_)));
        for (i, (key, value)) in entries.enumerate() {
            let key = text_of("xmlattr", key)?;
            if key.as_str().contains([' ', '\t', '\n', '\r', '\u{b}', '\u{c}', '/', '>', '=']) {
                return Err(Fault::new(format!("Invalid character in attribute name: '{}'", key.as_str())));
            }
            if i > 0 || space {
                out.push_own(" ");
            }
            out.push_text(&self.escaped(key)?);
            out.push_own("=\"");
            let text = self.soft_text(value)?;
            out.push_text(&self.escaped(&text)?);
            out.push_own("\"");
        }
        Ok(Value::Str(out.finish()?))
    }
}

/// What a character of a line that is wrapped costs meanwhile.
const ROOM: usize = 64;

/// Appends a text with the characters of HTML escaped.
pub(super) fn escape(out: &mut Builder, text: &Text) {
    for (_, c, origin) in text.chars() {
        match c {
            '&' => out.push("&amp;", origin),
            '<' => out.push("&lt;", origin),
            '>' => out.push("&gt;", origin),
            '\'' => out.push("&#39;", origin),
            '"' => out.push("&#34;", origin),
            c => out.push_char(c, origin),
        }
    }
}

fn quote_url(out: &mut Builder, text: &Text, query: bool) {
    for (_, c, origin) in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || "_.-~".contains(c) => out.push_char(c, origin),
            '/' if !query => out.push_char(c, origin),
            ' ' if query => out.push_char('+', origin),
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    out.push(&format!("%{byte:02X}"), origin);
                }
            }
        }
    }
}
