//! Tokenizers that a crafted or broken file describes: each gives its typed error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ocelli::tokenizer::{Special, Tokenizer, TokenizerError as E};
use ocelli_gguf::{Gguf, Writer};

/// A file that is right, for `change` to make wrong.
struct Parts {
    model: &'static str,
    pre: Option<&'static str>,
    tokens: Vec<String>,
    types: Option<Vec<i32>>,
    scores: Option<Vec<f32>>,
    merges: Vec<String>,
    ids: Vec<(&'static str, u32)>,
    flags: Vec<(&'static str, bool)>,
}

fn load(change: impl FnOnce(&mut Parts)) -> Result<Tokenizer, E> {
    let strings = |list: &[&str]| list.iter().map(|s| s.to_string()).collect::<Vec<_>>();
    let mut parts = Parts {
        model: "gpt2",
        pre: Some("gpt-2"),
        tokens: strings(&["a", "b", "ab", "<end>"]),
        types: Some(vec![1, 1, 1, 3]),
        scores: None,
        merges: strings(&["a b"]),
        ids: vec![("tokenizer.ggml.eos_token_id", 3)],
        flags: vec![],
    };
    change(&mut parts);
    let mut writer = Writer::new();
    writer.metadata("tokenizer.ggml.model", parts.model);
    writer.metadata("tokenizer.ggml.tokens", &parts.tokens);
    writer.metadata("tokenizer.ggml.merges", &parts.merges);
    if let Some(pre) = parts.pre {
        writer.metadata("tokenizer.ggml.pre", pre);
    }
    if let Some(types) = parts.types {
        writer.metadata("tokenizer.ggml.token_type", &types);
    }
    if let Some(scores) = parts.scores {
        writer.metadata("tokenizer.ggml.scores", &scores);
    }
    for (key, id) in parts.ids {
        writer.metadata(key, id);
    }
    for (key, flag) in parts.flags {
        writer.metadata(key, flag);
    }
    let bytes = writer.finish().unwrap();
    Tokenizer::from_gguf(&Gguf::parse(&bytes).unwrap())
}

fn error(change: impl FnOnce(&mut Parts)) -> E {
    let error = load(change).unwrap_err();
    println!("{error}");
    error
}

#[test]
fn the_file_itself_is_right() {
    let tokenizer = load(|_| ()).unwrap();
    let mut ids = Vec::new();
    tokenizer.encode("abba<end>", Special::Parse, &mut ids).unwrap();
    assert_eq!(ids, [2, 1, 0, 3]);
}

#[test]
fn names() {
    assert!(matches!(error(|p| p.model = "bert"), E::UnknownModel(name) if name == "bert"));
    assert!(matches!(error(|p| p.pre = Some("qwen9")), E::UnknownPre(name) if name == "qwen9"));
    assert!(error(|p| p.pre = Some("qwen9")).to_string().contains("\"smollm\""));
    assert!(load(|p| p.pre = None).is_ok());
    for name in ["viking", "deepseek-llm", "stablelm2", "command-r", "Qwen2", "qwen2 ", ""] {
        let E::UnknownPre(found) = load(|p| p.pre = Some(name)).unwrap_err() else { panic!("{name}") };
        assert_eq!(found, name);
    }
}

#[test]
fn counts_and_lengths() {
    assert!(matches!(error(|p| p.tokens.clear()), E::TokenCount { count: 0, .. }));
    assert!(matches!(error(|p| p.types = Some(vec![1, 1])), E::ShortList { len: 2, tokens: 4, .. }));
    assert!(matches!(
        error(|p| {
            p.model = "llama";
            p.scores = Some(vec![0.0; 3]);
        }),
        E::ShortList { key: "tokenizer.ggml.scores", len: 3, tokens: 4 }
    ));
    assert!(matches!(error(|p| p.tokens[1] = "x".repeat(70_000)), E::LongToken { id: 1, len: 70_000, .. }));
}

#[test]
fn tokens() {
    assert!(matches!(error(|p| p.types = Some(vec![1, 7, 1, 3])), E::TokenType { id: 1, kind: 7 }));
    for text in ["b", "<0x1>", "<0xGG>", "<0x+1>"] {
        let wrong = error(|p| {
            p.types = Some(vec![1, 6, 1, 3]);
            p.tokens[1] = text.into();
        });
        assert_eq!(wrong, E::ByteToken { id: 1 });
    }
    let nan = error(|p| {
        p.model = "llama";
        p.scores = Some(vec![0.0, 0.0, f32::NAN, 0.0]);
    });
    assert_eq!(nan, E::Score { id: 2 });
}

#[test]
fn ids() {
    assert!(matches!(
        error(|p| p.ids = vec![("tokenizer.ggml.bos_token_id", 4)]),
        E::IdOutOfRange { key: "tokenizer.ggml.bos_token_id", id: 4, tokens: 4 }
    ));
    assert!(matches!(
        error(|p| p.flags = vec![("tokenizer.ggml.add_bos_token", true)]),
        E::MissingId { key: "tokenizer.ggml.bos_token_id", .. }
    ));
}

#[test]
fn merges() {
    for merge in ["", " ", "a", "ab", " a", "a ", "  "] {
        assert!(
            matches!(error(|p| p.merges = vec![merge.into()]), E::MalformedMerge { rank: 0, .. }),
            "{merge:?}"
        );
    }
    for merge in ["a c", "c a", "b a", "a <end>", "a \u{2603}"] {
        let wrong = error(|p| p.merges.push(merge.into()));
        assert!(matches!(wrong, E::MergeOutOfVocabulary { rank: 1, .. }), "{merge:?}");
    }
}

/// Duplicates and empty texts are tolerated; a file without types has control tokens by their ids.
#[test]
fn odd_but_right() {
    let tokenizer = load(|p| {
        p.tokens = ["a", "b", "ab", "<end>", "", "a", ""].map(String::from).to_vec();
        p.types = None;
    })
    .unwrap();
    let mut ids = Vec::new();
    tokenizer.encode("ba<end>", Special::Parse, &mut ids).unwrap();
    assert_eq!(ids, [1, 5, 3]);
    ids.clear();
    // The vocabulary cannot write these letters.
    tokenizer.encode("<end>", Special::Plain, &mut ids).unwrap();
    assert!(ids.is_empty());
}
