//! The whole way, from a file, a picture and a question to tokens: equal to the Hugging Face classes in float32, for
//! every case of `tests/golden/models`, on every number of threads and split of the prompt.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use ocelli::chat::{Content, Message, Part, Template};
use ocelli::generate::AnswerOptions;
use ocelli::image::{DecodeOptions, Image, decode};
use ocelli::{Load, Mmproj, Model, Options, Preprocess, Segment, Stored};
use std::path::{Path, PathBuf};

/// The golden cases, or a folder of more of the same form.
fn folder() -> PathBuf {
    let more = std::env::var_os("OCELLI_GOLDEN_MODELS").map(PathBuf::from);
    more.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/models"))
}

/// Lines of a case: key, value.
struct Case(Vec<(String, String)>);

impl Case {
    fn read(path: &Path) -> Case {
        let text = std::fs::read_to_string(path).unwrap();
        let line = |line: &str| line.split_once(' ').map(|(k, v)| (k.into(), v.into())).unwrap();
        Case(text.lines().map(line).collect())
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    fn one(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    fn numbers<T: std::str::FromStr>(&self, key: &str) -> Vec<T> {
        self.one(key).unwrap().split(' ').map(|n| n.parse().ok().unwrap()).collect()
    }

    fn images(&self) -> Vec<Image> {
        let file = |line: &str| folder().join(line.split(' ').next().unwrap());
        let read = |line| decode(&std::fs::read(file(line)).unwrap(), &DecodeOptions::default()).unwrap();
        self.all("image").map(read).collect()
    }

    /// The conversation, if it is one.
    fn messages(&self) -> Vec<Message> {
        let (mut messages, mut image) = (Vec::<Message>::new(), 0);
        for (key, value) in &self.0 {
            match (key.as_str(), value.split_once(' ')) {
                ("turn", _) => messages.push(Message { role: value.clone(), content: Vec::new() }),
                ("part", Some(("text", text))) => {
                    messages.last_mut().unwrap().content.push(Content::Text(unescape(text)));
                }
                ("part", Some(("image", _))) => {
                    messages.last_mut().unwrap().content.push(Content::Image(image));
                    image += 1;
                }
                _ => {}
            }
        }
        messages
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match (c, c == '\\') {
            (_, true) => match chars.next().unwrap() {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                other => other,
            },
            (c, false) => c,
        });
    }
    out
}

/// The parts a session reads.
fn parts(case: &Case, model: &Model<'_>) -> Vec<Part> {
    let messages = case.messages();
    if !messages.is_empty() {
        return Template::of(model).unwrap().render(&messages).unwrap();
    }
    let prompt = unescape(case.one("prompt").unwrap());
    let mut parts = Vec::new();
    for (i, text) in prompt.split("<image>").enumerate() {
        if i > 0 {
            parts.push(Part::Image(i - 1));
        }
        if !text.is_empty() {
            parts.push(Part::Control(text.into()));
        }
    }
    parts
}

fn check(name: &str, options: &Options) {
    let case = Case::read(&folder().join(name).with_extension("txt"));
    let mmproj = case.one("mmproj").map(|file| folder().join(file));
    let tower = mmproj.as_deref().map_or(Mmproj::None, Mmproj::File);
    let model = Model::open(&folder().join(case.one("model").unwrap()), tower, Load::Map).unwrap();
    let images = case.images();
    let mut options = options.clone();
    options.preprocess =
        case.one("preprocess").map(|way| if way == "crop" { Preprocess::Crop } else { Preprocess::Pad });
    // The case's first resize may be smaller than the file's: then its tokens are fewer.
    options.image_tokens = case.all("image").filter_map(|line| line.rsplit(' ').next()?.parse().ok()).max();
    let parts = parts(&case, &model);
    let segments: Vec<Segment<'_>> = parts.iter().map(|part| part.segment(&images)).collect();
    let mut session = model.session(&options).unwrap();
    let reading = session.read(&segments, &mut |_| ()).unwrap();

    let ids: Vec<u32> = case.numbers("ids");
    assert_eq!(ids.len(), reading.prompt_tokens, "{name}: positions");
    // An image's rows stand where the reference has image tokens: whatever those are.
    let found: Vec<u32> = session.positions().zip(&ids).map(|(found, id)| found.unwrap_or(*id)).collect();
    assert_eq!(ids.len() - reading.image_tokens, session.positions().flatten().count(), "{name}: image rows");
    assert_eq!(found, ids, "{name}: token ids");
    let expected: Vec<Vec<u32>> =
        case.all("image").map(|line| line.split(' ').skip(1).map(|n| n.parse().unwrap()).collect()).collect();
    let reported = reading.images.iter().map(|i| vec![i.rows, i.columns, i.views, i.tokens]);
    assert_eq!(reported.collect::<Vec<_>>(), expected, "{name}: views");

    let mut answer_options = AnswerOptions::default();
    answer_options.max_tokens = 12;
    let mut answer = session.answer(&answer_options).unwrap();
    while answer.next().unwrap().is_some() {}
    let (found, expected) = (answer.finish().ids, case.numbers::<u32>("greedy"));
    let margins: Vec<f32> = case.numbers("margins");
    let certain = margins.iter().take_while(|m| **m >= 1e-3).count();
    assert_eq!(found[..certain], expected[..certain], "{name}: greedy tokens");
}

fn cases() -> Vec<String> {
    let names = std::fs::read_dir(folder()).unwrap().map(|f| f.unwrap().path());
    let texts = names.filter(|p| p.extension().is_some_and(|e| e == "txt"));
    let stems = texts.map(|p| p.file_stem().unwrap().to_str().unwrap().to_string());
    let mut found: Vec<String> =
        stems.filter(|n| !n.starts_with("every-format") && !n.contains('@')).collect();
    found.sort();
    found
}

#[test]
fn greedy_tokens_are_the_references() {
    let names = cases();
    assert!(!names.is_empty());
    for name in names {
        for (threads, batch) in [(1, 256), (3, 5)] {
            let mut options = Options::default();
            (options.threads, options.batch) = (Some(threads), batch);
            options.isa = std::env::var("OCELLI_ISA").ok();
            check(&name, &options);
        }
    }
}

#[test]
fn a_half_precision_cache_gives_the_same_words_where_they_are_certain() {
    let mut options = Options::default();
    options.kv = Some(Stored::F16);
    check("llama-tied-chat", &options);
}
