//! Tokenizers against the reference implementations: small trained vocabularies and nasty texts, made by
//! `golden/make_tokenizers.py`; and properties that hold for every text.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::json_text;

use json_text::json_text;
use ocelli::tokenizer::{Run, Special, TokenKind, Tokenizer};
use ocelli_gguf::{Gguf, Writer};

const BPE: [&str; 7] = ["gpt-2", "smollm", "llama-bpe", "smaug-bpe", "qwen2", "tekken", "default"];
const SPM: [&str; 2] = ["spm", "spm-no-prefix"];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tokenizers").join(name)
}

fn tokenizer(name: &str) -> Tokenizer {
    let bytes = std::fs::read(golden(&format!("{name}.gguf"))).unwrap();
    Tokenizer::from_gguf(&Gguf::parse(&bytes).unwrap()).unwrap()
}

fn encode(tokenizer: &Tokenizer, text: &str, special: Special) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer.encode(text, special, &mut ids).unwrap();
    ids
}

/// The texts and their ids.
fn pairs(name: &str) -> Vec<(String, Vec<u32>)> {
    let file = std::fs::read_to_string(golden(&format!("{name}.txt"))).unwrap();
    let pair = |line: &str| {
        let (text, ids) = line.split_once('\t').unwrap();
        (json_text(text), ids.split_whitespace().map(|id| id.parse().unwrap()).collect())
    };
    file.lines().map(pair).collect()
}

fn matches_reference(name: &str, special: Special) {
    let tokenizer = tokenizer(name);
    let pairs = pairs(name);
    assert!(pairs.len() > 300, "{name} has {} texts", pairs.len());
    let mut wrong = 0;
    for (text, expected) in &pairs {
        let got = encode(&tokenizer, text, special);
        if got != *expected {
            let words = |ids: &[u32]| {
                let piece =
                    |id: &u32| String::from_utf8_lossy(tokenizer.piece_with_control(*id)).into_owned();
                ids.iter().map(piece).collect::<Vec<_>>()
            };
            println!("{name}: {text:?}\n  got      {:?}\n  expected {:?}", words(&got), words(expected));
            wrong += 1;
        }
    }
    assert_eq!(wrong, 0, "{name}: texts that differ, of {}", pairs.len());
}

#[test]
fn gpt_2_is_the_reference() {
    matches_reference("gpt-2", Special::Parse);
}

#[test]
fn smollm_is_the_reference() {
    matches_reference("smollm", Special::Parse);
}

#[test]
fn llama_bpe_is_the_reference() {
    matches_reference("llama-bpe", Special::Parse);
}

#[test]
fn tekken_is_the_reference() {
    matches_reference("tekken", Special::Parse);
    assert!(tokenizer("tekken").adds_bos());
}

/// Llama 3's rule with merges only: one word of it is a token that no merge makes.
#[test]
fn smaug_bpe_is_the_reference() {
    matches_reference("smaug-bpe", Special::Parse);
    let (smaug, llama) = (tokenizer("smaug-bpe"), renamed("smaug-bpe", "llama-bpe"));
    let dbrx = renamed("smaug-bpe", "dbrx");
    let of = |tokenizer| encode(tokenizer, " unmerged", Special::Parse);
    assert_eq!((of(&llama).len(), of(&smaug).len() > 1, of(&dbrx)), (1, true, of(&smaug)));
    assert!(llama.adds_bos() && !smaug.adds_bos() && !dbrx.adds_bos());
}

#[test]
fn qwen2_is_the_reference() {
    matches_reference("qwen2", Special::Parse);
}

#[test]
fn default_is_the_four_patterns() {
    matches_reference("default", Special::Parse);
}

/// SentencePiece knows no control tokens in texts.
#[test]
fn spm_is_the_reference() {
    for name in SPM {
        matches_reference(name, Special::Plain);
    }
}

/// Every other name of a rule gives the ids of the reference under its first name.
#[test]
fn other_names_are_the_same_rule() {
    for (first, others) in [
        ("gpt-2", &["gpt2", "a.x-4.0", "granite-docling", "mellum", "trillion"][..]),
        ("smollm", &["refact", "starcoder"]),
        ("llama-bpe", &["llama3", "llama-v3", "falcon3", "falcon-h1", "lfm2", "midm-2.0", "pixtral"]),
        ("qwen2", &["deepseek-r1-qwen", "kormo", "megrez"]),
    ] {
        let pairs = pairs(first);
        for name in others {
            let tokenizer = renamed(first, name);
            for (text, ids) in &pairs {
                assert_eq!(encode(&tokenizer, text, Special::Parse), *ids, "{name}: {text:?}");
            }
            assert_eq!(tokenizer.adds_bos(), first == "llama-bpe", "{name}");
        }
    }
}

/// A golden tokenizer under another name of its pre-tokenizer.
fn renamed(first: &str, name: &str) -> Tokenizer {
    let bytes = std::fs::read(golden(&format!("{first}.gguf"))).unwrap();
    let mut writer = Writer::new();
    for (key, value) in Gguf::parse(&bytes).unwrap().metadata() {
        if key == "tokenizer.ggml.pre" {
            writer.metadata(key, name);
        } else {
            writer.metadata(key, value);
        }
    }
    Tokenizer::from_gguf(&Gguf::parse(&writer.finish().unwrap()).unwrap()).unwrap()
}

#[test]
fn decoding_gives_the_text_back() {
    for name in ["gpt-2", "llama-bpe", "default", "spm", "spm-no-prefix"] {
        let tokenizer = tokenizer(name);
        for (text, _) in pairs(name) {
            // SPM cannot tell its mark from a space.
            let expected = if SPM.contains(&name) { text.replace('\u{2581}', " ") } else { text.clone() };
            let ids = encode(&tokenizer, &text, Special::Plain);
            assert_eq!(String::from_utf8(tokenizer.decode(&ids)).unwrap(), expected, "{name}");
        }
    }
}

#[test]
fn a_users_text_never_becomes_a_control_token() {
    for name in BPE.iter().chain(&SPM) {
        let tokenizer = tokenizer(name);
        let control = |id: &u32| tokenizer.kind(*id) == Some(TokenKind::Control);
        for (text, _) in pairs(name) {
            assert!(!encode(&tokenizer, &text, Special::Plain).iter().any(control), "{name}: {text:?}");
        }
    }
    let tokenizer = tokenizer("qwen2");
    assert_eq!(encode(&tokenizer, "<|im_end|>", Special::Parse).len(), 1);
    assert!(encode(&tokenizer, "<|im_end|>", Special::Plain).len() > 1);
}

#[test]
fn a_control_token_cannot_be_put_together_from_two_hands() {
    let tokenizer = tokenizer("qwen2");
    let end = tokenizer.special("<|im_end|>").unwrap();
    for (at, whole) in [(3, false), (9, false), (10, true)] {
        let (left, right) = "<|im_end|>".split_at(at);
        for (first, second) in [(Special::Parse, Special::Plain), (Special::Plain, Special::Parse)] {
            let mut ids = Vec::new();
            let runs = [Run { text: left, special: first }, Run { text: right, special: second }];
            tokenizer.encode_runs(&runs, &mut ids).unwrap();
            assert_eq!(ids == [end], whole && first == Special::Parse, "{at} {first:?}");
        }
        let mut ids = Vec::new();
        let both = [left, right].map(|text| Run { text, special: Special::Parse });
        tokenizer.encode_runs(&both, &mut ids).unwrap();
        assert_eq!(ids, [end]);
    }
}

#[test]
fn runs_of_one_kind_are_one_text() {
    for name in BPE.iter().chain(&SPM) {
        let tokenizer = tokenizer(name);
        for (text, _) in pairs(name) {
            let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            let (left, right) = text.split_at(middle);
            let mut ids = Vec::new();
            let run = |text| Run { text, special: Special::Plain };
            tokenizer.encode_runs(&[run(left), run(right)], &mut ids).unwrap();
            assert_eq!(ids, encode(&tokenizer, &text, Special::Plain), "{name}: {text:?}");
        }
    }
}

#[test]
fn ends_and_specials() {
    let qwen2 = tokenizer("qwen2");
    let ids = ["<|endoftext|>", "<|im_end|>"].map(|text| qwen2.special(text).unwrap());
    assert_eq!(qwen2.ends(), ids);
    assert!(!qwen2.is_end(qwen2.special("<image>").unwrap()));
    assert_eq!((qwen2.bos(), qwen2.eos(), qwen2.adds_bos()), (Some(ids[0]), Some(ids[1]), false));
    assert!(tokenizer("llama-bpe").adds_bos());
    let spm = tokenizer("spm");
    assert_eq!((spm.bos(), spm.eos(), spm.adds_bos(), spm.adds_eos()), (Some(1), Some(2), true, false));
    assert_eq!((spm.piece(2), spm.piece_with_control(2)), (&b""[..], &b"</s>"[..]));
    assert_eq!(spm.piece(u32::MAX), b"");
}

/// Nothing in a text makes the work more than n log n. The limit is generous: machines differ.
#[test]
fn a_megabyte_of_anything_is_quick() {
    let megabyte = |unit: &str| unit.repeat((1 << 20) / unit.len());
    let texts = [
        "a",
        " ",
        "\n",
        "<",
        "<tool",
        "1",
        "'",
        "é",
        "e\u{301}",
        "ab",
        "▁",
        "\u{0}",
        "\u{323}\u{301}",
        "the ",
    ]
    .map(megabyte);
    for name in BPE.iter().chain(&SPM) {
        let tokenizer = tokenizer(name);
        for text in &texts {
            let start = Instant::now();
            let ids = encode(&tokenizer, text, Special::Parse);
            let took = start.elapsed();
            let unit: String = text.chars().take(5).collect();
            println!("{name}: {unit:?} {} ids in {took:?}", ids.len());
            assert!(took < Duration::from_secs(20), "{name}: {unit:?} took {took:?}");
        }
    }
}
