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
//!
//! An encoder writes sixteen positions of all heads at a time, whose keys are turned in registers: out of its second-level cache
//! an Ice Lake writes 3.5 to 4.5 G values/s so, where it copies 9 to 11, and 2.0 to 2.2 when a view's rows come from farther
//! away. (Head by head, whose rows lie kilobytes apart, it was 0.6 to 1.0.) A decoder's come one position at a time
//! in generation; of a prompt they are written at 1.0 to 1.9 G values/s as binary16, at 0.6 (keys) and 1.3 (values) as codes.

use super::attention::Abreast;
use super::{Kernel, Operands, Operation, Slot, Touch, listed_heads};
use crate::cpu::{Element, Isa, LANES, Task, apart};
use crate::math;
use crate::tile::Tile;
use alloc::string::String;
use core::ops::Range;
use ocelli_tape::{Extent, Heads, KvType, RunError, Work};

/// Whether this build has the code for codes.
const QUANTIZED: bool = cfg!(feature = "kv-q8");

/// Elements of a key or value that share a scale.
const GROUP: usize = KvType::GROUP;

/// Shape of the memory of one layer (and one sequence).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// How elements are stored.
    pub stored: KvType,
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
        (QUANTIZED || self.stored != KvType::Q8_0) && self.stored.fits(self.head_dim)
    }

    /// Cells of a block of sixteen keys.
    pub(crate) fn key_block(&self) -> usize {
        let d = self.head_dim;
        match self.stored {
            KvType::F32 => LANES * d,
            KvType::F16 => LANES * d / 2,
            KvType::Q8_0 => LANES * d / 4 + LANES * d / GROUP,
        }
    }

    /// Cells of a value.
    pub(crate) fn value(&self) -> usize {
        let d = self.head_dim;
        match self.stored {
            KvType::F32 => d,
            KvType::F16 => d / 2,
            KvType::Q8_0 => d / 4 + d / GROUP,
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

    /// Cells of all heads' keys and values, likewise.
    pub fn cells(&self) -> usize {
        self.heads.saturating_mul(self.keys().saturating_add(self.values()))
    }

    /// Of the rows of this call, so many to an item.
    pub(crate) fn of_item(heads: &Heads, rows: usize) -> Layout {
        Layout { stored: KvType::F32, heads: heads.kv, head_dim: heads.dim, capacity: rows }
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
    /// Those of some positions that there are rows for.
    fn written(&self, positions: Range<usize>) -> Range<usize> {
        let end = self.past.saturating_add(self.per_unit).min(self.layout.capacity);
        positions.start.max(self.past)..positions.end.min(end)
    }

    /// The row of tile row `r` (a head of a sequence) for a position.
    #[inline(always)]
    fn of(&self, r: usize, position: usize) -> Option<&'a [f32]> {
        let Layout { heads, head_dim, .. } = self.layout;
        let (unit, head) = (r / heads.max(1), r % heads.max(1));
        let from = ((unit * self.per_unit + position - self.past) * heads + head) * head_dim;
        self.x.get(from..from + head_dim)
    }
}

/// Writes keys; output rows are the heads of each sequence, `Layout::keys` wide, and tiles are whole blocks. Other positions
/// stay.
pub struct Keys<'a>(pub Rows<'a>);

/// Writes values; output rows are the heads of each sequence, `Layout::values` wide, and tiles are whole values. Other
/// positions stay.
pub struct Values<'a>(pub Rows<'a>);

impl Kernel for Keys<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, _: &mut [f32]) {
        let (layout, size) = (self.0.layout, self.0.layout.key_block().max(1));
        let blocks = tile.columns().start / size..tile.columns().end / size;
        let written = self.0.written(blocks.start * LANES..blocks.end * LANES);
        for r in tile.rows() {
            for index in written.start / LANES..written.end.div_ceil(LANES) {
                let at = (index - blocks.start) * size;
                let Some(block) = tile.row(r).get_mut(at..at + size) else { continue };
                let first = index * LANES;
                let positions = written.start.max(first)..written.end.min(first + LANES);
                if I::UNROLLED > 1 && layout.stored == KvType::F32 && positions.len() == LANES {
                    let mut rows = [&[0.0; 0][..]; LANES];
                    for (lane, row) in rows.iter_mut().enumerate() {
                        *row = self.0.of(r, first + lane).unwrap_or(&[]);
                    }
                    turn(isa, rows, block);
                    continue;
                }
                for position in positions {
                    let Some(x) = self.0.of(r, position) else { continue };
                    write_key(isa, &layout, x, position % LANES, block);
                }
            }
        }
    }
}

/// One key, to its lane of a block.
#[inline(always)]
fn write_key<I: Isa>(isa: I, layout: &Layout, x: &[f32], lane: usize, block: &mut [f32]) {
    match layout.stored {
        KvType::F32 => scatter(block, lane, x.iter().copied()),
        KvType::F16 => {
            let block = bytemuck::cast_slice_mut::<f32, u16>(block);
            for (c, x) in x.chunks(LANES).enumerate() {
                let mut halves = [0; LANES];
                isa.store_half(math::read(isa, x), &mut halves);
                scatter(&mut block[c * LANES * LANES..], lane, halves.into_iter().take(x.len()));
            }
        }
        KvType::Q8_0 if !QUANTIZED => {}
        KvType::Q8_0 => {
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

/// A block of keys as they are: squares of sixteen by sixteen are turned in registers.
#[inline(always)]
fn turn<I: Isa>(isa: I, keys: [&[f32]; LANES], block: &mut [f32]) {
    let (squares, rest) = block.as_chunks_mut::<{ LANES * LANES }>();
    for (c, to) in squares.iter_mut().enumerate() {
        let mut from = [&[0; LANES]; LANES];
        for (from, key) in from.iter_mut().zip(keys) {
            *from = bytemuck::cast_slice(key).as_chunks().0.get(c).unwrap_or(&[0; LANES]);
        }
        isa.transpose(from, bytemuck::cast_mut(to));
    }
    for (lane, key) in keys.iter().enumerate() {
        scatter(rest, lane, key.iter().skip(squares.len() * LANES).copied());
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
        let (layout, size) = (self.0.layout, self.0.layout.value().max(1));
        let values = tile.columns().start / size..tile.columns().end / size;
        for r in tile.rows() {
            let memory = tile.row(r);
            for position in self.0.written(values.clone()) {
                let at = (position - values.start) * size;
                let (Some(to), Some(x)) = (memory.get_mut(at..at + size), self.0.of(r, position)) else {
                    continue;
                };
                match layout.stored {
                    KvType::F32 => to.copy_from_slice(x),
                    KvType::F16 => {
                        let to = bytemuck::cast_slice_mut::<f32, u16>(to);
                        for (to, x) in to.chunks_mut(LANES).zip(x.chunks(LANES)) {
                            let mut halves = [0; LANES];
                            isa.store_half(math::read(isa, x), &mut halves);
                            to.copy_from_slice(&halves[..x.len()]);
                        }
                    }
                    KvType::Q8_0 if !QUANTIZED => {}
                    KvType::Q8_0 => {
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
    q: &[Abreast<T>],
) -> [[I::F; B]; T] {
    let zero = [[isa.splat(0.0); B]; T];
    match layout.stored {
        KvType::F32 => products(isa, elements::<f32, B>(blocks), q, zero),
        KvType::F16 => products(isa, elements::<u16, B>(blocks), q, zero),
        KvType::Q8_0 if !QUANTIZED => zero,
        KvType::Q8_0 => {
            let (mut codes, mut scales) = ([&[0.0; 0][..]; B], [&[[0.0; LANES]; 0][..]; B]);
            for b in 0..B {
                let (c, s) = blocks[b].split_at_checked(LANES * layout.head_dim / 4).unwrap_or_default();
                (codes[b], scales[b]) = (c, s.as_chunks().0);
            }
            let (codes, mut s) = (elements::<i8, B>(codes), zero);
            for g in 0..layout.head_dim / GROUP {
                let mut k = [&[[0; LANES]; 0][..]; B];
                for b in 0..B {
                    k[b] = codes[b].get(g * GROUP..(g + 1) * GROUP).unwrap_or(&[]);
                }
                let q = q.get(g * GROUP / LANES..(g + 1) * GROUP / LANES).unwrap_or(&[]);
                let part = products(isa, k, q, zero);
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
    q: &[Abreast<T>],
    mut s: [[I::F; B]; T],
) -> [[I::F; B]; T] {
    let elements = k.iter().fold(q.len() * LANES, |n, k| n.min(k.len()));
    for (c, q) in q.iter().enumerate() {
        // One length for all, so that no bound is checked inside.
        let n = elements.saturating_sub(c * LANES).min(LANES);
        let mut keys = [&k[0][..0]; B];
        for b in 0..B {
            keys[b] = k[b].get(c * LANES..c * LANES + n).unwrap_or(&[]);
        }
        let n = keys.iter().fold(n, |n, keys| n.min(keys.len()));
        for e in 0..n {
            let mut k = [isa.splat(0.0); B];
            for b in 0..B {
                k[b] = E::load(isa, &keys[b][e]);
            }
            for t in 0..T {
                let x = isa.splat(q[t][e]);
                for b in 0..B {
                    s[t][b] = isa.fma(x, k[b], s[t][b]);
                }
            }
        }
    }
    s
}

/// Adds the values of some keys, `B` sixteens of elements from `first` on, as `N` queries weigh them: `sums[n] += Σ_k p[n][k] ·
/// v[k]`, key by key. Numbers beyond the last element mean nothing.
#[inline(always)]
pub(crate) fn weigh<I: Isa, const N: usize, const B: usize>(
    isa: I,
    layout: &Layout,
    values: &[f32],
    keys: Range<usize>,
    p: Weights<'_>,
    first: usize,
    sums: &mut [Abreast<B>; N],
) {
    if keys.is_empty() {
        return;
    }
    let width = layout.head_dim;
    match layout.stored {
        KvType::F32 => apart(isa, Sums { values, width, keys, p, first, sums }),
        KvType::F16 => {
            let values = bytemuck::cast_slice::<f32, u16>(values);
            apart(isa, Sums { values, width, keys, p, first, sums });
        }
        KvType::Q8_0 if !QUANTIZED => {}
        KvType::Q8_0 => scaled_sums(isa, layout, sixteens(values, layout.value(), keys, p), first, sums),
    }
}

/// What queries weigh keys with: for each block of sixteen keys sixteen numbers for each of `queries`, of which those from
/// the `of`-th on are meant.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a> {
    pub(crate) all: &'a [[f32; LANES]],
    pub(crate) queries: usize,
    pub(crate) of: usize,
}

/// Some keys, a block of sixteen at a time: what `N` queries weigh them with, the lane of the first, and their values,
/// `width` numbers each (the last may be cut short).
#[inline(always)]
fn sixteens<'a, E, const N: usize>(
    values: &'a [E],
    width: usize,
    keys: Range<usize>,
    p: Weights<'a>,
) -> impl Iterator<Item = (&'a Abreast<N>, usize, &'a [E])> {
    (keys.start / LANES..keys.end.div_ceil(LANES)).map_while(move |block| {
        let (from, to) = (keys.start.max(block * LANES), keys.end.min((block + 1) * LANES));
        let end = values.len().min(to * width);
        let p = p.all.get(block * p.queries + p.of..)?.first_chunk()?;
        Some((p, from % LANES, values.get(from * width..end)?))
    })
}

/// [`weigh`] of rows of `width` elements that are stored one by one; in a function of its own, whose loop then has all
/// registers to itself.
struct Sums<'a, 's, E, const N: usize, const B: usize> {
    values: &'a [E],
    width: usize,
    keys: Range<usize>,
    p: Weights<'a>,
    first: usize,
    sums: &'s mut [Abreast<B>; N],
}

impl<E: Element, const N: usize, const B: usize> Task for Sums<'_, '_, E, N, B> {
    type Out = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Sums { values, width, keys, p, first, sums } = self;
        let mut y = load(isa, sums);
        let values = values.get(first..).unwrap_or(&[]);
        // Where a row is no whole sixteens, lanes are filled from the row behind it: the last has none.
        let room = if width < B * LANES { 0 } else { values.len() / width };
        let (whole, last) = (keys.start..keys.end.min(room), keys.start.max(room)..keys.end);
        for (p, lane, rows) in sixteens(values, width, whole, p) {
            for (i, row) in rows.chunks_exact(width.max(1)).enumerate() {
                let Some(v) = row.as_chunks().0.first_chunk() else { break };
                y = add(isa, v, p, (lane + i) % LANES, y);
            }
        }
        for (p, lane, rows) in sixteens(values, width, last, p) {
            for (i, row) in rows.chunks(width.max(1)).enumerate() {
                let mut v = [[E::default(); LANES]; B];
                for (v, x) in v.as_flattened_mut().iter_mut().zip(row) {
                    *v = *x;
                }
                y = add(isa, &v, p, (lane + i) % LANES, y);
            }
        }
        store(isa, y, sums);
    }
}

#[inline(always)]
fn load<I: Isa, const N: usize, const B: usize>(isa: I, sums: &[Abreast<B>; N]) -> [[I::F; B]; N] {
    let mut y = [[isa.splat(0.0); B]; N];
    for n in 0..N {
        for b in 0..B {
            y[n][b] = isa.load(&sums[n][b]);
        }
    }
    y
}

#[inline(always)]
fn store<I: Isa, const N: usize, const B: usize>(isa: I, y: [[I::F; B]; N], sums: &mut [Abreast<B>; N]) {
    for n in 0..N {
        for b in 0..B {
            isa.store(y[n][b], &mut sums[n][b]);
        }
    }
}

/// `y[n] += p[n][k] · v`.
#[inline(always)]
fn add<I: Isa, E: Element, const N: usize, const B: usize>(
    isa: I,
    v: &[[E; LANES]; B],
    p: &Abreast<N>,
    k: usize,
    mut y: [[I::F; B]; N],
) -> [[I::F; B]; N] {
    let mut elements = [isa.splat(0.0); B];
    for b in 0..B {
        elements[b] = E::load(isa, &v[b]);
    }
    for n in 0..N {
        let x = isa.splat(p[n][k]);
        for b in 0..B {
            y[n][b] = isa.fma(x, elements[b], y[n][b]);
        }
    }
    y
}

/// [`weigh`] of codes with a scale per [`GROUP`].
#[inline(always)]
fn scaled_sums<'a, I: Isa, const N: usize, const B: usize>(
    isa: I,
    layout: &Layout,
    sixteens: impl Iterator<Item = (&'a Abreast<N>, usize, &'a [f32])>,
    first: usize,
    sums: &mut [Abreast<B>; N],
) {
    let mut y = load(isa, sums);
    for (p, lane, rows) in sixteens {
        // A head is whole groups, and so whole sixteens.
        for (i, row) in rows.chunks_exact(layout.value()).enumerate() {
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
                for b in 0..B {
                    y[b] = isa.fma(isa.splat(p[(lane + i) % LANES] * scale[b]), v[b], y[b]);
                }
            }
        }
    }
    store(isa, y, sums);
}

/// [`Keys`] as a step: to a slot of state, or to the arena.
#[derive(Clone, Copy, Debug)]
pub struct KeysStep {
    pub(crate) heads: Heads,
    pub(crate) slot: Option<usize>,
}

/// [`Values`] as a step, likewise.
#[derive(Clone, Copy, Debug)]
pub struct ValuesStep(pub(crate) KeysStep);

impl KeysStep {
    fn rows<'a>(&self, operands: &Operands<'a>) -> Rows<'a> {
        let (x, call) = (operands.x(), operands.call);
        match operands.held {
            Some(held) => Rows { x: x.x, layout: held.layout, per_unit: call.items, past: call.past },
            None => {
                let layout = Layout::of_item(&self.heads, x.per_item);
                Rows { x: x.x, layout, per_unit: x.per_item, past: 0 }
            }
        }
    }

    /// Sixteen positions of all heads, whose rows lie together; of state a head.
    fn block(&self) -> (usize, usize) {
        if self.slot.is_some() { (1, usize::MAX) } else { (self.heads.kv, LANES * self.heads.dim) }
    }

    fn work(&self, extent: &Extent) -> Work {
        self.slot.map_or(Work::default(), |_| Work::remember(&self.heads, extent))
    }
}

impl Operation for KeysStep {
    type Kernel<'a> = Keys<'a>;

    fn name(&self) -> &'static str {
        "keys"
    }

    fn work(&self, _: &Slot, extent: &Extent) -> Work {
        self.work(extent)
    }

    fn block(&self, _: usize, _: usize) -> (usize, usize) {
        self.block()
    }

    fn touches(&self) -> Option<Touch> {
        self.slot.map(Touch::Keys)
    }

    fn bind<'a>(&self, operands: &Operands<'a>) -> Result<Keys<'a>, RunError> {
        Ok(Keys(self.rows(operands)))
    }

    fn details(&self) -> String {
        listed_heads(&self.heads, self.slot)
    }
}

impl Operation for ValuesStep {
    type Kernel<'a> = Values<'a>;

    fn name(&self) -> &'static str {
        "values"
    }

    fn work(&self, _: &Slot, extent: &Extent) -> Work {
        self.0.work(extent)
    }

    fn block(&self, _: usize, _: usize) -> (usize, usize) {
        self.0.block()
    }

    fn touches(&self) -> Option<Touch> {
        self.0.slot.map(Touch::Values)
    }

    fn bind<'a>(&self, operands: &Operands<'a>) -> Result<Values<'a>, RunError> {
        Ok(Values(self.0.rows(operands)))
    }

    fn details(&self) -> String {
        listed_heads(&self.0.heads, self.0.slot)
    }
}
