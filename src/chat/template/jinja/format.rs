//! Numbers in a field: what `'%08.2f'` and `'{:>+8,.2f}'` have in common.

use alloc::format;
use alloc::string::{String, ToString};

use super::fault::Fault;
use super::number::float_repr;

/// The most digits after a point.
const DIGITS: usize = 400;

/// A number's digits, without their sign.
pub(super) struct Digits {
    pub(super) negative: bool,
    /// `0x` and the like.
    pub(super) prefix: &'static str,
    pub(super) digits: String,
    /// Whether zeros may be put in front (not of `inf`).
    pub(super) finite: bool,
}

/// How digits are written.
#[derive(Clone, Copy, Default)]
pub(super) struct Style {
    pub(super) kind: char,
    pub(super) precision: Option<usize>,
    /// `#`.
    pub(super) alternate: bool,
}

/// An integer in a base.
pub(super) fn integer(number: i128, style: Style) -> Digits {
    let size = number.unsigned_abs();
    let (prefix, mut digits) = match style.kind {
        'x' => ("0x", format!("{size:x}")),
        'X' => ("0X", format!("{size:X}")),
        'o' => ("0o", format!("{size:o}")),
        'b' => ("0b", format!("{size:b}")),
        _ => ("", size.to_string()),
    };
    if let Some(precision) = style.precision
        && digits.len() < precision
    {
        digits.insert_str(0, &"0".repeat(precision - digits.len()));
    }
    Digits { negative: number < 0, prefix: if style.alternate { prefix } else { "" }, digits, finite: true }
}

/// A float as `e`, `f`, `g`, `%`, or by `repr` (kind `r`: with a precision as `g`, but with a digit after the point).
pub(super) fn float(number: f64, style: Style) -> Result<Digits, Fault> {
    let precision = style.precision.unwrap_or(6);
    if precision > DIGITS {
        return Err(Fault::unsupported("a precision of more than 400 digits", "no float has them"));
    }
    let size = number.abs();
    let negative = number.is_sign_negative() && !number.is_nan();
    let upper = style.kind.is_ascii_uppercase();
    if !number.is_finite() {
        let digits = if number.is_nan() { "nan" } else { "inf" };
        let digits = if upper { digits.to_ascii_uppercase() } else { digits.into() };
        let digits = if style.kind == '%' { digits + "%" } else { digits };
        return Ok(Digits { negative, prefix: "", digits, finite: false });
    }
    let point = |digits: String| if style.alternate && !digits.contains('.') { digits + "." } else { digits };
    let digits = match style.kind.to_ascii_lowercase() {
        'f' => point(format!("{size:.precision$}")),
        '%' => point(format!("{:.precision$}", size * 100.0)) + "%",
        'e' => {
            let text = format!("{size:.precision$e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            point(mantissa.into()) + &exponent_text(exponent.parse().unwrap_or_default())
        }
        'r' if style.precision.is_none() => float_repr(size),
        kind => general(size, precision.max(1), style.alternate, kind == 'r'),
    };
    let digits = if upper { digits.to_ascii_uppercase() } else { digits };
    Ok(Digits { negative, prefix: "", digits, finite: true })
}

fn exponent_text(exponent: i32) -> String {
    format!("e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// `g`: so many digits in all, an exponent where it is small or large. As a value's own text (`own`) one digit fewer needs
/// an exponent, and there is a digit after the point.
fn general(size: f64, precision: usize, alternate: bool, own: bool) -> String {
    let text = format!("{size:.*e}", precision - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let trim = |digits: &str| {
        if alternate || !digits.contains('.') {
            return digits.to_string();
        }
        digits.trim_end_matches('0').trim_end_matches('.').to_string()
    };
    let most = precision as i32 - i32::from(own);
    if exponent < -4 || exponent >= most {
        return trim(mantissa) + &exponent_text(exponent);
    }
    let after = (precision as i32 - 1 - exponent).max(0) as usize;
    let digits = trim(&format!("{size:.after$}"));
    if own && !digits.contains('.') { digits + ".0" } else { digits }
}

/// Digits with a separator between groups.
pub(super) fn grouped(digits: &str, separator: char, size: usize) -> String {
    let whole = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
    // `e` of an exponent is no digit of a decimal number.
    let whole =
        if size == 3 { digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()) } else { whole };
    let (head, tail) = digits.split_at(whole);
    let mut out = String::new();
    for (i, c) in head.chars().enumerate() {
        if i > 0 && (head.len() - i) % size == 0 {
            out.push(separator);
        }
        out.push(c);
    }
    out + tail
}
