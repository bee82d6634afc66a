//! The integer dot product of Armv8.0, and of Armv8.2, whose `sdot` takes the place of four instructions.
//!
//! `sdot` can take one word of a register for its second operand: sixteen inputs of an activation row are one load, and each
//! of their four words meets a load of the panel. A load that spreads a word over a register (`ld1r`) would take a place in
//! the units that multiply: four for every sixteen products.
//!
//! The inner loop of a linear map, sixteen inputs of four rows by sixteen columns (1024 products), as it is compiled: 82
//! instructions, 64 of them products (0.08 a product; products alone are 0.06). `llvm-mca` with LLVM's model of the
//! Neoverse N1, the Cortex-A76's sibling, gives it 32.1 cycles, what its products take alone, and 40.2 with `ld1r`. A group
//! of 32 inputs is 64 cycles so, and 39 for scaling it. On Armv8.0, four inputs of as many (256 products): 87 to 93
//! instructions (0.34 to 0.36; two multiplications and two additions for sixteen products are 0.25). No Arm was at hand to
//! time it on.
#![allow(unsafe_code, reason = "intrinsics; the tokens below prove the CPU has them")]

use super::{Neon, Sums};
use crate::array::four;
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

/// [`sdot`] by one of the four words of `x`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot_by<const WORD: usize>(mut sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: one instruction on registers, which the features above have.
    unsafe {
        core::arch::asm!(
            "sdot {sum:v}.4s, {w:v}.16b, {x:v}.4b[{word}]",
            sum = inout(vreg) sum, w = in(vreg) w, x = in(vreg) x, word = const WORD,
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
    #[inline(always)]
    fn dot_panel<const T: usize, const P: usize>(
        _: Neon<Dotprod>,
        mut sums: [[Sums; P]; T],
        codes: [&[[i8; 4 * LANES]]; P],
        x: [&[[i8; 4]]; T],
    ) -> [[Sums; P]; T] {
        let (mut panels, mut rows) = ([&[[[0; 4 * LANES]; 4]; 0][..]; P], [&[[[0; 4]; 4]; 0][..]; T]);
        let mut n = usize::MAX;
        for p in 0..P {
            panels[p] = codes[p].as_chunks().0;
            n = n.min(panels[p].len());
        }
        for t in 0..T {
            rows[t] = x[t].as_chunks().0;
            n = n.min(rows[t].len());
        }
        for sixteen in 0..n {
            // SAFETY: register operations only.
            let mut x = [unsafe { vdupq_n_s8(0) }; T];
            for t in 0..T {
                // SAFETY: an array of sixteen bytes.
                x[t] = unsafe { vld1q_s8(rows[t][sixteen].as_ptr().cast()) };
            }
            macro_rules! words {
                ($($word:literal)*) => {$(
                    for p in 0..P {
                        let w = panels[p][sixteen][$word].as_ptr();
                        // SAFETY: sixteen of 64 bytes from each of these on.
                        let w = four([0, 16, 32, 48], |from| unsafe { vld1q_s8(w.add(from)) });
                        for t in 0..T {
                            for quad in 0..4 {
                                // SAFETY: the token proves the features.
                                sums[t][p][quad] = unsafe { sdot_by::<$word>(sums[t][p][quad], w[quad], x[t]) };
                            }
                        }
                    }
                )*};
            }
            words!(0 1 2 3);
        }
        sums
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
