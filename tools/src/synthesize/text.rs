//! The language model's file: keys and tensors of `llama` and `qwen2` files, as llama.cpp's converter names them.
//!
//! Deviations keep the variance of a row from layer to layer (1 / √inputs); queries, keys and what is added to the
//! residual are larger, so that attention is not even and a token does not merely predict itself.

use super::file::{File, Tensor};
use super::recipe::{Recipe, Role};
use super::shapes::{Family, Shape, Text};
use super::vocabulary::Vocabulary;
use ocelli::chat::template::Builtin;
use ocelli_gguf::Outline;

/// The language model of a shape.
pub fn file(shape: &Shape, recipe: &'static Recipe) -> File {
    let text = &shape.text;
    let mut file = File::new(format!("{}-{}.gguf", shape.name, recipe.name), recipe);
    keys(&mut file.outline, shape, recipe);
    let vocabulary = vocabulary(text, &mut file.outline);
    let (width, tied) = (text.width, text.family == Family::Qwen2);
    let table = if tied { Role::Output } else { Role::Plain };
    file.matrix(
        "token_embd.weight",
        table,
        [width, vocabulary],
        if tied { 3.0 } else { (width as f32).sqrt() },
    );
    (0..text.layers).for_each(|layer| block(&mut file, text, layer));
    file.add(Tensor::norm("output_norm.weight", width));
    if !tied {
        file.matrix("output.weight", Role::Output, [width, vocabulary], 3.0);
    }
    file
}

fn block(file: &mut File, text: &Text, layer: usize) {
    let name = |part: &str| format!("blk.{layer}.{part}");
    let dim = text.width / text.heads.0;
    let (width, hidden, keys) = (text.width, text.hidden, text.heads.1 * dim);
    let delicate = Role::Delicate(layer, text.layers);
    file.add(Tensor::norm(&name("attn_norm.weight"), width));
    file.add(Tensor::norm(&name("ffn_norm.weight"), width));
    for (part, role, out, gain) in [
        ("attn_q", Role::Plain, width, 1.5),
        ("attn_k", Role::Plain, keys, 1.5),
        ("attn_v", delicate, keys, 1.0),
    ] {
        file.matrix(&name(&format!("{part}.weight")), role, [width, out], gain);
        if text.family == Family::Qwen2 {
            file.add(Tensor::bias(&name(&format!("{part}.bias")), out));
        }
    }
    file.matrix(&name("attn_output.weight"), Role::Plain, [width, width], 2.0);
    file.matrix(&name("ffn_gate.weight"), Role::Plain, [width, hidden], 1.0);
    file.matrix(&name("ffn_up.weight"), Role::Plain, [width, hidden], 1.0);
    file.matrix(&name("ffn_down.weight"), delicate, [hidden, width], 2.0);
}

fn keys(outline: &mut Outline, shape: &Shape, recipe: &Recipe) {
    let text = &shape.text;
    let architecture = if text.family == Family::Qwen2 { "qwen2" } else { "llama" };
    outline.metadata("general.architecture", architecture).metadata("general.type", "model");
    outline.metadata("general.name", format!("{} (random weights)", shape.name));
    for (key, value) in [
        ("vocab_size", text.vocabulary),
        ("context_length", text.context),
        ("embedding_length", text.width),
        ("block_count", text.layers),
        ("feed_forward_length", text.hidden),
        ("rope.dimension_count", text.width / text.heads.0),
        ("attention.head_count", text.heads.0),
        ("attention.head_count_kv", text.heads.1),
    ] {
        outline.metadata(&format!("{architecture}.{key}"), value as u32);
    }
    outline.metadata(&format!("{architecture}.rope.freq_base"), text.rope_base);
    outline.metadata(&format!("{architecture}.attention.layer_norm_rms_epsilon"), text.epsilon);
    outline.metadata("general.file_type", recipe.number).metadata("general.quantization_version", 2u32);
}

/// Writes the tokenizer and the chat template; the number of tokens.
fn vocabulary(text: &Text, outline: &mut Outline) -> usize {
    let size = text.vocabulary;
    let (vocabulary, pre, special, template) = match text.family {
        Family::SmolVlm => {
            let special = ("<|im_start|>", "<end_of_utterance>", "<|im_end|>");
            (Vocabulary::smolvlm(size), "smollm", special, Builtin::SmolVlm)
        }
        Family::Qwen2 => {
            let special = ("<|endoftext|>", "<|im_end|>", "<|endoftext|>");
            (Vocabulary::qwen2(size), "qwen2", special, Builtin::Qwen2)
        }
        Family::TinyLlama => {
            (Vocabulary::tinyllama(size), "default", ("<s>", "</s>", "</s>"), Builtin::Zephyr)
        }
        Family::Vicuna => (Vocabulary::tinyllama(size), "default", ("<s>", "</s>", "</s>"), Builtin::Vicuna),
    };
    vocabulary.describe(outline, pre, special);
    outline.metadata("tokenizer.chat_template", template.source());
    vocabulary.len()
}
