//! Chat templates that cannot be used: the code of a model that cannot be used, the file's name, and what is wrong.

use super::{asked, fresh_folder, golden, ocelli, refused};
use std::path::Path;

/// `llama-tied.gguf` with another chat template: a value of this type in front of its own entries, and one that fills up
/// what the alignment of its tensors wants.
fn with_template(to: &Path, kind: u32, value: &[u8]) -> String {
    const HEADER: usize = 24;
    const KEY: &[u8] = b"tokenizer.chat_template";
    let entry = |key: &[u8], kind: u32, value: &[u8]| [&text(key), &kind.to_le_bytes()[..], value].concat();
    let mut bytes = std::fs::read(golden("llama-tied.gguf")).unwrap();
    if let Some(at) = bytes.windows(KEY.len()).position(|window| window == KEY) {
        // The old one goes where a reader does not look.
        bytes[at..at + 9].copy_from_slice(b"somebodys");
    }
    let count = u64::from_le_bytes(bytes[16..HEADER].try_into().unwrap());
    bytes[16..HEADER].copy_from_slice(&(count + 2).to_le_bytes());
    let mut added = entry(KEY, kind, value);
    let filler = entry(b"general.filler", STRING, &text(b"")).len();
    let missing = (added.len() + filler).next_multiple_of(32) - added.len() - filler;
    added.extend(entry(b"general.filler", STRING, &text(&vec![b' '; missing])));
    bytes.splice(HEADER..HEADER, added);
    std::fs::write(to, bytes).unwrap();
    to.display().to_string()
}

/// A text as a value: its length and its bytes.
fn text(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat()
}

const STRING: u32 = 8;

#[test]
fn a_template_that_cannot_be_used_is_a_model_that_cannot() {
    let folder = fresh_folder("templates");
    let forever = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    // What it is, its type and bytes, what is said, and whether opening the model shows it.
    let cases: [(&str, u32, Vec<u8>, &str, bool); 7] = [
        ("number.gguf", 12, 7.0_f64.to_le_bytes().to_vec(), "tokenizer.chat_template", true),
        ("bytes.gguf", STRING, text(b"{{ '\xff\xfe' }}"), "UTF-8", true),
        ("syntax.gguf", STRING, text(b"a\n{{ 1 +"), "line 2", true),
        ("tag.gguf", STRING, text(b"{% trans %}"), "unknown tag 'trans'", true),
        ("raises.gguf", STRING, text(b"{{ raise_exception('no such role') }}"), "no such role", false),
        ("forever.gguf", STRING, text(forever.as_bytes()), "does not come to an end", false),
        ("other.gguf", STRING, text(b"\n{% include 'x' %}"), "line 2: {% include %}", false),
    ];
    for (name, kind, value, says, early) in cases {
        let model = with_template(&folder.join(name), kind, &value);
        refused(&ocelli(&["run", "--model", &model, "Hi"]), 3, &[name, says]);
        let plan = ocelli(&["plan", "--model", &model]);
        if early {
            refused(&plan, 3, &[name, says]);
        } else {
            assert_eq!(plan.code, Some(0), "{}", plan.err);
        }
    }
}

/// A text that a template changes is asked about as the template writes it.
#[test]
fn a_template_may_change_a_text() {
    let folder = fresh_folder("templates-change");
    for (name, template, given, same) in [
        ("replace.gguf", "{{ messages[0].content | replace('\\n\\n', '\\n') }}", "one\n\ntwo", "one\ntwo"),
        ("upper.gguf", "{{ messages[0].content | upper }}", "one", "ONE"),
        ("cut.gguf", "{{ messages[0].content[:5] }}", "one two three", "one t"),
        ("strip.gguf", "{{ messages[0].content.replace('/no_think', '') }}", "one /no_think", "one"),
    ] {
        let model = with_template(&folder.join(name), STRING, &text(template.as_bytes()));
        let plain =
            with_template(&folder.join("plain.gguf"), STRING, &text(b"{{ messages[0].content | trim }}"));
        let tokens = |model: &str, prompt: &str| {
            asked(&["--model", model, "-n", "1", prompt])["prompt_tokens"].as_u64().unwrap()
        };
        let (changed, expected) = (tokens(&model, given), tokens(&plain, same));
        assert!(
            changed == expected || (name == "strip.gguf" && changed == expected + 1),
            "{name}: {changed} {expected}"
        );
    }
}

/// CRLF and CR in a template are line feeds.
#[test]
fn line_ends_of_a_template_are_one() {
    let folder = fresh_folder("templates-lines");
    let lines = "{% for m in messages %}\n{{ m.role }}:\n{{ m.content }}\n{% endfor %}\nassistant:\n";
    let counts: Vec<_> = ["\n", "\r\n", "\r"]
        .map(|end| {
            let model =
                with_template(&folder.join("x.gguf"), STRING, &text(lines.replace('\n', end).as_bytes()));
            let answer = asked(&["--model", &model, "-n", "4", "Hello there"]);
            (answer["prompt_tokens"].clone(), answer["text"].clone())
        })
        .into();
    assert!(counts[0] == counts[1] && counts[1] == counts[2], "{counts:?}");
}
