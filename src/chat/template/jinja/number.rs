//! Numbers as Python reads, rounds and prints them.

use alloc::format;
use alloc::string::{String, ToString};

use super::letters::is_space;

/// `repr` of a float: the shortest digits that give it back, with an exponent below 1e-4 and from 1e16 on.
pub(super) fn float_repr(x: f64) -> String {
    if x.is_nan() {
        return "nan".into();
    }
    if x.is_infinite() {
        return if x > 0.0 { "inf" } else { "-inf" }.into();
    }
    let scientific = format!("{x:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        let plain = x.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// Digits without the single `_` between them; `None` where they stand elsewhere.
fn without_underscores(text: &str) -> Option<String> {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    for (at, _) in text.match_indices('_') {
        let before = text.get(..at)?.chars().next_back();
        let after = text.get(at + 1..)?.chars().next();
        if !digit(before) || !digit(after) {
            return None;
        }
    }
    Some(text.replace('_', ""))
}

/// What `int(text, base)` gives.
pub(super) enum Parsed {
    Int(i128),
    /// It is no integer.
    No,
    /// It is one of more than 127 bits.
    Large,
}

pub(super) fn parse_int(text: &str, base: u32) -> Parsed {
    let text = text.trim_matches(is_space);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefix = digits.get(..2).map(str::to_ascii_lowercase);
    let prefixed = match prefix.as_deref() {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ => 0,
    };
    let (base, digits) = match base {
        0 if prefixed == 0 => {
            // A decimal number does not begin with a zero.
            if digits.starts_with('0') && digits.chars().any(|c| c != '0' && c != '_') {
                return Parsed::No;
            }
            (10, digits)
        }
        0 => (prefixed, digits.get(2..).unwrap_or_default()),
        base if base == prefixed => (base, digits.get(2..).unwrap_or_default()),
        base => (base, digits),
    };
    let digits = if prefixed == base { digits.strip_prefix('_').unwrap_or(digits) } else { digits };
    let digits: String = digits.chars().map(ascii_digit).collect();
    let Some(digits) = without_underscores(&digits) else { return Parsed::No };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return Parsed::No;
    }
    match i128::from_str_radix(&digits, base) {
        Ok(number) => Parsed::Int(if negative { -number } else { number }),
        Err(_) => Parsed::Large,
    }
}

/// A decimal digit of any script as ASCII: they lie in tens, and each ten begins with its zero.
fn ascii_digit(c: char) -> char {
    if c.is_ascii() || !super::letters::is_decimal(c) {
        return c;
    }
    let code = u32::from(c);
    let is_digit = |code: u32| char::from_u32(code).is_some_and(super::letters::is_decimal);
    let value = match c {
        // Mathematical digits: five alphabets in a row.
        '\u{1d7ce}'..='\u{1d7ff}' => (code - 0x1d7ce) % 10,
        _ => (1..10).take_while(|back| code >= *back && is_digit(code - back)).count() as u32,
    };
    char::from_digit(value, 10).unwrap_or(c)
}

/// What `float(text)` gives.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let text: String = text.trim_matches(is_space).chars().map(ascii_digit).collect();
    let text = without_underscores(&text)?;
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(&text);
    let word = unsigned.to_ascii_lowercase();
    if !["inf", "infinity", "nan"].contains(&word.as_str())
        && !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
    {
        return None;
    }
    text.parse().ok()
}

/// `round(x, digits)` of a float: to even where two are as near.
pub(super) fn round_float(x: f64, digits: i128) -> f64 {
    if !x.is_finite() || digits > 340 {
        return x;
    }
    if digits >= 0 {
        return format!("{x:.*}", digits as usize).parse().unwrap_or(x);
    }
    if digits < -330 {
        return 0.0 * x;
    }
    let whole = x.trunc();
    let places = (-digits) as usize;
    let text = format!("{:.0}", whole.abs());
    let kept = text.len().saturating_sub(places);
    let (head, tail) = if text.len() < places { ("", text.as_str()) } else { text.split_at(kept) };
    let half = text.len() >= places && tail.starts_with('5');
    let rest = tail.get(1..).unwrap_or_default().contains(|c| c != '0') || x != whole;
    let odd = head.ends_with(['1', '3', '5', '7', '9']);
    let up = text.len() >= places && (tail.starts_with(['6', '7', '8', '9']) || (half && (rest || odd)));
    let head: f64 = if head.is_empty() { 0.0 } else { head.parse().unwrap_or(0.0) };
    let rounded = head + if up { 1.0 } else { 0.0 };
    let rounded: f64 = format!("{rounded:.0}e{places}").parse().unwrap_or(x);
    if x < 0.0 { -rounded } else { rounded }
}

/// `round(n, digits)` of an integer.
pub(super) fn round_int(n: i128, digits: i128) -> i128 {
    let Some(unit) = u32::try_from(-digits).ok().and_then(|places| 10_i128.checked_pow(places)) else {
        return if digits >= 0 { n } else { 0 };
    };
    if digits >= 0 {
        return n;
    }
    let (low, rest) = (n.div_euclid(unit), n.rem_euclid(unit));
    let up = match (rest * 2).cmp(&unit) {
        core::cmp::Ordering::Less => 0,
        core::cmp::Ordering::Greater => 1,
        core::cmp::Ordering::Equal => low.rem_euclid(2),
    };
    (low + up).saturating_mul(unit)
}
