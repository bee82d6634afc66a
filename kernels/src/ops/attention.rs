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
//! sixty-four where there are registers for so many sums (AVX-512: ten loads for 24 products; eight queries by 32 keys have
//! 15, sixteen by 16 have 25, and were 10 to 20 and 30 % slower). Queries lie side by side, sixteen elements of each
//! ([`Abreast`]), scores likewise, so that one pointer and constants lead to all of them; with a pointer for each there were
//! more instructions around the products than products.
//!
//! The second-level cache holds the keys and values of a head, if its rows are done one after the other: tiles are numbered
//! down. Numbered across, every tile brought another head from farther away, and attention took a quarter to two fifths
//! longer (an Ice Lake). Of 1024 queries over 1024 keys that Ice Lake does 96 GFLOP/s with AVX-512, 60 % of its peak of floats
//! (72 with eight queries by 32 keys and pointers), and 50 with AVX2, 53 %; from run to run a fifth more or less, while the peak
//! stays. An eighth of that is `exp`. Blocks of 64 keys with running maxima (FlashAttention) were no faster on a Zen 5.
//!
//! Scores are summed element by element with lanes as keys; values are added key by key with lanes as elements; the
//! sum of `p` is sixteen partial sums and one tree. So neither the tile nor the call a row falls into matters.

use super::Kernel;
use super::memory::{self, Layout};
use crate::cpu::{Isa, LANES};
use crate::math;
use crate::tile::Tile;

/// Most queries that go through the keys together: as many sums as an instruction set has to spare, or a quarter of them.
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
                isa.store(math::read(isa, row), &mut q[t]);
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
        for (scores, keys) in scores[together..].chunks_exact_mut(1).zip(rest.chunks_exact(block)) {
            self.note(isa, memory::scores(isa, layout, [keys], q), scores);
        }
        let (mut scale, mut shared) = ([0.0; T], usize::MAX);
        for t in 0..T {
            scale[t] = 1.0 / softmax(isa, scores, t, queries[t].count);
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
        let y = memory::weigh(isa, layout, values, 0..shared, p, 0, first, [[isa.splat(0.0); B]; T]);
        for t in 0..T {
            // Rows further down see keys that the others do not.
            let own = memory::weigh(isa, layout, values, shared..queries[t].count, p, t, first, [y[t]]);
            let Query { row, head, .. } = queries[t];
            for (b, y) in own[0].into_iter().enumerate() {
                let from = first + b * LANES;
                if let Some(to) = tile.row(row).get_mut(head * d + from..head * d + (from + LANES).min(d)) {
                    math::write(isa, isa.mul(y, isa.splat(scale[t])), to);
                }
            }
        }
    }
}

/// `p[k] = exp(p[k] − max p)` for the t-th query, over as many keys as it sees, and 0 for the rest of their last block;
/// returns the sum.
#[inline(always)]
fn softmax<I: Isa, const T: usize>(isa: I, scores: &mut [Abreast<T>], t: usize, count: usize) -> f32 {
    let Some(p) = scores.get_mut(..count.div_ceil(LANES)) else { return 0.0 };
    if let (Some(p), false) = (p.last_mut(), count.is_multiple_of(LANES)) {
        p[t][count % LANES..].fill(f32::NEG_INFINITY);
    }
    let mut most = isa.splat(f32::NEG_INFINITY);
    for p in p.iter() {
        most = isa.max(isa.load(&p[t]), most);
    }
    let most = isa.splat(isa.largest(most));
    let mut sum = isa.splat(0.0);
    for p in p {
        let e = math::exp(isa, isa.sub(isa.load(&p[t]), most));
        isa.store(e, &mut p[t]);
        sum = isa.add(sum, e);
    }
    isa.sum(sum)
}
