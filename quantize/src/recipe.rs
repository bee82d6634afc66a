//! Which tensor is stored how.
//!
//! A recipe is a format for most matrices and, for a *mix*, what the delicate ones get instead: the values' projection, the
//! last map of the feed-forward part, the attention's output, and the output matrix (or the embedding table where it is
//! both). These are the choices of llama.cpp's quantizer, so a file has the distribution that its name promises everywhere:
//!
//! | | values (i of n) | last of feed-forward (i of n) | attention output |
//! |---|---|---|---|
//! | `Q2_K` | `Q3_K`, `Q4_K` where heads share keys by 4 or more | `Q3_K` | `Q3_K` |
//! | `Q3_K_M` | `Q5_K` if i < 2, else `Q4_K` | `Q5_K` if i < n/16, else `Q4_K` | `Q4_K` |
//! | `Q3_K_L` | `Q5_K` | `Q5_K` | `Q5_K` |
//! | `Q4_K_S` | `Q5_K` if i < 4 | `Q5_K` if i < n/8 | |
//! | `Q4_K_M`, `Q5_K_M` | `Q6_K` where [`more_bits`] | `Q6_K` where [`more_bits`] | |
//! | `IQ4_NL`, `IQ4_XS` | `Q5_K` where heads share keys by 4 or more | `Q5_K` if i < n/8, without importance | |
//! | `Q4_0`, `Q5_0` | | with importance `Q4_1`, `Q5_1` if i < n/8 | |
//!
//! The output matrix of a quantized file is `Q6_K`, and `Q8_0` in a `Q8_0` file or where its rows do not fit. With eight
//! experts, values and keys are `Q8_0` and the attention's output at least `Q5_K`. In a llama of 80 layers with shared keys,
//! values of `Q3_K` and `Q4_K` become `Q5_K`. Norms, biases, positions, patch embeddings and other small things are kept.
//!
//! Rows that are no whole number of blocks [fall back](fitting). Not covered: what that quantizer does for Falcon and GLM-5. No
//! type here needs importance (of that quantizer's, those below three bits do).

use ocelli_gguf::{Error, Gguf, TensorInfo, TensorType};

use TensorType::{
    BF16, F16, F32, IQ4_NL, IQ4_XS, Q2_K, Q3_K, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0,
};

/// A type of file.
#[derive(Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Its name.
    pub name: &'static str,
    /// What most matrices are stored as.
    pub base: TensorType,
    /// `general.file_type`.
    pub number: u32,
}

/// Every recipe.
pub const RECIPES: &[Recipe] = &[
    Recipe { name: "F32", base: F32, number: 0 },
    Recipe { name: "F16", base: F16, number: 1 },
    Recipe { name: "BF16", base: BF16, number: 32 },
    Recipe { name: "Q8_0", base: Q8_0, number: 7 },
    Recipe { name: "Q4_0", base: Q4_0, number: 2 },
    Recipe { name: "Q4_1", base: Q4_1, number: 3 },
    Recipe { name: "Q5_0", base: Q5_0, number: 8 },
    Recipe { name: "Q5_1", base: Q5_1, number: 9 },
    Recipe { name: "Q2_K", base: Q2_K, number: 10 },
    Recipe { name: "Q3_K_S", base: Q3_K, number: 11 },
    Recipe { name: "Q3_K_M", base: Q3_K, number: 12 },
    Recipe { name: "Q3_K_L", base: Q3_K, number: 13 },
    Recipe { name: "Q4_K_S", base: Q4_K, number: 14 },
    Recipe { name: "Q4_K_M", base: Q4_K, number: 15 },
    Recipe { name: "Q5_K_S", base: Q5_K, number: 16 },
    Recipe { name: "Q5_K_M", base: Q5_K, number: 17 },
    Recipe { name: "Q6_K", base: Q6_K, number: 18 },
    Recipe { name: "IQ4_NL", base: IQ4_NL, number: 25 },
    Recipe { name: "IQ4_XS", base: IQ4_XS, number: 30 },
];

impl Recipe {
    /// The recipe of a name, in capitals or not.
    pub fn named(name: &str) -> Option<&'static Recipe> {
        RECIPES.iter().find(|recipe| recipe.name.eq_ignore_ascii_case(name))
    }

    /// Whether weights are stored in blocks.
    pub fn is_quantized(&self) -> bool {
        self.base.block_len() > 1
    }
}

/// The layers whose delicate maps a mix stores with more bits: the first and the last eighth, and every third between.
pub fn more_bits(layer: usize, of: usize) -> bool {
    let eighth = of / 8;
    layer < eighth || layer >= 7 * of / 8 || (layer - eighth) % 3 == 2
}

/// What rows of this length are stored as where `wanted` is: a format with blocks of 32 of about as many bits or more, and
/// `F16` where not even those fit.
pub fn fitting(wanted: TensorType, row: usize) -> TensorType {
    let fits = |kind: &TensorType| row.is_multiple_of(kind.block_len());
    [wanted, smaller_blocks(wanted)].into_iter().find(fits).unwrap_or(F16)
}

/// The same, for rows that may be padded: where no block fits, what takes fewer bytes with its padding.
pub fn fitting_padded(wanted: TensorType, row: usize) -> TensorType {
    let bytes = |kind: &TensorType| kind.bytes_of(row.next_multiple_of(kind.block_len()));
    match fitting(wanted, row) {
        F16 => [wanted, smaller_blocks(wanted)].into_iter().min_by_key(bytes).unwrap_or(F16),
        fits => fits,
    }
}

/// A format with blocks of 32 of about as many bits or more.
fn smaller_blocks(wanted: TensorType) -> TensorType {
    match wanted {
        Q2_K | Q3_K => Q4_0,
        Q4_K => Q5_0,
        Q5_K => Q5_1,
        Q6_K => Q8_0,
        IQ4_XS => IQ4_NL,
        kind => kind,
    }
}

/// What a matrix is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Output,
    Table,
    Values,
    Keys,
    AttentionOutput,
    Down,
    Other,
}

impl Part {
    fn of(name: &str) -> Part {
        match name {
            "output.weight" => Part::Output,
            "token_embd.weight" | "per_layer_token_embd.weight" => Part::Table,
            _ if ["attn_qkv.weight", "attn_kv_b.weight", "attn_v.weight"]
                .iter()
                .any(|n| name.contains(n)) =>
            {
                Part::Values
            }
            _ if name.contains("attn_k.weight") => Part::Keys,
            _ if name.contains("attn_output.weight") => Part::AttentionOutput,
            _ if name.contains("ffn_down") => Part::Down,
            _ => Part::Other,
        }
    }
}

/// Parts of names of matrices that are kept as they are: small ones that much depends on.
const KEPT: &[&str] = &[
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
    "time_mix_first.weight",
    "time_mix_w0.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a0.weight",
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
    "attn_rel_b.weight",
    ".position_embd",
    "sam.pos_embd",
    "sam.neck.",
    "sam.net_",
    ".rel_pos",
    ".patch_embd",
    ".patch_merger",
    "a.rvq.codebook",
    "mm.a.code_embd",
];

/// A tensor of a file that is there, or that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Described<'a> {
    /// Its name in the file.
    pub name: &'a str,
    /// Its extents, fastest first.
    pub dims: &'a [usize],
}

impl<'a> From<&'a TensorInfo<'_>> for Described<'a> {
    fn from(tensor: &'a TensorInfo<'_>) -> Self {
        Described { name: tensor.name, dims: tensor.dims() }
    }
}

impl Described<'_> {
    fn row_len(&self) -> usize {
        self.dims.first().copied().unwrap_or(1)
    }
}

/// Whether a recipe is meant for this tensor: a matrix of weights, but none of those that are small and much depends on.
pub fn applies(tensor: &Described<'_>) -> bool {
    let is_matrix = tensor.dims.iter().skip(1).any(|extent| *extent > 1);
    let name = tensor.name;
    let kept = matches!(name, "position_embd.weight" | "token_types.weight");
    is_matrix && name.ends_with("weight") && !kept && !KEPT.iter().any(|part| name.contains(part))
}

/// Whether rows of this tensor may be padded: those of linear maps. A table is not multiplied but looked up, and its rows are
/// taken as they are.
pub(crate) fn may_be_padded(tensor: &Described<'_>) -> bool {
    applies(tensor) && Part::of(tensor.name) != Part::Table
}

/// What a model says about itself that choices depend on.
#[derive(Clone, Copy, Debug, Default)]
struct Shape {
    layers: usize,
    heads: usize,
    keys: usize,
    experts: usize,
    llama: bool,
}

impl Shape {
    /// A vision tower has none of it.
    fn of(file: &Gguf<'_>) -> Result<Shape, Error> {
        let name: &str = file.optional("general.architecture")?.unwrap_or("clip");
        if name == "clip" {
            return Ok(Shape::default());
        }
        let number = |key: &str| -> Result<Option<usize>, Error> {
            // Numbers that a file gives per layer are those of its first here.
            let key = format!("{name}.{key}");
            match file.get(&key) {
                Some(ocelli_gguf::Value::Array(_)) => {
                    let list: ocelli_gguf::List<'_, u32> = file.require(&key)?;
                    Ok(list.iter().next().map(|first| first as usize))
                }
                _ => Ok(file.optional::<u32>(&key)?.map(|n| n as usize)),
            }
        };
        let heads = number("attention.head_count")?.unwrap_or(0);
        Ok(Shape {
            layers: number("block_count")?.unwrap_or(0),
            heads,
            keys: number("attention.head_count_kv")?.unwrap_or(heads),
            experts: number("expert_count")?.unwrap_or(0),
            llama: name == "llama",
        })
    }

    /// Whether four or more heads share their keys.
    fn shared(&self) -> bool {
        self.keys > 0 && self.heads / self.keys >= 4
    }
}

/// The layer that a name begins with.
fn layer(name: &str) -> Option<usize> {
    name.strip_prefix("blk.")?.split_once('.')?.0.parse().ok()
}

/// Chooses for one model, tensor by tensor.
struct Chooser<'r> {
    recipe: &'r Recipe,
    shape: Shape,
    importance: bool,
    tied: bool,
    /// How many matrices of values there are.
    values: usize,
    /// How many of them, and of the last maps of feed-forward parts, have been seen.
    seen_values: usize,
    seen_down: usize,
}

impl Chooser<'_> {
    fn choose(&mut self, tensor: &Described<'_>) -> TensorType {
        let base = self.recipe.base;
        match Part::of(tensor.name) {
            Part::Output => self.output(tensor),
            Part::Table if self.tied => self.output(tensor),
            Part::Values => self.values(),
            Part::Keys if self.shape.experts == 8 => Q8_0,
            Part::Down => self.down(tensor.name),
            Part::AttentionOutput => self.attention_output(),
            _ => base,
        }
    }

    fn output(&self, tensor: &Described<'_>) -> TensorType {
        let base = self.recipe.base;
        let fits = tensor.row_len().is_multiple_of(base.block_len());
        if base == Q8_0 || !fits { Q8_0 } else { Q6_K }
    }

    fn values(&mut self) -> TensorType {
        let (i, shape) = (self.seen_values, &self.shape);
        self.seen_values += 1;
        let kind = match self.recipe.name {
            "Q2_K" if shape.shared() => Q4_K,
            "Q2_K" => Q3_K,
            "Q3_K_M" if i < 2 => Q5_K,
            "Q3_K_M" => Q4_K,
            "Q3_K_L" => Q5_K,
            "Q4_K_S" if i < 4 => Q5_K,
            "Q4_K_M" | "Q5_K_M" if more_bits(i, self.values) => Q6_K,
            "IQ4_NL" | "IQ4_XS" if shape.shared() => Q5_K,
            _ => self.recipe.base,
        };
        match kind {
            _ if shape.experts == 8 => Q8_0,
            Q3_K | Q4_K if shape.llama && shape.layers == 80 && shape.heads != shape.keys => Q5_K,
            kind => kind,
        }
    }

    fn down(&mut self, name: &str) -> TensorType {
        // Experts may lie in a file in any order: theirs is the layer in the name.
        let i = if self.shape.experts > 1 { layer(name).unwrap_or(0) } else { self.seen_down };
        let n = self.shape.layers;
        self.seen_down += 1;
        match self.recipe.name {
            "Q2_K" => Q3_K,
            "Q3_K_M" if i < n / 16 => Q5_K,
            "Q3_K_M" => Q4_K,
            "Q3_K_L" => Q5_K,
            "Q4_K_S" if i < n / 8 => Q5_K,
            "IQ4_NL" | "IQ4_XS" if i < n / 8 && !self.importance => Q5_K,
            "Q4_0" if i < n / 8 && self.importance => Q4_1,
            "Q5_0" if i < n / 8 && self.importance => Q5_1,
            "Q4_K_M" | "Q5_K_M" if more_bits(i, n) => Q6_K,
            _ => self.recipe.base,
        }
    }

    fn attention_output(&self) -> TensorType {
        let base = self.recipe.base;
        match self.recipe.name {
            "Q3_K_L" if self.shape.experts == 8 => base,
            "Q5_K_S" | "Q5_K_M" | "Q6_K" => base,
            _ if self.shape.experts == 8 && base.block_len() == 256 => Q5_K,
            "IQ4_NL" if self.shape.experts == 8 => Q5_K,
            "Q2_K" => Q3_K,
            "Q3_K_M" => Q4_K,
            "Q3_K_L" => Q5_K,
            _ => base,
        }
    }
}

/// How a mix is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mixing {
    /// Without its exceptions.
    pub pure: bool,
    /// With importance, which changes some of them.
    pub importance: bool,
}

/// What each tensor would be stored as if rows had any length; `None` for those that are kept. `file` has the metadata.
///
/// # Errors
/// A key of the metadata is of the wrong type.
pub fn wanted(
    file: &Gguf<'_>,
    tensors: &[Described<'_>],
    recipe: &Recipe,
    how: Mixing,
) -> Result<Vec<Option<TensorType>>, Error> {
    let count = |part: Part| tensors.iter().filter(|tensor| Part::of(tensor.name) == part).count();
    let mut chooser = Chooser {
        recipe,
        shape: Shape::of(file)?,
        importance: how.importance,
        tied: count(Part::Output) == 0,
        values: count(Part::Values),
        seen_values: 0,
        seen_down: 0,
    };
    // Layers are counted in their order; what has no `blk.` in front (a tower's) in that of the names, as the peer does.
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|i| tensors.get(*i).map(|tensor| (layer(tensor.name), tensor.name)));
    let mut out = vec![None; tensors.len()];
    for i in order {
        if let (Some(tensor), Some(out)) = (tensors.get(i), out.get_mut(i))
            && applies(tensor)
        {
            let mix = recipe.is_quantized() && !how.pure;
            *out = Some(if mix { chooser.choose(tensor) } else { recipe.base });
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
