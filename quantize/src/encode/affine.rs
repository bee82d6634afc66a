//! The search behind `Q2_K`, `Q4_K` and `Q5_K`, and with importance `Q4_1` and `Q5_1`: a scale and a minimum for a group.
//!
//! Looked for are codes `q` in `0..=levels`, a scale `s` and an offset `m ≤ 0` with
//!
//! ```text
//! Σ w[i] · |s · q[i] + m − x[i]|ᵖ      small,      p = 1 or 2
//! ```
//!
//! For given codes the best `s` and `m` (for p = 2) solve two linear equations. With the weighted sums
//! `W = Σw`, `X = Σwx`, `Q = Σwq`, `QQ = Σwq²`, `QX = Σwqx` and `D = W · QQ − Q²`,
//!
//! ```text
//! s = (W · QX − X · Q) / D        m = (QQ · X − Q · QX) / D,      and if m > 0:   m = 0,  s = QX / QQ
//! ```
//!
//! Codes come from a guess of the inverse scale: `q = clamp(nearest(k · (x − m)))`. The first guess maps the range of
//! the group onto the levels. The following ones, `k = (levels + first + step · t) / (max − m)` for t = 0, 1, …, stretch and
//! shrink it; each is followed by the two equations, and is kept if its error is less. The `m` in a guess is that of the
//! best so far.
//!
//! Source: the search of ggml's quantizer, whose order of operations is kept so that the same bits come out.

use super::lanes::Lanes;
use ocelli_kernels::cpu::Isa;

/// How far a search goes.
pub(super) struct Search {
    /// The largest code.
    pub levels: i32,
    /// The first change of the number of levels.
    pub first: f32,
    /// How many changes come after it.
    pub steps: i32,
    /// How far they are apart.
    pub apart: f32,
    /// Whether the error is the distance (p = 1) and not its square.
    pub absolute: bool,
}

/// What was found for sixteen groups.
pub(super) struct Fit<I: Isa> {
    /// The scales.
    pub scale: Lanes<I>,
    /// The minimums: −m.
    pub minimum: Lanes<I>,
    /// The `k` and `m` that the codes come from.
    pub guess: Guess<I>,
}

/// Where codes come from.
#[derive(Clone, Copy)]
pub(super) struct Guess<I: Isa> {
    inverse: Lanes<I>,
    offset: Lanes<I>,
    levels: i32,
}

impl<I: Isa> Guess<I> {
    /// A place to be filled.
    #[inline(always)]
    pub fn none(isa: I) -> Self {
        let zero = Lanes::all(isa, 0.0);
        Guess { inverse: zero, offset: zero, levels: 0 }
    }

    /// The codes of the search.
    #[inline(always)]
    pub fn codes<const G: usize>(&self, x: &[Lanes<I>; G]) -> [Lanes<I>; G] {
        each!(*x, |x| (self.inverse * (x - self.offset)).code(0, self.levels))
    }

    /// The codes: those of the group's final scale and minimum, as they are stored; where that scale is 0, those of the
    /// search, which nothing reads.
    #[inline(always)]
    pub fn refined<const G: usize>(
        &self,
        x: &[Lanes<I>; G],
        scale: Lanes<I>,
        minimum: Lanes<I>,
    ) -> [Lanes<I>; G] {
        let size = scale.abs();
        let mut codes = self.codes(x);
        for (code, x) in codes.iter_mut().zip(x) {
            *code = size.positive(((*x + minimum) / scale).code(0, self.levels), *code);
        }
        codes
    }

    /// This one where `value < bound`, `other` elsewhere.
    #[inline(always)]
    fn where_below(self, value: Lanes<I>, bound: Lanes<I>, other: Self) -> Self {
        Self {
            inverse: value.below(bound, self.inverse, other.inverse),
            offset: value.below(bound, self.offset, other.offset),
            ..self
        }
    }
}

/// The weighted sums that the codes do not change, and the range.
struct Group<'a, I: Isa, const G: usize> {
    x: &'a [Lanes<I>; G],
    weights: &'a [Lanes<I>; G],
    sum_w: Lanes<I>,
    sum_x: Lanes<I>,
}

/// Searches sixteen groups of `G` values.
#[inline(always)]
pub(super) fn fit<I: Isa, const G: usize>(
    isa: I,
    x: &[Lanes<I>; G],
    weights: &[Lanes<I>; G],
    search: &Search,
) -> Fit<I> {
    let (zero, one) = (Lanes::all(isa, 0.0), Lanes::all(isa, 1.0));
    let (mut least, mut largest) = (x[0], x[0]);
    let (mut sum_w, mut sum_x) = (weights[0], weights[0] * x[0]);
    for (x, w) in x.iter().zip(weights).skip(1) {
        (least, largest) = (least.smaller(*x), largest.larger(*x));
        (sum_w, sum_x) = (sum_w + *w, sum_x + *w * *x);
    }
    least = least.smaller(zero);
    let levels = search.levels;
    let inverse = Lanes::all(isa, levels as f32) / (largest - least);
    let mut scale = one / inverse;
    let mut offset = least;
    let mut guess = Guess { inverse, offset, levels };
    let group = Group { x, weights, sum_w, sum_x };
    let mut error = group.error(&guess.codes(x), scale, offset, search.absolute);
    for step in 0..=search.steps {
        let stretched = Lanes::all(isa, search.first + search.apart * step as f32 + levels as f32);
        let next = Guess { inverse: stretched / (largest - offset), offset, levels };
        let codes = next.codes(x);
        let (d, s, m) = group.solve(&codes);
        let found = group.error(&codes, s, m, search.absolute);
        let found = d.positive(found, Lanes::all(isa, f32::INFINITY));
        guess = next.where_below(found, error, guess);
        scale = found.below(error, s, scale);
        offset = found.below(error, m, offset);
        error = found.below(error, found, error);
    }
    // A group without a range is its offset and nothing else.
    guess = Guess { inverse: least.below(largest, guess.inverse, zero), ..guess };
    Fit { scale: least.below(largest, scale, zero), minimum: -least.below(largest, offset, least), guess }
}

impl<I: Isa, const G: usize> Group<'_, I, G> {
    /// The error of codes with this scale and offset.
    #[inline(always)]
    fn error(&self, codes: &[Lanes<I>; G], scale: Lanes<I>, offset: Lanes<I>, absolute: bool) -> Lanes<I> {
        let mut error = self.sum_w.zero();
        for ((x, w), code) in self.x.iter().zip(self.weights).zip(codes) {
            let off = scale * *code + offset - *x;
            error = error + *w * if absolute { off.abs() } else { off * off };
        }
        error
    }

    /// `D`, and the scale and offset that are best for codes.
    #[inline(always)]
    fn solve(&self, codes: &[Lanes<I>; G]) -> (Lanes<I>, Lanes<I>, Lanes<I>) {
        let zero = self.sum_w.zero();
        let (mut q, mut qq, mut qx) = (zero, zero, zero);
        for ((x, w), code) in self.x.iter().zip(self.weights).zip(codes) {
            let wq = *w * *code;
            (q, qq, qx) = (q + wq, qq + wq * *code, qx + wq * *x);
        }
        let d = self.sum_w * qq - q * q;
        let s = (self.sum_w * qx - self.sum_x * q) / d;
        let m = (qq * self.sum_x - q * qx) / d;
        (d, m.positive(qx / qq, s), m.positive(zero, m))
    }
}
