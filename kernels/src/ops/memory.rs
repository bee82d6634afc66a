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
use crate::cpu::{Isa, LANES};
use crate::math;
use crate::tile::Tile;

/// How keys and values are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stored {
    /// As computed.
    F32,
    /// Rounded to binary16.
    F16,
    /// 8-bit codes, a scale per 32 elements.
    Q8_0,
}

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
            Stored::Q8_0 => self.head_dim.is_multiple_of(GROUP),
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

    /// Cells (`f32` words) of the keys of one head.
    pub fn keys(&self) -> usize {
        self.capacity.div_ceil(LANES) * self.key_block()
    }

    /// Cells of the values of one head.
    pub fn values(&self) -> usize {
        self.capacity * self.value()
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
                    Stored::Q8_0 => {
                        let (codes, scales) = block.split_at_mut(LANES * layout.head_dim / 4);
                        let codes = bytemuck::cast_slice_mut::<f32, i8>(codes);
                        for (g, x) in x.as_chunks::<GROUP>().0.iter().enumerate() {
                            let mut group = [0; GROUP];
                            let scale = super::quantize::group(isa, x, &mut group);
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
                    Stored::Q8_0 => {
                        let (codes, scales) = to.split_at_mut(layout.head_dim / 4);
                        let codes = bytemuck::cast_slice_mut::<f32, i8>(codes).as_chunks_mut::<GROUP>().0;
                        for ((x, codes), scale) in x.as_chunks::<GROUP>().0.iter().zip(codes).zip(scales) {
                            *scale = super::quantize::group(isa, x, codes);
                        }
                    }
                }
            }
        }
    }
}

/// Scores of sixteen keys with `T` queries: Σ_e q[e] · k[e], element by element.
#[inline(always)]
pub(crate) fn scores<I: Isa, const T: usize>(
    isa: I,
    layout: &Layout,
    block: &[f32],
    q: &[&[f32]; T],
) -> [I::F; T] {
    let d = layout.head_dim;
    let mut s = [isa.splat(0.0); T];
    if q.iter().any(|q| q.len() != d) {
        return s;
    }
    match layout.stored {
        Stored::F32 => {
            for (e, k) in block.as_chunks::<LANES>().0.iter().enumerate().take(d) {
                multiply(isa, isa.load(k), q, e, &mut s);
            }
        }
        Stored::F16 => {
            let block = bytemuck::cast_slice::<f32, u16>(block).as_chunks::<LANES>().0;
            for (e, k) in block.iter().enumerate().take(d) {
                multiply(isa, isa.load_half(k), q, e, &mut s);
            }
        }
        Stored::Q8_0 => {
            let (codes, scales) = block.split_at_checked(LANES * d / 4).unwrap_or_default();
            let codes = bytemuck::cast_slice::<f32, [i8; LANES]>(codes).as_chunks::<GROUP>().0;
            for (g, (codes, scale)) in codes.iter().zip(scales.as_chunks::<LANES>().0).enumerate() {
                let mut part = [isa.splat(0.0); T];
                for (e, k) in codes.iter().enumerate() {
                    multiply(isa, isa.load_codes(k), q, g * GROUP + e, &mut part);
                }
                let scale = isa.load(scale);
                for t in 0..T {
                    s[t] = isa.fma(part[t], scale, s[t]);
                }
            }
        }
    }
    s
}

/// `y[t] += x[t][i] · v`.
#[inline(always)]
fn multiply<I: Isa, const T: usize>(isa: I, v: I::F, x: &[&[f32]; T], i: usize, y: &mut [I::F; T]) {
    for t in 0..T {
        y[t] = isa.fma(isa.splat(x[t][i]), v, y[t]);
    }
}

/// Adds values `from` and following, sixteen elements from `first` on, weighted: `y[t] += Σ_k p[t][k] · v[k]`, key by key.
#[inline(always)]
pub(crate) fn weigh<I: Isa, const T: usize>(
    isa: I,
    layout: &Layout,
    values: &[f32],
    keys: core::ops::Range<usize>,
    p: &[&[f32]; T],
    first: usize,
    y: &mut [I::F; T],
) {
    let values = values.chunks_exact(layout.value()).enumerate().take(keys.end).skip(keys.start);
    if p.iter().any(|p| p.len() < keys.end) {
        return;
    }
    match layout.stored {
        Stored::F32 => {
            for (k, v) in values {
                multiply(isa, math::read(isa, v.get(first..).unwrap_or(&[])), p, k, y);
            }
        }
        Stored::F16 => {
            for (k, v) in values {
                let halves = bytemuck::cast_slice::<f32, u16>(v).get(first..).unwrap_or(&[]);
                let mut padded = [0; LANES];
                let halves = halves.first_chunk().unwrap_or_else(|| {
                    padded[..halves.len()].copy_from_slice(halves);
                    &padded
                });
                multiply(isa, isa.load_half(halves), p, k, y);
            }
        }
        Stored::Q8_0 => {
            for (k, v) in values {
                let (codes, scales) = v.split_at_checked(layout.head_dim / 4).unwrap_or_default();
                let codes = bytemuck::cast_slice::<f32, i8>(codes).get(first..).and_then(|c| c.first_chunk());
                let (codes, scale) =
                    (codes.unwrap_or(&[0; LANES]), scales.get(first / GROUP).copied().unwrap_or(0.0));
                for t in 0..T {
                    y[t] = isa.fma(isa.splat(p[t][k] * scale), isa.load_codes(codes), y[t]);
                }
            }
        }
    }
}
