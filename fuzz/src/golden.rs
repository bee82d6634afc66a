//! The golden files, which the targets begin with.

use ocelli_gguf::{Gguf, Value, Writer};

/// A golden model.
#[macro_export]
macro_rules! model {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/golden/models/", $name)).as_slice()
    };
}

/// A GGUF file with more tokens at the end of its vocabulary: their texts, and their types (3 is a control token).
pub fn with_tokens(file: &[u8], more: &[(&str, i32)]) -> Vec<u8> {
    let file = Gguf::parse(file).unwrap();
    let mut writer = Writer::new();
    for (key, value) in file.metadata() {
        match (key, value) {
            ("tokenizer.ggml.tokens", Value::Array(tokens)) => {
                let old = tokens.iter().filter_map(|token| match token {
                    Value::String(text) => text.to_str().ok(),
                    _ => None,
                });
                let all: Vec<&str> = old.chain(more.iter().map(|(text, _)| *text)).collect();
                writer.metadata(key, &all);
            }
            ("tokenizer.ggml.token_type", Value::Array(kinds)) => {
                let old = kinds.iter().filter_map(|kind| match kind {
                    Value::I32(kind) => Some(kind),
                    _ => None,
                });
                let all: Vec<i32> = old.chain(more.iter().map(|(_, kind)| *kind)).collect();
                writer.metadata(key, &all);
            }
            ("tokenizer.ggml.scores", Value::Array(scores)) => {
                let old = scores.iter().filter_map(|score| match score {
                    Value::F32(score) => Some(score),
                    _ => None,
                });
                let all: Vec<f32> = old.chain(more.iter().map(|_| 0.0)).collect();
                writer.metadata(key, &all);
            }
            _ => {
                writer.metadata(key, value);
            }
        }
    }
    for tensor in file.tensors() {
        writer.tensor(tensor.name, tensor.kind, tensor.dims(), tensor.data);
    }
    writer.finish().unwrap()
}
