//! Tokenizers against published pairs of texts and ids of real vocabularies, where the shared folder has them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use ocelli::tokenizer::{Special, Tokenizer};
use ocelli_gguf::Gguf;

fn vocabularies() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/vocab");
    if !folder.is_dir() {
        println!("skipped: no folder {}", folder.display());
        return None;
    }
    Some(folder)
}

fn published_pairs(name: &str) {
    let Some(folder) = vocabularies() else { return };
    let path = folder.join(format!("ggml-vocab-{name}.gguf"));
    let bytes = std::fs::read(&path).unwrap();
    let tokenizer = Tokenizer::from_gguf(&Gguf::parse(&bytes).unwrap()).unwrap();
    let texts = std::fs::read_to_string(path.with_extension("gguf.inp")).unwrap();
    let ids = std::fs::read_to_string(path.with_extension("gguf.out")).unwrap();
    // Every text is followed by a line that parts it from the next, the last one too.
    let texts = texts.strip_suffix("\n__ggml_vocab_test__\n").unwrap();
    let texts: Vec<&str> = texts.split("\n__ggml_vocab_test__\n").collect();
    let ids: Vec<&str> = ids.lines().collect();
    assert_eq!(texts.len(), ids.len(), "{name}");
    for (text, expected) in texts.iter().zip(ids) {
        let expected: Vec<u32> = expected.split_whitespace().map(|id| id.parse().unwrap()).collect();
        let mut got = Vec::new();
        tokenizer.encode(text, Special::Plain, &mut got).unwrap();
        assert_eq!(got, expected, "{name}: {text:?}");
        assert_eq!(tokenizer.decode(&got), text.as_bytes(), "{name}: {text:?}");
    }
    println!("{name}: {} texts, tables of {} bytes", texts.len(), tokenizer.table_bytes());
}

#[test]
fn llama_spm() {
    published_pairs("llama-spm");
}

#[test]
fn phi_3() {
    published_pairs("phi-3");
}

#[test]
fn gpt_2() {
    published_pairs("gpt-2");
}

#[test]
fn llama_bpe() {
    published_pairs("llama-bpe");
}

#[test]
fn qwen2() {
    published_pairs("qwen2");
}
