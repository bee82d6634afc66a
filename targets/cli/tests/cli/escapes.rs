//! Text out of a file that commands a terminal: shown, and not obeyed.

use super::{Ran, copy, fresh_folder, golden, ocelli, ocelli_reads, one_line};
use ocelli_gguf::{Gguf, List, Text, Writer};
use std::path::Path;
use std::process::Command;

/// A bit of everything that is not to reach a terminal, and something that shows that the text around it is there.
const EVIL: &str = "evil\x1b[31m\x07\x08\r\x7f\u{9b}2J\u{2028}\u{202e}\u{2066}\n";
const SHOWN: &str = "evil\\u{1b}[31m\\u{7}\\u{8}\\r\\u{7f}\\u{9b}2J\\u{2028}\\u{202e}\\u{2066}\\n";

/// Whether a terminal would do something at it.
fn is_obeyed(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t' || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_safe(ran: &Ran) {
    for text in [&ran.out, &ran.err] {
        assert!(!text.contains(is_obeyed), "{text:?}");
    }
}

/// A golden model with these strings in the place of those in its metadata, and a tensor more.
fn altered(name: &str, to: &Path, values: &[(&str, &str)], tensor: &str) -> String {
    let bytes = std::fs::read(golden(name)).unwrap();
    let file = Gguf::parse(&bytes).unwrap();
    let mut writer = Writer::new();
    for (key, value) in file.metadata().filter(|(key, _)| !values.iter().any(|(name, _)| name == key)) {
        writer.metadata(key, value);
    }
    for (key, value) in values {
        writer.metadata(key, *value);
    }
    for tensor in file.tensors() {
        writer.tensor(tensor.name, tensor.kind, tensor.dims(), tensor.data);
    }
    if !tensor.is_empty() {
        let first = &file.tensors()[0];
        writer.tensor(tensor, first.kind, first.dims(), first.data);
    }
    std::fs::write(to, writer.finish().unwrap()).unwrap();
    to.display().to_string()
}

#[test]
fn names_and_values_of_a_file_are_shown() {
    let folder = fresh_folder("escapes");
    let at = |name: &str| folder.join(name);
    let key = format!("key.{EVIL}");
    let keys = altered(
        "llama-tied.gguf",
        &at("keys.gguf"),
        &[(key.as_str(), "x"), ("general.name", EVIL)],
        &format!("tensor.{EVIL}"),
    );
    let ran = ocelli(&["inspect", "--tensors", "--full", &keys]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    is_safe(&ran);
    assert!(ran.out.contains(&format!("key.{SHOWN}")) && ran.out.contains(&format!("tensor.{SHOWN}")));
    // Whatever becomes of such a file, none of its names is obeyed.
    let (model, text) = (golden("llama-tied.gguf"), at("text.txt").display().to_string());
    std::fs::write(&text, "The red lamp on the panel is lit. ".repeat(40)).unwrap();
    let made = at("made.gguf").display().to_string();
    let commands = |file: &'_ str| -> Vec<Vec<String>> {
        let commands: &[&[&str]] = &[
            &["-vv", "run", "-m", file, "-n", "2", "--profile=layers", "Hi"],
            &["-v", "run", "-m", file, "-n", "2", "--json", "Hi"],
            &["-v", "plan", "-m", file],
            &["inspect", "--tensors", file],
            &["-v", "quantize", file, &made, "--type", "Q4_0", "--force"],
            &["-v", "calibrate", file, "--text", &text, "-c", "64", "-o", &made, "--force"],
            &["compare", file, &model, "--text", &text, "-c", "64"],
            &["compare", file, file, "--text", &text, "-c", "64", "--json"],
            &[
                "bench",
                "-m",
                file,
                "--prompt",
                "8",
                "--depth",
                "0",
                "--generate",
                "2",
                "--runs",
                "1",
                "--buffer",
                "1M",
            ],
            &["run", "-m", &model, "--mmproj", file, "Hi"],
            &["quantize", &model, &made, "--type", "Q4_0", "--force", "--importance", file],
            &["verify", file, "--reference", file],
            &["convert", file],
            &["run", "-m", &model, "--image", file, "Hi"],
        ];
        commands.iter().map(|args| args.iter().map(|arg| arg.to_string()).collect()).collect()
    };
    let mut files = vec![keys];
    for (name, values) in [
        ("architecture.gguf", [("general.architecture", EVIL)]),
        ("tokenizer.gguf", [("tokenizer.ggml.model", EVIL)]),
        ("pre.gguf", [("tokenizer.ggml.pre", EVIL)]),
        ("raises.gguf", [("tokenizer.chat_template", "{{ raise_exception('evil\x1b[2J\u{9b}') }}")]),
        ("syntax.gguf", [("tokenizer.chat_template", "{% evil\x1b[2J\u{9b} %}{{")]),
        ("wrong.gguf", [("llama.block_count", EVIL)]),
    ] {
        files.push(altered("llama-tied.gguf", &at(name), &values, ""));
    }
    // A name of a file that is not there, and of one that is a model.
    files.push(at(&format!("{EVIL}.gguf")).display().to_string());
    files.push(copy("llama-tied.gguf", &at(&format!("{EVIL}2.gguf"))));
    for file in &files {
        for args in commands(file) {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let ran = ocelli(&args);
            is_safe(&ran);
            if ran.code != Some(0) {
                assert_eq!(
                    ran.err.trim_end().lines().filter(|line| line.starts_with("ocelli: ")).count(),
                    1,
                    "{args:?}: {}",
                    ran.err
                );
            }
        }
        is_safe(&ocelli_reads(&["chat", "-m", file, "-n", "2"], "Hi\n/image evil\x1b.png\n/evil\x1b\n"));
    }
    // What the command line itself is given.
    for args in
        [&["evil\x1b[2J"][..], &["run", "--threads", "evil\x1b\u{9b}"], &["plan", "--device", "evil\x1b"]]
    {
        let ran = ocelli(args);
        assert_eq!(ran.code, Some(2));
        is_safe(&ran);
        assert!(ran.err.contains("evil\\u{1b}"), "{}", ran.err);
    }
    let _ = std::fs::remove_dir_all(folder);
}

/// A model whose tokens command a terminal.
fn commanding(folder: &Path) -> String {
    let bytes = std::fs::read(golden("llama-tied.gguf")).unwrap();
    let file = Gguf::parse(&bytes).unwrap();
    let tokens: List<'_, Text<'_>> = file.require("tokenizer.ggml.tokens").unwrap();
    let kinds: List<'_, i32> = file.require("tokenizer.ggml.token_type").unwrap();
    let tokens: Vec<String> = tokens
        .iter()
        .zip(kinds.iter())
        .map(|(text, kind)| {
            let text = String::from_utf8_lossy(text.as_bytes()).into_owned();
            // Normal ones, but for those that stand for a byte in their vocabulary.
            if kind == 1 && text.chars().count() > 1 { format!("{text}\x1b[31m\u{9b}") } else { text }
        })
        .collect();
    let mut writer = Writer::new();
    // Merges would name the tokens that are no longer there.
    let changed = ["tokenizer.ggml.tokens", "tokenizer.ggml.merges"];
    for (key, value) in file.metadata().filter(|(key, _)| !changed.contains(key)) {
        writer.metadata(key, value);
    }
    writer.metadata("tokenizer.ggml.tokens", &tokens[..]);
    writer.metadata("tokenizer.ggml.merges", &[""; 0][..]);
    for tensor in file.tensors() {
        writer.tensor(tensor.name, tensor.kind, tensor.dims(), tensor.data);
    }
    let path = folder.join("commanding.gguf");
    std::fs::write(&path, writer.finish().unwrap()).unwrap();
    path.display().to_string()
}

/// What a program prints at a terminal; nothing where there is no `script`.
fn at_a_terminal(args: &[&str]) -> Option<String> {
    let quoted = |word: &str| format!("'{}'", word.replace('\'', r"'\''"));
    let start = super::start();
    let words = start.iter().map(String::as_str).chain(args.iter().copied());
    let line = words.map(quoted).collect::<Vec<String>>().join(" ");
    let output = Command::new("script").args(["-qec", &line, "/dev/null"]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn an_answer_is_shown_at_a_terminal_and_kept_elsewhere() {
    let folder = fresh_folder("answer-escapes");
    let model = commanding(&folder);
    let run = ["run", "-m", &model, "-n", "12", "--raw", "--repetition-penalty", "2", "The red lamp"];
    let piped = ocelli(&run);
    assert_eq!(piped.code, Some(0), "{}", piped.err);
    assert!(piped.out.contains("\x1b[31m\u{9b}"), "the model says none of them: {:?}", piped.out);
    // JSON says the same, in escapes of its own.
    let json = ocelli(&[&run[..1], &["--json"], &run[1..]].concat());
    assert!(!json.out.contains(is_obeyed), "{:?}", json.out);
    assert_eq!(one_line(&json)["text"].as_str().unwrap(), piped.out.trim_end_matches('\n'));
    match at_a_terminal(&run) {
        None => println!("skipped: no `script` here"),
        Some(seen) => {
            let answer = seen.lines().next().unwrap().trim_end_matches('\r');
            let expected =
                piped.out.lines().next().unwrap().replace('\x1b', "\\u{1b}").replace('\u{9b}', "\\u{9b}");
            assert_eq!(answer.trim_start_matches("\x1b[K"), expected);
            let raw = at_a_terminal(&[&run[..1], &["--raw-output"], &run[1..]].concat()).unwrap();
            assert!(raw.contains("\x1b[31m\u{9b}"), "{raw:?}");
        }
    }
    let _ = std::fs::remove_dir_all(folder);
}
