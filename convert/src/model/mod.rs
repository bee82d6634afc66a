//! What is known about each architecture: tables.
//!
//! A row of [`Row`]s says where a tensor of the checkpoint goes, what its extents are by the configuration, and how it is
//! stored; `#` stands for the number of a block. A row of [`Key`]s says which entry of the configuration becomes which key
//! of the file, and what the published implementation takes where a configuration leaves it out.
//!
//! To add an architecture: a file with its tables, and a line in [`FAMILIES`] (and in [`DECODERS`] for a language model).

mod llama;
mod llava;
mod mistral;
mod qwen2;
mod smolvlm;
mod vit;

/// What the extents of tensors are, by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dim {
    /// Tokens.
    Vocabulary,
    /// A row of the model.
    Width,
    /// Inside of the feed-forward part.
    Hidden,
    /// The queries of all heads.
    Queries,
    /// The keys, or values, of all heads.
    Keys,
    /// The colours of a pixel.
    Colors,
    /// A side of a patch.
    Patch,
    /// Rows of the table of positions.
    Positions,
    /// A row of the language model.
    Text,
    /// What goes into the projector.
    Joined,
}

/// What is done to a tensor's rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// Nothing.
    Plain,
    /// Rotary pairs: the checkpoint has the halves of a head after one another (rows `i` and `i + d/2` are a pair), the file
    /// has the pairs (rows `2i` and `2i + 1`).
    Pairs,
}

/// What a tensor may be stored as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Store {
    /// As the recipe says.
    Matrix,
    /// F32 always: norms, biases, positions.
    Float,
    /// F16 in an F16 file, F32 in every other: kernels of convolutions.
    Kernel,
}

/// A tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Its name in the checkpoint, without what [`Family::names`] takes off.
    pub(crate) from: &'static str,
    /// Its name in the file.
    pub(crate) to: &'static str,
    /// Its extents, slowest first.
    pub(crate) shape: &'static [Dim],
    /// What is done to it.
    pub(crate) turn: Turn,
    /// What it is stored as.
    pub(crate) store: Store,
    /// Whether a model may lack it.
    pub(crate) optional: bool,
}

impl Row {
    /// A matrix.
    const fn matrix(from: &'static str, to: &'static str, shape: &'static [Dim]) -> Row {
        Row { from, to, shape, turn: Turn::Plain, store: Store::Matrix, optional: false }
    }

    /// A norm, a bias, positions.
    const fn float(from: &'static str, to: &'static str, shape: &'static [Dim]) -> Row {
        Row { store: Store::Float, ..Row::matrix(from, to, shape) }
    }

    /// The kernel of a convolution.
    const fn kernel(self) -> Row {
        Row { store: Store::Kernel, ..self }
    }

    /// Rows of rotary pairs.
    const fn pairs(self) -> Row {
        Row { turn: Turn::Pairs, ..self }
    }

    /// May be missing.
    const fn optional(self) -> Row {
        Row { optional: true, ..self }
    }
}

/// A value that a configuration leaves out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Absent {
    /// The key is not written.
    Nothing,
    /// The published implementation takes this.
    Number(f64),
    /// It is that of another entry.
    As(&'static str),
}

/// For [`Absent::As`]: the width over the heads.
pub(crate) const HEAD: &str = "hidden_size / num_attention_heads";

/// What kind of value a key has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A u32.
    Size,
    /// An f32.
    Float,
}

/// A hyper-parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// The key of the file, without the architecture in front.
    pub(crate) to: &'static str,
    /// The entry of the configuration.
    pub(crate) from: &'static str,
    /// The kind of value.
    pub(crate) kind: Kind,
    /// What counts where there is none.
    pub(crate) absent: Absent,
}

impl Key {
    const fn size(to: &'static str, from: &'static str, absent: Absent) -> Key {
        Key { to, from, kind: Kind::Size, absent }
    }

    const fn float(to: &'static str, from: &'static str, absent: Absent) -> Key {
        Key { to, from, kind: Kind::Float, absent }
    }
}

/// What every image processor does.
pub(crate) const PREPARED: &[Must] = &[
    Must { from: "do_resize", is: "true", what: "an image that is not resized" },
    Must { from: "do_rescale", is: "true", what: "pixels of other than 0 to 1" },
    Must { from: "rescale_factor", is: "0.00392156862745098", what: "pixels of other than 0 to 1" },
    Must { from: "do_normalize", is: "true", what: "pixels without their mean taken off" },
];

/// An entry of the configuration that must have a value, because nothing else is converted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Must {
    /// The entry.
    pub(crate) from: &'static str,
    /// Its value as JSON; an entry that is left out has it, unless it is `null`: that must be said.
    pub(crate) is: &'static str,
    /// What is not converted otherwise.
    pub(crate) what: &'static str,
}

/// A language model.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// `model_type` in the configuration.
    pub(crate) kind: &'static str,
    /// `general.architecture`.
    pub(crate) name: &'static str,
    /// Its hyper-parameters.
    pub(crate) keys: &'static [Key],
    /// Entries that have one value.
    pub(crate) musts: &'static [Must],
    /// Its tensors.
    pub(crate) tensors: &'static [Row],
    /// Sizes of vocabularies whose texts do not begin with BOS, although nothing in the checkpoint says so.
    pub(crate) without_bos: &'static [usize],
}

/// How a tower's activation is called in a configuration, and in a file: ours, and the two flags of the peer.
#[derive(Debug)]
pub(crate) struct Activation {
    /// In the configuration.
    pub(crate) from: &'static str,
    /// `clip.vision.activation`
    pub(crate) name: &'static str,
    /// `clip.use_gelu`, where the peer has a name for it.
    pub(crate) use_gelu: Option<bool>,
}

/// Every activation of a tower. The peer's `gelu` is the form with tanh, and neither flag is the quick one.
pub(crate) const ACTIVATIONS: &[Activation] = &[
    Activation { from: "gelu_pytorch_tanh", name: "gelu_tanh", use_gelu: Some(true) },
    Activation { from: "quick_gelu", name: "gelu_quick", use_gelu: Some(false) },
];

/// A vision tower and its projector.
#[derive(Debug)]
pub(crate) struct Tower {
    /// `clip.projector_type`
    pub(crate) projector: &'static str,
    /// Hyper-parameters out of `vision_config`.
    pub(crate) keys: &'static [Key],
    /// Entries of `vision_config` that have one value.
    pub(crate) musts: &'static [Must],
    /// Entries of the image processor that have one value.
    pub(crate) prepared: &'static [Must],
    /// Entries of the image processor that are the side of an image, as a number or as an object of sides.
    pub(crate) sides: &'static [&'static str],
    /// The activation where `vision_config` names none.
    pub(crate) activation: &'static str,
    /// Rows of the table of positions besides the patches: CLIP's class.
    pub(crate) classes: usize,
    /// The projector: what it takes together, and how images are prepared for it.
    pub(crate) join: Join,
    /// Its tensors, before, in and after the blocks; those of blocks that are not read are left out.
    pub(crate) tensors: &'static [&'static [Row]],
}

/// What a projector takes together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Join {
    /// Patch by patch, after block `vision_feature_layer`.
    Patches,
    /// `scale_factor`² patches as one row.
    Shuffle,
}

/// Where a configuration says `tie_word_embeddings`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ties {
    /// At its root, for the whole model.
    Root,
    /// There, or in the part of the language model.
    RootOrText,
}

/// A checkpoint.
#[derive(Debug)]
pub(crate) struct Family {
    /// `architectures` in the configuration.
    pub(crate) classes: &'static [&'static str],
    /// What its tensors' names begin with, and what stands for it in the tables; the first that fits.
    pub(crate) names: &'static [(&'static str, &'static str)],
    /// Entries of the configuration that have one value.
    pub(crate) musts: &'static [Must],
    /// Where it says whether the embedding is the output matrix too.
    pub(crate) ties: Ties,
    /// `model_type` of the language model where the configuration does not say.
    pub(crate) decoder: &'static str,
    /// Its vision tower.
    pub(crate) tower: Option<&'static Tower>,
    /// Names, as in the tables and with stars, of tensors that nothing needs.
    pub(crate) unused: &'static [&'static str],
}

/// Every language model.
pub(crate) const DECODERS: &[&Decoder] = &[&llama::LLAMA, &mistral::MISTRAL, &qwen2::QWEN2];

/// Every kind of checkpoint.
pub(crate) const FAMILIES: &[&Family] =
    &[&llama::FAMILY, &mistral::FAMILY, &qwen2::FAMILY, &llava::FAMILY, &smolvlm::FAMILY];

/// Tensors of every family that are computed anew: angles of rotary positions, masks.
pub(crate) const COMPUTED: &[&str] =
    &["*.rotary_emb.inv_freq", "*.attention.masked_bias", "*.attention.bias"];
