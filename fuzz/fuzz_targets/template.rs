//! A chat template and a conversation, both hostile: no panic, an end within time and memory, the same twice, and nothing that
//! came from a user is a control token or an image.
//!
//! The input is text. Before the first U+0001 stands the template; each further one begins a message, whose first character
//! says who speaks (s, u, a; any other stands for itself) and in which U+0002 stands for an image. A template that ends with
//! U+0003 renders without the beginning of an answer.
//!
//! The vocabulary has control tokens with letters that no template writes unless they stand in it. Where they do not, and there
//! is no escape that could stand for them, a control token with such a letter came from somebody's text.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ocelli::chat::template::{ChatTemplate, Content, Message, Segment};
use ocelli::tokenizer::{Run, Special, TokenKind, Tokenizer};
use ocelli_fuzz::golden::with_tokens;
use ocelli_fuzz::{guarded, heap};
use ocelli_gguf::Gguf;

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

/// Letters that are each other's upper and lower case, and longer tokens with them.
const SECRETS: [&str; 6] =
    ["\u{24e2}", "\u{24c8}", "<\u{24e2}>", "<|\u{24e2}\u{24e2}|>", "\u{24e2}\u{24c8}", "<image\u{24e2}>"];
/// What every vocabulary of the kind has.
const USUAL: [&str; 5] = ["<image>", "<|im_start|>", "<|im_end|>", "<end_of_utterance>", "<|image_pad|>"];

/// The most that compiling and rendering may take beside what is given: the budget of a rendering is 32 MiB, and there are three.
const MEMORY: usize = 160 << 20;

static TOKENIZERS: LazyLock<[Tokenizer; 2]> = LazyLock::new(|| {
    let more: Vec<(&str, i32)> = SECRETS.iter().chain(&USUAL).map(|text| (*text, 3)).collect();
    [
        include_bytes!("../../tests/golden/tokenizers/gpt-2.gguf").as_slice(),
        include_bytes!("../../tests/golden/tokenizers/spm.gguf").as_slice(),
    ]
    .map(|bytes| Tokenizer::from_gguf(&Gguf::parse(&with_tokens(bytes, &more)).unwrap()).unwrap())
});

fuzz_target!(|bytes: &[u8]| guarded(|| render(&String::from_utf8_lossy(bytes))));

fn render(input: &str) {
    let mut parts = input.split('\u{1}');
    let source = parts.next().unwrap_or_default();
    let (source, answer) = match source.strip_suffix('\u{3}') {
        Some(source) => (source, false),
        None => (source, true),
    };
    let mut images = 0;
    let messages: Vec<Message> = parts.map(|part| message(part, &mut images)).collect();
    for tokenizer in &*TOKENIZERS {
        let (template, peak) = heap::peak(|| ChatTemplate::new(source, tokenizer));
        assert!(peak < MEMORY, "compiling took {peak} bytes");
        let template = match template {
            Ok(template) => template,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                continue;
            }
        };
        let (result, peak) = heap::peak(|| template.render(&messages, answer));
        assert!(peak < MEMORY, "rendering took {peak} bytes");
        match result {
            Err(error) => assert!(!error.to_string().is_empty()),
            Ok(segments) => {
                check(source, &segments, images, tokenizer);
                let again = template.render(&messages, answer).expect("what was rendered once");
                assert_eq!(segments, again, "rendered twice");
            }
        }
    }
}

fn message(part: &str, images: &mut usize) -> Message {
    let mut letters = part.chars();
    let role = match letters.next() {
        Some('s') => "system".into(),
        Some('u') => "user".into(),
        Some('a') => "assistant".into(),
        // Who speaks is the program's word, not the user's.
        Some(other) if !secret(other) => other.to_string(),
        _ => "user".into(),
    };
    let mut content = Vec::new();
    for (number, text) in letters.as_str().split('\u{2}').enumerate() {
        if number > 0 {
            content.push(Content::Image(*images));
            *images += 1;
        }
        if !text.is_empty() {
            content.push(Content::Text(text.into()));
        }
    }
    Message { role, content }
}

fn secret(letter: char) -> bool {
    SECRETS.iter().any(|text| !letter.is_ascii() && text.contains(letter))
}

fn check(source: &str, segments: &[Segment], images: usize, tokenizer: &Tokenizer) {
    // A template may turn the messages round.
    let mut shown: Vec<usize> = segments
        .iter()
        .filter_map(|segment| match segment {
            Segment::Image(number) => Some(*number),
            _ => None,
        })
        .collect();
    shown.sort();
    assert_eq!(shown, (0..images).collect::<Vec<_>>(), "every image once");
    // An escape of a text, or a number made a character, could stand for the letters.
    let may_write =
        source.contains(secret) || source.contains('\\') || source.contains("%c") || source.contains(":c");
    if may_write {
        return;
    }
    let runs: Vec<Run<'_>> = segments
        .iter()
        .map(|segment| match segment {
            Segment::Control(text) => Run { text, special: Special::Parse },
            Segment::User(text) => Run { text, special: Special::Plain },
            Segment::Image(_) => Run { text: "\n", special: Special::Plain },
        })
        .collect();
    let mut ids = Vec::new();
    if tokenizer.encode_runs(&runs, &mut ids).is_err() {
        return;
    }
    for id in ids {
        let text = String::from_utf8_lossy(tokenizer.piece_with_control(id));
        assert!(
            tokenizer.kind(id) != Some(TokenKind::Control) || !text.contains(secret),
            "a text became the control token {text}: {segments:?}"
        );
    }
}
