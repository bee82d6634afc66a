//! `Q6_K`: sixteen groups of 16, codes −32..=31 around zero. For each group the scale s and codes q are looked for that make
//!
//! ```text
//! Σ w[i] · (s · q[i] − x[i])²      small,      w[i] = x[i]²
//! ```
//!
//! For given codes the best scale is `s = LX / LL` with `LX = Σ w·x·q`, `LL = Σ w·q²`, and what it takes off the error is
//! `LX² / LL`. Codes come from a guess of the inverse scale, `q = clamp(nearest(k · x))`: `k = −(32 + 0.1 t) / x[j]` for t = −9..=9,
//! x[j] the value of largest magnitude, so that it becomes about −32; the guess that takes off most is kept.
//!
//! The scale of largest magnitude becomes −128 and the others the nearest 128th part of it, at most 127; then the codes are
//! taken again, nearest for the scales as they are stored. A group below 10⁻¹⁵ is zeros, and so is a block of such groups.

use super::Encoder;
use super::lanes::{Lanes, columns, each, groups, half, nearest, whole};
use ocelli_kernels::cpu::Isa;

#[derive(Clone, Copy)]
pub(super) struct Q6K;

/// Groups whose largest magnitude is less count as zeros.
pub(super) const NOTHING: f32 = 1e-15;

/// The value of largest magnitude, the first of equals, and its magnitude.
#[inline(always)]
pub(super) fn extremes<I: Isa, const G: usize>(x: &[Lanes<I>; G]) -> (Lanes<I>, Lanes<I>) {
    let (mut value, mut size) = (x[0].zero(), x[0].zero());
    for x in x {
        (value, size) = (size.below(x.abs(), *x, value), size.below(x.abs(), x.abs(), size));
    }
    (value, size)
}

/// What was found for sixteen groups.
struct Fit<I: Isa> {
    scale: Lanes<I>,
    inverse: Lanes<I>,
}

/// `LX` and `LL` of the codes of a guess.
#[inline(always)]
fn sums<I: Isa>(x: &[Lanes<I>; 16], inverse: Lanes<I>) -> (Lanes<I>, Lanes<I>) {
    let (mut lx, mut ll) = (inverse.zero(), inverse.zero());
    for x in x {
        let (code, w) = ((inverse * *x).code(-32, 31), *x * *x);
        (lx, ll) = (lx + w * *x * code, ll + w * code * code);
    }
    (lx, ll)
}

#[inline(always)]
fn fit<I: Isa>(isa: I, x: &[Lanes<I>; 16]) -> Fit<I> {
    let (value, size) = extremes(x);
    let zero = value.zero();
    let mut inverse = Lanes::all(isa, -32.0) / value;
    let (lx, ll) = sums(x, inverse);
    let mut scale = ll.positive(lx / ll, zero);
    let mut best = scale * lx;
    for t in (-9..=9).filter(|t| *t != 0) {
        let next = Lanes::all(isa, -(32.0 + 0.1 * t as f32)) / value;
        let (lx, ll) = sums(x, next);
        // LX² / LL > best, without the division.
        let (least, more) = (best * ll, ll.positive(lx * lx, value.same(-1.0)));
        inverse = least.below(more, next, inverse);
        scale = least.below(more, lx / ll, scale);
        best = least.below(more, scale * lx, best);
    }
    let nothing = Lanes::all(isa, NOTHING);
    Fit { scale: size.below(nothing, zero, scale), inverse: size.below(nothing, zero, inverse) }
}

/// Four low bits in `low`, two high bits in `high`: see the layout in the format's own file.
#[inline(always)]
fn pack(codes: &[u8; 256], low: &mut [u8; 128], high: &mut [u8; 64]) {
    let halves = low.as_chunks_mut::<64>().0.iter_mut().zip(high.as_chunks_mut::<32>().0);
    for (codes, (low, high)) in codes.as_chunks::<128>().0.iter().zip(halves) {
        for l in 0..32 {
            let [a, b, c, d] = [codes[l], codes[l + 32], codes[l + 64], codes[l + 96]];
            low[l] = a & 15 | c << 4;
            low[l + 32] = b & 15 | d << 4;
            high[l] = a >> 4 | b >> 4 << 2 | c >> 4 << 4 | d >> 4 << 6;
        }
    }
}

impl Encoder for Q6K {
    const BLOCK: usize = 256;
    const BYTES: usize = 210;
    const HALVES: &'static [usize] = &[208];

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], block: &mut [u8]) {
        places!(block => low: 128, high: 64, factors: 16, d: 2);
        let x: [Lanes<I>; 16] = columns(isa, values);
        let found = fit(isa, &x);
        let scales = found.scale.values();
        let largest = scales.iter().fold(0.0f32, |a, b| if b.abs() > a.abs() { *b } else { a });
        if largest.abs() < NOTHING {
            (*low, *high, *factors, *d) = ([0; 128], [0; 64], [0; 16], [0; 2]);
            return;
        }
        let inverse = -128.0 / largest;
        *d = half(isa, 1.0 / inverse);
        let parts = scales.map(|s| nearest(inverse * s).min(127) as i8);
        *factors = parts.map(|p| p as u8);
        let d = whole(isa, *d);
        let scale = Lanes::new(isa, &parts.map(|p| d * f32::from(p)));
        let codes = groups(&codes(&x, &found, scale));
        if let Some(codes) = codes.as_flattened().first_chunk() {
            pack(codes, low, high);
        }
    }
}

/// The codes for the stored scales; where that is 0 those of the search, and zeros of a group of nothing.
#[inline(always)]
fn codes<I: Isa>(x: &[Lanes<I>; 16], found: &Fit<I>, scale: Lanes<I>) -> [Lanes<I>; 16] {
    let (size, guessed) = (scale.abs(), found.inverse.abs());
    let middle = |code: Lanes<I>| code + code.same(32.0);
    each(x, |x| {
        let searched = guessed.positive(middle((found.inverse * x).code(-32, 31)), guessed.zero());
        size.positive(middle((x / scale).code(-32, 31)), searched)
    })
}
