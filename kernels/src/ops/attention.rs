//! Softmax attention (Vaswani et al., 2017), with grouped queries (Ainslie et al., 2023).
//!
//! ```text
//! y[r] = Σ_t p[t] · v[t] / Σ_t p[t]      p[t] = exp(q[r]·k[t]·scale − max)      t over the keys row r sees
//! ```
//!
//! A causal row at position `past + r` sees the keys up to itself; otherwise a row sees all keys of its sequence. Six
//! queries go through the keys together: rows, or heads that share a key-value head. The scores of those are all that is
//! ever held, there is no matrix of them.
//!
//! # How
//! A processor of today multiplies two registers in the time it loads two, and a neighbour on the same core may take a load
//! from it: each load should serve many products. A key's elements serve six queries, a query's serve sixteen keys, or
//! sixty-four where there are registers for so many sums (AVX-512): ten loads for 24 products. Twelve queries by 32 keys take
//! 14, eight by 32 take 15, sixteen by sixteen 25: they reached nine tenths, eight tenths and two thirds of its speed. Queries
//! lie side by side, sixteen elements of each (`Abreast`), scores likewise, so that one pointer and constants lead to all of
//! them; with a pointer for each there were more instructions around the products than products.
//!
//! The second-level cache holds the keys and values of a head, if its rows are done one after the other: tiles are numbered
//! down. Numbered across, every tile brought another head from farther away, and attention took a quarter to two fifths
//! longer (an Ice Lake). Of 1024 queries over 1024 keys that Ice Lake does 96 GFLOP/s with AVX-512, 60 % of its peak of floats
//! (72 with eight queries by 32 keys and pointers), and 50 with AVX2, 53 %. An eighth of that is `exp`. Beside another machine
//! on the same core both lose a fifth to a half, with few keys too, while the peak stays: instructions are then decoded at 5 to
//! 10 G/s instead of 14.5, and AVX2's eight loads and twelve products of an element, alone in a loop, give 46 to 76 GFLOP/s.
//! Four elements or keys written out, a sixth fewer instructions, made no difference beyond the noise. Blocks of 64 keys with
//! running maxima (FlashAttention) were no faster on a Zen 5.
//!
//! Scores are summed element by element with lanes as keys; values are added key by key with lanes as elements; the
//! sum of `p` is sixteen partial sums and one tree. So neither the tile nor the call a row falls into matters.

use super::memory::{self, Layout, Weights};
use super::{Kernel, Operands, Operation, Slot, Touch, listed_heads};
use crate::cpu::{Isa, LANES, Task, apart};
use crate::math;
use crate::tile::Tile;
use alloc::format;
use alloc::string::String;
use ocelli_tape::{Extent, Heads, Keys, RunError, Visible, Work};

/// Most queries that go through the keys together: one sum of each is as many as every instruction set has registers for.
const QUERIES: usize = 6;

/// Rows of a tile: whole sixes, as many as go through the keys together.
pub(crate) const ROWS: usize = 48;

/// Attention of queries over remembered keys and values.
pub struct Attention<'a> {
    /// `[rows, groups · kv heads · head_dim]`; query head h uses key-value head h / groups.
    pub q: &'a [f32],
    /// One row per key-value head of each sequence.
    pub keys: &'a [f32],
    /// One row per key-value head of each sequence.
    pub values: &'a [f32],
    /// Their layout.
    pub layout: Layout,
    /// Query heads per key-value head.
    pub groups: usize,
    /// Rows of a sequence in this call.
    pub per_unit: usize,
    /// Keys before the first row of this call.
    pub past: usize,
    /// Whether a row sees only keys up to its own position.
    pub causal: bool,
    /// Multiplies the scores: usually 1/√head_dim.
    pub scale: f32,
}

/// Sixteen numbers of each of `T` queries, the queries side by side: one pointer leads to all of them.
pub(crate) type Abreast<const T: usize> = [[f32; LANES]; T];

/// Cells of scratch a thread needs for so many keys, of so many elements: queries and their scores.
pub const fn scratch(keys: usize, head_dim: usize) -> usize {
    QUERIES * (head_dim.next_multiple_of(LANES) + keys.next_multiple_of(LANES))
}

/// One query: a row of the call and one of the heads that share the tile's key-value head.
#[derive(Clone, Copy)]
struct Query {
    row: usize,
    head: usize,
    /// Keys it sees.
    count: usize,
}

/// Sixteens of keys or of elements at a time: one where code must be small.
const fn at_once(many: usize) -> usize {
    if cfg!(feature = "unrolled") { many } else { 1 }
}

/// `T` queries from the i-th on.
#[inline(always)]
fn successive<const T: usize>(i: usize, query: impl Fn(usize) -> Query) -> [Query; T] {
    let mut all = [query(i); T];
    for (t, q) in all.iter_mut().enumerate() {
        *q = query(i + t);
    }
    all
}

impl Kernel for Attention<'_> {
    // The rows of a head one after the other, so that its keys and values stay in the second-level cache.
    const DOWN: bool = true;

    #[inline(always)]
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, scratch: &mut [f32]) {
        let d = self.layout.head_dim;
        let kv_head = tile.columns().start / (self.groups * d).max(1);
        let mut row = tile.rows().start;
        while row < tile.rows().end {
            let unit = row / self.per_unit.max(1);
            let end = tile.rows().end.min((unit + 1) * self.per_unit);
            let memory = |m: &'_ [f32], width: usize| {
                let from = (unit * self.layout.heads + kv_head) * width;
                from..(from + width).min(m.len())
            };
            let keys = self.keys.get(memory(self.keys, self.layout.keys())).unwrap_or(&[]);
            let values = self.values.get(memory(self.values, self.layout.values())).unwrap_or(&[]);
            let queries = (end - row) * self.groups;
            let query = |i: usize| {
                let r = row + i / self.groups;
                let seen =
                    if self.causal { self.past + r % self.per_unit + 1 } else { self.past + self.per_unit };
                Query { row: r, head: i % self.groups, count: seen.min(self.layout.capacity) }
            };
            let mut i = 0;
            while I::UNROLLED > 1 && i + QUERIES <= queries {
                let together: [Query; QUERIES] = successive(i, query);
                if I::SUMS > QUERIES {
                    self.attend::<I, QUERIES, 4>(isa, kv_head, together, keys, values, tile, scratch);
                } else {
                    self.attend::<I, QUERIES, 1>(isa, kv_head, together, keys, values, tile, scratch);
                }
                i += QUERIES;
            }
            while i + 2 <= queries {
                let together: [Query; 2] = successive(i, query);
                self.attend::<I, 2, { at_once(2) }>(isa, kv_head, together, keys, values, tile, scratch);
                i += 2;
            }
            if i < queries {
                self.attend::<I, 1, { at_once(4) }>(isa, kv_head, [query(i)], keys, values, tile, scratch);
            }
            row = end;
        }
    }
}

impl Attention<'_> {
    /// `T` queries, with `B` sixteens of keys or of elements at a time.
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "one tile's operands")]
    fn attend<I: Isa, const T: usize, const B: usize>(
        &self,
        isa: I,
        kv_head: usize,
        queries: [Query; T],
        keys: &[f32],
        values: &[f32],
        tile: &mut Tile<'_>,
        scratch: &mut [f32],
    ) {
        let (layout, d) = (&self.layout, self.layout.head_dim);
        let width = layout.heads * self.groups * d;
        let blocks = queries.iter().fold(0, |n, q| n.max(q.count)).div_ceil(LANES);
        let abreast = scratch.as_chunks_mut::<LANES>().0.as_chunks_mut::<T>().0;
        let Some((q, scores)) = abreast.split_at_mut_checked(d.div_ceil(LANES)) else { return };
        let Some(scores) = scores.get_mut(..blocks) else { return };
        for t in 0..T {
            let from = queries[t].row * width + (kv_head * self.groups + queries[t].head) * d;
            let row = self.q.get(from..from + d).unwrap_or(&[]);
            for (q, row) in q.iter_mut().zip(row.chunks(LANES)) {
                q[t][..row.len()].copy_from_slice(row);
            }
        }
        let (block, together) = (layout.key_block(), blocks / B * B);
        let (keys, rest) = keys.split_at_checked(together * block).unwrap_or_default();
        for (scores, keys) in scores.chunks_exact_mut(B).zip(keys.chunks_exact(B * block)) {
            let mut parts = [keys; B];
            for b in 0..B {
                parts[b] = &keys[b * block..(b + 1) * block];
            }
            self.note(isa, memory::scores(isa, layout, parts, q), scores);
        }
        let rest = if B > 1 { rest } else { &[] };
        for (scores, keys) in scores[together..].chunks_exact_mut(1).zip(rest.chunks_exact(block)) {
            self.note(isa, memory::scores(isa, layout, [keys], q), scores);
        }
        let (mut scale, mut shared) = ([0.0; T], usize::MAX);
        for t in 0..T {
            let scores = scores.as_flattened_mut();
            scale[t] = 1.0 / apart(isa, Softmax { scores, queries: T, of: t, count: queries[t].count });
            shared = shared.min(queries[t].count);
        }
        let mut first = 0;
        while B > 1 && first + B * LANES <= d {
            self.gather::<I, T, B>(isa, &queries, values, scores, shared, first, &scale, tile);
            first += B * LANES;
        }
        for first in (first..d).step_by(LANES) {
            self.gather::<I, T, 1>(isa, &queries, values, scores, shared, first, &scale, tile);
        }
    }

    /// Keeps the scores of `B` blocks of keys.
    #[inline(always)]
    fn note<I: Isa, const T: usize, const B: usize>(
        &self,
        isa: I,
        s: [[I::F; B]; T],
        scores: &mut [Abreast<T>],
    ) {
        for (b, scores) in scores.iter_mut().enumerate().take(B) {
            for t in 0..T {
                isa.store(isa.mul(s[t][b], isa.splat(self.scale)), &mut scores[t]);
            }
        }
    }

    /// `B` sixteens of elements of the result, from `first` on.
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "one tile's operands")]
    fn gather<I: Isa, const T: usize, const B: usize>(
        &self,
        isa: I,
        queries: &[Query; T],
        values: &[f32],
        p: &[Abreast<T>],
        shared: usize,
        first: usize,
        scale: &[f32; T],
        tile: &mut Tile<'_>,
    ) {
        let (layout, d) = (&self.layout, self.layout.head_dim);
        let weights = |of| Weights { all: p.as_flattened(), queries: T, of };
        let mut sums = [[[0.0; LANES]; B]; T];
        memory::weigh(isa, layout, values, 0..shared, weights(0), first, &mut sums);
        for (t, sums) in sums.as_chunks_mut().0.iter_mut().enumerate() {
            // Rows further down see keys that the others do not.
            let Query { row, head, count } = queries[t];
            memory::weigh::<I, 1, B>(isa, layout, values, shared..count, weights(t), first, sums);
            for (from, sum) in (first..d).step_by(LANES).zip(sums.as_flattened()) {
                if let Some(to) = tile.row(row).get_mut(head * d + from..head * d + (from + LANES).min(d)) {
                    math::write(isa, isa.mul(isa.load(sum), isa.splat(scale[t])), to);
                }
            }
        }
    }
}

/// `p[k] = exp(p[k] − max p)` over as many keys as a query sees, and 0 for the rest of their last block; gives the sum.
struct Softmax<'a> {
    /// For each block of sixteen keys sixteen scores of each of `queries`, of which the `of`-th is meant.
    scores: &'a mut [[f32; LANES]],
    queries: usize,
    of: usize,
    count: usize,
}

impl Task for Softmax<'_> {
    type Out = f32;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f32 {
        let Self { scores, queries, of, count } = self;
        let blocks = count.div_ceil(LANES);
        let at = |block: usize| block * queries + of;
        if let (Some(p), false) = (scores.get_mut(at(count / LANES)), count.is_multiple_of(LANES)) {
            p[count % LANES..].fill(f32::NEG_INFINITY);
        }
        let scores = scores.get_mut(of..).unwrap_or_default();
        let mut most = isa.splat(f32::NEG_INFINITY);
        for p in scores.iter().step_by(queries).take(blocks) {
            most = isa.max(isa.load(p), most);
        }
        let most = isa.splat(isa.largest(most));
        let mut sum = isa.splat(0.0);
        for p in scores.iter_mut().step_by(queries).take(blocks) {
            let e = math::exp(isa, isa.sub(isa.load(p), most));
            isa.store(e, p);
            sum = isa.add(sum, e);
        }
        isa.sum(sum)
    }
}

/// [`Attention`] as a step: over a slot of state, or over keys and values in the arena.
#[derive(Clone, Copy, Debug)]
pub struct AttentionStep {
    pub(crate) heads: Heads,
    pub(crate) slot: Option<usize>,
    pub(crate) visible: Visible,
    pub(crate) scale: f32,
}

impl Operation for AttentionStep {
    type Kernel<'a> = Attention<'a>;

    fn name(&self) -> &'static str {
        "attention"
    }

    fn scratch(&self, out: &Slot, capacity: usize) -> usize {
        let keys = if self.slot.is_some() { capacity } else { out.rows.count(1) };
        scratch(keys, self.heads.dim)
    }

    fn work(&self, out: &Slot, extent: &Extent) -> Work {
        let keys = self.slot.map_or(Keys::Rows, Keys::State);
        Work::attention(&self.heads, keys, self.visible, out.rows, extent)
    }

    fn block(&self, _: usize, _: usize) -> (usize, usize) {
        (ROWS, self.heads.count / self.heads.kv.max(1) * self.heads.dim)
    }

    fn touches(&self) -> Option<Touch> {
        self.slot.map(Touch::Reads)
    }

    fn bind<'a>(&self, operands: &Operands<'a>) -> Result<Attention<'a>, RunError> {
        let [q, k, v] = operands.inputs;
        let (keys, values, layout, per_unit, past) = match operands.held {
            Some(held) => (held.keys, held.values, held.layout, operands.call.items, operands.call.past),
            None => (k.x, v.x, memory::Layout::of_item(&self.heads, q.per_item), q.per_item, 0),
        };
        let groups = self.heads.count / self.heads.kv.max(1);
        let causal = self.visible == Visible::Causal;
        Ok(Attention { q: q.x, keys, values, layout, groups, per_unit, past, causal, scale: self.scale })
    }

    fn details(&self) -> String {
        format!("{} {:e}", listed_heads(&self.heads, self.slot), self.scale)
    }
}
