//! The pre-tokenizer of Llama 3, and with one digit a word that of Qwen2. The alternatives, in order:
//!
//! 1. an apostrophe and one of s, t, re, ve, m, ll, d, in either case (ſ, U+017F, is an s);
//! 2. an optional character that is not CR, LF, letter or number, and one or more letters;
//! 3. one to `digits` numbers;
//! 4. an optional space and one or more characters that are not blank, letter or number, and any CR and LF after them;
//! 5. any blanks and then one or more CR or LF, as far as the last of them in the run;
//! 6. a whitespace run that is not followed by something else (it leaves its last blank to the next word);
//! 7. a whitespace run.

use super::class::{Class, after_space, blanks, class, contraction, is_newline, run, run_of};

/// The bytes of the first word of a text that is not empty.
pub(super) fn first(text: &str, digits: usize) -> usize {
    if let Some(len) = contraction(text, same_letter) {
        return len;
    }
    letters(text)
        .or_else(|| numbers(text, digits))
        .or_else(|| others(text))
        .or_else(|| lines(text))
        .unwrap_or_else(|| blanks(text))
}

fn same_letter(c: char, wanted: char) -> bool {
    c.eq_ignore_ascii_case(&wanted) || (c == '\u{17f}' && wanted == 's')
}

fn letters(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    let before = match class(first) {
        Class::Letter => 0,
        Class::Number => return None,
        Class::Space | Class::Other if is_newline(first) => return None,
        Class::Space | Class::Other => first.len_utf8(),
    };
    match run_of(text.get(before..)?, Class::Letter) {
        0 => None,
        len => Some(before + len),
    }
}

fn numbers(text: &str, digits: usize) -> Option<usize> {
    let len = text.chars().take(digits).take_while(|c| class(*c) == Class::Number).map(char::len_utf8).sum();
    (len > 0).then_some(len)
}

fn others(text: &str) -> Option<usize> {
    let rest = after_space(text);
    let len = run_of(rest, Class::Other);
    let tail = rest.get(len..)?;
    (len > 0).then(|| text.len() - tail.len() + run(tail, is_newline))
}

pub(super) fn lines(text: &str) -> Option<usize> {
    let blank = text.get(..run_of(text, Class::Space))?;
    // CR and LF are one byte each.
    blank.rfind(is_newline).map(|last| last + 1)
}
