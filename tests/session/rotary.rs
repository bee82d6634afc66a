//! Scaled rotary positions against transformers, beyond the context that a model was trained for: `golden/make_rotary.py`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use ocelli::generate::AnswerOptions;
use ocelli::{Model, Options, Segment, Session, Stored};
use ocelli_gguf::{Gguf, TensorType, Writer};
use std::path::{Path, PathBuf};

fn golden(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(path)
}

/// A case: its lines, and its arrays as bytes.
struct Case {
    lines: Vec<(String, String)>,
    bin: Vec<u8>,
}

impl Case {
    fn read(name: &str) -> Case {
        let text = std::fs::read_to_string(golden(&format!("rotary/{name}.txt"))).unwrap();
        let line = |line: &str| line.split_once(' ').map(|(k, v)| (k.into(), v.into())).unwrap();
        let bin = std::fs::read(golden(&format!("rotary/{name}.bin"))).unwrap();
        Case { lines: text.lines().map(line).collect(), bin }
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(move |(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    fn one(&self, key: &str) -> &str {
        self.all(key).next().unwrap()
    }

    fn numbers<T: std::str::FromStr>(&self, key: &str) -> Vec<T> {
        self.one(key).split(' ').map(|n| n.parse().ok().unwrap()).collect()
    }

    /// The case's file: `change` may name a key otherwise, or leave it out.
    fn file(&self, change: &dyn Fn(&str) -> Option<String>) -> Vec<u8> {
        let bytes = std::fs::read(golden(&format!("models/{}", self.one("model")))).unwrap();
        let file = Gguf::parse(&bytes).unwrap();
        let keys: Vec<Vec<&str>> = self.all("key").map(|line| line.splitn(3, ' ').collect()).collect();
        let mut writer = Writer::new();
        for (key, value) in file.metadata().filter(|(key, _)| !keys.iter().any(|new| new[0] == *key)) {
            writer.metadata(key, value);
        }
        for key in &keys {
            let Some(name) = change(key[0]) else { continue };
            match key[1] {
                "str" => writer.metadata(&name, key[2]),
                "f32" => writer.metadata(&name, key[2].parse::<f32>().unwrap()),
                _ => writer.metadata(&name, key[2].parse::<u32>().unwrap()),
            };
        }
        for tensor in file.tensors() {
            writer.tensor(tensor.name, tensor.kind, tensor.dims(), tensor.data);
        }
        for line in self.all("array").filter(|line| !line.starts_with("logits")) {
            let parts: Vec<&str> = line.split(' ').collect();
            let (offset, count): (usize, usize) = (parts[2].parse().unwrap(), parts[3].parse().unwrap());
            writer.tensor(parts[0], TensorType::F32, &[count], &self.bin[offset..offset + 4 * count]);
        }
        writer.finish().unwrap()
    }

    fn as_it_is(&self) -> Vec<u8> {
        self.file(&|key| Some(key.into()))
    }
}

fn options(threads: usize, batch: usize) -> Options {
    let mut options = Options::default();
    (options.threads, options.batch, options.kv) = (Some(threads), batch, Some(Stored::F32));
    options
}

fn answer(session: &mut Session<'_>, tokens: usize) -> Vec<u32> {
    let mut options = AnswerOptions::default();
    options.max_tokens = tokens;
    let mut answer = session.answer(&options).unwrap();
    while answer.next().unwrap().is_some() {}
    answer.finish().ids
}

/// The answer to the case's prompt is the reference's as far as it is certain.
fn check(name: &str, case: &Case, session: &mut Session<'_>) {
    session.read(&[Segment::Control(case.one("prompt"))], &mut |_| ()).unwrap();
    let ids: Vec<u32> = session.positions().flatten().collect();
    assert_eq!(ids, case.numbers::<u32>("ids"), "{name}: prompt");
    let (found, expected) = (answer(session, 12), case.numbers::<u32>("greedy"));
    let certain = case.numbers::<f32>("margins").iter().take_while(|m| **m >= 1e-3).count();
    assert!(certain >= 12, "{name}: a case that is certain");
    assert_eq!(found, expected, "{name}: greedy tokens");
}

fn cases() -> Vec<String> {
    let names = std::fs::read_dir(golden("rotary")).unwrap().map(|f| f.unwrap().path());
    let texts = names.filter(|p| p.extension().is_some_and(|e| e == "txt"));
    let mut found: Vec<String> =
        texts.map(|p| p.file_stem().unwrap().to_str().unwrap().to_string()).collect();
    found.sort();
    found
}

#[test]
fn answers_are_the_references() {
    let names = cases();
    assert_eq!(names.len(), 10);
    for name in &names {
        let case = Case::read(name);
        let bytes = case.as_it_is();
        let model = Model::from_bytes(&bytes, None).unwrap();
        for (threads, batch) in [(1, 256), (2, 5)] {
            check(name, &case, &mut model.session(&options(threads, batch)).unwrap());
        }
    }
}

#[test]
fn the_scaling_changes_every_answer() {
    for name in cases() {
        let case = Case::read(&name);
        let bytes = std::fs::read(golden(&format!("models/{}", case.one("model")))).unwrap();
        let model = Model::from_bytes(&bytes, None).unwrap();
        let mut session = model.session(&options(1, 256)).unwrap();
        session.read(&[Segment::Control(case.one("prompt"))], &mut |_| ()).unwrap();
        assert_ne!(answer(&mut session, 12), case.numbers::<u32>("greedy"), "{name}");
    }
}

#[test]
fn linear_under_its_older_names() {
    let case = Case::read("linear");
    let older = |key: &str| match key.strip_prefix("llama.rope.scaling.") {
        Some("type") => None,
        Some("factor") => Some("llama.rope.scale_linear".into()),
        _ => Some(key.into()),
    };
    let untyped = |key: &str| (!key.ends_with(".type")).then(|| key.into());
    for bytes in [case.file(&older), case.file(&untyped)] {
        let model = Model::from_bytes(&bytes, None).unwrap();
        check("linear", &case, &mut model.session(&options(1, 256)).unwrap());
    }
}

/// One session for short and long texts in turn: what it has in its cache is used where it is the same, and only there.
#[test]
fn longrope_in_a_conversation_that_grows_and_shrinks() {
    let [short, across, long] = ["longrope-short", "longrope-across", "longrope-long"].map(Case::read);
    let bytes = across.as_it_is();
    assert_eq!(bytes, short.as_it_is());
    let model = Model::from_bytes(&bytes, None).unwrap();
    let mut session = model.session(&options(1, 16)).unwrap();
    for (name, case) in [("short", &short), ("across", &across), ("short", &short), ("across", &across)] {
        check(name, case, &mut session);
    }
    // The file of this case says the magnitude otherwise, by the ratio of the contexts: the same number.
    for (name, case) in [("long", &long), ("short", &short), ("long", &long), ("across", &across)] {
        check(name, case, &mut session);
    }
    // A text that is still short is continued without reading it again.
    let prompt = [Segment::Control(short.one("prompt"))];
    session.reset();
    session.read(&prompt, &mut |_| ()).unwrap();
    let again = session.read(&prompt, &mut |_| ()).unwrap();
    assert_eq!(again.reused + 1, again.prompt_tokens);
    // Beyond the border nothing of it can be used, and back again neither.
    let longer = session.read(&[Segment::Control(long.one("prompt"))], &mut |_| ()).unwrap();
    assert_eq!(longer.reused, 0);
    let back = session.read(&prompt, &mut |_| ()).unwrap();
    assert_eq!(back.reused, 0);
}

/// Keys that contradict each other or ask for what is not there.
#[test]
fn scaling_that_cannot_be_computed_is_refused_by_name() {
    let with = |name: &str, replaced: &'static str, kind: &str, value: &str| {
        let mut case = Case::read(name);
        case.lines.retain(|(key, line)| key != "key" || !line.starts_with(&format!("{replaced} ")));
        case.lines.push(("key".into(), format!("{replaced} {kind} {value}")));
        Model::from_bytes(&case.as_it_is(), None).map(|_| ()).map_err(|error| error.to_string())
    };
    for (name, key, kind, value, said) in [
        ("linear", "llama.rope.scaling.type", "str", "dynamic", "dynamic"),
        ("linear", "llama.rope.scale_linear", "f32", "8", "llama.rope.scale_linear is 8"),
        ("linear", "llama.rope.scaling.factor", "f32", "-4", "llama.rope.scaling.factor is -4"),
        ("linear", "llama.rope.scaling.factor", "f32", "NaN", "llama.rope.scaling.factor is NaN"),
        (
            "linear",
            "llama.rope.scaling.yarn_beta_fast",
            "f32",
            "32",
            "llama.rope.scaling.yarn_beta_fast (32)",
        ),
        ("linear", "llama.rope.scaling.alpha", "f32", "1000", "llama.rope.scaling.alpha (1000)"),
        ("yarn", "llama.rope.scaling.yarn_ext_factor", "f32", "0.5", "yarn_ext_factor is 0.5, it must be 1"),
        ("yarn", "llama.rope.scaling.yarn_log_multiplier", "f32", "0.1", "yarn_log_multiplier (0.1)"),
        ("yarn", "llama.rope.freq_base", "f32", "1", "llama.rope.freq_base is 1"),
        ("longrope-long", "llama.rope.scaling.type", "str", "linear", "rope_factors_"),
        ("llama3", "llama.rope.scaling.type", "str", "longrope", "rope_factors_"),
    ] {
        let error = with(name, key, kind, value).unwrap_err();
        assert!(error.contains(said), "{name} with {key} {value}: {error}");
    }
    for (name, key, kind, value) in [
        // 0 stands for 1, a factor without meaning may be any, and these say what is so anyway.
        ("linear", "llama.rope.scaling.factor", "f32", "0"),
        ("linear", "llama.rope.scaling.type", "str", "none"),
        ("linear", "llama.rope.scale_linear", "f32", "4"),
        ("linear", "llama.rope.scaling.finetuned", "u32", "1"),
        ("linear", "llama.rope.scaling.original_context_length", "u32", "512"),
        ("yarn", "llama.rope.scaling.yarn_ext_factor", "f32", "1"),
        ("yarn", "llama.rope.scaling.yarn_ext_factor", "f32", "-1"),
        ("yarn", "llama.rope.scaling.yarn_beta_fast", "f32", "0"),
    ] {
        with(name, key, kind, value).unwrap_or_else(|error| panic!("{name} with {key} {value}: {error}"));
    }
}
