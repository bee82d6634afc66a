//! A block of a vision transformer (Dosovitskiy et al., 2021) as CLIP's and SigLIP's classes in transformers name its
//! tensors.

use super::{Dim, Row};
use Dim::{Hidden, Width};

/// The tensors of every block.
pub(super) const BLOCK: &[Row] = &[
    Row::float("v.encoder.layers.#.layer_norm1.weight", "v.blk.#.ln1.weight", &[Width]),
    Row::float("v.encoder.layers.#.layer_norm1.bias", "v.blk.#.ln1.bias", &[Width]),
    Row::matrix("v.encoder.layers.#.self_attn.q_proj.weight", "v.blk.#.attn_q.weight", &[Width, Width]),
    Row::float("v.encoder.layers.#.self_attn.q_proj.bias", "v.blk.#.attn_q.bias", &[Width]),
    Row::matrix("v.encoder.layers.#.self_attn.k_proj.weight", "v.blk.#.attn_k.weight", &[Width, Width]),
    Row::float("v.encoder.layers.#.self_attn.k_proj.bias", "v.blk.#.attn_k.bias", &[Width]),
    Row::matrix("v.encoder.layers.#.self_attn.v_proj.weight", "v.blk.#.attn_v.weight", &[Width, Width]),
    Row::float("v.encoder.layers.#.self_attn.v_proj.bias", "v.blk.#.attn_v.bias", &[Width]),
    Row::matrix("v.encoder.layers.#.self_attn.out_proj.weight", "v.blk.#.attn_out.weight", &[Width, Width]),
    Row::float("v.encoder.layers.#.self_attn.out_proj.bias", "v.blk.#.attn_out.bias", &[Width]),
    Row::float("v.encoder.layers.#.layer_norm2.weight", "v.blk.#.ln2.weight", &[Width]),
    Row::float("v.encoder.layers.#.layer_norm2.bias", "v.blk.#.ln2.bias", &[Width]),
    Row::matrix("v.encoder.layers.#.mlp.fc1.weight", "v.blk.#.ffn_up.weight", &[Hidden, Width]),
    Row::float("v.encoder.layers.#.mlp.fc1.bias", "v.blk.#.ffn_up.bias", &[Hidden]),
    Row::matrix("v.encoder.layers.#.mlp.fc2.weight", "v.blk.#.ffn_down.weight", &[Width, Hidden]),
    Row::float("v.encoder.layers.#.mlp.fc2.bias", "v.blk.#.ffn_down.bias", &[Width]),
];
