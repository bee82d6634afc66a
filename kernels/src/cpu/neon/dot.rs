//! The integer dot product of Armv8.0, and of Armv8.2, whose `sdot` takes the place of four instructions.
//!
//! The inner loop of a linear map, four inputs of four rows by sixteen columns (256 products), as it is compiled: 29
//! instructions with `sdot`, 16 of them products (0.11 a product; products alone are 0.06), so that a Cortex-A76, which
//! begins two products and four instructions a cycle, is bound by its products (8 cycles against 7.25). 87 to 93 on
//! Armv8.0 (0.34 to 0.36; two multiplications and two additions for sixteen products are 0.25). Counted in the
//! disassembly: no Arm was at hand to time it on.
#![allow(unsafe_code, reason = "intrinsics; the tokens below prove the CPU has them")]

use super::{Neon, Sums};
use crate::cpu::{Detect, LANES, Task, fours};
use core::arch::aarch64::*;

/// The part that differs: four columns of four bytes each, multiplied and added up. A value of the type is the proof
/// that the CPU has its instructions.
pub(in crate::cpu) trait Dot: Copy + Send + Sync + 'static {
    /// The name of the instruction set that has this dot product.
    const NAME: &'static str;
    /// The proof, if this CPU has the instructions.
    fn new() -> Option<Self>;
    /// The proof of what every CPU that runs this has.
    fn without(self) -> Widening {
        Widening(())
    }
    /// Runs the task with the features enabled.
    fn enter<T: Task>(isa: Neon<Self>, task: T) -> T::Out;
    /// `sum[j] + Σᵢ w[4j + i] · x[4j + i]` for the four `i`, exactly, for any `w` and `x` in −127..=127.
    fn dot(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t;
    /// [`Isa::EIGHTS`](crate::cpu::Isa::EIGHTS).
    const EIGHTS: bool = false;
    /// [`Isa::dot_panel`](crate::cpu::Isa::dot_panel).
    #[inline(always)]
    fn dot_panel<const T: usize, const P: usize>(
        isa: Neon<Self>,
        sums: [[Sums; P]; T],
        codes: [&[[i8; 4 * LANES]]; P],
        x: [&[[i8; 4]]; T],
    ) -> [[Sums; P]; T] {
        fours::<_, false, T, P>(isa, sums, codes, x)
    }
}

/// What every 64-bit Arm with NEON has: products in 16 bits, added up in pairs.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Widening(());

impl Dot for Widening {
    const NAME: &'static str = "neon";

    fn new() -> Option<Widening> {
        // This file is compiled only for targets that have NEON.
        Some(Widening(()))
    }
    #[inline(never)]
    fn enter<T: Task>(isa: Neon<Widening>, task: T) -> T::Out {
        task.run(isa)
    }
    #[inline(always)]
    fn dot(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
        // SAFETY: NEON belongs to every target this file is compiled for; register operations only.
        unsafe {
            let (low, high) = (vmull_s8(vget_low_s8(w), vget_low_s8(x)), vmull_high_s8(w, x));
            // Two products fit 16 bits: 2 · 128 · 127 = 32512.
            vpadalq_s16(sum, vpaddq_s16(low, high))
        }
    }
}

/// Armv8.2 with `sdot`: sixteen products and their four sums in one instruction.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Dotprod(());

/// By assembler, as the compiler's intrinsic (`vdotq_s32`) is not stable.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(super) fn sdot(mut sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: one instruction on registers, which the features above have.
    unsafe {
        core::arch::asm!(
            "sdot {sum:v}.4s, {w:v}.16b, {x:v}.16b",
            sum = inout(vreg) sum, w = in(vreg) w, x = in(vreg) x,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

#[inline(never)]
#[target_feature(enable = "neon,dotprod")]
fn enter_dotprod<T: Task>(isa: Neon<Dotprod>, task: T) -> T::Out {
    task.run(isa)
}

impl Dot for Dotprod {
    const NAME: &'static str = "neon-dotprod";

    fn new() -> Option<Dotprod> {
        #[cfg(feature = "std")]
        let has = std::arch::is_aarch64_feature_detected!("dotprod");
        #[cfg(not(feature = "std"))]
        let has = cfg!(target_feature = "dotprod");
        has.then_some(Dotprod(()))
    }
    #[inline(always)]
    fn enter<T: Task>(isa: Neon<Dotprod>, task: T) -> T::Out {
        // SAFETY: a `Dotprod` leaves `new` only after the feature has been seen.
        unsafe { enter_dotprod(isa, task) }
    }
    #[inline(always)]
    fn dot(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
        // SAFETY: as above.
        unsafe { sdot(sum, w, x) }
    }
}

impl Detect for Neon<Widening> {
    fn detect() -> Option<&'static Neon<Widening>> {
        static TOKEN: Neon<Widening> = Neon(Widening(()));
        Widening::new().map(|_| &TOKEN)
    }
}

impl Detect for Neon<Dotprod> {
    fn detect() -> Option<&'static Neon<Dotprod>> {
        static TOKEN: Neon<Dotprod> = Neon(Dotprod(()));
        Dotprod::new().map(|_| &TOKEN)
    }
}
