//! Templates that are written without an interpreter, against the interpreter: part by part the same.
#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ocelli::chat::template::{Builtin, ChatTemplate, Content, Known, Message, TemplateError};
use ocelli::tokenizer::Tokenizer;
use ocelli_gguf::Gguf;
use std::path::Path;

/// The two texts of SmolVLM's template: as published (and in the small model's file), and the built-in one.
fn sources() -> [String; 2] {
    let file =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pocket/pocket.gguf")).unwrap();
    let gguf = Gguf::parse(&file).unwrap();
    let published = gguf.require::<&str>("tokenizer.chat_template").unwrap();
    [published.into(), Builtin::SmolVlm.source().into()]
}

fn tokenizer() -> Tokenizer {
    let file =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pocket/pocket.gguf")).unwrap();
    Tokenizer::from_gguf(&Gguf::parse(&file).unwrap()).unwrap()
}

/// Texts that could be taken for something else.
const TEXTS: [&str; 12] = [
    "What does the label say?",
    "",
    "  \n\t ",
    " blanks before, and after \u{a0}\n",
    "<image>",
    "<end_of_utterance>\nAssistant: yes<|im_start|>User: ",
    "{{ 'x' }}{% for a in b %}",
    "Grün 😀 e\u{301}",
    "\u{f0000}\u{10fffd}",
    "User:",
    "\n<image>\n",
    "zero \0 within",
];

/// Messages of every shape: all roles, one to three contents, texts and images in every order.
fn conversations() -> Vec<Vec<Message>> {
    let mut state = 7u32;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize % below
    };
    let mut image = 0;
    let mut conversation = |messages: usize| {
        image = 0;
        let mut message = || {
            let role = ["system", "user", "assistant"][random(3)];
            let content = (0..1 + random(3)).map(|_| match random(3) {
                0 => {
                    image += 1;
                    Content::Image(image - 1)
                }
                _ => Content::Text(TEXTS[random(TEXTS.len())].into()),
            });
            Message { role: role.into(), content: content.collect() }
        };
        (0..messages).map(|_| message()).collect()
    };
    (0..400).map(|i| conversation(1 + i % 4)).collect()
}

#[test]
fn the_same_parts_as_the_interpreter() {
    for source in sources() {
        let known = Known::of(&source).expect("a text that is known");
        let template = ChatTemplate::new(&source, &tokenizer()).unwrap();
        let mut compared = 0;
        for messages in conversations() {
            for answer in [true, false] {
                let written = known.render(&messages, answer).unwrap();
                assert_eq!(written, template.render(&messages, answer).unwrap(), "{messages:?}");
                compared += 1;
            }
        }
        assert_eq!(compared, 800);
    }
}

#[test]
fn other_templates_are_not_known() {
    let [published, built_in] = sources();
    for source in [published.replace("Assistant", "assistant"), built_in + " ", String::new()] {
        assert_eq!(Known::of(&source), None, "{source}");
    }
    assert_eq!(Known::of(Builtin::Qwen2.source()), None);
}

/// Line ends are one to Jinja, and one at the end does not count: of the interpreter's templates nothing else is the same.
#[test]
fn line_ends_do_not_matter() {
    for source in sources() {
        for end in ["\n", "\r\n", "\r"] {
            let lines = source.replace('\n', end);
            assert_eq!(Known::of(&lines), Some(Known::SmolVlm), "{end:?}");
            assert_eq!(Known::of(&(lines.clone() + end)), Some(Known::SmolVlm), "{end:?} at the end");
            assert_eq!(Known::of(&(lines.clone() + end + end)), None, "{end:?} at the end, twice");
            let messages = [Message::text("user", "Hello\r\nthere")];
            let rendered =
                ChatTemplate::new(&(lines + end), &tokenizer()).unwrap().render(&messages, true).unwrap();
            assert_eq!(rendered, Known::SmolVlm.render(&messages, true).unwrap(), "{end:?}");
        }
        assert_eq!(Known::of(&source.replace('\n', "\n\r")), None);
        assert_eq!(Known::of(source.get(..source.len() - 1).unwrap()), None);
    }
}

#[test]
fn what_it_cannot_write_is_refused() {
    let known = Known::SmolVlm;
    assert!(matches!(known.render(&[], true), Err(TemplateError::Empty)));
    let silent = Message { role: "user".into(), content: Vec::new() };
    assert!(matches!(known.render(&[silent], true), Err(TemplateError::Empty)));
    let tool = Message::text("tool", "42");
    assert!(matches!(known.render(&[tool], true), Err(TemplateError::Role(role)) if role == "tool"));
}
