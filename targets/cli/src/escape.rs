//! Text that comes from a file, made safe to look at.
//!
//! A terminal obeys some characters instead of showing them, and others change the order in which what follows is shown. A
//! name in a model file, a template's message or an answer may have any of them. They are written as Rust writes them:
//!
//! ```text
//! C0, DEL, C1                        ESC -> \u{1b}
//! line and paragraph separators      U+2028 U+2029
//! embeddings, overrides, isolates    U+202A..U+202E, U+2066..U+2069
//! ```
//!
//! Everything that is printed passes here but an answer that goes to a file or a pipe. Where several lines are printed, line
//! ends and tabs stay; in a name they are escaped too, so that it cannot pretend to be a line of ours.

use std::borrow::Cow;
use std::fmt::{Display, Write};

/// Whether a terminal would do something at this character instead of showing it.
fn is_obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, escape: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&escape) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if escape(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// A text of several lines.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_obeyed(c) && c != '\n' && c != '\t')
}

/// A name, a path, a message: what is a part of a line.
pub fn shown(what: impl Display) -> String {
    escaped(&what.to_string(), is_obeyed).into_owned()
}

/// JSON, in which such characters are in strings only: what they are escaped as is JSON too.
pub fn json(value: impl Display) -> String {
    let mut safe = String::new();
    for c in value.to_string().chars() {
        if is_obeyed(c) {
            // Nothing that is obeyed needs a pair of surrogates.
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown() {
        assert_eq!(lines("\x1b[2J\x07\r\x7f\u{9b}0m"), "\\u{1b}[2J\\u{7}\\r\\u{7f}\\u{9b}0m");
        assert_eq!(lines("a\n\tb"), "a\n\tb");
        assert_eq!(shown("a\n\tb\x1b"), "a\\n\\tb\\u{1b}");
        for c in (0..0x20).chain(0x7f..0xa0).chain(0x2028..0x202f).chain(0x2066..0x206a) {
            let c = char::from_u32(c).unwrap_or('?');
            let safe = shown(c);
            assert!(safe.starts_with('\\') && safe.is_ascii(), "{safe:?}");
        }
        let plain = "Grüße, 世界 👩‍💻 \u{a0}שלום\u{200f} C:\\models\\x.gguf";
        assert_eq!(shown(plain), plain);
        assert!(matches!(lines(plain), Cow::Borrowed(_)));
    }

    #[test]
    fn json_stays_what_it_says() {
        let text = "a\x1b\u{7f}\u{9b}\u{202e}\"\\ü";
        let value = serde_json::json!({ text: text });
        let safe = json(&value);
        assert!(safe.chars().all(|c| !is_obeyed(c)), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).ok(), Some(value));
    }
}
