//! LLaMA (Touvron et al., 2023): the decoder of SmolLM, TinyLlama, Vicuna and many others.
//!
//! ```text
//! x  = E[tokens]
//! x += W_o · attention(rope(W_q n), rope(W_k n), W_v n)      n = rms(x)     causal, queries may share keys
//! x += W_down · (silu(W_gate n) ∘ W_up n)                    n = rms(x)
//! logits = W_out · rms(x)                                    of the last row; W_out = E where the file ties them
//! ```
//!
//! In `llama` files the rows of `W_q` and `W_k` are permuted, so that rotated pairs are adjacent.

use crate::account::HELD;
use crate::source::number;
use crate::{Decoder, Error, Source, rope};
use alloc::format;
use alloc::vec::Vec;
use ocelli_tape::{
    Activation, Heads, Linear, Norm, Pairing, Recorder, Rotary, State, Tape, TapeError, Weight,
};

/// One layer of the decoder.
#[derive(Debug)]
struct Layer {
    /// `[width]`
    attention_norm: Norm,
    /// `[heads · dim, width]`
    q: Linear,
    /// `[kv heads · dim, width]`
    k: Linear,
    /// `[kv heads · dim, width]`
    v: Linear,
    /// `[width, heads · dim]`
    o: Linear,
    /// `[width]`
    feed_forward_norm: Norm,
    /// `[hidden, width]`
    gate: Linear,
    /// `[hidden, width]`
    up: Linear,
    /// `[width, hidden]`
    down: Linear,
}

/// A decoder of LLaMA's shape; which elements of a head rotate together is the family's choice.
#[derive(Debug)]
pub struct Llama {
    /// E: `[vocabulary, width]`
    embedding: Weight,
    layers: Vec<Layer>,
    /// `[width]`
    norm: Norm,
    /// `[vocabulary, width]`
    output: Linear,
    heads: Heads,
    context: usize,
    rotary: Rotary,
    pairing: Pairing,
}

impl Llama {
    /// Reads a `llama` file.
    ///
    /// # Errors
    /// What the file says of itself does not fit together or is not supported.
    pub fn read(source: &Source<'_>) -> Result<Llama, Error> {
        Llama::family(source, "llama", Pairing::Adjacent)
    }

    /// Reads a decoder of this shape under another name.
    pub(crate) fn family(source: &Source<'_>, name: &str, pairing: Pairing) -> Result<Llama, Error> {
        let key = |k: &str| format!("{name}.{k}");
        let width = source.size(&key("embedding_length"))?;
        let hidden = source.size(&key("feed_forward_length"))?;
        let vocabulary = source.rows("token_embd.weight")?;
        let epsilon = source.positive(&key("attention.layer_norm_rms_epsilon"), None)?;
        let heads = heads(source, name, width)?;
        let blocks = source.size(&key("block_count"))?;
        let context = source.size(&key("context_length"))?;
        if HELD {
            check(source, name, vocabulary, pairing)?;
        }
        let layer = |i: usize| {
            let name = |part: &str| format!("blk.{i}.{part}");
            let (queries, keys) = (heads.count * heads.dim, heads.kv * heads.dim);
            Ok(Layer {
                attention_norm: source.norm(&name("attn_norm"), width, epsilon)?,
                q: source.linear(&name("attn_q"), queries, width)?,
                k: source.linear(&name("attn_k"), keys, width)?,
                v: source.linear(&name("attn_v"), keys, width)?,
                o: source.linear(&name("attn_output"), width, queries)?,
                feed_forward_norm: source.norm(&name("ffn_norm"), width, epsilon)?,
                gate: source.linear(&name("ffn_gate"), hidden, width)?,
                up: source.linear(&name("ffn_up"), hidden, width)?,
                down: source.linear(&name("ffn_down"), width, hidden)?,
            })
        };
        let embedding = source.matrix("token_embd.weight", vocabulary, width)?;
        let tied = !source.has("output.weight");
        Ok(Llama {
            embedding,
            layers: (0..blocks).map(layer).collect::<Result<_, Error>>()?,
            norm: source.norm("output_norm", width, epsilon)?,
            output: if tied {
                Linear { w: embedding, b: None }
            } else {
                source.linear("output", vocabulary, width)?
            },
            heads,
            context,
            rotary: rope::read(source, name, heads.dim, context)?,
            pairing,
        })
    }
}

/// Keys that say what must be so anyway.
fn check(source: &Source<'_>, name: &str, vocabulary: usize, pairing: Pairing) -> Result<(), Error> {
    let key = |k: &str| format!("{name}.{k}");
    if source.file().optional::<u32>(&key("expert_count"))?.is_some_and(|n| n > 0) {
        return Err(Error::Unsupported { what: "a mixture of experts", found: key("expert_count") });
    }
    let tokens = source.size_or(&key("vocab_size"), Some(vocabulary))?;
    if tokens != vocabulary {
        return Err(number(&key("vocab_size"), tokens as f64, "the number of rows of token_embd.weight"));
    }
    // The name that the specification has for rows that are permuted as Meta's are.
    let layout = source.file().optional::<&str>(&key("tensor_data_layout"))?;
    match layout.filter(|layout| pairing != Pairing::Adjacent || *layout != "Meta AI original pth") {
        Some(other) => {
            let found = format!("{} is {}", key("tensor_data_layout"), other.escape_debug());
            Err(Error::Unsupported { what: "this order of rows", found })
        }
        None => Ok(()),
    }
}

fn heads(source: &Source<'_>, name: &str, width: usize) -> Result<Heads, Error> {
    let key = |k: &str| format!("{name}.attention.{k}");
    let count = source.size(&key("head_count"))?;
    let kv = source.size_or(&key("head_count_kv"), Some(count))?;
    let dim = source.size_or(&key("key_length"), Some(width / count))?;
    if !count.is_multiple_of(kv) {
        return Err(number(&key("head_count_kv"), kv as f64, "a divisor of head_count"));
    }
    if source.size_or(&key("value_length"), Some(dim))? != dim {
        return Err(Error::Unsupported {
            what: "values of another length than keys",
            found: key("value_length"),
        });
    }
    if !dim.is_multiple_of(2) || count.saturating_mul(dim) > 1 << 24 {
        return Err(number(&key("key_length"), dim as f64, "even, and no larger than a model's width"));
    }
    Ok(Heads { count, kv, dim })
}

impl Decoder for Llama {
    fn width(&self) -> usize {
        self.embedding.width
    }

    fn vocabulary(&self) -> usize {
        self.embedding.height
    }

    fn context(&self) -> usize {
        self.context
    }

    fn decode(&self, max_rows: usize) -> Result<Tape, TapeError> {
        self.record(max_rows, false)
    }

    fn decode_every(&self, max_rows: usize) -> Result<Tape, TapeError> {
        self.record(max_rows, true)
    }
}

impl Llama {
    /// Records the decoder up to the logits of every row, or of the last.
    fn record(&self, max_rows: usize, every: bool) -> Result<Tape, TapeError> {
        let (m, g) = (self, &mut Recorder::new());
        let scale = 1.0 / libm::sqrtf(m.heads.dim as f32);
        let angles = g.angles(&m.rotary);
        let mut x = g.embed(&m.embedding);
        g.probe("embed", 0, x);
        for (i, l) in m.layers.iter().enumerate() {
            let n = g.rms_norm(x, &l.attention_norm);
            let (q, k, v) = (g.linear(n, &l.q), g.linear(n, &l.k), g.linear(n, &l.v));
            let q = g.rope(q, angles, m.heads.dim, m.pairing);
            let k = g.rope(k, angles, m.heads.dim, m.pairing);
            let slot = g.state(State::Kv { heads: m.heads });
            g.remember(slot, k, v);
            let a = g.attend_state(q, slot, scale);
            let a = g.linear(a, &l.o);
            x = g.add(x, a);

            let n = g.rms_norm(x, &l.feed_forward_norm);
            let (gate, up) = (g.linear(n, &l.gate), g.linear(n, &l.up));
            let h = g.gate(gate, Activation::Silu, up);
            let h = g.linear(h, &l.down);
            x = g.add(x, h);
            g.probe("layer", i, x);
        }
        let x = if every { x } else { g.last(x) };
        let x = g.rms_norm(x, &m.norm);
        g.probe("norm", 0, x);
        let logits = g.linear(x, &m.output);
        core::mem::take(g).finish(logits, max_rows)
    }
}
