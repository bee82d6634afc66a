//! The integer matrix product of Armv8.6 (Neoverse V1 and N2, Cortex-A510, A710, X2 and later, Apple M2 and later).
//!
//! `smmla` takes eight inputs of two activation rows and of two weight rows, and adds all four dot products to a square of
//! four sums: twice what `sdot` does. For it a panel holds eight inputs of each weight row side by side
//! ([`Isa::EIGHTS`](crate::cpu::Isa::EIGHTS)), so that one load has them of two rows. The sums of a pair of activation rows
//!
//! ```text
//! square r: a·w₂ᵣ  a·w₂ᵣ₊₁  b·w₂ᵣ  b·w₂ᵣ₊₁          r = 0 … 7, sixteen weight rows
//! ```
//!
//! are taken apart by two instructions for four weight rows when a group of inputs is done. A single row, and the last of
//! an odd number, is its own neighbour. What reads the weights once, as decoding does, waits for the memory and keeps
//! to `sdot`.
//!
//! The inner loop of a linear map, eight inputs of four rows by sixteen columns (512 products), as it is compiled: 37
//! instructions, 16 of them products (0.07 a product; products alone are 0.03, and `sdot` takes 0.08). `llvm-mca` with a
//! model of a core that begins two products a cycle (Neoverse N1 with this instruction) gives it 9.1 cycles, 8 of which its
//! products take alone. No Arm was at hand to time it on.
#![allow(unsafe_code, reason = "intrinsics; the token below proves the CPU has them")]

use super::dot::{Dot, Dotprod, sdot};
use super::{Neon, Sums};
use crate::cpu::{Detect, LANES, Task};
use core::arch::aarch64::*;

/// Armv8.6 with `smmla`.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct MatrixProduct(());

/// `sum[2i + j] + Σₖ a[8i + k] · b[8j + k]` over eight `k`, for two `i` and two `j`. By assembler, as the compiler's intrinsic
/// (`vmmlaq_s32`) is not stable.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn smmla(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: one instruction on registers, which the features above have.
    unsafe {
        core::arch::asm!(
            "smmla {sum:v}.4s, {a:v}.16b, {b:v}.16b",
            sum = inout(vreg) sum, a = in(vreg) a, b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// The low halves of both, and the high halves.
#[inline(always)]
fn halves(a: int32x4_t, b: int32x4_t) -> [int32x4_t; 2] {
    // SAFETY: NEON belongs to every target this file is compiled for; register operations only.
    unsafe {
        let (a, b) = (vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b));
        [vreinterpretq_s32_s64(vzip1q_s64(a, b)), vreinterpretq_s32_s64(vzip2q_s64(a, b))]
    }
}

#[inline(never)]
#[target_feature(enable = "neon,dotprod,i8mm")]
fn enter_matrix<T: Task>(isa: Neon<MatrixProduct>, task: T) -> T::Out {
    task.run(isa)
}

impl Dot for MatrixProduct {
    const NAME: &'static str = "neon-i8mm";
    const EIGHTS: bool = true;

    fn new() -> Option<MatrixProduct> {
        #[cfg(feature = "std")]
        let has = std::arch::is_aarch64_feature_detected!("i8mm");
        #[cfg(not(feature = "std"))]
        let has = cfg!(target_feature = "i8mm");
        (has && Dotprod::new().is_some()).then_some(MatrixProduct(()))
    }
    #[inline(always)]
    fn enter<T: Task>(isa: Neon<MatrixProduct>, task: T) -> T::Out {
        // SAFETY: a `MatrixProduct` leaves `new` only after the features have been seen.
        unsafe { enter_matrix(isa, task) }
    }
    #[inline(always)]
    fn dot(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
        // SAFETY: as above.
        unsafe { sdot(sum, w, x) }
    }
    #[inline(always)]
    fn dot_panel<const T: usize, const P: usize>(
        _: Neon<MatrixProduct>,
        mut sums: [[Sums; P]; T],
        codes: [&[[i8; 4 * LANES]]; P],
        x: [&[[i8; 4]]; T],
    ) -> [[Sums; P]; T] {
        let pairs = T.div_ceil(2);
        let rows = |pair: usize| [2 * pair, (2 * pair + 1).min(T - 1)];
        for p in 0..P {
            // Of the first half of `T`, a square for every two weight rows.
            let mut squares = [[sums[0][p][0]; LANES / 2]; T];
            for pair in 0..pairs {
                let [a, b] = rows(pair);
                for quad in 0..4 {
                    [squares[pair][2 * quad], squares[pair][2 * quad + 1]] =
                        halves(sums[a][p][quad], sums[b][p][quad]);
                }
            }
            for (eight, codes) in codes[p].as_chunks::<2>().0.iter().enumerate() {
                for pair in 0..pairs {
                    let inputs = |row: usize| {
                        let x: [i8; 8] = bytemuck::cast([x[row][2 * eight], x[row][2 * eight + 1]]);
                        // SAFETY: eight bytes of an array of so many.
                        unsafe { vld1_s8(x.as_ptr()) }
                    };
                    let [a, b] = rows(pair);
                    let (a, b) = (inputs(a), inputs(b));
                    for square in 0..LANES / 2 {
                        // SAFETY: sixteen of 128 bytes, the last at 7 · 16; the token proves the features.
                        unsafe {
                            let w = vld1q_s8(codes.as_ptr().cast::<i8>().add(16 * square));
                            let sums = &mut squares[pair][square];
                            *sums = smmla(*sums, vcombine_s8(a, b), w);
                        }
                    }
                }
            }
            for pair in 0..pairs {
                let [a, b] = rows(pair);
                for quad in 0..4 {
                    let of = halves(squares[pair][2 * quad], squares[pair][2 * quad + 1]);
                    // Where a row is its own neighbour, both halves are its sums.
                    [sums[b][p][quad], sums[a][p][quad]] = [of[1], of[0]];
                }
            }
        }
        sums
    }
}

impl Detect for Neon<MatrixProduct> {
    fn detect() -> Option<&'static Neon<MatrixProduct>> {
        static TOKEN: Neon<MatrixProduct> = Neon(MatrixProduct(()));
        MatrixProduct::new().map(|_| &TOKEN)
    }
}
