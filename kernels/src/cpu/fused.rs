//! `a · b + c` rounded once, sixteen lanes of it, for the scalar machine: an instruction where the target has one, and a formula
//! in binary64 everywhere else. Both round the same: the tests hold them against exact arithmetic.
//!
//! ```text
//! 64-bit RISC-V with F               fmadd.s
//! Cortex-M with a floating point     vfma.f32     (FPv4-SP and later: Armv7-M Architecture Reference Manual, A7.7)
//! ```
#![allow(unsafe_code, reason = "those instructions")]

use super::LANES;

type F = [f32; LANES];

/// Without an instruction for it.
///
/// The product of two binary32 is exact in binary64. The sum is rounded to *odd* there (Boldo and Melquiond, 2008:
/// the error term of Knuth's two-sum says whether anything was lost), after which rounding to binary32 is correct.
#[cfg(not(any(fused_arm, all(target_arch = "riscv64", target_feature = "f"))))]
#[inline(always)]
pub fn fma(a: &F, b: &F, c: &F) -> F {
    #[inline(always)]
    fn one(a: f32, b: f32, c: f32) -> f32 {
        let (p, c) = (f64::from(a) * f64::from(b), f64::from(c));
        let s = p + c;
        let t = s - p;
        let lost = (p - (s - t)) + (c - t);
        let mut bits = s.to_bits();
        if bits & 1 == 0 && lost != 0.0 && s.is_finite() {
            // Towards zero when what was lost has the other sign, then the odd neighbour above; away otherwise.
            if (lost < 0.0) == (s < 0.0) { bits += 1 } else { bits -= 1 }
        }
        f64::from_bits(bits) as f32
    }
    core::array::from_fn(|i| one(a[i], b[i], c[i]))
}

/// An instruction of every target with the extension F.
#[cfg(all(target_arch = "riscv64", target_feature = "f"))]
#[inline(always)]
pub fn fma(a: &F, b: &F, c: &F) -> F {
    #[inline(always)]
    fn one(a: f32, b: f32, c: f32) -> f32 {
        let sum: f32;
        // SAFETY: registers in, a register out; the target has the instruction. The rounding mode is the one of all Rust code.
        unsafe {
            core::arch::asm!(
                "fmadd.s {sum}, {a}, {b}, {c}",
                sum = lateout(freg) sum, a = in(freg) a, b = in(freg) b, c = in(freg) c,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        sum
    }
    core::array::from_fn(|i| one(a[i], b[i], c[i]))
}

/// An instruction of every Cortex-M with a floating-point unit. The compiler takes no floating-point register as an operand
/// there, but it takes them as spoiled; so four lanes at a time go from memory through s0 to s11, which a called function need
/// not preserve.
#[cfg(fused_arm)]
#[inline(always)]
pub fn fma(a: &F, b: &F, c: &F) -> F {
    let mut sums = *c;
    for i in (0..LANES).step_by(4) {
        // SAFETY: `i + 4 <= LANES`, so four values are read of each and four are written, within the three arrays; binary32 is
        // aligned as `vldmia` wants. Every register that is written is named. The rounding mode is the one of all Rust code.
        unsafe {
            core::arch::asm!(
                "vldmia {a}, {{s0-s3}}",
                "vldmia {b}, {{s4-s7}}",
                "vldmia {c}, {{s8-s11}}",
                "vfma.f32 s8, s0, s4",
                "vfma.f32 s9, s1, s5",
                "vfma.f32 s10, s2, s6",
                "vfma.f32 s11, s3, s7",
                "vstmia {c}, {{s8-s11}}",
                a = in(reg) a.as_ptr().add(i),
                b = in(reg) b.as_ptr().add(i),
                c = in(reg) sums.as_mut_ptr().add(i),
                out("s0") _, out("s1") _, out("s2") _, out("s3") _,
                out("s4") _, out("s5") _, out("s6") _, out("s7") _,
                out("s8") _, out("s9") _, out("s10") _, out("s11") _,
                options(nostack, preserves_flags),
            );
        }
    }
    sums
}
