#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::string::String;
use alloc::vec::Vec;

use super::Pre;

fn words(pre: Pre, text: &str) -> Vec<String> {
    let mut words = Vec::new();
    pre.split(text, &mut |word| words.push(String::from(word)));
    assert_eq!(words.concat(), text, "nothing is lost");
    words
}

#[test]
fn gpt2_words() {
    assert_eq!(
        words(Pre::Gpt2, "Hello  world's  3x\n\n"),
        ["Hello", " ", " world", "'s", " ", " 3", "x", "\n\n"]
    );
    assert_eq!(words(Pre::Gpt2, "I'LL 1234 --x"), ["I", "'", "LL", " 1234", " --", "x"]);
    assert_eq!(words(Pre::Gpt2, "\t\ta"), ["\t", "\t", "a"]);
}

#[test]
fn smollm_isolates_numbers() {
    assert_eq!(words(Pre::Smollm, "a  12½b"), ["a", "  ", "1", "2", "½", "b"]);
}

#[test]
fn llama3_words() {
    assert_eq!(
        words(Pre::Llama3, "I'LL 12345 (ok)!\n\nx"),
        ["I", "'LL", " ", "123", "45", " (", "ok", ")!\n\n", "x"]
    );
    assert_eq!(words(Pre::Llama3, "a \r\n \n  b"), ["a", " \r\n \n", " ", " b"]);
    assert_eq!(words(Pre::Llama3, "\tx\u{a0}y"), ["\tx", "\u{a0}y"]);
    assert_eq!(words(Pre::Llama3, "it'\u{17f} 'x"), ["it", "'\u{17f}", " '", "x"]);
}

#[test]
fn qwen2_one_digit() {
    assert_eq!(words(Pre::Qwen2, "123"), ["1", "2", "3"]);
}

#[test]
fn tekken_words() {
    assert_eq!(words(Pre::Tekken, "HelloWORLDly ABC aB"), ["Hello", "WORLDly", " ABC", " a", "B"]);
    assert_eq!(words(Pre::Tekken, "it's 123//\n x"), ["it", "'s", " ", "1", "2", "3", "//\n", " x"]);
    assert_eq!(words(Pre::Tekken, "字A字Bc ǅx"), ["字A字Bc", " ǅx"]);
    assert_eq!(words(Pre::Tekken, "\u{301}AB \u{301}a"), ["\u{301}", "AB", " \u{301}a"]);
}

#[test]
fn generic_passes() {
    assert_eq!(words(Pre::Generic, "a: 12345 b<"), ["a", ":", " ", "123", "45", " b", "<"]);
}

#[test]
fn every_text_is_covered() {
    for pre in [Pre::Gpt2, Pre::Smollm, Pre::Llama3, Pre::Qwen2, Pre::Tekken, Pre::Generic] {
        for c in ('\0'..='\u{3000}').chain(['\u{10ffff}', '\u{e000}', '\u{1f600}']) {
            words(pre, &[c, c, ' ', c, '\n', c].iter().collect::<String>());
        }
    }
}

#[test]
fn letters_are_unicodes() {
    use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

    for c in ('\u{80}'..=char::MAX).filter(|c| !c.is_numeric() && !c.is_whitespace()) {
        let letter = c.general_category_group() == GeneralCategoryGroup::Letter;
        assert_eq!(super::letters::is_letter(c), letter, "{c:?}");
    }
}
