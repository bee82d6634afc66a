//! Texts through the small vocabularies of the goldens. The first byte picks the vocabulary, the second where the text
//! is cut in two runs and whether the first one may hold control tokens; the rest is the text.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ocelli::generate::TextStream;
use ocelli::tokenizer::{Run, Special, TokenKind, Tokenizer};
use ocelli_gguf::Gguf;

macro_rules! vocabularies {
    ($($name:literal)*) => {
        [$(($name, include_bytes!(concat!("../../tests/golden/tokenizers/", $name, ".gguf")).as_slice())),*]
    };
}

static TOKENIZERS: LazyLock<Vec<(&str, Tokenizer)>> = LazyLock::new(|| {
    let files = vocabularies!("gpt-2" "smollm" "llama-bpe" "qwen2" "default" "spm" "spm-no-prefix");
    let load = |bytes| Tokenizer::from_gguf(&Gguf::parse(bytes).unwrap()).unwrap();
    files.into_iter().map(|(name, bytes)| (name, load(bytes))).collect()
});

fuzz_target!(|data: &[u8]| {
    let [which, cut, text @ ..] = data else { return };
    let (name, tokenizer) = &TOKENIZERS[usize::from(*which) % TOKENIZERS.len()];
    let text = String::from_utf8_lossy(text);

    let mut plain = Vec::new();
    tokenizer.encode(&text, Special::Plain, &mut plain).unwrap();
    assert!(plain.iter().all(|id| tokenizer.kind(*id) != Some(TokenKind::Control)), "{name}");

    let decoded = tokenizer.decode(&plain);
    match *name {
        "gpt-2" | "llama-bpe" | "default" => assert_eq!(decoded, text.as_bytes(), "{name}"),
        "spm" | "spm-no-prefix" => {
            assert_eq!(decoded, text.replace('\u{2581}', " ").as_bytes(), "{name}");
        }
        _ => {}
    }

    // Pieces come out of a stream as the same text.
    let mut stream = TextStream::new::<&str>(&[], tokenizer.adds_space()).unwrap();
    let mut streamed = String::new();
    for id in &plain {
        stream.push(tokenizer.piece(*id), &mut |chunk| streamed.push_str(chunk));
    }
    stream.finish(&mut |chunk| streamed.push_str(chunk));
    assert_eq!(streamed, String::from_utf8_lossy(&decoded), "{name}");

    // Two runs of one kind are one text, and a trusted first run changes nothing of what may be in the second.
    let middle =
        (0..=usize::from(*cut >> 1).min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
    let (left, right) = text.split_at(middle);
    let special = if cut & 1 == 1 { Special::Parse } else { Special::Plain };
    let mut ids = Vec::new();
    let runs = [Run { text: left, special }, Run { text: right, special: Special::Plain }];
    tokenizer.encode_runs(&runs, &mut ids).unwrap();
    if special == Special::Plain {
        assert_eq!(ids, plain, "{name}");
    } else {
        let mut trusted = Vec::new();
        tokenizer.encode(left, Special::Parse, &mut trusted).unwrap();
        let controls =
            |ids: &[u32]| ids.iter().filter(|id| tokenizer.kind(**id) == Some(TokenKind::Control)).count();
        assert_eq!(controls(&ids), controls(&trusted), "{name}");
    }
});
