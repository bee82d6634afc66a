//! What a file says and nobody reads.
//!
//! A number that is passed over is an answer that is wrong and says nothing. A file remembers what it was asked for
//! ([`Gguf::unasked_keys`](ocelli_gguf::Gguf::unasked_keys)), so when a model has read all it needs, what is left in the
//! model's own namespaces is an error, and so is a tensor that is left. No model keeps a list of its own: it reads what it
//! uses. `KEYS` and `TENSORS` are what may be left, each with the reason.
//!
//! Keys of other namespaces say nothing about what is computed: `general.*` describes the file, `split.*` its parts and
//! `quantize.*` how it was made; people who publish files add namespaces of their own.

use crate::{Error, Source};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use ocelli_gguf::{Gguf, Value};

/// What a key may be that nobody reads.
enum May {
    /// Anything.
    Any,
    /// This number.
    Be(f64),
    /// This.
    Say(&'static str),
    /// Yes or no.
    Hold(bool),
    /// A list or a text without anything in it.
    BeEmpty,
}

use May::{Any, Be, BeEmpty, Hold, Say};

/// Keys that may be left; a star stands for the architecture.
const KEYS: &[(&str, May)] = &[
    // It says that the scaling was trained, not what it is.
    ("*.rope.scaling.finetuned", Any),
    // Read where the type is yarn or longrope; no other uses it.
    ("*.rope.scaling.original_context_length", Any),
    // Every norm of these decoders is a root mean square with a key of its own.
    ("*.attention.layer_norm_epsilon", Any),
    // Converters of early 2024 wrote it into every file of Qwen; the architecture has no parallel branches.
    ("qwen2.use_parallel_residual", Any),
    // Values that stand for what is computed anyway.
    ("*.use_parallel_residual", Hold(false)),
    ("*.attention.causal", Hold(true)),
    ("*.attention.sliding_window", Be(0.0)),
    ("*.attention.scale", Be(0.0)),
    ("*.attention.clamp_kqv", Be(0.0)),
    ("*.attention.max_alibi_bias", Be(0.0)),
    ("*.attn_logit_softcapping", Be(0.0)),
    ("*.final_logit_softcapping", Be(0.0)),
    ("*.logit_scale", Be(1.0)),
    ("*.residual_scale", Be(1.0)),
    ("*.embedding_scale", Be(1.0)),
    ("*.expert_used_count", Be(0.0)),
    ("*.pooling_type", Be(0.0)),
    ("*.hidden_activation", Say("silu")),
    // Of the two towers of CLIP and of an audio tower there is the one for images only.
    ("clip.has_vision_encoder", Hold(true)),
    ("clip.has_text_encoder", Hold(false)),
    ("clip.has_audio_encoder", Hold(false)),
    // An older name of a projector type, read where there is no other.
    ("clip.has_llava_projector", Any),
    // In CLIP's own files the width of a projection that LLaVA leaves out, else that of the projector's tensors.
    ("clip.vision.projection_dim", Any),
    // What a conversation begins with, read when there is one; the others are for uses that a name is needed for.
    ("tokenizer.chat_template", Any),
    ("tokenizer.chat_template.*", Any),
    ("tokenizer.chat_templates", Any),
    // The same tokenizer once more, in another program's form.
    ("tokenizer.huggingface.json", Any),
    // Tokens for uses that are not here: filling a batch or a gap, separating and classifying texts.
    ("tokenizer.ggml.padding_token_id", Any),
    ("tokenizer.ggml.seperator_token_id", Any),
    ("tokenizer.ggml.cls_token_id", Any),
    ("tokenizer.ggml.mask_token_id", Any),
    ("tokenizer.ggml.prefix_token_id", Any),
    ("tokenizer.ggml.suffix_token_id", Any),
    ("tokenizer.ggml.middle_token_id", Any),
    ("tokenizer.ggml.fim_*", Any),
    // Segments of BERT's texts; the table that would be added for them is a tensor.
    ("tokenizer.ggml.token_type_count", Any),
    // Pieces are joined by scores in one family of tokenizers and by merges in the other; some files have both.
    ("tokenizer.ggml.scores", Any),
    ("tokenizer.ggml.merges", Any),
    // A pre-tokenizer is the byte-level family's; converters name none in files of the other.
    ("tokenizer.ggml.pre", Say("default")),
    // What is done to texts anyway, or not.
    ("tokenizer.ggml.add_space_prefix", Hold(false)),
    ("tokenizer.ggml.add_sep_token", Hold(false)),
    ("tokenizer.ggml.remove_extra_whitespaces", Hold(false)),
    ("tokenizer.ggml.normalizer.lowercase", Hold(false)),
    ("tokenizer.ggml.normalizer.strip_accents", Hold(false)),
    ("tokenizer.ggml.precompiled_charsmap", BeEmpty),
    ("tokenizer.ggml.suppress_tokens", BeEmpty),
];

/// Tensors that may be left.
const TENSORS: &[&str] = &[
    // CLIP's last norm: LLaVA takes the features of a layer before it.
    "v.post_ln.*",
];

/// Namespaces that a model's numbers are in besides that of its architecture: our own keys, and some without one.
const OWN: [&str; 6] = ["clip.", "ocelli.", "rope.", "attention.", "adapter.", "xielu."];

/// Namespace of tokenizers.
const TOKENIZER: &str = "tokenizer.";

/// A key or a tensor that nobody reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Left {
    /// A key.
    Key {
        /// Its name.
        name: String,
        /// What it says, shortened.
        value: String,
    },
    /// A tensor.
    Tensor {
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Left::Key { name, value } => {
                let name = name.escape_debug();
                write!(f, "nothing here reads the key {name} ({value}), which would change what is computed")
            }
            Left::Tensor { name } => {
                let name = name.escape_debug();
                write!(
                    f,
                    "no part of this architecture uses the tensor '{name}': the file is made for another one"
                )
            }
        }
    }
}

/// What is left of a model's files after it was read; the tokenizer's keys are its own affair.
pub fn model(source: &Source<'_>) -> impl Iterator<Item = Left> {
    let file = source.file();
    let architecture = file.optional::<&str>("general.architecture").ok().flatten().unwrap_or_default();
    let own = move |key: &str| {
        let after = key.strip_prefix(architecture);
        after.is_some_and(|rest| rest.starts_with('.')) || OWN.iter().any(|own| key.starts_with(own))
    };
    // Only the first file of a split model is read for keys. One of another may say the same.
    let others = source.shards().files().skip(1).flat_map(move |part| {
        let new = move |key: &str| value(part, key) != value(file, key);
        keys(part, architecture, move |key| own(key) && new(key))
    });
    let tensors = source.shards().files().flat_map(Gguf::unasked_tensors);
    let tensors = tensors.filter(|tensor| !TENSORS.iter().any(|known| matches(known, "", tensor.name)));
    let tensors = tensors.map(|tensor| Left::Tensor { name: tensor.name.into() });
    keys(file, architecture, own).chain(others).chain(tensors)
}

/// What is left of a file's keys after its tokenizer was read.
pub fn tokenizer(file: &Gguf<'_>) -> impl Iterator<Item = Left> {
    keys(file, "", |key| key.starts_with(TOKENIZER))
}

/// A key's value, without asking for it.
fn value<'a>(file: &Gguf<'a>, key: &str) -> Option<Value<'a>> {
    file.metadata().find(|(known, _)| *known == key).map(|(_, value)| value)
}

fn keys(file: &Gguf<'_>, architecture: &str, own: impl Fn(&str) -> bool) -> impl Iterator<Item = Left> {
    let may = move |key: &str, value: &Value<'_>| {
        KEYS.iter().any(|(known, may)| matches(known, architecture, key) && may.hold(value))
    };
    let left = file.unasked_keys().filter(move |(key, value)| own(key) && !may(key, value));
    left.map(|(name, value)| Left::Key { name: name.into(), value: show(&value) })
}

/// Whether what a file says beside what a model reads is held against it. A firmware's code has no room for that: what goes into
/// flash is looked at before (`ocelli inspect`).
pub(crate) const HELD: bool = cfg!(feature = "std");

/// Refuses the first that is left.
pub(crate) fn settle(source: &Source<'_>) -> Result<(), Error> {
    if !HELD {
        return Ok(());
    }
    model(source).next().map_or(Ok(()), |left| Err(Error::Left(left)))
}

/// A star at the front stands for the architecture, one at the end for anything.
fn matches(known: &str, architecture: &str, name: &str) -> bool {
    let (known, name) = match known.strip_prefix('*') {
        Some(known) => match name.strip_prefix(architecture) {
            Some(name) => (known, name),
            None => return false,
        },
        None => (known, name),
    };
    match known.strip_suffix('*') {
        Some(known) => name.starts_with(known),
        None => known == name,
    }
}

impl May {
    fn hold(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Any, _) => true,
            (Hold(expected), Value::Bool(found)) => expected == found,
            (Say(expected), Value::String(found)) => found.as_bytes() == expected.as_bytes(),
            (BeEmpty, Value::String(found)) => found.as_bytes().is_empty(),
            (BeEmpty, Value::Array(found)) => found.is_empty(),
            (Be(expected), Value::F32(found)) => *expected == f64::from(*found),
            (Be(expected), Value::F64(found)) => expected == found,
            (Be(expected), found) => found.as_integer().is_some_and(|found| found as f64 == *expected),
            _ => false,
        }
    }
}

/// A value in a few words.
fn show(value: &Value<'_>) -> String {
    match value {
        Value::Bool(value) => format!("{value}"),
        Value::F32(value) => format!("{}", crate::error::Decimal(f64::from(*value))),
        Value::F64(value) => format!("{}", crate::error::Decimal(*value)),
        Value::String(text) => {
            let first = |bytes: &[u8]| format!("'{}'", bytes.escape_ascii());
            let bytes = text.as_bytes();
            bytes.get(..40).map_or_else(|| first(bytes), |start| first(start) + "...")
        }
        Value::Array(array) => {
            let mut shown: Vec<String> = array.iter().take(4).map(|value| show(&value)).collect();
            if array.len() > 4 {
                shown.push("...".into());
            }
            format!("[{}]", shown.join(", "))
        }
        Value::U64(value) => format!("{value}"),
        other => format!("{}", other.as_integer().unwrap_or_default() as i64),
    }
}
