//! LLaMA (Touvron et al., 2023) and what is built like it: SmolLM, TinyLlama, Vicuna.
//!
//! What a configuration leaves out is as in the `LlamaConfig` of transformers.

use super::{Absent, Decoder, Dim, Family, Key, Must, Row, Ties};
use Dim::{Hidden, Keys, Queries, Vocabulary, Width};

pub(super) const FAMILY: Family = Family {
    classes: &["LlamaForCausalLM"],
    names: &[("model.", ""), ("", "")],
    musts: &[],
    ties: Ties::Root,
    decoder: "llama",
    tower: None,
    unused: &[],
};

pub(super) const LLAMA: Decoder = Decoder {
    kind: "llama",
    name: "llama",
    keys: &[
        Key::size("block_count", "num_hidden_layers", Absent::Number(32.0)),
        Key::size("context_length", "max_position_embeddings", Absent::Number(2048.0)),
        Key::size("embedding_length", "hidden_size", Absent::Number(4096.0)),
        Key::size("feed_forward_length", "intermediate_size", Absent::Number(11008.0)),
        Key::size("attention.head_count", "num_attention_heads", Absent::Number(32.0)),
        Key::size("attention.head_count_kv", "num_key_value_heads", Absent::As("num_attention_heads")),
        Key::float("attention.layer_norm_rms_epsilon", "rms_norm_eps", Absent::Number(1e-6)),
        Key::size("attention.key_length", "head_dim", Absent::As(super::HEAD)),
        Key::size("attention.value_length", "head_dim", Absent::As(super::HEAD)),
        Key::size("rope.dimension_count", "head_dim", Absent::As(super::HEAD)),
        Key::size("vocab_size", "vocab_size", Absent::Number(32000.0)),
    ],
    musts: &[Must { from: "hidden_act", is: "\"silu\"", what: "another activation than SiLU" }],
    tensors: &[
        Row::matrix("embed_tokens.weight", "token_embd.weight", &[Vocabulary, Width]),
        Row::float("layers.#.input_layernorm.weight", "blk.#.attn_norm.weight", &[Width]),
        Row::matrix("layers.#.self_attn.q_proj.weight", "blk.#.attn_q.weight", &[Queries, Width]).pairs(),
        Row::float("layers.#.self_attn.q_proj.bias", "blk.#.attn_q.bias", &[Queries]).pairs().optional(),
        Row::matrix("layers.#.self_attn.k_proj.weight", "blk.#.attn_k.weight", &[Keys, Width]).pairs(),
        Row::float("layers.#.self_attn.k_proj.bias", "blk.#.attn_k.bias", &[Keys]).pairs().optional(),
        Row::matrix("layers.#.self_attn.v_proj.weight", "blk.#.attn_v.weight", &[Keys, Width]),
        Row::float("layers.#.self_attn.v_proj.bias", "blk.#.attn_v.bias", &[Keys]).optional(),
        Row::matrix("layers.#.self_attn.o_proj.weight", "blk.#.attn_output.weight", &[Width, Queries]),
        Row::float("layers.#.self_attn.o_proj.bias", "blk.#.attn_output.bias", &[Width]).optional(),
        Row::float("layers.#.post_attention_layernorm.weight", "blk.#.ffn_norm.weight", &[Width]),
        Row::matrix("layers.#.mlp.gate_proj.weight", "blk.#.ffn_gate.weight", &[Hidden, Width]),
        Row::float("layers.#.mlp.gate_proj.bias", "blk.#.ffn_gate.bias", &[Hidden]).optional(),
        Row::matrix("layers.#.mlp.up_proj.weight", "blk.#.ffn_up.weight", &[Hidden, Width]),
        Row::float("layers.#.mlp.up_proj.bias", "blk.#.ffn_up.bias", &[Hidden]).optional(),
        Row::matrix("layers.#.mlp.down_proj.weight", "blk.#.ffn_down.weight", &[Width, Hidden]),
        Row::float("layers.#.mlp.down_proj.bias", "blk.#.ffn_down.bias", &[Width]).optional(),
        Row::float("norm.weight", "output_norm.weight", &[Width]),
        Row::matrix("lm_head.weight", "output.weight", &[Vocabulary, Width]).optional(),
    ],
    // SmolLM's and Granite's.
    without_bos: &[49152],
};
