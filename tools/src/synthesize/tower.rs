//! The vision tower's file (mmproj): keys and tensors of `idefics3` and `mlp` files.
//!
//! As in published files, norms, biases and the table of positions are `F32`; the patch kernel is `F32` in SmolVLM's
//! files and `F16` in LLaVA's (but for an `F32` file).
//!
//! LLaVA's names its feature layer, the last of the 23 it stores: without the key llama.cpp leaves one more out.
//! (It is a list of `i32`, counted from 1; both engines then run 23 blocks.)

use super::file::{File, Tensor};
use super::recipe::{Recipe, Role};
use super::shapes::{Projector, Shape, Tower};
use super::weights::Spread;
use ocelli_gguf::{Outline, TensorType};

/// The tower of a shape, if it has one.
pub fn file(shape: &Shape, recipe: &'static Recipe) -> Option<File> {
    let tower = shape.tower.as_ref()?;
    let mut file = File::new(format!("mmproj-{}-{}.gguf", shape.name, recipe.name), recipe);
    keys(&mut file.outline, shape, tower, recipe);
    embedding(&mut file, tower);
    (0..tower.blocks).for_each(|i| block(&mut file, tower, i));
    projector(&mut file, tower, shape.text.width);
    Some(file)
}

/// What turns pixels into rows, and the norms at both ends.
fn embedding(file: &mut File, tower: &Tower) {
    let (width, patch) = (tower.width, tower.patch);
    let smol = tower.projector != Projector::Mlp;
    let kernel = if smol || file.recipe.base == TensorType::F32 { TensorType::F32 } else { TensorType::F16 };
    let deviation = 1.0 / ((3 * patch * patch) as f32).sqrt();
    let around_zero = |deviation| Spread { mean: 0.0, deviation };
    file.add(Tensor::new("v.patch_embd.weight", kernel, &[patch, patch, 3, width], around_zero(deviation)));
    let rows = if smol {
        file.add(Tensor::bias("v.patch_embd.bias", width));
        file.norm("v.post_ln", width);
        tower.patches()
    } else {
        file.add(Tensor::new("v.class_embd", TensorType::F32, &[width], around_zero(1.0)));
        file.norm("v.pre_ln", width);
        1 + tower.patches()
    };
    file.add(Tensor::new("v.position_embd.weight", TensorType::F32, &[width, rows], around_zero(0.7)));
}

fn block(file: &mut File, tower: &Tower, i: usize) {
    let name = |part: &str| format!("v.blk.{i}.{part}");
    let (width, hidden) = (tower.width, tower.hidden);
    file.norm(&name("ln1"), width);
    file.norm(&name("ln2"), width);
    for (part, inputs, out, gain) in [
        ("attn_q", width, width, 1.5),
        ("attn_k", width, width, 1.5),
        ("attn_v", width, width, 1.0),
        ("attn_out", width, width, 1.5),
        ("ffn_up", width, hidden, 1.0),
        ("ffn_down", hidden, width, 1.5),
    ] {
        file.matrix(&name(&format!("{part}.weight")), Role::Plain, [inputs, out], gain);
        file.add(Tensor::bias(&name(&format!("{part}.bias")), out));
    }
}

fn projector(file: &mut File, tower: &Tower, text_width: usize) {
    match tower.projector {
        Projector::Idefics3 { factor } => {
            let inputs = factor * factor * tower.width;
            file.matrix("mm.model.fc.weight", Role::Plain, [inputs, text_width], 1.0);
        }
        Projector::Mlp => {
            for (name, inputs) in [("mm.0", tower.width), ("mm.2", text_width)] {
                file.matrix(&format!("{name}.weight"), Role::Plain, [inputs, text_width], 1.0);
                file.add(Tensor::bias(&format!("{name}.bias"), text_width));
            }
        }
    }
}

fn keys(outline: &mut Outline, shape: &Shape, tower: &Tower, recipe: &Recipe) {
    outline.metadata("general.architecture", "clip").metadata("general.type", "mmproj");
    outline.metadata("general.name", format!("{} (random weights)", shape.name));
    outline.metadata("clip.has_vision_encoder", true);
    for (key, value) in [
        ("image_size", tower.image),
        ("patch_size", tower.patch),
        ("embedding_length", tower.width),
        ("feed_forward_length", tower.hidden),
        ("block_count", tower.blocks),
        ("attention.head_count", tower.heads),
        ("projection_dim", shape.text.width),
    ] {
        outline.metadata(&format!("clip.vision.{key}"), value as u32);
    }
    let half = &[0.5f32; 3];
    match tower.projector {
        Projector::Idefics3 { factor } => {
            outline.metadata("clip.projector_type", "idefics3").metadata("clip.use_gelu", true);
            outline.metadata("clip.vision.projector.scale_factor", factor as u32);
            outline.metadata("clip.vision.preproc_image_size", 4 * tower.image as u32);
            outline.metadata("clip.vision.attention.layer_norm_epsilon", 1e-6f32);
            outline.metadata("clip.vision.image_mean", half).metadata("clip.vision.image_std", half);
        }
        Projector::Mlp => {
            outline.metadata("clip.projector_type", "mlp").metadata("clip.use_gelu", false);
            outline.metadata("clip.has_llava_projector", true);
            outline.metadata("clip.vision.feature_layer", &[tower.blocks as i32]);
            outline.metadata("clip.vision.attention.layer_norm_epsilon", 1e-5f32);
            // Of CLIP's training images.
            outline.metadata("clip.vision.image_mean", &[0.48145466f32, 0.4578275, 0.40821073]);
            outline.metadata("clip.vision.image_std", &[0.26862954f32, 0.261_302_6, 0.275_777_1]);
        }
    }
    outline.metadata("general.file_type", recipe.number).metadata("general.quantization_version", 2u32);
}
