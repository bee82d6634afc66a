//! Keys and values, laid out for attention: a decoder's cache, or an encoder's rows of this call.
//!
//! Per key-value head, with `d` elements each:
//!
//! ```text
//! keys     blocks of 16 positions, transposed: [position / 16][element][position mod 16]
//!          so that one load holds the same element of sixteen keys, and scores need no sum across lanes
//! values   [position][element]
//! ```
//!
//! stored as `f32`, as binary16, or as 8-bit codes with an `f32` scale per 32 elements of a position.

use super::Kernel;
use crate::cpu::{Element, Isa, LANES, Task};
use crate::math;
use crate::tile::Tile;

/// How keys and values are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stored {
    /// As computed.
    F32,
    /// Rounded to binary16.
    F16,
    /// 8-bit codes, a scale per 32 elements. A build without the feature `kv-q8` refuses it.
    Q8_0,
}

/// Whether this build has the code for codes.
const QUANTIZED: bool = cfg!(feature = "kv-q8");

/// Elements of a key or value that share a scale.
const GROUP: usize = 32;

/// Shape of the memory of one layer (and one sequence).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// How elements are stored.
    pub stored: Stored,
    /// Key-value heads.
    pub heads: usize,
    /// Elements of a head: even; a multiple of 32 for `Q8_0`.
    pub head_dim: usize,
    /// Positions there is room for.
    pub capacity: usize,
}

impl Layout {
    /// Whether elements can be stored like this.
    pub fn fits(&self) -> bool {
        match self.stored {
            Stored::F32 => true,
            Stored::F16 => self.head_dim.is_multiple_of(2),
            Stored::Q8_0 => QUANTIZED && self.head_dim.is_multiple_of(GROUP),
        }
    }

    /// Cells of a block of sixteen keys.
    pub(crate) fn key_block(&self) -> usize {
        let d = self.head_dim;
        match self.stored {
            Stored::F32 => LANES * d,
            Stored::F16 => LANES * d / 2,
            Stored::Q8_0 => LANES * d / 4 + LANES * d / GROUP,
        }
    }

    /// Cells of a value.
    pub(crate) fn value(&self) -> usize {
        let d = self.head_dim;
        match self.stored {
            Stored::F32 => d,
            Stored::F16 => d / 2,
            Stored::Q8_0 => d / 4 + d / GROUP,
        }
    }

    /// Cells (`f32` words) of the keys of one head; the most that can be counted where there are more, which no memory has.
    pub fn keys(&self) -> usize {
        self.capacity.div_ceil(LANES).saturating_mul(self.key_block())
    }

    /// Cells of the values of one head, likewise.
    pub fn values(&self) -> usize {
        self.capacity.saturating_mul(self.value())
    }
}

/// Rows `[rows, heads · head_dim]` to be remembered.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// The rows.
    pub x: &'a [f32],
    /// Where they go.
    pub layout: Layout,
    /// Rows of a sequence in this call.
    pub per_unit: usize,
    /// Position of a sequence's first row.
    pub past: usize,
}

impl<'a> Rows<'a> {
    /// The rows of tile row `r` (a head of a sequence), with their positions.
    fn of(&self, r: usize) -> impl Iterator<Item = (usize, &'a [f32])> {
        let Layout { heads, head_dim, capacity, .. } = self.layout;
        let (unit, head) = (r / heads.max(1), r % heads.max(1));
        let (x, past) = (self.x, self.past);
        (0..self.per_unit.min(capacity.saturating_sub(past))).filter_map(move |t| {
            let from = ((unit * self.per_unit + t) * heads + head) * head_dim;
            Some((past + t, x.get(from..from + head_dim)?))
        })
    }
}

/// Writes keys; output rows are the heads of each sequence, `Layout::keys` wide. Other positions stay.
pub struct Keys<'a>(pub Rows<'a>);

/// Writes values; output rows are the heads of each sequence, `Layout::values` wide. Other positions stay.
pub struct Values<'a>(pub Rows<'a>);

impl Kernel for Keys<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, _: &mut [f32]) {
        let layout = self.0.layout;
        for r in tile.rows() {
            let memory = tile.row(r);
            for (position, x) in self.0.of(r) {
                let (block, lane) = (position / LANES * layout.key_block(), position % LANES);
                let Some(block) = memory.get_mut(block..block + layout.key_block()) else { continue };
                match layout.stored {
                    Stored::F32 => scatter(block, lane, x.iter().copied()),
                    Stored::F16 => {
                        let block = bytemuck::cast_slice_mut::<f32, u16>(block);
                        for (c, x) in x.chunks(LANES).enumerate() {
                            let mut halves = [0; LANES];
                            isa.store_half(math::read(isa, x), &mut halves);
                            scatter(&mut block[c * LANES * LANES..], lane, halves.into_iter().take(x.len()));
                        }
                    }
                    Stored::Q8_0 if !QUANTIZED => {}
                    Stored::Q8_0 => {
                        let (codes, scales) = block.split_at_mut(LANES * layout.head_dim / 4);
                        let codes = bytemuck::cast_slice_mut::<f32, i8>(codes);
                        for (g, x) in x.as_chunks::<GROUP>().0.iter().enumerate() {
                            let mut group = [0; GROUP];
                            let (scale, _) = super::quantize::group(isa, x, &mut group);
                            scatter(&mut codes[g * GROUP * LANES..], lane, group.into_iter());
                            scales[g * LANES + lane] = scale;
                        }
                    }
                }
            }
        }
    }
}

/// Puts elements into one lane of consecutive sixteens.
#[inline(always)]
fn scatter<T>(to: &mut [T], lane: usize, elements: impl Iterator<Item = T>) {
    for (to, x) in to.chunks_exact_mut(LANES).zip(elements) {
        to[lane] = x;
    }
}

impl Kernel for Values<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, _: &mut [f32]) {
        let layout = self.0.layout;
        for r in tile.rows() {
            let memory = tile.row(r);
            for (position, x) in self.0.of(r) {
                let Some(to) = memory.get_mut(position * layout.value()..(position + 1) * layout.value())
                else {
                    continue;
                };
                match layout.stored {
                    Stored::F32 => to.copy_from_slice(x),
                    Stored::F16 => {
                        let to = bytemuck::cast_slice_mut::<f32, u16>(to);
                        for (to, x) in to.chunks_mut(LANES).zip(x.chunks(LANES)) {
                            let mut halves = [0; LANES];
                            isa.store_half(math::read(isa, x), &mut halves);
                            to.copy_from_slice(&halves[..x.len()]);
                        }
                    }
                    Stored::Q8_0 if !QUANTIZED => {}
                    Stored::Q8_0 => {
                        let (codes, scales) = to.split_at_mut(layout.head_dim / 4);
                        let codes = bytemuck::cast_slice_mut::<f32, i8>(codes).as_chunks_mut::<GROUP>().0;
                        for ((x, codes), scale) in x.as_chunks::<GROUP>().0.iter().zip(codes).zip(scales) {
                            (*scale, _) = super::quantize::group(isa, x, codes);
                        }
                    }
                }
            }
        }
    }
}

/// Scores of `B` blocks of sixteen keys with `T` queries: Σ_e q[e] · k[e], element by element.
#[inline(always)]
pub(crate) fn scores<I: Isa, const T: usize, const B: usize>(
    isa: I,
    layout: &Layout,
    blocks: [&[f32]; B],
    q: &[&[f32]; T],
) -> [[I::F; B]; T] {
    let zero = [[isa.splat(0.0); B]; T];
    match layout.stored {
        Stored::F32 => products(isa, elements::<f32, B>(blocks), q, zero),
        Stored::F16 => products(isa, elements::<u16, B>(blocks), q, zero),
        Stored::Q8_0 if !QUANTIZED => zero,
        Stored::Q8_0 => {
            let (mut codes, mut scales) = ([&[0.0; 0][..]; B], [&[[0.0; LANES]; 0][..]; B]);
            for b in 0..B {
                let (c, s) = blocks[b].split_at_checked(LANES * layout.head_dim / 4).unwrap_or_default();
                (codes[b], scales[b]) = (c, s.as_chunks().0);
            }
            let (codes, mut s) = (elements::<i8, B>(codes), zero);
            for g in 0..layout.head_dim / GROUP {
                let (mut k, mut x) = ([&[[0; LANES]; 0][..]; B], [&[0.0; 0][..]; T]);
                for b in 0..B {
                    k[b] = codes[b].get(g * GROUP..(g + 1) * GROUP).unwrap_or(&[]);
                }
                for t in 0..T {
                    x[t] = q[t].get(g * GROUP..(g + 1) * GROUP).unwrap_or(&[]);
                }
                let part = products(isa, k, &x, zero);
                for b in 0..B {
                    let Some(scale) = scales[b].get(g) else { continue };
                    let scale = isa.load(scale);
                    for t in 0..T {
                        s[t][b] = isa.fma(part[t][b], scale, s[t][b]);
                    }
                }
            }
            s
        }
    }
}

#[inline(always)]
fn elements<E: Element, const B: usize>(blocks: [&[f32]; B]) -> [&[[E; LANES]]; B] {
    let mut all = [&[][..]; B];
    for b in 0..B {
        all[b] = bytemuck::cast_slice::<f32, E>(blocks[b]).as_chunks().0;
    }
    all
}

/// `s[t][b] += Σ_e q[t][e] · k[b][e]`.
#[inline(always)]
fn products<I: Isa, E: Element, const T: usize, const B: usize>(
    isa: I,
    k: [&[[E; LANES]]; B],
    q: &[&[f32]; T],
    mut s: [[I::F; B]; T],
) -> [[I::F; B]; T] {
    // One length for all, so that no bound is checked inside.
    let n = k.iter().map(|k| k.len()).chain(q.iter().map(|q| q.len())).min().unwrap_or(0);
    let (mut keys, mut queries) = ([&k[0][..0]; B], [&q[0][..0]; T]);
    for b in 0..B {
        keys[b] = &k[b][..n];
    }
    for t in 0..T {
        queries[t] = &q[t][..n];
    }
    for e in 0..n {
        let mut k = [isa.splat(0.0); B];
        for b in 0..B {
            k[b] = E::load(isa, &keys[b][e]);
        }
        for t in 0..T {
            let x = isa.splat(queries[t][e]);
            for b in 0..B {
                s[t][b] = isa.fma(x, k[b], s[t][b]);
            }
        }
    }
    s
}

/// Adds the values of some keys, `B` sixteens of elements from `first` on, weighted: `y[t] += Σ_k p[t][k] · v[k]`, key by
/// key. Elements beyond the last count as zero.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a sum over parts of two matrices")]
pub(crate) fn weigh<I: Isa, const T: usize, const B: usize>(
    isa: I,
    layout: &Layout,
    values: &[f32],
    keys: core::ops::Range<usize>,
    p: &[&[f32]; T],
    first: usize,
    y: [[I::F; B]; T],
) -> [[I::F; B]; T] {
    if keys.is_empty() {
        return y;
    }
    let Some(values) = values.get(keys.start * layout.value()..keys.end * layout.value()) else { return y };
    let mut weights = [&[0.0; 0][..]; T];
    for t in 0..T {
        weights[t] = p[t].get(keys.clone()).unwrap_or(&[]);
    }
    let d = layout.head_dim;
    match layout.stored {
        Stored::F32 => alone(isa, Sums { values, width: d, p: weights, first, y: [[[0.0; LANES]; B]; T] }, y),
        Stored::F16 => {
            let values = bytemuck::cast_slice::<f32, u16>(values);
            alone(isa, Sums { values, width: d, p: weights, first, y: [[[0.0; LANES]; B]; T] }, y)
        }
        Stored::Q8_0 if !QUANTIZED => y,
        Stored::Q8_0 => scaled_sums(isa, layout, values, &weights, first, y),
    }
}

/// Continues sums in a function of its own, whose loop then has all registers to itself.
#[inline(always)]
fn alone<I: Isa, E: Element, const T: usize, const B: usize>(
    isa: I,
    mut sums: Sums<'_, E, T, B>,
    mut y: [[I::F; B]; T],
) -> [[I::F; B]; T] {
    for t in 0..T {
        for b in 0..B {
            isa.store(y[t][b], &mut sums.y[t][b]);
        }
    }
    let sums = isa.enter(sums);
    for t in 0..T {
        for b in 0..B {
            y[t][b] = isa.load(&sums[t][b]);
        }
    }
    y
}

/// [`weigh`] of rows of `width` elements that are stored one by one, continuing sums.
struct Sums<'a, E, const T: usize, const B: usize> {
    values: &'a [E],
    width: usize,
    p: [&'a [f32]; T],
    first: usize,
    y: [[[f32; LANES]; B]; T],
}

impl<E: Element, const T: usize, const B: usize> Task for Sums<'_, E, T, B> {
    type Out = [[[f32; LANES]; B]; T];

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Self::Out {
        let Sums { values, width, p, first, y: mut sums } = self;
        let n = p.iter().fold(values.len() / width.max(1), |n, p| n.min(p.len()));
        let mut weights = [&p[0][..0]; T];
        let mut y = [[isa.splat(0.0); B]; T];
        for t in 0..T {
            weights[t] = &p[t][..n];
            for b in 0..B {
                y[t][b] = isa.load(&sums[t][b]);
            }
        }
        let rows = values.chunks_exact(width.max(1)).take(n).enumerate();
        // Two loops, because a copy of part of a row is a call, around which no sum stays in a register.
        if first + B * LANES <= width {
            for (k, row) in rows {
                let Some(row) = row[first..].as_chunks::<LANES>().0.first_chunk::<B>() else { break };
                y = add(isa, row, &weights, k, y);
            }
        } else {
            for (k, row) in rows {
                let mut padded = [[E::default(); LANES]; B];
                let rest = &row[first.min(width)..];
                padded.as_flattened_mut()[..rest.len()].copy_from_slice(rest);
                y = add(isa, &padded, &weights, k, y);
            }
        }
        for t in 0..T {
            for b in 0..B {
                isa.store(y[t][b], &mut sums[t][b]);
            }
        }
        sums
    }
}

/// `y[t] += p[t][k] · v`.
#[inline(always)]
fn add<I: Isa, E: Element, const T: usize, const B: usize>(
    isa: I,
    v: &[[E; LANES]; B],
    p: &[&[f32]; T],
    k: usize,
    mut y: [[I::F; B]; T],
) -> [[I::F; B]; T] {
    let mut elements = [isa.splat(0.0); B];
    for b in 0..B {
        elements[b] = E::load(isa, &v[b]);
    }
    for t in 0..T {
        let x = isa.splat(p[t][k]);
        for b in 0..B {
            y[t][b] = isa.fma(x, elements[b], y[t][b]);
        }
    }
    y
}

/// [`weigh`] of codes with a scale per [`GROUP`].
#[inline(always)]
fn scaled_sums<I: Isa, const T: usize, const B: usize>(
    isa: I,
    layout: &Layout,
    values: &[f32],
    p: &[&[f32]; T],
    first: usize,
    mut y: [[I::F; B]; T],
) -> [[I::F; B]; T] {
    // A head is whole groups, and so whole sixteens.
    for (k, row) in values.chunks_exact(layout.value()).enumerate() {
        let (codes, scales) = row.split_at_checked(layout.head_dim / 4).unwrap_or_default();
        let codes = bytemuck::cast_slice::<f32, i8>(codes).as_chunks::<LANES>().0;
        let (mut v, mut scale) = ([isa.splat(0.0); B], [0.0; B]);
        for (b, (v, scale)) in v.iter_mut().zip(&mut scale).enumerate() {
            let at = first / LANES + b;
            if let (Some(codes), Some(of_group)) = (codes.get(at), scales.get(at * LANES / GROUP)) {
                (*v, *scale) = (isa.load_codes(codes), *of_group);
            }
        }
        for (y, p) in y.iter_mut().zip(p) {
            let weight = p.get(k).copied().unwrap_or(0.0);
            for b in 0..B {
                y[b] = isa.fma(isa.splat(weight * scale[b]), v[b], y[b]);
            }
        }
    }
    y
}
