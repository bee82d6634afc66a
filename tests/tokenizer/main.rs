//! Tokenizers: the rules, the references of every pre-tokenizer, hostile vocabularies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod goldens;
mod hostile;
#[path = "../template/json_text.rs"]
mod json_text;
mod rules;
