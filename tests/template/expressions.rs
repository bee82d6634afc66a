//! Some thousand templates, most of one expression, against jinja2 with transformers' settings
//! (`golden/make_template_expressions.py`): the same text, an error where it fails, and an error that names what we refuse.
#![cfg(feature = "jinja")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use super::json_text;

use json_text::json_text;
use ocelli::chat::template::{ChatTemplate, Message, Segment, TemplateError};
use ocelli::tokenizer::Tokenizer;
use ocelli_gguf::Gguf;

fn golden(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn tokenizer() -> Tokenizer {
    let bytes = std::fs::read(golden("tokenizers/qwen2.gguf")).unwrap();
    Tokenizer::from_gguf(&Gguf::parse(&bytes).unwrap()).unwrap()
}

fn render(template: &str, content: &str, tokenizer: &Tokenizer) -> Result<String, TemplateError> {
    let template = ChatTemplate::new(template, tokenizer)?;
    let segments = template.render(&[Message::text("system", content)], true)?;
    let text = |segment| match segment {
        Segment::Control(text) | Segment::User(text) => text,
        Segment::Image(_) => panic!("no image was given"),
    };
    Ok(segments.into_iter().map(text).collect())
}

#[test]
fn says_what_jinja2_says() {
    let file = std::fs::read_to_string(golden("templates/expressions.txt")).unwrap();
    let mut lines = file.lines();
    let content = json_text(lines.next().unwrap());
    let tokenizer = tokenizer();
    let (mut counts, mut wrong) = ([0; 3], 0);
    lines.next();
    while let Some(template) = lines.next() {
        let template = json_text(template);
        let (kind, expected) = lines.next().unwrap().split_once(' ').unwrap();
        lines.next();
        let got = render(&template, &content, &tokenizer);
        let right = match (kind, &got) {
            ("=", Ok(got)) => *got == json_text(expected),
            ("x", Err(_)) => true,
            ("!", Err(error)) => error.to_string().contains(expected),
            _ => false,
        };
        counts["=x!".find(kind).unwrap()] += 1;
        if !right {
            wrong += 1;
            let got = got.map_err(|error| error.to_string());
            println!("{template:?}\n    got      {got:?}\n    expected {kind} {expected}");
        }
    }
    assert!(counts[0] > 900 && counts[1] > 150 && counts[2] > 10, "{counts:?}");
    assert_eq!(wrong, 0, "of {counts:?}");
}
