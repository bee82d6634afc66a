//! NEON: every 64-bit Arm. Sixteen lanes are four registers.
//!
//! Three instruction sets share all but the integer products: `Neon<Widening>` is what Armv8.0 has (Cortex-A53, A72),
//! `Neon<Dotprod>` adds `sdot` (Cortex-A55, A76 and later), both in `neon/dot.rs`, and `Neon<MatrixProduct>` in
//! `neon/matrix.rs` adds `smmla` (Cortex-A510, A710 and later).
#![allow(unsafe_code, reason = "intrinsics; the tokens below prove the CPU has them")]

use super::{Isa, LANES, Span, Task};
use crate::array::four;
use core::arch::aarch64::*;

pub(super) mod dot;
pub(super) mod matrix;

use dot::{Dot, Widening};

/// The token, which holds the proof.
#[derive(Clone, Copy)]
pub(super) struct Neon<D>(D);

/// Four columns of four rows of 32-bit words.
#[inline(always)]
fn transpose4(r: [uint32x4_t; 4]) -> [uint32x4_t; 4] {
    // SAFETY: see `impl Isa`; register operations only.
    unsafe {
        let even = |a, b| vreinterpretq_u64_u32(vtrn1q_u32(a, b));
        let odd = |a, b| vreinterpretq_u64_u32(vtrn2q_u32(a, b));
        let (a0, a1, b0, b1) = (even(r[0], r[1]), odd(r[0], r[1]), even(r[2], r[3]), odd(r[2], r[3]));
        let columns = [vtrn1q_u64(a0, b0), vtrn1q_u64(a1, b1), vtrn2q_u64(a0, b0), vtrn2q_u64(a1, b1)];
        four(columns, |column| vreinterpretq_u32_u64(column))
    }
}

// SAFETY of every block below: NEON belongs to every target this file is compiled for; loads and stores go through
// references to arrays of the exact size.
macro_rules! lanes {
    ($($x:ident),+ => $f:expr) => {
        // SAFETY: see above.
        unsafe { [$f($($x[0]),+), $f($($x[1]),+), $f($($x[2]),+), $f($($x[3]),+)] }
    };
}

/// The same of all codes of two rows.
macro_rules! codes {
    ($($x:ident),+ => $f:expr) => {
        [[$f($($x[0][0]),+), $f($($x[0][1]),+)], [$f($($x[1][0]),+), $f($($x[1][1]),+)]]
    };
}

type F = [float32x4_t; 4];

/// Sixteen integers.
type Sums = [int32x4_t; 4];

impl<D: Dot> Isa for Neon<D> {
    const NAME: &'static str = D::NAME;
    const EIGHTS: bool = D::EIGHTS;
    type Plain = Neon<Widening>;
    type F = F;
    type N = Sums;
    type C = [[uint8x16_t; 2]; 2];

    #[inline(always)]
    fn enter<T: Task>(self, task: T) -> T::Out {
        D::enter(self, task)
    }

    #[inline(always)]
    #[allow(clippy::pointers_in_nomem_asm_block, reason = "a hint reads nothing")]
    fn fetch(self, bytes: &[u8], after: usize) {
        let line = bytes.as_ptr().wrapping_add(after);
        // SAFETY: a hint, which reads nothing; by assembler, as the compiler's intrinsic is not stable.
        unsafe {
            core::arch::asm!("prfm pldl1keep, [{}]", in(reg) line, options(nomem, nostack, preserves_flags));
        }
    }

    #[inline(always)]
    fn plain(self) -> Neon<Widening> {
        Neon(self.0.without())
    }
    #[inline(always)]
    fn splat(self, x: f32) -> F {
        // SAFETY: see above.
        unsafe { [vdupq_n_f32(x); 4] }
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> F {
        let q = [0, 4, 8, 12];
        lanes!(q => |i| vld1q_f32(from.as_ptr().add(i)))
    }
    #[inline(always)]
    fn store(self, x: F, to: &mut [f32; LANES]) {
        let q = [0, 4, 8, 12];
        lanes!(q, x => |i, x| vst1q_f32(to.as_mut_ptr().add(i), x));
    }
    #[inline(always)]
    fn add(self, a: F, b: F) -> F {
        lanes!(a, b => vaddq_f32)
    }
    #[inline(always)]
    fn sub(self, a: F, b: F) -> F {
        lanes!(a, b => vsubq_f32)
    }
    #[inline(always)]
    fn mul(self, a: F, b: F) -> F {
        lanes!(a, b => vmulq_f32)
    }
    #[inline(always)]
    fn div(self, a: F, b: F) -> F {
        lanes!(a, b => vdivq_f32)
    }
    #[inline(always)]
    fn fma(self, a: F, b: F, c: F) -> F {
        lanes!(c, a, b => vfmaq_f32)
    }
    #[inline(always)]
    fn sqrt(self, a: F) -> F {
        lanes!(a => vsqrtq_f32)
    }
    // Not `fmax` and `fmin`, which differ on zeros and on what is not a number.
    #[inline(always)]
    fn max(self, a: F, b: F) -> F {
        lanes!(a, b => |a, b| vbslq_f32(vcgtq_f32(a, b), a, b))
    }
    #[inline(always)]
    fn min(self, a: F, b: F) -> F {
        lanes!(a, b => |a, b| vbslq_f32(vcltq_f32(a, b), a, b))
    }
    #[inline(always)]
    fn select(self, a: F, b: F, yes: F, no: F) -> F {
        lanes!(a, b, yes, no => |a, b, yes, no| vbslq_f32(vcltq_f32(a, b), yes, no))
    }
    #[inline(always)]
    fn pow2(self, n: F) -> F {
        lanes!(n => |n| vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)))))
    }
    #[inline(always)]
    fn sum(self, x: F) -> f32 {
        // SAFETY: see above.
        unsafe {
            let x = vaddq_f32(vaddq_f32(x[0], x[2]), vaddq_f32(x[1], x[3]));
            vpadds_f32(vadd_f32(vget_low_f32(x), vget_high_f32(x)))
        }
    }
    #[inline(always)]
    fn largest(self, x: F) -> f32 {
        // SAFETY: see above.
        unsafe {
            let larger = |a, b| vbslq_f32(vcgtq_f32(a, b), a, b);
            let x = larger(larger(x[0], x[2]), larger(x[1], x[3]));
            let x = larger(x, vextq_f32::<2>(x, x));
            vgetq_lane_f32::<0>(larger(x, vdupq_laneq_f32::<1>(x)))
        }
    }

    #[inline(always)]
    fn half(self, bits: u16) -> f32 {
        // SAFETY: see above.
        unsafe { vgetq_lane_f32::<0>(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(bits)))) }
    }
    #[inline(always)]
    fn load_half(self, from: &[u16; LANES]) -> F {
        let q = [0, 4, 8, 12];
        lanes!(q => |i| vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from.as_ptr().add(i)))))
    }
    #[inline(always)]
    fn store_half(self, x: F, to: &mut [u16; LANES]) {
        let q = [0, 4, 8, 12];
        lanes!(q, x => |i, x| vst1_u16(to.as_mut_ptr().add(i), vreinterpret_u16_f16(vcvt_f16_f32(x))));
    }
    #[inline(always)]
    fn load_codes(self, from: &[i8; LANES]) -> F {
        // SAFETY: see above.
        unsafe {
            let x = vld1q_s8(from.as_ptr());
            let (low, high) = (vmovl_s8(vget_low_s8(x)), vmovl_high_s8(x));
            self.float([
                vmovl_s16(vget_low_s16(low)),
                vmovl_high_s16(low),
                vmovl_s16(vget_low_s16(high)),
                vmovl_high_s16(high),
            ])
        }
    }
    #[inline(always)]
    fn store_codes(self, x: F, to: &mut [i8; LANES]) -> i16 {
        let x = lanes!(x => vcvtnq_s32_f32);
        // SAFETY: see above.
        unsafe {
            let (low, high) =
                (vqmovn_high_s32(vqmovn_s32(x[0]), x[1]), vqmovn_high_s32(vqmovn_s32(x[2]), x[3]));
            let bytes = vqmovn_high_s16(vqmovn_s16(low), high);
            vst1q_s8(to.as_mut_ptr(), bytes);
            vaddlvq_s8(bytes)
        }
    }

    #[inline(always)]
    fn splat_int(self, x: i32) -> Self::N {
        // SAFETY: see above.
        unsafe { [vdupq_n_s32(x); 4] }
    }
    #[inline(always)]
    fn float(self, x: Self::N) -> F {
        lanes!(x => vcvtq_f32_s32)
    }
    #[inline(always)]
    fn dot4<const WIDE: bool>(self, sum: Self::N, codes: &[i8; 4 * LANES], x: &[i8; 4]) -> Self::N {
        // SAFETY: see above.
        unsafe {
            let p = codes.as_ptr();
            let x = vreinterpretq_s8_s32(vdupq_n_s32(bytemuck::cast(*x)));
            [
                self.0.dot(sum[0], vld1q_s8(p), x),
                self.0.dot(sum[1], vld1q_s8(p.add(16)), x),
                self.0.dot(sum[2], vld1q_s8(p.add(32)), x),
                self.0.dot(sum[3], vld1q_s8(p.add(48)), x),
            ]
        }
    }
    #[inline(always)]
    fn dot_panel<const WIDE: bool, const T: usize, const P: usize>(
        self,
        sums: [[Self::N; P]; T],
        codes: [&[[i8; 4 * LANES]]; P],
        x: [&[[i8; 4]]; T],
        _: i8,
    ) -> [[Self::N; P]; T] {
        D::dot_panel(self, sums, codes, x)
    }
    #[inline(always)]
    fn weigh(self, sums: &[i16; 2], by: [i16; 2]) -> Self::N {
        self.splat_int(i32::from(sums[0]) * i32::from(by[0]) + i32::from(sums[1]) * i32::from(by[1]))
    }
    #[inline(always)]
    fn add_int(self, a: Self::N, b: Self::N) -> Self::N {
        lanes!(a, b => |a, b| vaddq_s32(a, b))
    }
    #[inline(always)]
    fn dot_rows<const WIDE: bool, const WHOLE: bool>(
        self,
        span: &impl Span<Self>,
        part: usize,
        _: i8,
    ) -> [Self::N; 2] {
        let mut out = [self.splat_int(0); 2];
        // SAFETY: see above.
        unsafe {
            let x = span.inputs(part);
            let x = [vld1q_s8(x.as_ptr()), vld1q_s8(x.as_ptr().add(16))];
            for quad in 0..4 {
                let mut sums = [[vdupq_n_s32(0); 4]; 2];
                for r in [0, 2] {
                    let codes = span.codes(self, [4 * quad + r, 4 * quad + r + 1], part);
                    for row in 0..2 {
                        for half in 0..2 {
                            let sum = &mut sums[if WHOLE { 0 } else { half }][r + row];
                            *sum = self.0.dot(*sum, vreinterpretq_s8_u8(codes[row][half]), x[half]);
                        }
                    }
                }
                // Pairwise sums of four rows, twice, leave the total of each row in its lane.
                for half in 0..if WHOLE { 1 } else { 2 } {
                    let [a, b, c, d] = sums[half];
                    out[half][quad] = vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d));
                }
            }
        }
        out
    }

    #[inline(always)]
    fn bytes(self, from: [&[u8; 32]; 2]) -> Self::C {
        // SAFETY: see above.
        let row = |from: &[u8; 32]| unsafe { [vld1q_u8(from.as_ptr()), vld1q_u8(from.as_ptr().add(16))] };
        [row(from[0]), row(from[1])]
    }
    #[inline(always)]
    fn nibbles(self, from: [&[u8; 16]; 2]) -> Self::C {
        // SAFETY: see above.
        let row = |from: &[u8; 16]| unsafe {
            let x = vld1q_u8(from.as_ptr());
            [vandq_u8(x, vdupq_n_u8(15)), vshrq_n_u8::<4>(x)]
        };
        [row(from[0]), row(from[1])]
    }
    #[inline(always)]
    fn bits(self, x: Self::C, right: i32, mask: u8) -> Self::C {
        // SAFETY: see above. Shifting left by a negative count is shifting right.
        unsafe {
            let (left, mask) = (vdupq_n_s8(-right as i8), vdupq_n_u8(mask));
            codes!(x => |x| vandq_u8(vshlq_u8(x, left), mask))
        }
    }
    #[inline(always)]
    fn or(self, a: Self::C, b: Self::C) -> Self::C {
        // SAFETY: see above.
        unsafe { codes!(a, b => |a, b| vorrq_u8(a, b)) }
    }
    #[inline(always)]
    fn spread(self, bits: [[u8; 4]; 2], value: u8) -> Self::C {
        const BYTE: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];
        const BIT: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
        // SAFETY: see above.
        let row = |bits: [u8; 4]| unsafe {
            let bits = vreinterpretq_u8_u32(vdupq_n_u32(u32::from_ne_bytes(bits)));
            let (low, bit) = (vld1q_u8(BYTE.as_ptr()), vld1q_u8(BIT.as_ptr()));
            let (high, value) = (vaddq_u8(low, vdupq_n_u8(2)), vdupq_n_u8(value));
            [
                vandq_u8(vtstq_u8(vqtbl1q_u8(bits, low), bit), value),
                vandq_u8(vtstq_u8(vqtbl1q_u8(bits, high), bit), value),
            ]
        };
        [row(bits[0]), row(bits[1])]
    }
    #[inline(always)]
    fn words(self, rows: [&[u8; 16]; LANES]) -> [Self::C; 4] {
        // SAFETY: see above.
        unsafe {
            let mut words = [[[vdupq_n_u8(0); 2]; 2]; 4];
            for (quad, rows) in rows.as_chunks::<4>().0.iter().enumerate() {
                let rows = four(*rows, |row| vreinterpretq_u32_u8(vld1q_u8(row.as_ptr())));
                for (word, column) in words.iter_mut().zip(transpose4(rows)) {
                    word[quad / 2][quad % 2] = vreinterpretq_u8_u32(column);
                }
            }
            words
        }
    }
    #[inline(always)]
    fn byte(self, words: Self::C, at: usize) -> F {
        // SAFETY: see above.
        unsafe {
            let up = vdupq_n_s32(24 - 8 * (at % 4) as i32);
            four([0, 1, 2, 3], |quad| {
                let words = vreinterpretq_s32_u8(words[quad / 2][quad % 2]);
                vcvtq_f32_s32(vshrq_n_s32::<24>(vshlq_s32(words, up)))
            })
        }
    }
    #[inline(always)]
    fn look_up(self, table: &[i8; 16], x: Self::C) -> Self::C {
        // SAFETY: see above.
        unsafe {
            let table = vreinterpretq_u8_s8(vld1q_s8(table.as_ptr()));
            codes!(x => |x| vqtbl1q_u8(table, x))
        }
    }
    #[inline(always)]
    fn keep(self, x: Self::C, to: [&mut [i8; 32]; 2]) {
        for (x, to) in x.into_iter().zip(to) {
            // SAFETY: see above.
            unsafe {
                vst1q_s8(to.as_mut_ptr(), vreinterpretq_s8_u8(x[0]));
                vst1q_s8(to.as_mut_ptr().add(16), vreinterpretq_s8_u8(x[1]));
            }
        }
    }

    #[inline(always)]
    fn weigh_bytes(self, sum: Self::N, bytes: &[u8; LANES], by: i32) -> Self::N {
        // SAFETY: see above.
        let wide = unsafe {
            let bytes = vld1q_u8(bytes.as_ptr());
            let (low, high) = (vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes));
            [
                vmovl_u16(vget_low_u16(low)),
                vmovl_high_u16(low),
                vmovl_u16(vget_low_u16(high)),
                vmovl_high_u16(high),
            ]
        };
        lanes!(sum, wide => |sum, wide| vmlaq_n_s32(sum, vreinterpretq_s32_u32(wide), by))
    }
    #[inline(always)]
    fn weigh_pairs(self, sums: [Self::N; 2], pairs: &[u8; 2 * LANES], by: &[[u8; 4]; 2]) -> [Self::N; 2] {
        // SAFETY: see above.
        unsafe {
            let (low, high) = (vld1q_u8(pairs.as_ptr()), vld1q_u8(pairs.as_ptr().add(LANES)));
            let by: [[i16; 2]; 2] = bytemuck::cast(*by);
            let mut out = sums;
            for (i, bytes) in [vuzp1q_u8(low, high), vuzp2q_u8(low, high)].into_iter().enumerate() {
                let low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes)));
                let high = vreinterpretq_s16_u16(vmovl_high_u8(bytes));
                for (sum, by) in out.iter_mut().zip(by) {
                    sum[0] = vmlal_n_s16(sum[0], vget_low_s16(low), by[i]);
                    sum[1] = vmlal_high_n_s16(sum[1], low, by[i]);
                    sum[2] = vmlal_n_s16(sum[2], vget_low_s16(high), by[i]);
                    sum[3] = vmlal_high_n_s16(sum[3], high, by[i]);
                }
            }
            out
        }
    }
    #[inline(always)]
    fn zip_bytes(self, a: &[u8; LANES], b: &[u8; LANES], to: &mut [u8; 2 * LANES]) {
        // SAFETY: see above.
        unsafe {
            let (a, b) = (vld1q_u8(a.as_ptr()), vld1q_u8(b.as_ptr()));
            vst1q_u8(to.as_mut_ptr(), vzip1q_u8(a, b));
            vst1q_u8(to.as_mut_ptr().add(LANES), vzip2q_u8(a, b));
        }
    }
    #[inline(always)]
    fn shift_left(self, x: Self::N, bits: i32) -> Self::N {
        // SAFETY: see above.
        let bits = unsafe { vdupq_n_s32(bits) };
        lanes!(x => |x| vshlq_s32(x, bits))
    }
    #[inline(always)]
    fn store_bytes(self, x: Self::N, bits: i32, to: &mut [u8; LANES]) {
        // SAFETY: see above. Shifting by a negative count is a shift to the right.
        let bits = unsafe { vdupq_n_s32(-bits) };
        let words = lanes!(x => |x| vqmovun_s32(vshlq_s32(x, bits)));
        // SAFETY: see above.
        unsafe {
            let low = vqmovn_u16(vcombine_u16(words[0], words[1]));
            let high = vqmovn_u16(vcombine_u16(words[2], words[3]));
            vst1q_u8(to.as_mut_ptr(), vcombine_u8(low, high));
        }
    }
    #[inline(never)]
    fn transpose_bytes(self, from: [&[u8; LANES]; LANES], to: &mut [[u8; LANES]; LANES]) {
        // SAFETY: see above.
        unsafe {
            let mut rows = [vdupq_n_u8(0); LANES];
            for (register, row) in rows.iter_mut().zip(from) {
                *register = vld1q_u8(row.as_ptr());
            }
            // Interleaving rows eight apart four times turns sixteen.
            for _ in 0..4 {
                let old = rows;
                for i in 0..8 {
                    rows[2 * i] = vzip1q_u8(old[i], old[i + 8]);
                    rows[2 * i + 1] = vzip2q_u8(old[i], old[i + 8]);
                }
            }
            for (register, column) in rows.into_iter().zip(to) {
                vst1q_u8(column.as_mut_ptr(), register);
            }
        }
    }
    #[inline(never)]
    fn transpose(self, from: [&[u32; LANES]; LANES], to: &mut [[u32; LANES]; LANES]) {
        for i in [0, 4, 8, 12] {
            for j in [0, 4, 8, 12] {
                // SAFETY: see above; `i` and `j` are at most 12, so four words from there are inside the sixteen.
                unsafe {
                    let block = four([i, i + 1, i + 2, i + 3], |row| vld1q_u32(from[row].as_ptr().add(j)));
                    for (column, to) in transpose4(block).into_iter().zip(&mut to[j..]) {
                        vst1q_u32(to.as_mut_ptr().add(i), column);
                    }
                }
            }
        }
    }
}
