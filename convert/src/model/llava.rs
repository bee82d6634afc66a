//! LLaVA-1.5 (Liu et al., 2024): CLIP's tower up to a layer, and a projector of two linear maps.
//!
//! Blocks behind `vision_feature_layer`, and CLIP's last norm, are not read and are left out. The first map of a block's
//! feed-forward part is `ffn_up`: files of the old scripts have the two the wrong way round.

use super::{Absent, Dim, Family, Join, Key, Must, Row, Ties, Tower, vit};
use Dim::{Colors, Patch, Positions, Text, Width};

pub(super) const FAMILY: Family = Family {
    classes: &["LlavaForConditionalGeneration"],
    names: &[
        // As on the hub, and as transformers 5 writes it.
        ("language_model.model.", ""),
        ("language_model.lm_head.", "lm_head."),
        ("model.language_model.", ""),
        ("lm_head.", "lm_head."),
        ("vision_tower.vision_model.", "v."),
        ("vision_tower.", "v."),
        ("model.vision_tower.vision_model.", "v."),
        ("model.vision_tower.", "v."),
        ("multi_modal_projector.", "mm."),
        ("model.multi_modal_projector.", "mm."),
    ],
    musts: &[
        Must {
            from: "vision_feature_select_strategy",
            is: "\"default\"",
            what: "a tower whose class is a token of the image",
        },
        Must {
            from: "projector_hidden_act",
            is: "\"gelu\"",
            what: "a projector with another activation than GELU",
        },
    ],
    ties: Ties::RootOrText,
    decoder: "llama",
    tower: Some(&TOWER),
    unused: &["v.embeddings.position_ids", "v.post_layernorm.*"],
};

const TOWER: Tower = Tower {
    projector: "mlp",
    keys: &[
        Key::size("image_size", "image_size", Absent::Number(224.0)),
        Key::size("patch_size", "patch_size", Absent::Number(32.0)),
        Key::size("embedding_length", "hidden_size", Absent::Number(768.0)),
        Key::size("feed_forward_length", "intermediate_size", Absent::Number(3072.0)),
        Key::size("block_count", "num_hidden_layers", Absent::Number(12.0)),
        Key::size("attention.head_count", "num_attention_heads", Absent::Number(12.0)),
        Key::float("attention.layer_norm_epsilon", "layer_norm_eps", Absent::Number(1e-5)),
    ],
    musts: &[
        Must { from: "model_type", is: "\"clip_vision_model\"", what: "another tower than CLIP's" },
        Must { from: "num_channels", is: "3", what: "an image of other than three colours" },
    ],
    prepared: &[Must {
        from: "resample",
        is: "3",
        what: "an image that is resized by another filter than the bicubic",
    }],
    sides: &["size", "crop_size"],
    activation: "quick_gelu",
    classes: 1,
    join: Join::Patches,
    tensors: &[
        &[
            Row::float("v.embeddings.class_embedding", "v.class_embd", &[Width]),
            Row::matrix(
                "v.embeddings.patch_embedding.weight",
                "v.patch_embd.weight",
                &[Width, Colors, Patch, Patch],
            )
            .kernel(),
            Row::float(
                "v.embeddings.position_embedding.weight",
                "v.position_embd.weight",
                &[Positions, Width],
            ),
            Row::float("v.pre_layrnorm.weight", "v.pre_ln.weight", &[Width]),
            Row::float("v.pre_layrnorm.bias", "v.pre_ln.bias", &[Width]),
        ],
        vit::BLOCK,
        &[
            Row::matrix("mm.linear_1.weight", "mm.0.weight", &[Text, Width]),
            Row::float("mm.linear_1.bias", "mm.0.bias", &[Text]),
            Row::matrix("mm.linear_2.weight", "mm.2.weight", &[Text, Text]),
            Row::float("mm.linear_2.bias", "mm.2.bias", &[Text]),
        ],
    ],
};
