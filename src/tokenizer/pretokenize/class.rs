//! What the rules ask of a character: L, N, S, or none of them; and runs of such characters.

use super::letters::is_letter;

/// The class of a character in the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// L: general category letter.
    Letter,
    /// N: general category number (decimal digits, letter numbers such as roman numerals, others such as ½).
    Number,
    /// S: the property White_Space.
    Space,
    /// None of them: punctuation, symbols, marks, controls, unassigned.
    Other,
}

/// The class of a character. The standard library's tables know N and S, but not L: its `is_alphabetic` counts marks.
pub(super) fn class(c: char) -> Class {
    match c {
        'a'..='z' | 'A'..='Z' => Class::Letter,
        '0'..='9' => Class::Number,
        ' ' | '\t'..='\r' => Class::Space,
        '\0'..='\x7f' => Class::Other,
        _ if c.is_whitespace() => Class::Space,
        _ if c.is_numeric() => Class::Number,
        _ if is_letter(c) => Class::Letter,
        _ => Class::Other,
    }
}

/// Carriage return or line feed.
pub(super) fn is_newline(c: char) -> bool {
    matches!(c, '\r' | '\n')
}

/// The bytes of the characters at the start of `text` that `is` accepts.
pub(super) fn run(text: &str, is: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is(c)).unwrap_or(text.len())
}

/// The bytes of the characters of one class at the start of `text`.
pub(super) fn run_of(text: &str, wanted: Class) -> usize {
    run(text, |c| class(c) == wanted)
}

/// What follows a first space, or the text itself.
pub(super) fn after_space(text: &str) -> &str {
    text.strip_prefix(' ').unwrap_or(text)
}

/// A whitespace run at the start of `text`. When something that is not blank follows it leaves its last character to
/// the next word, unless it has only one. (`\s+(?!\S)|\s+`)
pub(super) fn blanks(text: &str) -> usize {
    let run = run_of(text, Class::Space);
    if run == text.len() {
        return run;
    }
    let last = text.get(..run).and_then(|run| run.chars().next_back()).map_or(0, char::len_utf8);
    if run > last { run - last } else { run }
}

/// An apostrophe and s, t, re, ve, m, ll or d, as `letter` says that two characters are the same.
pub(super) fn contraction(text: &str, same: impl Fn(char, char) -> bool) -> Option<usize> {
    const ENDINGS: [&str; 7] = ["s", "t", "re", "ve", "m", "ll", "d"];
    let rest = text.strip_prefix('\'')?;
    ENDINGS.iter().find_map(|ending| {
        let mut chars = rest.chars();
        ending
            .chars()
            .try_fold(1, |len, wanted| chars.next().filter(|c| same(*c, wanted)).map(|c| len + c.len_utf8()))
    })
}

/// One number character, or everything up to the next one.
pub(super) fn number_or_rest(text: &str) -> usize {
    match text.find(|c| class(c) == Class::Number) {
        Some(0) => text.chars().next().map_or(0, char::len_utf8),
        Some(rest) => rest,
        None => text.len(),
    }
}
