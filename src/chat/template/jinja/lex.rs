//! The template's text becomes tokens, as Jinja's lexer does it with `trim_blocks` and `lstrip_blocks`.
//!
//! Line ends first: CRLF and CR become LF, and one LF at the end is dropped. Then blanks around tags: `-` takes all of them,
//! `+` none; else those between a line's beginning and `{%` or `{#` go, and one LF after `%}` or `#}`.

use alloc::string::String;
use alloc::vec::Vec;

use super::fault::{Fault, Kind};
use super::letters::is_space;

/// Tokens between two braces. Published templates have up to a hundred.
pub(in crate::chat::template) const TOKENS: usize = 1024;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tok {
    Data(String),
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name(String),
    Str(String),
    Int(i128),
    Float(f64),
    Op(&'static str),
    End,
}

/// Longest first.
const OPERATORS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
    "=", ".", ":", "|", ",", ";",
];

/// The text with line ends as Jinja reads it.
pub(in crate::chat::template) fn normalized(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\r' {
            chars.next_if_eq(&'\n');
            out.push('\n');
        } else {
            out.push(c);
        }
    }
    if out.ends_with('\n') {
        out.pop();
    }
    out
}

/// The tokens with their lines.
pub(super) fn tokens(source: &str) -> Result<Vec<(Tok, u32)>, Fault> {
    let source = normalized(source);
    let mut lexer = Lexer { rest: &source, line: 1, line_starts: true, out: Vec::new() };
    while !lexer.rest.is_empty() {
        lexer.root()?;
    }
    let line = lexer.line;
    lexer.out.push((Tok::End, line));
    Ok(lexer.out)
}

struct Lexer<'s> {
    rest: &'s str,
    line: u32,
    /// What was read last ended a line.
    line_starts: bool,
    out: Vec<(Tok, u32)>,
}

impl<'s> Lexer<'s> {
    /// Passes over so many bytes.
    fn pass(&mut self, bytes: usize) -> &'s str {
        let (passed, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.line += passed.matches('\n').count() as u32;
        self.line_starts = passed.ends_with('\n');
        self.rest = rest;
        passed
    }

    fn pass_spaces(&mut self) {
        let blanks = self.rest.len() - self.rest.trim_start_matches(is_space).len();
        if blanks > 0 {
            self.pass(blanks);
        }
    }

    fn push(&mut self, token: Tok) {
        self.out.push((token, self.line));
    }

    /// Text up to a tag, and the tag.
    fn root(&mut self) -> Result<(), Fault> {
        let begins = |from: usize| {
            ["{%", "{{", "{#"].iter().any(|tag| self.rest.get(from..).unwrap_or_default().starts_with(tag))
        };
        let Some(at) = self.rest.match_indices('{').map(|(at, _)| at).find(|at| begins(*at)) else {
            let line_starts = self.line_starts;
            let line = self.line;
            let data = self.pass(self.rest.len());
            self.line_starts = line_starts;
            self.out.push((Tok::Data(data.into()), line));
            return Ok(());
        };
        let tag = self.rest.get(at..at + 2).unwrap_or_default();
        let after = self.rest.get(at + 2..).unwrap_or_default();
        let sign = after.chars().next().filter(|c| ['-', '+'].contains(c));
        self.data(at, sign, tag != "{{");
        self.pass(2 + usize::from(sign.is_some()));
        match tag {
            "{{" => {
                self.push(Tok::VariableBegin);
                self.tag("}}", Tok::VariableEnd)
            }
            "{#" => self.comment(),
            _ => match raw(self.rest, "raw", false) {
                Some(bytes) => {
                    self.pass(bytes);
                    self.raw()
                }
                None => {
                    self.push(Tok::BlockBegin);
                    self.tag("%}", Tok::BlockEnd)
                }
            },
        }
    }

    /// The text in front of a tag.
    fn data(&mut self, bytes: usize, sign: Option<char>, strips: bool) {
        let (line, line_starts) = (self.line, self.line_starts);
        let mut text = self.pass(bytes);
        match sign {
            Some('-') => text = text.trim_end_matches(is_space),
            None if strips => {
                let start = text.rfind('\n').map_or(0, |at| at + 1);
                let blank = text.get(start..).unwrap_or_default();
                if (start > 0 || line_starts) && blank.chars().all(is_space) {
                    text = text.get(..start).unwrap_or_default();
                }
            }
            _ => {}
        }
        if !text.is_empty() {
            self.out.push((Tok::Data(text.into()), line));
        }
    }

    fn comment(&mut self) -> Result<(), Fault> {
        let Some(end) = self.rest.find("#}") else {
            return Err(Fault::syntax(self.line, "missing end of comment tag"));
        };
        let sign = self.rest.get(..end).unwrap_or_default().chars().next_back();
        self.pass(end + 2);
        self.after_block(sign);
        Ok(())
    }

    /// Blanks after the end of a block or comment.
    fn after_block(&mut self, sign: Option<char>) {
        match sign {
            Some('-') => self.pass_spaces(),
            Some('+') => {}
            _ if self.rest.starts_with('\n') => {
                self.pass(1);
            }
            _ => {}
        }
    }

    fn raw(&mut self) -> Result<(), Fault> {
        let ends = |at: &usize| {
            let after = self.rest.get(at + 2..).unwrap_or_default();
            raw(after.strip_prefix(['-', '+']).unwrap_or(after), "endraw", true).is_some()
        };
        let Some(at) = self.rest.match_indices("{%").map(|(at, _)| at).find(ends) else {
            return Err(Fault::syntax(self.line, "missing end of raw directive"));
        };
        let after = self.rest.get(at + 2..).unwrap_or_default();
        let sign = after.chars().next().filter(|c| ['-', '+'].contains(c));
        self.data(at, sign, true);
        self.pass(2 + usize::from(sign.is_some()));
        let bytes = raw(self.rest, "endraw", true).unwrap_or_default();
        let tag = self.pass(bytes);
        if tag.ends_with("+%}") || tag.ends_with("-%}") {
            return Ok(());
        }
        self.after_block(None);
        Ok(())
    }

    /// What is between braces, up to its end.
    fn tag(&mut self, end: &str, token: Tok) -> Result<(), Fault> {
        let opened = self.line;
        let mut brackets: Vec<&str> = Vec::new();
        for _ in 0..TOKENS {
            self.pass_spaces();
            if brackets.is_empty() {
                let sign = self.rest.chars().next().filter(|c| *c == '-' || (*c == '+' && end == "%}"));
                let signed = usize::from(sign.is_some());
                if self.rest.get(signed..).unwrap_or_default().starts_with(end) {
                    self.push(token);
                    self.pass(signed + end.len());
                    if end == "%}" || sign.is_some() {
                        self.after_block(sign);
                    }
                    return Ok(());
                }
            }
            if self.rest.is_empty() {
                return Err(Fault::syntax(
                    opened,
                    alloc::format!("unexpected end of template, expected '{end}'"),
                ));
            }
            if !(self.number()? || self.name() || self.string()?) {
                self.operator(&mut brackets)?;
            }
        }
        Err(Fault::of(Kind::Long, "an expression is too long").at(opened))
    }

    fn name(&mut self) -> bool {
        let part = |c: char| c == '_' || c.is_alphanumeric();
        let len = self.rest.len() - self.rest.trim_start_matches(part).len();
        if len > 0 {
            let line = self.line;
            let name = self.pass(len);
            self.out.push((Tok::Name(name.into()), line));
        }
        len > 0
    }

    fn number(&mut self) -> Result<bool, Fault> {
        let after_dot = matches!(self.out.last(), Some((Tok::Op("."), _)));
        if !after_dot && let Some(len) = float_len(self.rest) {
            let digits = self.pass(len).replace('_', "");
            self.push(Tok::Float(digits.parse().unwrap_or(f64::INFINITY)));
            return Ok(true);
        }
        let Some((len, radix)) = int_len(self.rest) else { return Ok(false) };
        let digits = self.pass(len).replace('_', "");
        let digits = if radix == 10 { digits.as_str() } else { digits.get(2..).unwrap_or_default() };
        let number = i128::from_str_radix(digits, radix)
            .map_err(|_| Fault::syntax(self.line, "integers of more than 127 bits are not supported"))?;
        self.push(Tok::Int(number));
        Ok(true)
    }

    fn string(&mut self) -> Result<bool, Fault> {
        let Some(quote) = self.rest.chars().next().filter(|c| ['\'', '"'].contains(c)) else {
            return Ok(false);
        };
        let line = self.line;
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, c)| {
            let ends = *c == quote && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let Some((end, _)) = end else {
            return Err(Fault::syntax(line, "a string does not end"));
        };
        let text = self.pass(end + 1).get(1..end).unwrap_or_default();
        self.out.push((Tok::Str(unescaped(text, line)?), line));
        Ok(true)
    }

    fn operator(&mut self, brackets: &mut Vec<&'static str>) -> Result<(), Fault> {
        let Some(operator) = OPERATORS.iter().find(|operator| self.rest.starts_with(**operator)) else {
            let c = self.rest.chars().next().unwrap_or_default();
            return Err(Fault::syntax(self.line, alloc::format!("unexpected character {c:?}")));
        };
        let closes = |bracket: &str| match bracket {
            "(" => ")",
            "[" => "]",
            _ => "}",
        };
        match *operator {
            "(" | "[" | "{" => brackets.push(operator),
            ")" | "]" | "}" => {
                let expected = brackets.pop().map(closes);
                if expected != Some(*operator) {
                    return Err(Fault::syntax(self.line, alloc::format!("unexpected '{operator}'")));
                }
            }
            _ => {}
        }
        self.push(Tok::Op(operator));
        self.pass(operator.len());
        Ok(())
    }
}

/// Bytes of the rest of a tag `raw` or `endraw`; blanks after it only where a `-` takes them.
fn raw(rest: &str, name: &str, ends: bool) -> Option<usize> {
    let after = rest.trim_start_matches(is_space).strip_prefix(name)?.trim_start_matches(is_space);
    let (signed, minus) = match after.chars().next()? {
        '-' => (after.get(1..)?, true),
        '+' if ends => (after.get(1..)?, false),
        _ => (after, false),
    };
    let end = signed.strip_prefix("%}")?;
    let end = if minus { end.trim_start_matches(is_space) } else { end };
    Some(rest.len() - end.len())
}

/// Bytes of digits with single `_` between them.
fn digits_len(text: &str, digit: impl Fn(char) -> bool) -> usize {
    let mut len = 0;
    let mut gap = 0;
    for c in text.chars() {
        if digit(c) {
            len += gap + c.len_utf8();
            gap = 0;
        } else if c == '_' && gap == 0 && len > 0 {
            gap = 1;
        } else {
            break;
        }
    }
    len
}

fn float_len(text: &str) -> Option<usize> {
    let digit = |c: char| c.is_ascii_digit();
    let whole = digits_len(text, digit);
    if whole == 0 {
        return None;
    }
    let rest = text.get(whole..)?;
    let fraction = match rest.strip_prefix('.').map(|rest| digits_len(rest, digit)) {
        Some(len) if len > 0 => 1 + len,
        _ => 0,
    };
    let rest = rest.get(fraction..)?;
    let exponent = rest.strip_prefix(['e', 'E']).and_then(|rest| {
        let unsigned = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        let digits = digits_len(unsigned, digit);
        (digits > 0).then_some(1 + rest.len() - unsigned.len() + digits)
    });
    (fraction > 0 || exponent.is_some()).then_some(whole + fraction + exponent.unwrap_or_default())
}

fn int_len(text: &str) -> Option<(usize, u32)> {
    let lower = text.get(..2).map(str::to_ascii_lowercase);
    let radix = match lower.as_deref() {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ => 10,
    };
    if radix != 10 {
        let rest = text.get(2..)?;
        let skip = usize::from(rest.starts_with('_'));
        let digits = digits_len(rest.get(skip..)?, |c| c.is_digit(radix));
        if digits > 0 {
            return Some((2 + skip + digits, radix));
        }
    }
    let digits = if text.starts_with('0') {
        digits_len(text, |c| c == '0')
    } else {
        digits_len(text, |c| c.is_ascii_digit())
    };
    (digits > 0).then_some((digits, 10))
}

/// A string's text with Python's escapes resolved.
fn unescaped(text: &str, line: u32) -> Result<String, Fault> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let c = after.chars().next().unwrap_or('\\');
        rest = after.get(c.len_utf8()..).unwrap_or_default();
        let mut coded = |len: usize, radix: u32, from: &str| {
            let digits = from.get(..len).filter(|digits| digits.chars().all(|c| c.is_digit(radix)));
            let code =
                digits.and_then(|digits| u32::from_str_radix(digits, radix).ok()).and_then(char::from_u32);
            code.map(|code| out.push(code)).ok_or_else(|| {
                Fault::syntax(
                    line,
                    alloc::format!("a string has the escape \\{c} without a character's number"),
                )
            })
        };
        match c {
            'x' | 'u' | 'U' => {
                let len = match c {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                coded(len, 16, rest)?;
                rest = rest.get(len..).unwrap_or_default();
            }
            '0'..='7' => {
                let len = after.chars().take(3).take_while(|c| c.is_digit(8)).count();
                coded(len, 8, after)?;
                rest = after.get(len..).unwrap_or_default();
            }
            'N' => {
                return Err(Fault::syntax(
                    line,
                    "\\N{...} in a string is not supported: there are no names of characters here",
                ));
            }
            '\n' => {}
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'v' => out.push('\u{b}'),
            '\\' | '\'' | '"' => out.push(c),
            c => out.extend(['\\', c]),
        }
    }
    out.push_str(rest);
    Ok(out)
}
