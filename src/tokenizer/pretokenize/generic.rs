//! What llama.cpp does with a file that does not name its pre-tokenizer. Four passes, each cutting the parts of the one
//! before:
//!
//! 1. runs of punctuation (general category P) and of `$ + < = > ^ ~ |` stand alone;
//! 2. the rules of GPT-2;
//! 3. runs of numbers stand alone (they have lost their leading space);
//! 4. groups of three ASCII digits stand alone, from the left; one or two that are left over stay together.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::class::{Class, class, run};
use super::{gpt2, scan};

/// Calls `word` with every word of `text`.
pub(super) fn split(text: &str, word: &mut dyn FnMut(&str)) {
    scan(text, |text| alternate(text, is_punctuation), &mut |part| {
        scan(part, gpt2::first, &mut |part| {
            scan(part, |text| alternate(text, |c| class(c) == Class::Number), &mut |part| {
                scan(part, three_digits, word);
            });
        });
    });
}

/// A run of characters that `is` accepts, or of the others.
fn alternate(text: &str, is: impl Fn(char) -> bool) -> usize {
    match run(text, &is) {
        0 => run(text, |c| !is(c)),
        len => len,
    }
}

fn is_punctuation(c: char) -> bool {
    matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '~' | '|')
        || c.general_category_group() == GeneralCategoryGroup::Punctuation
}

/// Three digits, or everything up to the next three.
fn three_digits(text: &str) -> usize {
    let bytes = text.as_bytes();
    let three = bytes.windows(3).position(|window| window.iter().all(u8::is_ascii_digit));
    match three {
        Some(0) => 3,
        Some(before) => before,
        None => bytes.len(),
    }
}
