//! SmolVLM (Marafioti et al., 2025) and Idefics3 (Laurençon et al., 2024): SigLIP's tower and one linear map over
//! shuffled patches.
//!
//! What a configuration leaves out is as in `Idefics3VisionConfig` and `SmolVLMVisionConfig` of transformers, the norms'
//! epsilon among it: 1e-6, where the peer's converter takes 1e-5.

use super::{Absent, Dim, Family, Join, Key, Must, Row, Ties, Tower, vit};
use Dim::{Colors, Joined, Patch, Positions, Text, Width};

pub(super) const FAMILY: Family = Family {
    classes: &["SmolVLMForConditionalGeneration", "Idefics3ForConditionalGeneration"],
    names: &[
        ("model.text_model.", ""),
        ("model.vision_model.", "v."),
        ("model.connector.", "mm."),
        ("lm_head.", "lm_head."),
    ],
    musts: &[],
    ties: Ties::Root,
    decoder: "llama",
    tower: Some(&TOWER),
    unused: &["v.embeddings.position_ids"],
};

const TOWER: Tower = Tower {
    projector: "idefics3",
    keys: &[
        Key::size("image_size", "image_size", Absent::Number(224.0)),
        Key::size("patch_size", "patch_size", Absent::Number(32.0)),
        Key::size("embedding_length", "hidden_size", Absent::Number(1152.0)),
        Key::size("feed_forward_length", "intermediate_size", Absent::Number(3072.0)),
        Key::size("block_count", "num_hidden_layers", Absent::Number(12.0)),
        Key::size("attention.head_count", "num_attention_heads", Absent::Number(16.0)),
        Key::float("attention.layer_norm_epsilon", "layer_norm_eps", Absent::Number(1e-6)),
    ],
    musts: &[Must { from: "num_channels", is: "3", what: "an image of other than three colours" }],
    prepared: &[
        Must { from: "resample", is: "1", what: "an image that is resized by another filter than Lanczos'" },
        Must { from: "do_image_splitting", is: "true", what: "an image that is not split" },
    ],
    sides: &["max_image_size"],
    activation: "gelu_pytorch_tanh",
    classes: 0,
    join: Join::Shuffle,
    tensors: &[
        &[
            // The peer keeps everything of this model's embeddings in F32, the kernel too.
            Row::float(
                "v.embeddings.patch_embedding.weight",
                "v.patch_embd.weight",
                &[Width, Colors, Patch, Patch],
            ),
            Row::float("v.embeddings.patch_embedding.bias", "v.patch_embd.bias", &[Width]),
            Row::float(
                "v.embeddings.position_embedding.weight",
                "v.position_embd.weight",
                &[Positions, Width],
            ),
        ],
        vit::BLOCK,
        &[
            Row::float("v.post_layernorm.weight", "v.post_ln.weight", &[Width]),
            Row::float("v.post_layernorm.bias", "v.post_ln.bias", &[Width]),
            Row::matrix("mm.modality_projection.proj.weight", "mm.model.fc.weight", &[Text, Joined]),
        ],
    ],
};
