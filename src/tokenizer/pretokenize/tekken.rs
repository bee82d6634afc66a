//! The pre-tokenizer of Mistral's Tekken (Nemo, 2024). With U for letters of upper and title case, L for those of lower case,
//! and E for all other letters and marks, which count as either, the alternatives, in order:
//!
//! 1. an optional character that is not CR, LF, letter or number; any U and E; one or more L and E;
//! 2. an optional such character; one or more U and E; any L and E;
//! 3. one number;
//! 4. an optional space and one or more characters that are not blank, letter or number, and any CR, LF and `/` after them;
//! 5. as of [`llama3`](super::llama3): lines, and whitespace runs.
//!
//! A mark is no letter, so it may also be the optional character.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use super::class::{Class, after_space, blanks, class, is_newline, run, run_of};
use super::llama3::lines;

/// The bytes of the first word of a text that is not empty.
pub(super) fn first(text: &str) -> usize {
    letters(text)
        .or_else(|| number(text))
        .or_else(|| others(text))
        .or_else(|| lines(text))
        .unwrap_or_else(|| blanks(text))
}

/// What a letter or a mark counts as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Upper,
    Lower,
    Either,
}

fn case(c: char) -> Option<Case> {
    match c {
        'a'..='z' => return Some(Case::Lower),
        'A'..='Z' => return Some(Case::Upper),
        '\0'..='\x7f' => return None,
        _ => {}
    }
    match (c.general_category(), c.general_category_group()) {
        (GeneralCategory::UppercaseLetter | GeneralCategory::TitlecaseLetter, _) => Some(Case::Upper),
        (GeneralCategory::LowercaseLetter, _) => Some(Case::Lower),
        (_, GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark) => Some(Case::Either),
        _ => None,
    }
}

/// The first two alternatives, each with the optional character and then without.
fn letters(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    let optional = !is_newline(first) && !matches!(class(first), Class::Letter | Class::Number);
    let before = if optional { first.len_utf8() } else { 0 };
    let starts = if optional { [Some(before), Some(0)] } else { [Some(0), None] };
    let each = |word: fn(&str) -> Option<usize>| {
        starts.into_iter().flatten().find_map(|start| Some(start + word(text.get(start..)?)?))
    };
    each(ends_low).or_else(|| each(ends_high))
}

/// Any U and E, as many as there are, and one or more L and E: where none follows, the last E of the former is one.
fn ends_low(text: &str) -> Option<usize> {
    let high = run(text, |c| matches!(case(c), Some(Case::Upper | Case::Either)));
    let rest = text.get(high..)?;
    match run(rest, |c| matches!(case(c), Some(Case::Lower | Case::Either))) {
        0 => {
            let either = |(_, c): &(usize, char)| case(*c) == Some(Case::Either);
            text.get(..high)?.char_indices().rev().find(either).map(|(at, c)| at + c.len_utf8())
        }
        low => Some(high + low),
    }
}

/// One or more U and E: what is lower would have been the first alternative's.
fn ends_high(text: &str) -> Option<usize> {
    Some(run(text, |c| matches!(case(c), Some(Case::Upper | Case::Either)))).filter(|len| *len > 0)
}

fn number(text: &str) -> Option<usize> {
    text.chars().next().filter(|c| class(*c) == Class::Number).map(char::len_utf8)
}

fn others(text: &str) -> Option<usize> {
    let rest = after_space(text);
    let len = run_of(rest, Class::Other);
    let tail = rest.get(len..)?;
    (len > 0).then(|| text.len() - tail.len() + run(tail, |c| is_newline(c) || c == '/'))
}
