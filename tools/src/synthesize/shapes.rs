//! The models whose layout can be had: one row each.
//!
//! Numbers are those of the published configurations; SmolVLM's 2.2B has the vocabulary of its second version.

/// A language model, and a vision tower where there is one.
#[derive(Debug)]
pub struct Shape {
    /// What it is called on the command line and in file names.
    pub name: &'static str,
    /// The language model.
    pub text: Text,
    /// The vision tower.
    pub tower: Option<Tower>,
}

/// A decoder.
#[derive(Debug)]
pub struct Text {
    /// Its family.
    pub family: Family,
    /// Tokens, and rows of the embedding table.
    pub vocabulary: usize,
    /// Width of a row.
    pub width: usize,
    /// Width inside the feed-forward part.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Attention heads, and those of keys and values.
    pub heads: (usize, usize),
    /// Base of the rotary embedding.
    pub rope_base: f32,
    /// ε of the norms.
    pub epsilon: f32,
    /// Positions it was trained for.
    pub context: usize,
}

/// What decides a decoder's architecture, tokenizer and chat template.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// LLaMA with SmolLM's byte-level tokenizer and SmolVLM's image tokens.
    SmolVlm,
    /// LLaMA with its SentencePiece tokenizer, speaking as TinyLlama does.
    TinyLlama,
    /// The same, speaking as Vicuna does.
    Vicuna,
    /// Qwen2: biases, one table for both ends.
    Qwen2,
}

/// A vision transformer and its projector.
#[derive(Debug)]
pub struct Tower {
    /// What leads from it to the language model.
    pub projector: Projector,
    /// Width of a row.
    pub width: usize,
    /// Width inside the feed-forward part.
    pub hidden: usize,
    /// Blocks.
    pub blocks: usize,
    /// Attention heads.
    pub heads: usize,
    /// Side of a view in pixels.
    pub image: usize,
    /// Side of a patch in pixels.
    pub patch: usize,
}

/// What leads from a tower to a language model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Projector {
    /// SigLIP, a shuffle of neighbouring patches by this factor, one linear map; images in tiles, four to an edge.
    Idefics3 {
        /// Patches along the side of a square that becomes one row.
        factor: usize,
    },
    /// CLIP without its last block, two linear maps.
    Mlp,
}

impl Tower {
    /// Patches of a view.
    pub fn patches(&self) -> usize {
        (self.image / self.patch).pow(2)
    }
}

/// SigLIP-B/16 at 512 pixels, of the two small SmolVLMs.
const SIGLIP_B: Tower = Tower {
    projector: Projector::Idefics3 { factor: 4 },
    width: 768,
    hidden: 3072,
    blocks: 12,
    heads: 12,
    image: 512,
    patch: 16,
};

/// TinyLlama-1.1B.
const TINYLLAMA: Text = Text {
    family: Family::TinyLlama,
    vocabulary: 32_000,
    width: 2048,
    hidden: 5632,
    layers: 22,
    heads: (32, 4),
    rope_base: 10_000.0,
    epsilon: 1e-5,
    context: 2048,
};

/// SmolVLM's language model: everything but its size.
const SMOLLM2: Text = Text {
    family: Family::SmolVlm,
    vocabulary: 49_280,
    width: 0,
    hidden: 0,
    layers: 0,
    heads: (0, 0),
    rope_base: 100_000.0,
    epsilon: 1e-5,
    context: 8192,
};

/// Every shape.
pub const SHAPES: &[Shape] = &[
    Shape {
        name: "smolvlm-256m",
        text: Text { width: 576, hidden: 1536, layers: 30, heads: (9, 3), ..SMOLLM2 },
        tower: Some(SIGLIP_B),
    },
    Shape {
        name: "smolvlm-500m",
        text: Text { width: 960, hidden: 2560, layers: 32, heads: (15, 5), ..SMOLLM2 },
        tower: Some(SIGLIP_B),
    },
    Shape {
        name: "smolvlm-2.2b",
        text: Text {
            width: 2048,
            hidden: 8192,
            layers: 24,
            heads: (32, 32),
            rope_base: 273_768.0,
            ..SMOLLM2
        },
        tower: Some(Tower {
            projector: Projector::Idefics3 { factor: 3 },
            width: 1152,
            hidden: 4304,
            blocks: 27,
            heads: 16,
            image: 384,
            patch: 14,
        }),
    },
    Shape {
        name: "llava-1.5-1.1b",
        text: Text { family: Family::Vicuna, ..TINYLLAMA },
        // CLIP ViT-L/14 at 336 pixels, as published files store it: 23 of its 24 blocks.
        tower: Some(Tower {
            projector: Projector::Mlp,
            width: 1024,
            hidden: 4096,
            blocks: 23,
            heads: 16,
            image: 336,
            patch: 14,
        }),
    },
    Shape { name: "tinyllama-1.1b", text: TINYLLAMA, tower: None },
    Shape {
        name: "qwen2-0.5b",
        text: Text {
            family: Family::Qwen2,
            vocabulary: 151_936,
            width: 896,
            hidden: 4864,
            layers: 24,
            heads: (14, 2),
            rope_base: 1_000_000.0,
            epsilon: 1e-6,
            context: 32_768,
        },
        tower: None,
    },
    // SmolVLM in miniature: rows of whole blocks of 256, four tokens a view.
    Shape {
        name: "tiny",
        text: Text {
            vocabulary: 1024,
            width: 256,
            hidden: 512,
            layers: 2,
            heads: (4, 2),
            context: 2048,
            ..SMOLLM2
        },
        tower: Some(Tower {
            projector: Projector::Idefics3 { factor: 2 },
            width: 256,
            hidden: 512,
            blocks: 2,
            heads: 4,
            image: 64,
            patch: 16,
        }),
    },
];
