//! Qwen2 (Yang et al., 2024) and Qwen2.5.
//!
//! What a configuration leaves out is as in the `Qwen2Config` of transformers. Rotary pairs stay halves of a head.

use super::{Absent, Decoder, Dim, Family, Key, Must, Row, Ties};
use Dim::{Hidden, Keys, Queries, Vocabulary, Width};

pub(super) const FAMILY: Family = Family {
    classes: &["Qwen2ForCausalLM"],
    names: &[("model.", ""), ("", "")],
    musts: &[],
    ties: Ties::Root,
    decoder: "qwen2",
    tower: None,
    unused: &[],
};

pub(super) const QWEN2: Decoder = Decoder {
    kind: "qwen2",
    name: "qwen2",
    keys: &[
        Key::size("block_count", "num_hidden_layers", Absent::Number(32.0)),
        Key::size("context_length", "max_position_embeddings", Absent::Number(32768.0)),
        Key::size("embedding_length", "hidden_size", Absent::Number(4096.0)),
        Key::size("feed_forward_length", "intermediate_size", Absent::Number(22016.0)),
        Key::size("attention.head_count", "num_attention_heads", Absent::Number(32.0)),
        Key::size("attention.head_count_kv", "num_key_value_heads", Absent::Number(32.0)),
        Key::float("attention.layer_norm_rms_epsilon", "rms_norm_eps", Absent::Number(1e-6)),
        Key::size("attention.key_length", "head_dim", Absent::Nothing),
        Key::size("attention.value_length", "head_dim", Absent::Nothing),
    ],
    musts: &[
        Must { from: "hidden_act", is: "\"silu\"", what: "another activation than SiLU" },
        Must { from: "use_sliding_window", is: "false", what: "attention that slides over a window" },
    ],
    tensors: &[
        Row::matrix("embed_tokens.weight", "token_embd.weight", &[Vocabulary, Width]),
        Row::float("layers.#.input_layernorm.weight", "blk.#.attn_norm.weight", &[Width]),
        Row::matrix("layers.#.self_attn.q_proj.weight", "blk.#.attn_q.weight", &[Queries, Width]),
        Row::float("layers.#.self_attn.q_proj.bias", "blk.#.attn_q.bias", &[Queries]),
        Row::matrix("layers.#.self_attn.k_proj.weight", "blk.#.attn_k.weight", &[Keys, Width]),
        Row::float("layers.#.self_attn.k_proj.bias", "blk.#.attn_k.bias", &[Keys]),
        Row::matrix("layers.#.self_attn.v_proj.weight", "blk.#.attn_v.weight", &[Keys, Width]),
        Row::float("layers.#.self_attn.v_proj.bias", "blk.#.attn_v.bias", &[Keys]),
        Row::matrix("layers.#.self_attn.o_proj.weight", "blk.#.attn_output.weight", &[Width, Queries]),
        Row::float("layers.#.post_attention_layernorm.weight", "blk.#.ffn_norm.weight", &[Width]),
        Row::matrix("layers.#.mlp.gate_proj.weight", "blk.#.ffn_gate.weight", &[Hidden, Width]),
        Row::matrix("layers.#.mlp.up_proj.weight", "blk.#.ffn_up.weight", &[Hidden, Width]),
        Row::matrix("layers.#.mlp.down_proj.weight", "blk.#.ffn_down.weight", &[Width, Hidden]),
        Row::float("norm.weight", "output_norm.weight", &[Width]),
        Row::matrix("lm_head.weight", "output.weight", &[Vocabulary, Width]).optional(),
    ],
    without_bos: &[],
};
