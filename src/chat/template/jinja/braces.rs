//! `'{} and {0.name!r:>8}'.format(…)`: Python's format strings, with the sandbox's way to attributes.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::call::Args;
use super::fault::Fault;
use super::format::{self, Digits, Style};
use super::run::Run;
use super::text::{Builder, MADE, Origin, TEMPLATE, Text};
use super::value::Value;

/// How deep a format may have places in its places.
const DEPTH: u32 = 2;

/// The arguments, and how they are numbered.
struct Given {
    args: Args,
    next: Option<usize>,
    numbered: bool,
}

/// A format specification.
#[derive(Default)]
struct Spec {
    fill: Option<char>,
    /// Who wrote the character that fills.
    origin: Origin,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

impl Run<'_> {
    /// `format.format(…)`.
    pub(super) fn braces(&mut self, format: &Text, args: Args) -> Result<Value, Fault> {
        let mut given = Given { args, next: Some(0), numbered: false };
        let text = self.formatted(format, &mut given, DEPTH)?;
        Ok(Value::Str(text.with_markup(format.is_markup())))
    }

    fn formatted(&mut self, format: &Text, given: &mut Given, depth: u32) -> Result<Text, Fault> {
        let Some(below) = depth.checked_sub(1) else {
            return Err(Fault::new("Max string recursion exceeded"));
        };
        let mut out = self.builder();
        let whole = format.as_str();
        let mut at = 0;
        while let Some(brace) = whole.get(at..).and_then(|rest| rest.find(['{', '}'])).map(|found| at + found)
        {
            self.budget.spend(1)?;
            out.push_piece(format, at, brace);
            let rest = whole.get(brace..).unwrap_or_default();
            if rest.starts_with("{{") || rest.starts_with("}}") {
                out.push_piece(format, brace, brace + 1);
                at = brace + 2;
                continue;
            }
            if rest.starts_with('}') {
                return Err(Fault::new("Single '}' encountered in format string"));
            }
            let mut nested = 0;
            let end = rest.char_indices().find(|(_, c)| {
                nested += match c {
                    '{' => 1,
                    '}' => -1,
                    _ => 0,
                };
                nested == 0
            });
            let Some((end, _)) = end else {
                return Err(Fault::new(if rest.len() == 1 {
                    "Single '{' encountered in format string"
                } else {
                    "expected '}' before end of string"
                }));
            };
            let place = rest.get(1..end).unwrap_or_default();
            at = brace + end + 1;
            self.write_braces(
                &mut out,
                &Text::new(place, format.origin_at(brace)),
                given,
                below,
                format.is_markup(),
            )?;
        }
        out.push_piece(format, at, whole.len());
        out.finish()
    }

    fn write_braces(
        &mut self,
        out: &mut Builder,
        place: &Text,
        given: &mut Given,
        below: u32,
        markup: bool,
    ) -> Result<(), Fault> {
        let origin = place.origin_at(0);
        let place = place.as_str();
        let field_len = field_len(place);
        let field = place.get(..field_len).unwrap_or_default();
        let mut rest = place.get(field_len..).unwrap_or_default();
        let mut value = self.field(field, given)?;
        if let Some(after) = rest.strip_prefix('!') {
            let kind = after.chars().next();
            value = match kind {
                Some('s') => Value::Str(self.printed(&value)?),
                Some('r') => {
                    let mut repr = self.builder();
                    self.write_repr(&mut repr, &value, 0)?;
                    Value::Str(repr.finish()?)
                }
                Some('a') => self
                    .percent(&Text::new("%a", TEMPLATE), &Value::tuple(Vec::from([value]), &self.budget)?)?,
                _ => return Err(Fault::new("Unknown conversion specifier")),
            };
            rest = after.get(1..).unwrap_or_default();
        }
        let spec = match rest.strip_prefix(':') {
            Some(spec) => self.formatted(&Text::new(spec, origin), given, below)?,
            None if rest.is_empty() => Text::new("", TEMPLATE),
            None => return Err(Fault::new("expected ':' after conversion specifier")),
        };
        if markup {
            let text = self.printed(&value)?;
            value = Value::Str(self.escaped(&text)?.with_markup(false));
        }
        self.write_spec(out, &value, &spec)
    }

    /// The value that a field names: `0`, `name`, nothing for the next, and `.attribute`, `[item]` after it.
    fn field(&mut self, field: &str, given: &mut Given) -> Result<Value, Fault> {
        let len = field.find(['.', '[']).unwrap_or(field.len());
        let (first, mut rest) = field.split_at(len);
        let at = if first.is_empty() {
            let at = given.next.filter(|_| !given.numbered);
            given.next = given.next.map(|next| next + 1);
            Some(at.ok_or_else(|| {
                Fault::new("cannot switch from manual field specification to automatic field numbering")
            })?)
        } else if first.chars().all(|c| c.is_ascii_digit()) {
            if given.next.is_some_and(|next| next > 0) {
                let what = "cannot switch from automatic field numbering to manual field specification";
                return Err(Fault::new(what));
            }
            given.numbered = true;
            Some(first.parse().unwrap_or(usize::MAX))
        } else {
            None
        };
        let found = match at {
            Some(at) => given.args.positional.get(at).cloned(),
            None => given.args.named.iter().find(|(name, _)| name == first).map(|(_, value)| value.clone()),
        };
        let mut value = match (found, at) {
            (Some(value), _) => value,
            (None, Some(at)) => {
                return Err(Fault::new(format!(
                    "Replacement index {at} out of range for positional args tuple"
                )));
            }
            (None, None) => return Err(Fault::new(format!("'{first}'"))),
        };
        while !rest.is_empty() {
            self.budget.spend(1)?;
            if let Some(after) = rest.strip_prefix('.') {
                let len = after.find(['.', '[']).unwrap_or(after.len());
                let (name, after) = after.split_at(len);
                value = self.attribute(&value, name)?;
                rest = after;
            } else {
                let Some((key, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
                    return Err(Fault::new("Missing ']' in format string"));
                };
                let number = key.parse::<u32>().ok().filter(|_| !key.starts_with('+'));
                let key = number.map_or_else(|| Value::str(key), |number| Value::Int(i128::from(number)));
                value = self.item(&value, &key)?;
                rest = after;
            }
        }
        Ok(value)
    }

    fn write_spec(&mut self, out: &mut Builder, value: &Value, text: &Text) -> Result<(), Fault> {
        if text.as_str().is_empty() {
            return self.write(out, value);
        }
        let spec = Spec { origin: text.origin_at(0), ..parse_spec(text.as_str())? };
        match value {
            Value::Str(text) => self.write_text_spec(out, text, &spec),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => self.write_number_spec(out, value, &spec),
            other => {
                let kind = other.type_name();
                Err(Fault::new(format!("unsupported format string passed to {kind}.__format__")))
            }
        }
    }

    fn write_text_spec(&mut self, out: &mut Builder, text: &Text, spec: &Spec) -> Result<(), Fault> {
        if !matches!(spec.kind, None | Some('s')) {
            let kind = spec.kind.unwrap_or_default();
            return Err(Fault::new(format!("Unknown format code '{kind}' for object of type 'str'")));
        }
        if spec.sign.is_some() || spec.alternate || spec.align == Some('=') || spec.grouping.is_some() {
            return Err(Fault::new("this format is not allowed for a text"));
        }
        let text = match spec.precision {
            Some(most) => self.head(text, most)?,
            None => text.clone(),
        };
        let missing = spec.width.saturating_sub(text.as_str().chars().count());
        let fill = spec.fill.unwrap_or(if spec.zero { '0' } else { ' ' });
        let left = left_of(spec.align.unwrap_or('<'), missing);
        out.fill(fill, spec.origin, left);
        out.push_text(&text);
        out.fill(fill, spec.origin, missing - left);
        Ok(())
    }

    fn write_number_spec(&mut self, out: &mut Builder, value: &Value, spec: &Spec) -> Result<(), Fault> {
        let style = Style {
            kind: spec.kind.unwrap_or_default(),
            precision: spec.precision,
            alternate: spec.alternate,
        };
        let wrong = |kind: char| {
            Fault::new(format!("Unknown format code '{kind}' for object of type '{}'", value.type_name()))
        };
        let digits: Digits = match (value.as_int(), spec.kind) {
            (Some(_), None | Some('d' | 'n' | 'x' | 'X' | 'o' | 'b' | 'c')) if spec.precision.is_some() => {
                return Err(Fault::new("Precision not allowed in integer format specifier"));
            }
            (Some(number), Some('c')) => {
                let c = u32::try_from(number).ok().and_then(char::from_u32);
                let c = c.ok_or_else(|| Fault::new("%c arg not in range(0x110000)"))?;
                let missing = spec.width.saturating_sub(1);
                let left = left_of(spec.align.unwrap_or('<'), missing);
                let fill = spec.fill.unwrap_or(' ');
                out.fill(fill, spec.origin, left);
                out.push_char(c, MADE);
                out.fill(fill, spec.origin, missing - left);
                return Ok(());
            }
            (Some(number), None | Some('d' | 'n' | 'x' | 'X' | 'o' | 'b')) => format::integer(number, style),
            (_, Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%' | 'n'))) => {
                let kind = if kind == 'n' { 'g' } else { kind };
                format::float(value.as_float().unwrap_or_default(), Style { kind, ..style })?
            }
            (None, None) => {
                format::float(value.as_float().unwrap_or_default(), Style { kind: 'r', ..style })?
            }
            (_, kind) => return Err(wrong(kind.unwrap_or_default())),
        };
        let sign = match (digits.negative, spec.sign) {
            (true, _) => "-",
            (false, Some('+')) => "+",
            (false, Some(' ')) => " ",
            _ => "",
        };
        let mut text = digits.digits;
        let zeros =
            (spec.zero && spec.align.is_none()) || (spec.align == Some('=') && spec.fill == Some('0'));
        if let Some(separator) = spec.grouping {
            let size = if matches!(spec.kind, Some('x' | 'X' | 'o' | 'b')) { 4 } else { 3 };
            if zeros {
                // Zeros in front are grouped, too: so many that the field is filled.
                let room = spec.width.saturating_sub(sign.len() + digits.prefix.len());
                self.budget.take(room.saturating_mul(2))?;
                while format::grouped(&text, separator, size).len() < room {
                    let short = room - format::grouped(&text, separator, size).len();
                    text.insert_str(0, &"0".repeat((short * size / (size + 1)).max(1)));
                }
                let over = format::grouped(&text, separator, size);
                if over.len() > room && over.starts_with(separator) {
                    text.remove(0);
                }
            }
            text = format::grouped(&text, separator, size);
        }
        let missing = spec.width.saturating_sub(sign.len() + digits.prefix.len() + text.len());
        let align = spec.align.unwrap_or(if spec.zero { '=' } else { '>' });
        let fill = spec.fill.unwrap_or(if spec.zero { '0' } else { ' ' });
        let left = left_of(align, missing);
        let inside = if align == '=' { missing } else { 0 };
        out.fill(fill, spec.origin, left);
        out.push_own(sign);
        out.push_own(digits.prefix);
        out.fill(fill, spec.origin, inside);
        out.push_own(&text);
        out.fill(fill, spec.origin, missing - left - inside);
        Ok(())
    }
}

/// Bytes of a place's field: up to `!` or `:` outside of brackets.
fn field_len(place: &str) -> usize {
    let mut in_brackets = false;
    let end = place.char_indices().find(|(_, c)| {
        in_brackets = match c {
            '[' => true,
            ']' => false,
            _ => in_brackets,
        };
        !in_brackets && matches!(c, '!' | ':')
    });
    end.map_or(place.len(), |(at, _)| at)
}

fn left_of(align: char, missing: usize) -> usize {
    match align {
        '>' => missing,
        '^' => missing / 2,
        _ => 0,
    }
}

/// `[[fill]align][sign][#][0][width][grouping][.precision][kind]`.
fn parse_spec(text: &str) -> Result<Spec, Fault> {
    let mut spec = Spec::default();
    let mut chars: Vec<char> = text.chars().collect();
    chars.reverse();
    let aligns = |c: Option<&char>| c.is_some_and(|c| "<>=^".contains(*c));
    if chars.len() > 1 && aligns(chars.get(chars.len() - 2)) {
        spec.fill = chars.pop();
        spec.align = chars.pop();
    } else if aligns(chars.last()) {
        spec.align = chars.pop();
    }
    let mut skip = |set: &str| match chars.last() {
        Some(c) if set.contains(*c) => chars.pop(),
        _ => None,
    };
    spec.sign = skip("+- ");
    if skip("z").is_some() {
        return Err(Fault::unsupported("the format option 'z'", "no chat template has it"));
    }
    spec.alternate = skip("#").is_some();
    spec.zero = skip("0").is_some();
    let mut digits = |spec_digits: &mut String| {
        while let Some(c) = chars.last().copied().filter(char::is_ascii_digit) {
            spec_digits.push(c);
            chars.pop();
        }
        (spec_digits.is_empty(), spec_digits.parse().unwrap_or(usize::MAX), chars.last().copied())
    };
    let (empty, width, next) = digits(&mut String::new());
    spec.width = if empty { 0 } else { width };
    if let Some(c @ (',' | '_')) = next {
        spec.grouping = Some(c);
        chars.pop();
    }
    if chars.last() == Some(&'.') {
        chars.pop();
        let mut text = String::new();
        while let Some(c) = chars.last().copied().filter(char::is_ascii_digit) {
            text.push(c);
            chars.pop();
        }
        if text.is_empty() {
            return Err(Fault::new("Format specifier missing precision"));
        }
        spec.precision = Some(text.parse().unwrap_or(usize::MAX));
    }
    spec.kind = chars.pop();
    if chars.is_empty() { Ok(spec) } else { Err(Fault::new("Invalid format specifier")) }
}
