//! Mistral 7B (Jiang et al., 2023) from its version 0.2 on, and what is tuned from it: LLaMA's tensors and file.
//!
//! What a configuration leaves out is as in the `MistralConfig` of transformers. That has a window of 4096 positions over which
//! attention slides; version 0.1 used it, later ones say that there is none. A file of LLaMA has no key for a window, and without
//! it the model would read a longer text otherwise than it was trained, so only `null` is converted.

use super::llama::LLAMA;
use super::{Absent, Decoder, Family, Key, Must, Ties};

pub(super) const FAMILY: Family = Family {
    classes: &["MistralForCausalLM"],
    names: &[("model.", ""), ("", "")],
    musts: &[],
    ties: Ties::Root,
    decoder: "mistral",
    tower: None,
    unused: &[],
};

pub(super) const MISTRAL: Decoder = Decoder {
    kind: "mistral",
    name: "llama",
    keys: &[
        Key::size("block_count", "num_hidden_layers", Absent::Number(32.0)),
        Key::size("context_length", "max_position_embeddings", Absent::Number(131072.0)),
        Key::size("embedding_length", "hidden_size", Absent::Number(4096.0)),
        Key::size("feed_forward_length", "intermediate_size", Absent::Number(14336.0)),
        Key::size("attention.head_count", "num_attention_heads", Absent::Number(32.0)),
        Key::size("attention.head_count_kv", "num_key_value_heads", Absent::Number(8.0)),
        Key::float("attention.layer_norm_rms_epsilon", "rms_norm_eps", Absent::Number(1e-6)),
        Key::size("attention.key_length", "head_dim", Absent::As(super::HEAD)),
        Key::size("attention.value_length", "head_dim", Absent::As(super::HEAD)),
        Key::size("rope.dimension_count", "head_dim", Absent::As(super::HEAD)),
        Key::size("vocab_size", "vocab_size", Absent::Number(32000.0)),
    ],
    musts: &[
        Must { from: "hidden_act", is: "\"silu\"", what: "another activation than SiLU" },
        Must { from: "sliding_window", is: "null", what: "attention that slides over a window" },
    ],
    tensors: LLAMA.tensors,
    without_bos: &[],
};
