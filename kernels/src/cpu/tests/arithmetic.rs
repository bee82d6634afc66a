//! Operations on sixteen `f32`.

use super::*;
use crate::math;
use core::array::from_fn;

/// Calls `f` with sixteen triples at a time: every triple of hard values, then `rounds` of each kind of [`triple`].
#[inline(always)]
fn triples(rounds: usize, mut f: impl FnMut([f32; LANES], [f32; LANES], [f32; LANES])) {
    const N: usize = HARD.len();
    for start in (0..N * N * N).step_by(LANES) {
        let hard = |i: usize, digit: usize| HARD[(start + i) / N.pow(digit as u32) % N];
        f(from_fn(|i| hard(i, 0)), from_fn(|i| hard(i, 1)), from_fn(|i| hard(i, 2)));
    }
    let mut random = Random(1);
    for _ in 0..rounds {
        for kind in 0..6 {
            let all: [_; LANES] = from_fn(|_| triple(&mut random, kind));
            f(all.map(|t| t.0), all.map(|t| t.1), all.map(|t| t.2));
        }
    }
}

/// A triple that is hard for a fused multiply-add, in one of six ways.
fn triple(random: &mut Random, kind: usize) -> (f32, f32, f32) {
    let e = random.between(60, 190);
    let (a, b) = (random.with_exponent(e), random.with_exponent(254 - e));
    match kind {
        // Anything.
        0 => (random.bits(), random.bits(), random.bits()),
        // Operands that overlap in every possible way.
        1 => {
            let overlap = random.between(127 - 60, 127 + 60);
            (a, b, random.with_exponent(overlap))
        }
        // The addend takes the product away but for its last bits.
        2 => {
            let nudge = random.between(-2, 2);
            (a, b, f32::from_bits((-(a * b)).to_bits().wrapping_add_signed(nudge)))
        }
        // The product lies half-way between two numbers (13 + 12 bits), and the addend says, from afar, which one.
        3 => {
            let short = |x: f32, low: u32| f32::from_bits(x.to_bits() & (!0 << low) | 1 << low);
            let (far, sign) = (random.between(0, 60), random.between(-1, 1));
            (short(a, 11), short(b, 12), random.with_exponent(far) * sign as f32)
        }
        // The result is subnormal, or just not.
        4 => {
            let (shift, tiny) = (random.between(0, 48), random.between(0, 3));
            (
                random.with_exponent(e),
                random.with_exponent((150 - shift - e + 127).clamp(0, 254)),
                random.with_exponent(tiny) / 4.0,
            )
        }
        // The result overflows, or just does not.
        _ => {
            let (up, huge) = (random.between(0, 1), random.between(252, 254));
            (
                random.with_exponent(e),
                random.with_exponent((254 + 127 - e + up - 1).clamp(0, 254)),
                random.with_exponent(huge),
            )
        }
    }
}

#[inline(always)]
fn equal(isa: &str, operation: &str, inputs: [[f32; LANES]; 3], got: [f32; LANES], want: [f32; LANES]) {
    if (0..LANES).all(|i| same(got[i], want[i])) {
        return;
    }
    let i = (0..LANES).position(|i| !same(got[i], want[i])).unwrap();
    let [a, b, c] = inputs.map(|x| x[i]);
    panic!("{operation} on {isa}: a {a:e}, b {b:e}, c {c:e} give {:e}, not {:e}", got[i], want[i]);
}

on_each_isa! {
    arithmetic_equals_scalar: |isa| {
        triples(20_000, |a, b, c| {
            let inputs = [a, b, c];
            let (x, y, z) = (isa.load(&a), isa.load(&b), isa.load(&c));
            let check = |name, got, want| equal(I::NAME, name, inputs, lanes(isa, got), want);
            check("add", isa.add(x, y), Scalar.add(a, b));
            check("sub", isa.sub(x, y), Scalar.sub(a, b));
            check("mul", isa.mul(x, y), Scalar.mul(a, b));
            check("div", isa.div(x, y), Scalar.div(a, b));
            check("sqrt", isa.sqrt(x), Scalar.sqrt(a));
            check("max", isa.max(x, y), Scalar.max(a, b));
            check("min", isa.min(x, y), Scalar.min(a, b));
            check("select", isa.select(x, y, z, x), Scalar.select(a, b, c, a));
            assert!(same(isa.sum(x), Scalar.sum(a)), "sum on {} of {a:?}", I::NAME);
            assert!(same(isa.largest(x), Scalar.largest(a)), "largest on {} of {a:?}", I::NAME);
        });
    }
}

on_each_isa! {
    fma_equals_scalar: |isa| {
        triples(30_000, |a, b, c| {
            let got = lanes(isa, isa.fma(isa.load(&a), isa.load(&b), isa.load(&c)));
            equal(I::NAME, "fma", [a, b, c], got, Scalar.fma(a, b, c));
        });
    }
}

#[test]
fn scalar_fma_is_exact_but_for_one_rounding() {
    triples(3_000, |a, b, c| {
        let got = Scalar.fma(a, b, c);
        for (i, got) in got.into_iter().enumerate() {
            if [a[i], b[i], c[i]].iter().all(|x| x.is_finite()) {
                let want = exact::fma(a[i], b[i], c[i]);
                assert_eq!(
                    got.to_bits(),
                    want.to_bits(),
                    "{:e} · {:e} + {:e}: {got:e}, not {want:e}",
                    a[i],
                    b[i],
                    c[i]
                );
            }
        }
    });
}

/// The six kinds do reach what they are for.
#[test]
fn triples_are_hard() {
    let (mut subnormal, mut infinite, mut twice_rounded) = (0, 0, 0);
    triples(500, |a, b, c| {
        for i in (0..LANES).filter(|&i| [a[i], b[i], c[i]].iter().all(|x| x.is_finite())) {
            let exact = exact::fma(a[i], b[i], c[i]);
            subnormal += usize::from(exact.is_subnormal());
            infinite += usize::from(exact.is_infinite());
            let in_double = (f64::from(a[i]) * f64::from(b[i]) + f64::from(c[i])) as f32;
            twice_rounded += usize::from(in_double.to_bits() != exact.to_bits());
        }
    });
    assert!(
        subnormal > 1000 && infinite > 1000 && twice_rounded > 1000,
        "{subnormal} {infinite} {twice_rounded}"
    );
}

on_each_isa! {
    splat_fills_every_lane: |isa| {
        for x in HARD {
            assert!(lanes(isa, isa.splat(x)).iter().all(|y| y.to_bits() == x.to_bits()), "{} {x:e}", I::NAME);
        }
    }
}

on_each_isa! {
    max_min_and_select_take_the_second_where_there_is_no_order: |isa| {
        let pick = |f: fn(I, I::F, I::F) -> I::F, a: f32, b: f32| lanes(isa, f(isa, isa.splat(a), isa.splat(b)))[5];
        for (a, b) in [(f32::NAN, 1.0), (1.0, f32::NAN), (0.0, -0.0), (-0.0, 0.0)] {
            assert!(same(pick(I::max, a, b), b), "{} {a} {b}", I::NAME);
            assert!(same(pick(I::min, a, b), b), "{} {a} {b}", I::NAME);
            let chosen = isa.select(isa.splat(a), isa.splat(b), isa.splat(1.0), isa.splat(2.0));
            assert_eq!(lanes(isa, chosen), [2.0; LANES], "{}", I::NAME);
        }
    }
}

on_each_isa! {
    sums_follow_the_fixed_tree: |isa| {
        // Every other order loses the ones: 2²⁴ + 1 is 2²⁴.
        let mut x = [0.0; LANES];
        (x[0], x[8], x[4], x[12]) = (16_777_216.0, -16_777_216.0, 1.0, 1.0);
        assert_eq!(isa.sum(isa.load(&x)), 2.0, "{}", I::NAME);
        (x[8], x[4], x[12], x[2]) = (0.0, -16_777_216.0, 0.0, 1.0);
        assert_eq!(isa.sum(isa.load(&x)), 1.0, "{}", I::NAME);
    }
}

on_each_isa! {
    pow2_covers_the_normal_exponents: |isa| {
        for n in -126..=127 {
            let want = f32::from_bits(((n + 127) as u32) << 23);
            assert_eq!(lanes(isa, isa.pow2(isa.splat(n as f32))), [want; LANES], "{} {n}", I::NAME);
        }
    }
}

on_each_isa! {
    /// A product with a subnormal number takes tens of times as long as any other.
    sigmoids_are_not_subnormal: |isa| {
        for x in (-2000..2000).map(|i| i as f32 / 10.0).chain(HARD) {
            let y = lanes(isa, math::sigmoid(isa, isa.splat(x)))[3];
            assert!(!y.is_subnormal(), "{} {x:e}: {y:e}", I::NAME);
        }
    }
}
