//! The search for a block's scales and minimums where importance is given: numbers that are not negative, as codes from 0
//! up and a factor.
//!
//! Looked for are a factor d and codes q in `0..=top` that make
//!
//! ```text
//! Σ w[i] · (d · q[i] − x[i])²      small,      d = LX / LL,  LX = Σ w·x·q,  LL = Σ w·q²
//! ```
//!
//! w the weights of the groups that the numbers belong to. The first codes are `nearest(k · x)` for the best of nine inverse
//! factors, `k = (top + 0.1 t) / max x` for t = −4..=4. Then codes are changed one at a time, five times over: without value i
//! the best factor is `d' = LX' / LL'`; its code becomes nearest(x[i] / d') where that makes `LX² / LL` larger. Numbers that are
//! all below 10⁻¹⁵ are zeros.
//!
//! Rounding may give a group a small negative scale. Its code is then negative in the sums, and the byte that is kept of it
//! later: what the reference's types do.
//!
//! Sixteen blocks are searched together, one per lane.

use super::around::NOTHING;
use super::lanes::Lanes;
use ocelli_kernels::cpu::Isa;

/// The codes and factors of sixteen blocks of `N` numbers.
#[inline(always)]
pub(super) fn fit<I: Isa, const N: usize>(
    x: &[Lanes<I>; N],
    weights: &[Lanes<I>; N],
    top: i32,
) -> ([Lanes<I>; N], Lanes<I>) {
    let zero = x[0].zero();
    let mut largest = zero;
    for x in x {
        largest = x.below(largest, largest, *x);
    }
    let mut inverse = zero.same(top as f32) / largest;
    let mut best =
        error((x, weights), zero.same(1.0) / inverse, &each!(guess(x, inverse, top), |x| x.byte()));
    for t in (-4..=4).filter(|t| *t != 0) {
        let next = zero.same(0.1 * t as f32 + top as f32) / largest;
        let found = error((x, weights), zero.same(1.0) / next, &guess(x, next, top));
        inverse = found.below(best, next, inverse);
        best = found.below(best, found, best);
    }
    let mut sums = Sums { lx: zero, ll: zero };
    let mut codes = guess(x, inverse, top);
    for ((x, w), code) in x.iter().zip(weights).zip(&mut codes) {
        sums = Sums { lx: sums.lx + *w * *x * *code, ll: sums.ll + *w * *code * *code };
        *code = code.byte();
    }
    for _ in 0..5 {
        for ((x, w), code) in x.iter().zip(weights).zip(&mut codes) {
            sums = sums.improved(*x, *w, code, top);
        }
    }
    let nothing = zero.same(NOTHING);
    let scale = sums.ll.positive(sums.lx / sums.ll, zero);
    (each!(codes, |code| largest.below(nothing, zero, code)), largest.below(nothing, zero, scale))
}

/// The codes of a guess of the inverse factor.
#[inline(always)]
fn guess<I: Isa, const N: usize>(x: &[Lanes<I>; N], inverse: Lanes<I>, top: i32) -> [Lanes<I>; N] {
    each!(*x, |x| (inverse * x).code(i32::MIN, top))
}

/// The error of codes with this factor.
#[inline(always)]
fn error<I: Isa, const N: usize>(
    (x, weights): (&[Lanes<I>; N], &[Lanes<I>; N]),
    scale: Lanes<I>,
    codes: &[Lanes<I>; N],
) -> Lanes<I> {
    let mut error = scale.zero();
    for ((x, w), code) in x.iter().zip(weights).zip(codes) {
        let off = *x - scale * *code;
        error = error + *w * off * off;
    }
    error
}

/// The sums of a block.
#[derive(Clone, Copy)]
struct Sums<I: Isa> {
    lx: Lanes<I>,
    ll: Lanes<I>,
}

impl<I: Isa> Sums<I> {
    /// Changes the code of a number where another one is better.
    #[inline(always)]
    fn improved(self, x: Lanes<I>, w: Lanes<I>, code: &mut Lanes<I>, top: i32) -> Self {
        let (zero, one) = (x.zero(), x.same(1.0));
        let (lx, ll) = (self.lx - w * x * *code, self.ll - w * *code * *code);
        let other = (x * ll / lx).code(i32::MIN, top);
        let next = Sums { lx: lx + w * x * other, ll: ll + w * other * other };
        let (here, there) = (self.lx * self.lx * next.ll, next.lx * next.lx * self.ll);
        let mut better = here.below(there, one, zero);
        better = lx.positive(better, zero);
        better = ll.positive(better, zero);
        better = (other - *code).abs().positive(better, zero);
        *code = better.positive(other.byte(), *code);
        Sums { lx: better.positive(next.lx, self.lx), ll: better.positive(next.ll, self.ll) }
    }
}
