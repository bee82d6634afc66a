//! `Q3_K`: sixteen groups of 16, codes −4..=3 around zero. As in `Q6_K` looked for are the scale s and codes q that make
//!
//! ```text
//! Σ w[i] · (s · q[i] − x[i])²      small,      w[i] = x[i]²,      s = LX / LL,  LX = Σ w·x·q,  LL = Σ w·q²
//! ```
//!
//! but with so few codes the guess that matters is each code, not the scale. From `q = clamp(nearest(−4 · x / x[j]))`, x[j]
//! the value of largest magnitude, codes are changed one at a time, five times over: without value i the best scale is
//! `s' = LX' / LL'`; if `LX' > 0`, its code becomes nearest(x[i] / s') where that makes `LX² / LL` larger.
//!
//! The scale of largest magnitude becomes −32 and the others the nearest 32nd part of it, at most 31; then the codes
//! are taken again, nearest for the scales as they are stored.
//!
//! With importance groups are searched by `around.rs` with n = 4, and so are the scales of a block with n = 32, weighted with
//! the sums of their groups' weights.

use super::Encoder;
use super::around::{self, NOTHING, extremes};
use super::lanes::{Lanes, columns, groups, half, nearest, whole};
use super::q2_k::twos;
use super::weighted::{Spread, Weighted, total};
use ocelli_kernels::cpu::Isa;

#[derive(Clone, Copy)]
pub(super) struct Q3K;

/// What was found for sixteen groups; codes have 4 added, and are 0 in a group of nothing.
struct Fit<I: Isa> {
    scale: Lanes<I>,
    codes: [Lanes<I>; 16],
}

/// The sums of a group.
#[derive(Clone, Copy)]
struct Sums<I: Isa> {
    lx: Lanes<I>,
    ll: Lanes<I>,
}

impl<I: Isa> Sums<I> {
    /// With one more value of this code.
    #[inline(always)]
    fn with(self, x: Lanes<I>, code: Lanes<I>) -> Self {
        let w = x * x;
        Self { lx: self.lx + w * x * code, ll: self.ll + w * code * code }
    }

    /// Without a value of this code.
    #[inline(always)]
    fn without(self, x: Lanes<I>, code: Lanes<I>) -> Self {
        let w = x * x;
        Self { lx: self.lx - w * x * code, ll: self.ll - w * code * code }
    }

    /// `yes` where `next` has the larger `LX² / LL`.
    #[inline(always)]
    fn less_than(&self, next: &Self, yes: Lanes<I>, no: Lanes<I>) -> Lanes<I> {
        let (here, there) = (self.lx * self.lx * next.ll, next.lx * next.lx * self.ll);
        next.ll.positive(here.below(there, yes, no), no)
    }
}

#[inline(always)]
fn fit<I: Isa>(isa: I, x: &[Lanes<I>; 16]) -> Fit<I> {
    let (value, size) = extremes(x);
    let (zero, one) = (value.zero(), value.same(1.0));
    let inverse = Lanes::all(isa, -4.0) / value;
    let mut codes = each!(*x, |x| (inverse * x).code(-4, 3));
    let mut sums = Sums { lx: zero, ll: zero };
    for (x, code) in x.iter().zip(&codes) {
        sums = sums.with(*x, *code);
    }
    for _ in 0..5 {
        for (x, code) in x.iter().zip(&mut codes) {
            let rest = sums.without(*x, *code);
            let other = (*x * rest.ll / rest.lx).code(-4, 3);
            let next = rest.with(*x, other);
            let mut better = sums.less_than(&next, one, zero);
            better = rest.lx.positive(better, zero);
            better = (other - *code).abs().positive(better, zero);
            *code = better.positive(other, *code);
            sums.lx = better.positive(next.lx, sums.lx);
            sums.ll = better.positive(next.ll, sums.ll);
        }
    }
    let (nothing, scale) = (value.same(NOTHING), sums.ll.positive(sums.lx / sums.ll, zero));
    Fit {
        scale: size.below(nothing, zero, scale),
        codes: each!(codes, |code| size.below(nothing, zero, code + code.same(4.0))),
    }
}

/// The low four bits of sixteen numbers of six bits in eight bytes, then their upper two in four.
#[inline(always)]
fn packed(six: &[u8; 16]) -> [u8; 12] {
    let mut out = [0; 12];
    for (g, s) in six.iter().enumerate() {
        out[g % 8] |= (s & 15) << (4 * (g / 8));
        out[8 + g % 4] |= (s >> 4) << (2 * (g / 4));
    }
    out
}

impl Encoder for Q3K {
    const BLOCK: usize = 256;
    const BYTES: usize = 110;
    const HALVES: &'static [usize] = &[108];

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], block: &mut [u8]) {
        places!(block => third: 32, quants: 64, packing: 12, d: 2);
        let x: [Lanes<I>; 16] = columns(isa, values);
        let found = fit(isa, &x);
        let scales = found.scale.values();
        let largest = scales.iter().fold(0.0f32, |a, b| if b.abs() > a.abs() { *b } else { a });
        let mut six = [0; 16];
        (*packing, *d) = ([0; 12], half(isa, 0.0));
        if largest != 0.0 {
            let inverse = -32.0 / largest;
            six = scales.map(|s| ((nearest(inverse * s) as i8).clamp(-32, 31) + 32) as u8);
            (*packing, *d) = (packed(&six), half(isa, 1.0 / inverse));
        }
        let scale = stored(isa, &six, *d);
        let size = scale.abs();
        let mut codes = found.codes;
        for (code, x) in codes.iter_mut().zip(&x) {
            *code = size.positive((*x / scale).code(-4, 3) + x.same(4.0), *code);
        }
        pack(&codes, third, quants);
    }
}

/// The scales of a block as they are stored.
#[inline(always)]
fn stored<I: Isa>(isa: I, six: &[u8; 16], d: [u8; 2]) -> Lanes<I> {
    let d = whole(isa, d);
    Lanes::new(isa, &six.map(|s| d * (f32::from(s) - 32.0)))
}

/// The third bits of the codes: bit g of byte i is that of value i of the g-th 32; and the other two.
#[inline(always)]
fn pack<I: Isa>(codes: &[Lanes<I>; 16], third: &mut [u8; 32], quants: &mut [u8; 64]) {
    let mut codes = groups(codes);
    let Some(codes) = codes.as_flattened_mut().first_chunk_mut::<256>() else { return };
    *third = [0; 32];
    for (i, code) in codes.iter_mut().enumerate() {
        third[i % 32] |= (*code >> 2) << (i / 32);
        *code &= 3;
    }
    twos(codes, quants);
}

impl Weighted for Q3K {
    const BLOCK: usize = 256;
    const BYTES: usize = 110;
    const HALVES: &'static [usize] = &[108];
    const SPREAD: Spread = Spread::Block(2.0);

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], weights: &[f32], blocks: &mut [u8]) {
        let mut fits = [around::Fit::nothing(isa, 4); 16];
        let (mut scales, mut sums) = ([[0.0; 16]; 16], [[0.0; 16]; 16]);
        let both = values.chunks_exact(256).zip(weights.chunks_exact(256));
        for (((x, w), found), (scales, sums)) in both.zip(&mut fits).zip(scales.iter_mut().zip(&mut sums)) {
            let (x, w): ([Lanes<I>; 16], [Lanes<I>; 16]) = (columns(isa, x), columns(isa, w));
            *found = around::fit(&x, &w, 4);
            (*scales, *sums) = (found.scale.values(), total(isa, &w).values());
        }
        let (scales, sums) = (columns(isa, scales.as_flattened()), columns(isa, sums.as_flattened()));
        let found = around::fit::<I, 16>(&scales, &sums, 32);
        let of_blocks = found.scale.values().into_iter().zip(groups(&found.searched(&scales)));
        let blocks = blocks.chunks_exact_mut(110).zip(values.chunks_exact(256));
        for (((scale, six), found), (block, x)) in of_blocks.zip(&fits).zip(blocks) {
            places!(block => third: 32, quants: 64, packing: 12, d: 2);
            (*packing, *d) = (packed(&six), half(isa, scale));
            pack(&found.codes(&columns(isa, x), stored(isa, &six, *d)), third, quants);
        }
    }
}
