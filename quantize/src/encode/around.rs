//! The search behind `Q6_K`, and with importance `Q3_K`, `Q4_0` and `Q5_0`: a scale for codes around zero.
//!
//! Looked for are a scale s and codes q in `−n..n` that make
//!
//! ```text
//! Σ w[i] · (s · q[i] − x[i])²      small
//! ```
//!
//! For given codes the best scale is `s = LX / LL` with `LX = Σ w·x·q`, `LL = Σ w·q²`, and what it takes off the error is
//! `LX² / LL`. Codes come from a guess of the inverse scale, `q = clamp(nearest(k · x))`: `k = −(n + 0.1 t) / x[j]` for t = −9..=9,
//! x[j] the value of largest magnitude, so that it becomes about −n; the guess that takes off most is kept. Without any
//! weight the scale is 0. A group below 10⁻¹⁵ is zeros.

use super::lanes::Lanes;
use ocelli_kernels::cpu::Isa;

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
#[derive(Clone, Copy)]
pub(super) struct Fit<I: Isa> {
    /// The scales.
    pub scale: Lanes<I>,
    /// The guesses that codes come from; 0 for a group of nothing.
    inverse: Lanes<I>,
    steps: i32,
}

/// `LX` and `LL` of the codes of a guess.
#[inline(always)]
fn sums<I: Isa, const G: usize>(
    x: &[Lanes<I>; G],
    weights: &[Lanes<I>; G],
    inverse: Lanes<I>,
    steps: i32,
) -> (Lanes<I>, Lanes<I>) {
    let (mut lx, mut ll) = (inverse.zero(), inverse.zero());
    for (x, w) in x.iter().zip(weights) {
        let code = (inverse * *x).code(-steps, steps - 1);
        (lx, ll) = (lx + *w * *x * code, ll + *w * code * code);
    }
    (lx, ll)
}

/// Searches sixteen groups of `G` values, `steps` being n.
#[inline(always)]
pub(super) fn fit<I: Isa, const G: usize>(x: &[Lanes<I>; G], weights: &[Lanes<I>; G], steps: i32) -> Fit<I> {
    let (value, size) = extremes(x);
    let (zero, most) = (value.zero(), steps as f32);
    let mut inverse = value.same(-most) / value;
    let (lx, ll) = sums(x, weights, inverse, steps);
    let mut scale = ll.positive(lx / ll, zero);
    let mut best = scale * lx;
    for t in (-9..=9).filter(|t| *t != 0) {
        let next = value.same(-(most + 0.1 * t as f32)) / value;
        let (lx, ll) = sums(x, weights, next, steps);
        // LX² / LL > best, without the division.
        let (least, more) = (best * ll, ll.positive(lx * lx, value.same(-1.0)));
        inverse = least.below(more, next, inverse);
        scale = least.below(more, lx / ll, scale);
        best = least.below(more, scale * lx, best);
    }
    let nothing = value.same(NOTHING);
    Fit { scale: size.below(nothing, zero, scale), inverse: size.below(nothing, zero, inverse), steps }
}

impl<I: Isa> Fit<I> {
    /// Nothing for any group: a place to be filled.
    #[inline(always)]
    pub fn nothing(isa: I, steps: i32) -> Self {
        let zero = Lanes::all(isa, 0.0);
        Fit { scale: zero, inverse: zero, steps }
    }

    /// The codes of the search with n added, so that they begin at 0; 0 in a group of nothing.
    #[inline(always)]
    pub fn searched<const G: usize>(&self, x: &[Lanes<I>; G]) -> [Lanes<I>; G] {
        let (guessed, middle) = (self.inverse.abs(), self.inverse.same(self.steps as f32));
        each!(*x, |x| guessed
            .positive((self.inverse * x).code(-self.steps, self.steps - 1) + middle, guessed.zero()))
    }

    /// The codes for the stored scales; those of the search where that is 0.
    #[inline(always)]
    pub fn codes<const G: usize>(&self, x: &[Lanes<I>; G], scale: Lanes<I>) -> [Lanes<I>; G] {
        let (size, middle) = (scale.abs(), scale.same(self.steps as f32));
        let mut codes = self.searched(x);
        for (code, x) in codes.iter_mut().zip(x) {
            *code = size.positive((*x / scale).code(-self.steps, self.steps - 1) + middle, *code);
        }
        codes
    }
}
