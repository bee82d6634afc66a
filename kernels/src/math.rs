//! Elementary functions on sixteen lanes: our own, so that every machine computes the same bits.

use crate::cpu::{Isa, LANES};

/// Reads up to sixteen values; lanes beyond the end are zero.
#[inline(always)]
pub(crate) fn read<I: Isa>(isa: I, x: &[f32]) -> I::F {
    if let Some(x) = x.first_chunk() {
        return isa.load(x);
    }
    let mut padded = [0.0; LANES];
    padded[..x.len()].copy_from_slice(x);
    isa.load(&padded)
}

/// Writes the first lanes, as many as there is room for, at most sixteen.
#[inline(always)]
pub(crate) fn write<I: Isa>(isa: I, x: I::F, to: &mut [f32]) {
    if let Some(to) = to.first_chunk_mut() {
        return isa.store(x, to);
    }
    let mut all = [0.0; LANES];
    isa.store(x, &mut all);
    let n = to.len();
    to.copy_from_slice(&all[..n]);
}

/// The nearest whole number, ties to even, for |x| < 2²²: adding 1.5 · 2²³ leaves no bits for a fraction.
#[inline(always)]
pub(crate) fn round<I: Isa>(isa: I, x: I::F) -> I::F {
    let magic = isa.splat(12_582_912.0);
    isa.sub(isa.add(x, magic), magic)
}

/// eˣ to about 1 unit in the last place; 0 below −87.3, the largest finite power above 88.3; e⁻⁸⁷ where x is not a number.
///
/// x = n·ln 2 + r with |r| ≤ ½ ln 2 (ln 2 in two parts, Cody and Waite 1980), and a polynomial for eʳ
/// (coefficients of Moshier's Cephes `expf`).
#[inline(always)]
pub(crate) fn exp<I: Isa>(isa: I, x: I::F) -> I::F {
    exp_below(isa, x, 88.376_26)
}

/// eˣ, and above `most` the same as there.
#[inline(always)]
fn exp_below<I: Isa>(isa: I, x: I::F, most: f32) -> I::F {
    let low = isa.splat(-87.336_54);
    let clamped = isa.min(isa.max(x, low), isa.splat(most));
    let n = round(isa, isa.mul(clamped, isa.splat(core::f32::consts::LOG2_E)));
    let r = isa.fma(n, isa.splat(-0.693_359_4), clamped);
    let r = isa.fma(n, isa.splat(2.121_944_4e-4), r);
    let mut p = isa.splat(1.987_569_1e-4);
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5] {
        p = isa.fma(p, r, isa.splat(c));
    }
    let p = isa.add(isa.fma(p, isa.mul(r, r), r), isa.splat(1.0));
    isa.select(x, low, isa.splat(0.0), isa.mul(p, isa.pow2(n)))
}

/// The complementary error function 1 − erf(x) for x ≥ 0, relative error below 2·10⁻⁷ where the result matters
/// (the Chebyshev fit of Press et al., Numerical Recipes, 6.2).
#[inline(always)]
fn erfc<I: Isa>(isa: I, x: I::F) -> I::F {
    let one = isa.splat(1.0);
    let t = isa.div(one, isa.fma(x, isa.splat(0.5), one));
    let mut p = isa.splat(0.170_872_77);
    for c in [
        -0.822_152_23,
        1.488_515_9,
        -1.135_204,
        0.278_868_07,
        -0.186_288_06,
        0.096_784_18,
        0.374_091_96,
        1.000_023_7,
        -1.265_512_2,
    ] {
        p = isa.fma(p, t, isa.splat(c));
    }
    isa.mul(t, exp(isa, isa.sub(p, isa.mul(x, x))))
}

/// erf(x), odd.
#[inline(always)]
pub(crate) fn erf<I: Isa>(isa: I, x: I::F) -> I::F {
    let zero = isa.splat(0.0);
    let magnitude = isa.max(x, isa.sub(zero, x));
    let y = isa.sub(isa.splat(1.0), erfc(isa, magnitude));
    isa.select(x, zero, isa.sub(zero, y), y)
}

/// 1 / (1 + e⁻ˣ), and below −87 the same as there: the next smaller ones are subnormal, with which processors take tens of
/// times as long.
#[inline(always)]
pub(crate) fn sigmoid<I: Isa>(isa: I, x: I::F) -> I::F {
    let one = isa.splat(1.0);
    isa.div(one, isa.add(one, exp_below(isa, isa.sub(isa.splat(0.0), x), 87.0)))
}
