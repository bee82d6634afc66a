//! `'%s is %d' % (a, b)`: a text with values in it, by Python's rules.

use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;

use super::fault::Fault;
use super::format::{self, Digits, Style};
use super::run::Run;
use super::show::escape_code;
use super::text::{Builder, MADE, TEMPLATE, Text};
use super::value::{Dict, Value};

/// One place.
#[derive(Default)]
struct Place {
    left: bool,
    plus: bool,
    blank: bool,
    zero: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// Values that are taken one after another, or by name.
struct Values {
    items: Vec<Value>,
    at: usize,
    map: Option<Rc<Dict>>,
}

impl Values {
    fn next(&mut self) -> Result<Value, Fault> {
        let value = self.items.get(self.at).cloned();
        self.at += 1;
        value.ok_or_else(|| Fault::new("not enough arguments for format string"))
    }
}

impl Run<'_> {
    /// `format % value`.
    pub(super) fn percent(&mut self, format: &Text, value: &Value) -> Result<Value, Fault> {
        let items = match value {
            Value::Tuple(items) => items.items.clone(),
            other => Vec::from([other.clone()]),
        };
        let map = match value {
            Value::Dict(map) => Some(Rc::clone(map)),
            _ => None,
        };
        // A mapping, and what has items, may be left unused.
        let may_stay =
            matches!(value, Value::Dict(_) | Value::List(_) | Value::Range(_) | Value::Undefined(_));
        let mut values = Values { items, at: 0, map };
        let mut out = self.builder();
        let mut chars = format.chars().peekable();
        while let Some((_, c, origin)) = chars.next() {
            if c != '%' {
                out.push_char(c, origin);
                continue;
            }
            self.budget.spend(1)?;
            let rest = chars.peek().map_or(format.len(), |(at, _, _)| *at);
            let len = self.place(format, rest, &mut values, &mut out, origin)?;
            while chars.next_if(|(at, _, _)| *at < rest + len).is_some() {}
        }
        if values.at < values.items.len() && !may_stay {
            return Err(Fault::new("not all arguments converted during string formatting"));
        }
        Ok(Value::Str(out.finish_as(format.is_markup())?))
    }

    /// Writes the place that begins after a `%`, and says how many bytes it has.
    fn place(
        &mut self,
        format: &Text,
        from: usize,
        values: &mut Values,
        out: &mut Builder,
        origin: u32,
    ) -> Result<usize, Fault> {
        let whole = format.piece(from, format.len());
        if whole.starts_with('%') {
            out.push_char('%', origin);
            return Ok(1);
        }
        let mut rest = whole;
        let mut place = Place::default();
        let mut named = None;
        if let Some(name) = rest.strip_prefix('(') {
            let mut depth = 1;
            let end = name.char_indices().find(|(_, c)| {
                depth += match c {
                    '(' => 1,
                    ')' => -1,
                    _ => 0,
                };
                depth == 0
            });
            let Some((end, _)) = end else { return Err(Fault::new("incomplete format key")) };
            let Some(map) = &values.map else { return Err(Fault::new("format requires a mapping")) };
            let name = name.get(..end).unwrap_or_default();
            let Some(value) = map.named(name) else { return Err(Fault::new(format!("'{name}'"))) };
            named = Some(value.clone());
            rest = rest.get(end + 2..).unwrap_or_default();
        }
        while let Some(flag) = rest.chars().next().filter(|c| "-+ #0".contains(*c)) {
            match flag {
                '-' => place.left = true,
                '+' => place.plus = true,
                ' ' => place.blank = true,
                '#' => place.alternate = true,
                _ => place.zero = true,
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        let (width, after) = self.number(rest, values)?;
        let width = width.unwrap_or_default();
        place.left |= width < 0;
        place.width = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
        rest = after;
        if let Some(after) = rest.strip_prefix('.') {
            let (precision, after) = self.number(after, values)?;
            place.precision =
                Some(usize::try_from(precision.unwrap_or_default().max(0)).unwrap_or(usize::MAX));
            rest = after;
        }
        rest = rest.strip_prefix(['h', 'l', 'L']).unwrap_or(rest);
        let Some(kind) = rest.chars().next() else { return Err(Fault::new("incomplete format")) };
        let len = whole.len() - rest.len() + kind.len_utf8();
        let value = match named {
            Some(value) => value,
            None => values.next()?,
        };
        self.write_place(out, &place, kind, &value, format.is_markup())?;
        Ok(len)
    }

    /// Digits, or `*` for a value.
    fn number<'t>(&self, text: &'t str, values: &mut Values) -> Result<(Option<i128>, &'t str), Fault> {
        if let Some(rest) = text.strip_prefix('*') {
            let value = values.next()?;
            let Some(number) = value.as_int() else { return Err(Fault::new("* wants int")) };
            return Ok((Some(number), rest));
        }
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = text.get(..text.len() - rest.len()).unwrap_or_default();
        if digits.is_empty() {
            return Ok((None, rest));
        }
        Ok((Some(digits.parse().unwrap_or(i128::MAX)), rest))
    }

    fn write_place(
        &mut self,
        out: &mut Builder,
        place: &Place,
        kind: char,
        value: &Value,
        markup: bool,
    ) -> Result<(), Fault> {
        if let Value::Undefined(what) = value
            && !matches!(kind, 's' | 'r' | 'a')
        {
            return Err(Fault::new(&**what));
        }
        let text = match kind {
            's' => {
                let text = self.printed(value)?;
                if markup { self.escaped(&text)? } else { text }
            }
            'r' | 'a' => {
                let mut repr = self.builder();
                self.write_repr(&mut repr, value, 0)?;
                let repr = repr.finish()?;
                if kind == 'a' { self.ascii(&repr)? } else { repr }
            }
            'c' => match value {
                Value::Str(text) if text.as_str().chars().count() == 1 => text.clone(),
                Value::Str(_) => return Err(Fault::new("%c requires int or char")),
                other => {
                    let code = other.as_int().ok_or_else(|| Fault::new("%c requires int or char"))?;
                    let c = u32::try_from(code).ok().and_then(char::from_u32);
                    Text::new(c.ok_or_else(|| Fault::new("%c arg not in range(0x110000)"))?, MADE)
                }
            },
            _ => return self.write_number(out, place, kind, value),
        };
        let text = match place.precision.filter(|_| kind != 'c') {
            Some(most) => self.head(&text, most)?,
            None => text,
        };
        let missing = place.width.saturating_sub(text.as_str().chars().count());
        if !place.left {
            out.fill(' ', TEMPLATE, missing);
        }
        out.push_text(&text);
        if place.left {
            out.fill(' ', TEMPLATE, missing);
        }
        Ok(())
    }

    /// What is not ASCII as escapes.
    fn ascii(&mut self, text: &Text) -> Result<Text, Fault> {
        let mut out = self.builder();
        for (_, c, origin) in text.chars() {
            if c.is_ascii() {
                out.push_char(c, origin);
            } else {
                escape_code(&mut out, c, origin);
            }
        }
        out.finish()
    }

    fn write_number(
        &mut self,
        out: &mut Builder,
        place: &Place,
        kind: char,
        value: &Value,
    ) -> Result<(), Fault> {
        let kind_name = value.type_name();
        let style = Style { kind, precision: place.precision, alternate: place.alternate };
        let digits: Digits = match kind {
            'd' | 'i' | 'u' => {
                let number = match value {
                    Value::Float(x) if x.is_finite() && x.abs() < 1e38 => Some(*x as i128),
                    other => other.as_int(),
                };
                let number = number.ok_or_else(|| {
                    Fault::new(format!("%{kind} format: a real number is required, not {kind_name}"))
                })?;
                self.room(place.precision)?;
                format::integer(number, Style { alternate: false, ..style })
            }
            'x' | 'X' | 'o' => {
                let number = value.as_int().ok_or_else(|| {
                    Fault::new(format!("%{kind} format: an integer is required, not {kind_name}"))
                })?;
                self.room(place.precision)?;
                format::integer(number, style)
            }
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                let number = value
                    .as_float()
                    .ok_or_else(|| Fault::new(format!("must be real number, not {kind_name}")))?;
                format::float(number, style)?
            }
            other => return Err(Fault::new(format!("unsupported format character '{other}'"))),
        };
        let sign = match (digits.negative, place.plus, place.blank) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        let used = sign.len() + digits.prefix.len() + digits.digits.len();
        let missing = place.width.saturating_sub(used);
        let zeros = place.zero && !place.left && digits.finite;
        if !place.left && !zeros {
            out.fill(' ', TEMPLATE, missing);
        }
        out.push_own(sign);
        out.push_own(digits.prefix);
        if zeros {
            out.fill('0', TEMPLATE, missing);
        }
        out.push_own(&digits.digits);
        if place.left {
            out.fill(' ', TEMPLATE, missing);
        }
        Ok(())
    }

    /// Takes the room of digits, before they are made.
    pub(super) fn room(&self, precision: Option<usize>) -> Result<(), Fault> {
        self.budget.take(precision.unwrap_or_default())
    }
}
