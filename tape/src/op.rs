//! The operations that models are made of, and the numbers that describe them.

use crate::value::Rows;
use crate::weight::Weight;
use alloc::vec::Vec;

/// Which nonlinearity.
///
/// ```text
/// GeluErf    x · ½(1 + erf(x/√2))                          Hendrycks and Gimpel, 2016
/// GeluTanh   x · ½(1 + tanh(√(2/π)(x + 0.044715 x³)))      their approximation
/// GeluQuick  x · σ(1.702 x)                                their other one, CLIP's
/// Silu       x · σ(x)
/// ```
///
/// The three GELUs differ by up to 2·10⁻², so a model must name the one it was trained with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Activation {
    /// y = x.
    #[default]
    None,
    /// The exact GELU.
    GeluErf,
    /// The tanh approximation.
    GeluTanh,
    /// The sigmoid approximation.
    GeluQuick,
    /// SiLU, also called swish.
    Silu,
    /// max(0, x).
    Relu,
}

/// A linear layer `W·x + b`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub w: Weight,
    /// `[out]`.
    pub b: Option<Weight>,
}

/// A layer norm, or without bias an RMS norm.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Norm {
    /// `[width]`.
    pub w: Weight,
    /// `[width]`.
    pub b: Option<Weight>,
    /// Added to the variance.
    pub epsilon: f32,
}

/// The heads of an attention.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heads {
    /// Query heads, a multiple of `kv`.
    pub count: usize,
    /// Key and value heads.
    pub kv: usize,
    /// Elements of a head.
    pub dim: usize,
}

/// Which two elements of a head form pair i of a rotation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pairing {
    /// (2i, 2i + 1): the paper, and `llama` files.
    Adjacent,
    /// (i, i + d/2): GPT-NeoX, and most others.
    Halves,
}

/// How a model rotates positions (Su et al., 2021): the angle of pair i is position · θᵢ.
#[derive(Clone, PartialEq, Debug)]
pub struct Rotary {
    /// θ, one for each of the d/2 pairs.
    pub frequencies: Vec<f32>,
    /// Other frequencies for all positions of a longer text.
    pub long: Option<Long>,
    /// What sines and cosines are multiplied by.
    pub magnitude: f32,
}

/// Frequencies of a text that is longer than this.
#[derive(Clone, PartialEq, Debug)]
pub struct Long {
    /// The longest text that has the others.
    pub beyond: usize,
    /// As many as of the others.
    pub frequencies: Vec<f32>,
}

impl Rotary {
    /// d: the elements of a head that are rotated.
    pub fn dim(&self) -> usize {
        2 * self.frequencies.len()
    }

    /// The frequencies of a text of so many positions.
    pub fn of(&self, length: usize) -> &[f32] {
        match &self.long {
            Some(long) if length > long.beyond => &long.frequencies,
            _ => &self.frequencies,
        }
    }
}

/// base^(−2i/d), in the steps in which the reference rounds.
pub fn frequencies(base: f32, dim: usize) -> Vec<f32> {
    let frequency = |i: usize| {
        let exponent = (2 * i) as f32 / dim as f32;
        1.0 / libm::pow(f64::from(base), f64::from(exponent)) as f32
    };
    (0..dim / 2).map(frequency).collect()
}

/// Where the keys and values of an attention are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keys {
    /// Rows of this call: the second and third operand.
    Rows,
    /// What a state slot holds.
    State(usize),
}

/// Which keys a query sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Visible {
    /// All of its own item.
    Item,
    /// Those at its own position and before it.
    Causal,
}

/// What a step computes. Operands are in the order in which the [`Recorder`](crate::Recorder) takes them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Op {
    /// The caller's rows.
    Input,
    /// A row for each input of the call: the table's for a token, the caller's for an image's row.
    Embed(Weight),
    /// The angles of all rows' positions: cosines, then sines. By the number of the tape's [`Rotary`].
    Angles(usize),
    /// Rotates the first `dim` elements of each head.
    Rope {
        /// Elements of a head.
        head_dim: usize,
        /// Elements that are rotated.
        dim: usize,
        /// Which belong together.
        pairing: Pairing,
    },
    /// `W·x + b`.
    Linear(Linear),
    /// A norm of each row.
    Norm {
        /// Weight, bias and ε.
        norm: Norm,
        /// Whether the mean is subtracted: a layer norm.
        center: bool,
    },
    /// `a + b`.
    Add,
    /// Row i of a table to row i of each item.
    AddTable(Weight),
    /// A nonlinearity of each number.
    Activate(Activation),
    /// `activation(gate) · up`.
    Gate(Activation),
    /// A learned row before the rows of each item.
    Prepend(Weight),
    /// Each item without its first row.
    DropFirst,
    /// Space to depth: squares of `factor` by `factor` rows become one row that holds them in raster order.
    Shuffle {
        /// Rows of an item are a square of this side.
        grid: usize,
        /// Side of the squares.
        factor: usize,
    },
    /// The last row of the call.
    Last,
    /// Keys and values of this call's rows, to a state slot. Its result has no rows.
    Remember(usize),
    /// Softmax attention.
    Attention {
        /// Its heads.
        heads: Heads,
        /// Where keys and values are.
        keys: Keys,
        /// Which a query sees.
        visible: Visible,
        /// Multiplies the scores, usually 1/√dim.
        scale: f32,
    },
}

impl Op {
    /// The weights that it reads.
    pub fn weights(&self) -> impl Iterator<Item = Weight> {
        let (first, second) = match *self {
            Op::Linear(map) => (Some(map.w), map.b),
            Op::Norm { norm, .. } => (Some(norm.w), norm.b),
            Op::Embed(w) | Op::AddTable(w) | Op::Prepend(w) => (Some(w), None),
            _ => (None, None),
        };
        first.into_iter().chain(second)
    }
}

/// Rows of one item, where there are as many for each and no others.
pub(crate) fn item_rows(rows: Rows) -> Option<usize> {
    (rows.fixed == 0).then_some(rows.per_item)
}
