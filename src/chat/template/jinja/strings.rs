//! Methods of Python's texts. Places are characters; what is cut or copied keeps its origin (`text.rs`).

use alloc::format;
use alloc::vec::Vec;

use super::access::{byte_at, span};
use super::budget::Budget;
use super::call::{Args, integer};
use super::fault::Fault;
use super::filters_texts::escape;
use super::letters::{self, Case, cased, is_space};
use super::run::Run;
use super::text::{TEMPLATE, Text};
use super::value::Value;

pub(super) const METHODS: [&str; 47] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];

/// A text, where one is needed.
pub(super) fn text_of<'v>(what: &str, value: &'v Value) -> Result<&'v Text, Fault> {
    match value {
        Value::Str(text) => Ok(text),
        Value::Undefined(what) => Err(Fault::new(&**what)),
        other => Err(Fault::new(format!("{what}: expected str, got {}", other.type_name()))),
    }
}

impl Run<'_> {
    pub(super) fn text_method(&mut self, text: &Text, name: &str, args: Args) -> Result<Value, Fault> {
        self.budget.read(text.len())?;
        match name {
            "upper" | "lower" | "title" | "capitalize" | "swapcase" | "casefold" => {
                args.none(name)?;
                let case = match name {
                    "upper" => Case::Upper,
                    "lower" => Case::Lower,
                    "title" => Case::Title,
                    "capitalize" => Case::Capital,
                    "swapcase" => Case::Swap,
                    _ => Case::Fold,
                };
                cased(text, case, &self.budget).map(Value::Str)
            }
            "strip" | "lstrip" | "rstrip" => {
                let [chars] = args.bind(name, [""], 0)?;
                self.strip(text, name, chars.as_ref())
            }
            "split" | "rsplit" => {
                let [separator, most] = args.bind(name, ["sep", "maxsplit"], 0)?;
                let most = most.as_ref().map(integer).transpose()?.unwrap_or(-1);
                self.split(text, separator.as_ref(), most, name == "rsplit")
            }
            "splitlines" => {
                let [keep] = args.bind(name, ["keepends"], 0)?;
                let keep = keep.as_ref().map(|keep| self.truth(keep)).transpose()?.unwrap_or_default();
                self.split_lines(text, keep)
            }
            "replace" => {
                let [old, new, count] = args.bind(name, ["", "", "count"], 2)?;
                let (old, new) = (old.unwrap_or(Value::None), new.unwrap_or(Value::None));
                let count = count.as_ref().map(integer).transpose()?.unwrap_or(-1);
                let new = text_of("replace()", &new)?;
                let new = if text.is_markup() { self.escaped(new)? } else { new.clone() };
                self.replace(text, text_of("replace()", &old)?, &new, count)
            }
            "join" => {
                let items = args.one(name)?;
                self.join(text, &items)
            }
            "startswith" | "endswith" => self.begins(text, name, args),
            "find" | "index" | "rfind" | "rindex" | "count" => self.find(text, name, args),
            "removeprefix" | "removesuffix" => {
                let part = args.one(name)?;
                let part = text_of(name, &part)?;
                let whole = text.as_str();
                match name {
                    "removeprefix" if whole.starts_with(part.as_str()) => {
                        self.cut(text, part.len(), text.len())
                    }
                    "removesuffix" if whole.ends_with(part.as_str()) => {
                        self.cut(text, 0, text.len() - part.len())
                    }
                    _ => self.cut(text, 0, text.len()),
                }
            }
            "partition" | "rpartition" => self.partition(text, name, args),
            "center" | "ljust" | "rjust" => {
                let [width, fill] = args.bind(name, ["", ""], 1)?;
                let width = integer(&width.unwrap_or(Value::None))?;
                self.pad(text, name, width, fill.as_ref())
            }
            "zfill" => {
                let width = integer(&args.one(name)?)?;
                let missing = width.saturating_sub(text.as_str().chars().count() as i128);
                let sign = usize::from(text.as_str().starts_with(['+', '-']));
                let mut out = self.builder();
                out.push_piece(text, 0, sign);
                out.fill('0', TEMPLATE, usize::try_from(missing.max(0)).unwrap_or(usize::MAX));
                out.push_piece(text, sign, text.len());
                Ok(Value::Str(out.finish_as(text.is_markup())?))
            }
            "expandtabs" => {
                let [size] = args.bind(name, ["tabsize"], 0)?;
                let size = size.as_ref().map(integer).transpose()?.unwrap_or(8);
                self.expand_tabs(text, usize::try_from(size.max(0)).unwrap_or(usize::MAX))
            }
            "translate" => {
                let table = args.one(name)?;
                self.translate(text, &table)
            }
            "maketrans" => self.make_table(args),
            "format" => self.braces(text, args),
            "format_map" => {
                let Value::Dict(map) = args.one(name)? else {
                    return Err(Fault::new("format_map() takes a mapping"));
                };
                let named =
                    map.entries.iter().filter_map(|(key, value)| Some((key.as_str()?.into(), value.clone())));
                self.braces(text, Args { positional: Vec::new(), named: named.collect() })
            }
            "encode" => Err(Fault::unsupported("str.encode()", "there are no bytes in a chat template")),
            class => {
                args.none(class)?;
                Ok(Value::Bool(is_class(&self.budget, text.as_str(), class)?))
            }
        }
    }

    pub(super) fn escaped(&mut self, text: &Text) -> Result<Text, Fault> {
        if text.is_markup() {
            return Ok(text.clone());
        }
        let mut out = self.builder();
        escape(&mut out, text);
        out.finish_as(true)
    }

    pub(super) fn strip(&mut self, text: &Text, name: &str, chars: Option<&Value>) -> Result<Value, Fault> {
        let set = match chars {
            None | Some(Value::None) => None,
            Some(chars) => Some(text_of("strip()", chars)?),
        };
        let set_len = set.map_or(1, |set| set.len());
        self.budget.spend((text.len().saturating_mul(set_len) / 64) as u64)?;
        let drops = |c: char| match set {
            None => is_space(c),
            Some(set) => set.as_str().contains(c),
        };
        let whole = text.as_str();
        let from = if name == "rstrip" { 0 } else { whole.len() - whole.trim_start_matches(drops).len() };
        let rest = whole.get(from..).unwrap_or_default();
        let to = if name == "lstrip" { whole.len() } else { from + rest.trim_end_matches(drops).len() };
        self.cut(text, from, to)
    }

    /// `separator.join(items)`.
    pub(super) fn join(&mut self, separator: &Text, items: &Value) -> Result<Value, Fault> {
        let mut out = self.builder();
        for (i, item) in self.all_items(items)?.iter().enumerate() {
            let Value::Str(item) = item else {
                let kind = item.type_name();
                return Err(Fault::new(format!("sequence item {i}: expected str instance, {kind} found")));
            };
            if i > 0 {
                out.push_text(separator);
            }
            if separator.is_markup() && !item.is_markup() {
                escape(&mut out, item);
            } else {
                out.push_text(item);
            }
            self.budget.spend(1)?;
        }
        Ok(Value::Str(out.finish_as(separator.is_markup())?))
    }

    fn begins(&mut self, text: &Text, name: &str, args: Args) -> Result<Value, Fault> {
        let [part, start, stop] = args.bind(name, ["", "", ""], 1)?;
        let part = part.unwrap_or(Value::None);
        let parts = match &part {
            Value::Tuple(parts) => parts.items.clone(),
            other => Vec::from([other.clone()]),
        };
        let Some((from, to)) = span(text.as_str(), start.as_ref(), stop.as_ref())? else {
            return Ok(Value::Bool(false));
        };
        let piece = text.piece(from, to);
        for part in &parts {
            let part = text_of(name, part)?.as_str();
            self.budget.read(part.len())?;
            let found = if name == "startswith" { piece.starts_with(part) } else { piece.ends_with(part) };
            if found {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }

    fn find(&mut self, text: &Text, name: &str, args: Args) -> Result<Value, Fault> {
        let [part, start, stop] = args.bind(name, ["", "", ""], 1)?;
        let part = part.unwrap_or(Value::None);
        let part = text_of(name, &part)?.as_str();
        let bounds = span(text.as_str(), start.as_ref(), stop.as_ref())?;
        if name == "count" {
            let Some((from, to)) = bounds else { return Ok(Value::Int(0)) };
            let piece = text.piece(from, to);
            let count = if part.is_empty() { piece.chars().count() + 1 } else { piece.matches(part).count() };
            return Ok(Value::Int(count as i128));
        }
        let found = bounds.and_then(|(from, to)| {
            let piece = text.piece(from, to);
            let at = if name.starts_with('r') { piece.rfind(part) } else { piece.find(part) };
            at.map(|at| text.piece(0, from + at).chars().count())
        });
        match found {
            Some(at) => Ok(Value::Int(at as i128)),
            None if name.ends_with("find") => Ok(Value::Int(-1)),
            None => Err(Fault::new("substring not found")),
        }
    }

    fn partition(&mut self, text: &Text, name: &str, args: Args) -> Result<Value, Fault> {
        let separator = args.one(name)?;
        let separator = text_of(name, &separator)?;
        if separator.as_str().is_empty() {
            return Err(Fault::new("empty separator"));
        }
        let whole = text.as_str();
        let last = name == "rpartition";
        let at = if last { whole.rfind(separator.as_str()) } else { whole.find(separator.as_str()) };
        let cuts = match at {
            Some(at) => [(0, at), (at, at + separator.len()), (at + separator.len(), whole.len())],
            None if last => [(0, 0), (0, 0), (0, whole.len())],
            None => [(0, whole.len()), (0, 0), (0, 0)],
        };
        let parts: Result<Vec<Value>, Fault> =
            cuts.into_iter().map(|(from, to)| self.cut(text, from, to)).collect();
        Value::tuple(parts?, &self.budget)
    }

    pub(super) fn pad(
        &mut self,
        text: &Text,
        name: &str,
        width: i128,
        fill: Option<&Value>,
    ) -> Result<Value, Fault> {
        let mut fill = match fill {
            Some(fill) => text_of(name, fill)?.clone(),
            None => Text::new(' ', TEMPLATE),
        };
        if text.is_markup() {
            fill = self.escaped(&fill)?;
        }
        if fill.as_str().chars().count() != 1 {
            return Err(Fault::new("the fill character must be exactly one character long"));
        }
        let width = usize::try_from(width.max(0)).unwrap_or(usize::MAX);
        let missing = width.saturating_sub(text.as_str().chars().count());
        let left = match name {
            "ljust" => 0,
            "rjust" => missing,
            _ => missing / 2 + (missing & width & 1),
        };
        let mut out = self.builder();
        out.repeat(&fill, left);
        out.push_text(text);
        out.repeat(&fill, missing - left);
        Ok(Value::Str(out.finish_as(text.is_markup())?))
    }

    fn expand_tabs(&mut self, text: &Text, size: usize) -> Result<Value, Fault> {
        let mut out = self.builder();
        let mut column: usize = 0;
        for (_, c, origin) in text.chars() {
            match c {
                '\t' => {
                    let blanks = size - column.checked_rem(size).unwrap_or(size);
                    out.fill(' ', origin, blanks);
                    column = column.saturating_add(blanks);
                }
                '\n' | '\r' => {
                    out.push_char(c, origin);
                    column = 0;
                }
                c => {
                    out.push_char(c, origin);
                    column = column.saturating_add(1);
                }
            }
        }
        Ok(Value::Str(out.finish_as(text.is_markup())?))
    }

    fn translate(&mut self, text: &Text, table: &Value) -> Result<Value, Fault> {
        let Value::Dict(table) = table else {
            return Err(Fault::new(format!("translate() takes a mapping, not {}", table.type_name())));
        };
        let mut out = self.builder();
        for (_, c, origin) in text.chars() {
            self.budget.spend(1)?;
            match table.get(&Value::Int(i128::from(u32::from(c))), &self.budget)? {
                None => out.push_char(c, origin),
                Some(Value::None) => {}
                Some(Value::Str(new)) => out.push_text(new),
                Some(value) => {
                    let code =
                        value.as_int().and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32);
                    let Some(c) = code else {
                        return Err(Fault::new(
                            "character mapping must be a character's number, a text or None",
                        ));
                    };
                    out.push_char(c, origin);
                }
            }
        }
        Ok(Value::Str(out.finish_as(text.is_markup())?))
    }

    fn make_table(&mut self, args: Args) -> Result<Value, Fault> {
        let [from, to, drop] = args.bind("maketrans()", ["", "", ""], 1)?;
        let code = |c: char| Value::Int(i128::from(u32::from(c)));
        let entries = match (from.unwrap_or(Value::None), to) {
            (Value::Dict(map), None) => {
                self.budget.items(2 * map.entries.len())?;
                let key = |key: &Value| match key {
                    Value::Str(text) => {
                        let mut chars = text.as_str().chars();
                        match (chars.next(), chars.next()) {
                            (Some(c), None) => Ok(code(c)),
                            _ => Err(Fault::new("string keys in translate table must be of length 1")),
                        }
                    }
                    other => Ok(other.clone()),
                };
                map.entries
                    .iter()
                    .map(|(from, to)| Ok((key(from)?, to.clone())))
                    .collect::<Result<Vec<_>, Fault>>()?
            }
            (from, Some(to)) => {
                let (from, to) = (text_of("maketrans()", &from)?, text_of("maketrans()", &to)?);
                let drop = drop.unwrap_or_else(|| Value::str(""));
                let drop = text_of("maketrans()", &drop)?;
                self.budget.items(2 * (from.len() + drop.len()))?;
                if from.as_str().chars().count() != to.as_str().chars().count() {
                    return Err(Fault::new("the first two maketrans arguments must have equal length"));
                }
                let pairs =
                    from.as_str().chars().zip(to.as_str().chars()).map(|(from, to)| (code(from), code(to)));
                pairs.chain(drop.as_str().chars().map(|c| (code(c), Value::None))).collect()
            }
            _ => return Err(Fault::new("if you give only one argument to maketrans it must be a dict")),
        };
        Value::dict(entries, &self.budget)
    }

    /// A text with `new` for `old`, `count` times at most where it is not negative.
    pub(super) fn replace(
        &mut self,
        text: &Text,
        old: &Text,
        new: &Text,
        count: i128,
    ) -> Result<Value, Fault> {
        self.budget.read(text.len())?;
        let whole = text.as_str();
        let most = usize::try_from(count).unwrap_or(usize::MAX);
        let mut out = self.builder();
        let mut at = 0;
        if old.as_str().is_empty() {
            let places = whole.char_indices().map(|(at, _)| at).chain([whole.len()]);
            for place in places.take(most) {
                self.budget.spend(1)?;
                out.push_piece(text, at, place);
                out.push_text(new);
                at = place;
            }
        } else {
            for (place, _) in whole.match_indices(old.as_str()).take(most) {
                self.budget.spend(1)?;
                out.push_piece(text, at, place);
                out.push_text(new);
                at = place + old.len();
            }
        }
        out.push_piece(text, at, whole.len());
        Ok(Value::Str(out.finish_as(text.is_markup())?))
    }

    /// The first `chars` characters of a text.
    pub(super) fn head(&mut self, text: &Text, chars: usize) -> Result<Text, Fault> {
        match self.cut(text, 0, byte_at(text.as_str(), chars))? {
            Value::Str(text) => Ok(text),
            _ => Ok(text.clone()),
        }
    }
}

/// `isalpha` and the like, which look every character up in a table.
pub(super) fn is_class(budget: &Budget, text: &str, class: &str) -> Result<bool, Fault> {
    budget.read(16 * text.len())?;
    Ok(of_class(text, class))
}

fn of_class(text: &str, class: &str) -> bool {
    let all = |is: fn(char) -> bool| !text.is_empty() && text.chars().all(is);
    match class {
        "isalnum" => all(letters::is_alnum),
        "isalpha" => all(letters::is_alpha),
        "isascii" => text.is_ascii(),
        "isdecimal" => all(letters::is_decimal),
        "isdigit" => all(letters::is_digit),
        "isnumeric" => all(letters::is_numeric),
        "isprintable" => text.chars().all(letters::is_printable),
        "isspace" => all(is_space),
        "isidentifier" => {
            text.chars().next().is_some_and(letters::starts_name)
                && text.chars().skip(1).all(letters::continues_name)
        }
        "islower" => {
            text.chars().any(char::is_lowercase)
                && !text.chars().any(|c| c.is_uppercase() || letters::is_title(c))
        }
        "isupper" => {
            text.chars().any(char::is_uppercase)
                && !text.chars().any(|c| c.is_lowercase() || letters::is_title(c))
        }
        _ => {
            let (mut in_word, mut any) = (false, false);
            for c in text.chars() {
                let capital = c.is_uppercase() || letters::is_title(c);
                if (capital && in_word) || (c.is_lowercase() && !in_word) {
                    return false;
                }
                in_word = letters::is_cased(c);
                any |= in_word;
            }
            any
        }
    }
}
