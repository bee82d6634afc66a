//! `a · b + c` by integers: the number in full, then one rounding.

/// A magnitude in units of 2⁻²⁹⁸, the smallest product of two subnormal numbers; lowest word first.
type Wide = [u32; 20];

/// `mantissa · 2^shift` units.
fn wide(mantissa: u64, shift: usize) -> Wide {
    let mut words = [0; 20];
    let shifted = u128::from(mantissa) << (shift % 32);
    for (i, word) in words[shift / 32..][..4].iter_mut().enumerate() {
        *word = (shifted >> (32 * i)) as u32;
    }
    words
}

fn bit(x: &Wide, i: usize) -> bool {
    x[i / 32] >> (i % 32) & 1 == 1
}

/// `x + y`, or `x − y` for `x ≥ y`.
fn combine(x: &Wide, y: &Wide, subtract: bool) -> Wide {
    let mut carry = 0;
    core::array::from_fn(|i| {
        let y = i64::from(y[i]);
        let word = i64::from(x[i]) + if subtract { -y } else { y } + carry;
        carry = word >> 32;
        word as u32
    })
}

/// The bits of the `f32` nearest to a magnitude, ties to even.
fn round(x: &Wide) -> u32 {
    let Some(top) = (0..640).rev().find(|&i| bit(x, i)) else { return 0 };
    // The unit in the last place of the result: 24 bits below the top, but no less than 2⁻¹⁴⁹, which is bit 149.
    let last = (top as i32 - 23).max(149) as usize;
    let mantissa = (last..last + 24).rev().fold(0, |m, i| m << 1 | u32::from(bit(x, i)));
    let rest = (0..last - 1).any(|i| bit(x, i));
    let up = bit(x, last - 1) && (rest || mantissa & 1 == 1);
    let bits = ((last as u32 - 149) << 23) + mantissa + u32::from(up);
    bits.min(f32::INFINITY.to_bits())
}

/// Mantissa, exponent and sign.
fn parts(x: f32) -> (u64, i32, bool) {
    let (field, mantissa) = (x.to_bits() >> 23 & 255, u64::from(x.to_bits() & 0x7F_FFFF));
    let (mantissa, exponent) = if field == 0 { (mantissa, 1) } else { (mantissa | 1 << 23, field as i32) };
    (mantissa, exponent - 150, x.is_sign_negative())
}

/// `a · b + c` for finite numbers, rounded once.
pub(super) fn fma(a: f32, b: f32, c: f32) -> f32 {
    let ((ma, ea, na), (mb, eb, nb), (mc, ec, nc)) = (parts(a), parts(b), parts(c));
    let p = wide(ma * mb, (ea + eb + 298) as usize);
    let c = wide(mc, (ec + 298) as usize);
    let np = na != nb;
    let larger = p.iter().rev().cmp(c.iter().rev());
    let (sum, negative) = match (np == nc, larger.is_ge()) {
        (true, _) => (combine(&p, &c, false), np),
        (false, true) => (combine(&p, &c, true), np && larger.is_gt()),
        (false, false) => (combine(&c, &p, true), nc),
    };
    f32::from_bits(round(&sum) | u32::from(negative) << 31)
}

#[test]
fn knows_sums_that_can_be_done_by_hand() {
    for (a, b, c, want) in [
        (2.0, 3.0, 4.0, 10.0),
        (1.0, -1.0, 1.0, 0.0),
        (-0.0, 1.0, -0.0, -0.0),
        (0.0, -1.0, 0.0, 0.0),
        // One rounding: (1 + 2⁻²³)² − 1 is 2⁻²² + 2⁻⁴⁶, which two roundings lose.
        (1.0 + f32::EPSILON, 1.0 + f32::EPSILON, -1.0, 2.0 * f32::EPSILON + f32::EPSILON * f32::EPSILON),
        (f32::MAX, 2.0, f32::MIN, f32::MAX),
        (f32::MAX, 2.0, 0.0, f32::INFINITY),
        (f32::from_bits(1), 0.5, 0.0, 0.0),
        (f32::from_bits(3), 0.5, 0.0, f32::from_bits(2)),
        (f32::from_bits(1), 0.5, f32::from_bits(1), f32::from_bits(2)),
        (f32::MIN_POSITIVE, -0.5, f32::from_bits(1), -f32::from_bits(0x3F_FFFF)),
    ] {
        assert_eq!(fma(a, b, c).to_bits(), want.to_bits(), "{a:e} · {b:e} + {c:e}");
    }
}
