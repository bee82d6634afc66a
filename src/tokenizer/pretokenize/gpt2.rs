//! GPT-2's pre-tokenizer. The alternatives, in order:
//!
//! 1. an apostrophe and one of s, t, re, ve, m, ll, d (lower case only);
//! 2. an optional space (U+0020) and one or more letters;
//! 3. an optional space and one or more numbers;
//! 4. an optional space and one or more characters that are not blank, letter or number;
//! 5. a whitespace run that is not followed by something else (it leaves its last blank to the next word);
//! 6. a whitespace run.

use super::class::{Class, after_space, blanks, class, contraction, run_of};

/// The bytes of the first word of a text that is not empty.
pub(super) fn first(text: &str) -> usize {
    if let Some(len) = contraction(text, |c, wanted| c == wanted) {
        return len;
    }
    let rest = after_space(text);
    match rest.chars().next().map(class) {
        Some(wanted @ (Class::Letter | Class::Number | Class::Other)) => {
            text.len() - rest.len() + run_of(rest, wanted)
        }
        Some(Class::Space) | None => blanks(text),
    }
}
