//! The vision transformer's block (Dosovitskiy et al., 2021), as every tower here uses it.
//!
//! ```text
//! x += W_o · attention(W_q n, W_k n, W_v n)     n = ln1(x)     every patch of a view sees all of that view
//! x += W_down · act(W_up n)                     n = ln2(x)
//! ```

use crate::account::HELD;
use crate::source::number;
use crate::{Error, Source};
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;
use ocelli_tape::{Activation, Heads, Linear, Norm, Recorder, Value};

/// Numbers of a tower.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Width of a row.
    pub width: usize,
    /// Width inside the feed-forward part.
    pub hidden: usize,
    /// Stored blocks.
    pub blocks: usize,
    /// Attention heads.
    pub heads: Heads,
    /// ε of the norms.
    pub epsilon: f32,
    /// Side of a view in pixels.
    pub image: usize,
    /// Side of a patch in pixels.
    pub patch: usize,
    /// The nonlinearity.
    pub activation: Activation,
}

impl Shape {
    /// Reads `clip.vision.*`.
    ///
    /// # Errors
    /// A number is missing or makes no sense.
    pub fn read(source: &Source<'_>) -> Result<Shape, Error> {
        let size = |k: &str| source.size(&format!("clip.vision.{k}"));
        let (width, count) = (size("embedding_length")?, size("attention.head_count")?);
        if !width.is_multiple_of(count) {
            return Err(number(
                "clip.vision.attention.head_count",
                count as f64,
                "a divisor of embedding_length",
            ));
        }
        let held = [("attention.head_count_kv", count), ("attention.head_dim", width / count)];
        for (key, expected) in held.into_iter().take(if HELD { 2 } else { 0 }) {
            let key = format!("clip.vision.{key}");
            let found = source.size_or(&key, Some(expected))?;
            if found != expected {
                return Err(number(&key, found as f64, "as head_count and embedding_length say"));
            }
        }
        let (image, patch) = (size("image_size")?, size("patch_size")?);
        if image > 8192 {
            return Err(number("clip.vision.image_size", image as f64, "at most 8192"));
        }
        if patch > image {
            return Err(number("clip.vision.patch_size", patch as f64, "at most image_size"));
        }
        Ok(Shape {
            width,
            hidden: size("feed_forward_length")?,
            blocks: size("block_count")?,
            heads: Heads { count, kv: count, dim: width / count },
            epsilon: source.positive("clip.vision.attention.layer_norm_epsilon", None)?,
            image,
            patch,
            activation: activation(source)?,
        })
    }

    /// Patches along a side of a view.
    pub fn grid(&self) -> usize {
        self.image / self.patch
    }

    /// Patches of a view.
    pub fn patches(&self) -> usize {
        self.grid() * self.grid()
    }

    /// Values of a patch: three colours.
    pub fn pixels(&self) -> usize {
        3 * self.patch * self.patch
    }
}

/// The nonlinearity: our own key by name, else the two flags of llama.cpp's files. Those have no word for the exact GELU
/// and for ReLU, so a file that names one of these may have any.
fn activation(source: &Source<'_>) -> Result<Activation, Error> {
    let flag = |key: &str| source.file().optional::<bool>(key);
    let flags = (flag("clip.use_gelu")?, flag("clip.use_silu")?);
    let flagged = match (flags.0.unwrap_or(false), flags.1.unwrap_or(false)) {
        (true, true) => {
            let found = "clip.use_gelu, clip.use_silu".into();
            return Err(Error::Unsupported { what: "two activations", found });
        }
        (true, false) => Activation::GeluTanh,
        (false, true) => Activation::Silu,
        (false, false) => Activation::GeluQuick,
    };
    let Some(name) = source.file().optional::<&str>("clip.vision.activation")? else { return Ok(flagged) };
    let named = match name {
        "gelu_erf" => Activation::GeluErf,
        "gelu_tanh" => Activation::GeluTanh,
        "gelu_quick" => Activation::GeluQuick,
        "silu" => Activation::Silu,
        "relu" => Activation::Relu,
        _ => return Err(Error::Unsupported { what: "clip.vision.activation", found: name.into() }),
    };
    let nameless = matches!(named, Activation::GeluErf | Activation::Relu);
    if named != flagged && !nameless && flags != (None, None) {
        let found = format!("clip.vision.activation is {name}, clip.use_gelu and clip.use_silu say another");
        return Err(Error::Unsupported { what: "two activations", found });
    }
    Ok(named)
}

/// One block.
#[derive(Debug)]
pub struct Block {
    /// `[width]`
    ln1: Norm,
    /// `[width, width]`
    q: Linear,
    /// `[width, width]`
    k: Linear,
    /// `[width, width]`
    v: Linear,
    /// `[width, width]`
    o: Linear,
    /// `[width]`
    ln2: Norm,
    /// `[hidden, width]`
    up: Linear,
    /// `[width, hidden]`
    down: Linear,
}

/// Reads blocks `v.blk.0` and following, those of these numbers.
///
/// # Errors
/// A tensor is missing or does not fit.
pub fn blocks(source: &Source<'_>, shape: &Shape, numbers: Range<usize>) -> Result<Vec<Block>, Error> {
    let Shape { width, hidden, epsilon, .. } = *shape;
    let block = |i: usize| {
        let name = |part: &str| format!("v.blk.{i}.{part}");
        // Older converters called the first map of the feed-forward part `ffn_down`; its inputs give it away.
        let swapped = hidden != width && source.row_len(&name("ffn_up.weight"))? == Some(hidden);
        let (up, down) = if swapped { ("ffn_down", "ffn_up") } else { ("ffn_up", "ffn_down") };
        Ok(Block {
            ln1: source.norm(&name("ln1"), width, epsilon)?,
            q: source.linear(&name("attn_q"), width, width)?,
            k: source.linear(&name("attn_k"), width, width)?,
            v: source.linear(&name("attn_v"), width, width)?,
            o: source.linear(&name("attn_out"), width, width)?,
            ln2: source.norm(&name("ln2"), width, epsilon)?,
            up: source.linear(&name(up), hidden, width)?,
            down: source.linear(&name(down), width, hidden)?,
        })
    };
    numbers.map(block).collect()
}

impl Block {
    /// Records the block.
    #[track_caller]
    pub fn record(&self, g: &mut Recorder, x: Value, shape: &Shape) -> Value {
        let n = g.layer_norm(x, &self.ln1);
        let (q, k, v) = (g.linear(n, &self.q), g.linear(n, &self.k), g.linear(n, &self.v));
        let scale = 1.0 / libm::sqrtf(shape.heads.dim as f32);
        let a = g.attention(q, k, v, shape.heads, scale);
        let a = g.linear(a, &self.o);
        let x = g.add(x, a);

        let n = g.layer_norm(x, &self.ln2);
        let h = g.linear(n, &self.up);
        let h = g.activate(h, shape.activation);
        let h = g.linear(h, &self.down);
        g.add(x, h)
    }
}
