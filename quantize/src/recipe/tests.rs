#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use ocelli_gguf::Writer;

#[test]
fn names_are_found_in_any_case() {
    assert_eq!(Recipe::named("q4_k_m").unwrap().name, "Q4_K_M");
    assert_eq!(Recipe::named("BF16").unwrap().base, BF16);
    assert_eq!(Recipe::named("Q4"), None);
}

#[test]
fn rows_that_do_not_fit_fall_back() {
    for (wanted, row, found) in [
        (Q4_K, 576, Q5_0),
        (Q6_K, 576, Q8_0),
        (Q4_K, 1536, Q4_K),
        (IQ4_XS, 896, IQ4_NL),
        (Q3_K, 960, Q4_0),
        (Q5_K, 960, Q5_1),
        // The last map of SigLIP-so400m's feed-forward part: 134 and a half blocks of 32.
        (Q4_K, 4304, F16),
        (Q8_0, 4304, F16),
        (F32, 4304, F32),
    ] {
        assert_eq!(fitting(wanted, row), found, "{wanted} {row}");
    }
}

/// A language model of so many layers, eight heads and so many for keys; its names in no good order.
fn model(layers: usize, keys: u32, tied: bool) -> Vec<u8> {
    let data = vec![0; 256 * 2 * 2];
    let mut writer = Writer::new();
    writer.metadata("general.architecture", "llama").metadata("llama.block_count", layers as u32);
    writer.metadata("llama.attention.head_count", 8u32).metadata("llama.attention.head_count_kv", keys);
    let mut names: Vec<String> = ["token_embd.weight", "output_norm.weight"].map(String::from).into();
    if !tied {
        names.push("output.weight".into());
    }
    for i in (0..layers).rev() {
        names.extend(
            ["attn_v", "ffn_down", "attn_output", "attn_q"].map(|part| format!("blk.{i}.{part}.weight")),
        );
    }
    for name in &names {
        writer.tensor(name, F16, &[256, 2], &data);
    }
    writer.finish().unwrap()
}

/// What the recipe wants for a name.
fn wants(file: &[u8], recipe: &str, name: &str) -> Option<TensorType> {
    let file = Gguf::parse(file).unwrap();
    let tensors: Vec<Described<'_>> = file.tensors().iter().map(Described::from).collect();
    let found = wanted(&file, &tensors, Recipe::named(recipe).unwrap(), Mixing::default()).unwrap();
    found[tensors.iter().position(|tensor| tensor.name == name).unwrap()]
}

/// The layers for whose part the recipe wants this type.
fn layers(file: &[u8], recipe: &str, part: &str, kind: TensorType, of: usize) -> Vec<usize> {
    (0..of).filter(|i| wants(file, recipe, &format!("blk.{i}.{part}.weight")) == Some(kind)).collect()
}

#[test]
fn the_mixes_of_thirty_layers() {
    let file = model(30, 8, true);
    // As llama.cpp's quantizer wrote SmolVLM-256M.
    let more = [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 26, 27, 28, 29];
    assert_eq!(layers(&file, "Q4_K_M", "attn_v", Q6_K, 30), more);
    assert_eq!(layers(&file, "Q5_K_M", "ffn_down", Q6_K, 30), more);
    assert_eq!(layers(&file, "Q4_K_S", "attn_v", Q5_K, 30), [0, 1, 2, 3]);
    assert_eq!(layers(&file, "Q4_K_S", "ffn_down", Q5_K, 30), [0, 1, 2]);
    assert_eq!(layers(&file, "Q3_K_M", "attn_v", Q5_K, 30), [0, 1]);
    assert_eq!(layers(&file, "Q3_K_M", "ffn_down", Q5_K, 30), [0]);
    assert_eq!(layers(&file, "Q3_K_L", "attn_output", Q5_K, 30).len(), 30);
    assert_eq!(layers(&file, "IQ4_XS", "attn_v", Q5_K, 30), [0; 0]);
    assert_eq!(layers(&model(30, 2, true), "IQ4_XS", "attn_v", Q5_K, 30).len(), 30);
    assert_eq!(layers(&model(30, 2, true), "Q2_K", "attn_v", Q4_K, 30).len(), 30);
    assert_eq!(layers(&model(80, 2, true), "Q4_K_S", "attn_v", Q5_K, 80).len(), 80);
}

#[test]
fn the_table_is_the_output_where_there_is_no_other() {
    assert_eq!(wants(&model(1, 8, true), "Q4_K_M", "token_embd.weight"), Some(Q6_K));
    assert_eq!(wants(&model(1, 8, false), "Q4_K_M", "token_embd.weight"), Some(Q4_K));
    assert_eq!(wants(&model(1, 8, false), "Q4_K_M", "output.weight"), Some(Q6_K));
    assert_eq!(wants(&model(1, 8, false), "Q8_0", "output.weight"), Some(Q8_0));
    assert_eq!(wants(&model(1, 8, true), "F16", "token_embd.weight"), Some(F16));
    assert_eq!(wants(&model(1, 8, true), "Q2_K", "output_norm.weight"), None);
}
