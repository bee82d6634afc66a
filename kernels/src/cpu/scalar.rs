//! The sixteen-lane machine in plain Rust: the definition of every operation, and the oracle the others are
//! compared with bit by bit. Whatever takes a loop is a function of its own, once: this machine is for correctness and for
//! processors with little memory for code.

use super::{Detect, Isa, LANES, Span, Task, fused};
use crate::math;
use core::array::from_fn;
use half::f16;

/// No instructions beyond what the target always has.
#[derive(Clone, Copy, Debug)]
pub struct Scalar;

impl Detect for Scalar {
    fn detect() -> Option<&'static Scalar> {
        Some(&Scalar)
    }
}

type F = [f32; LANES];

#[inline(always)]
fn map2(a: F, b: F, f: impl Fn(f32, f32) -> f32) -> F {
    from_fn(|i| f(a[i], b[i]))
}

impl Isa for Scalar {
    const NAME: &'static str = "scalar";
    const UNROLLED: usize = 1;
    type Plain = Scalar;
    type F = F;
    type N = [i32; LANES];
    type C = [[u8; 32]; 2];

    #[inline(never)]
    fn enter<T: Task>(self, task: T) -> T::Out {
        task.run(self)
    }

    #[inline(always)]
    fn plain(self) -> Scalar {
        self
    }
    #[inline(never)]
    fn splat(self, x: f32) -> F {
        [x; LANES]
    }
    #[inline(always)]
    fn load(self, from: &F) -> F {
        *from
    }
    #[inline(always)]
    fn store(self, x: F, to: &mut F) {
        *to = x;
    }
    #[inline(never)]
    fn add(self, a: F, b: F) -> F {
        map2(a, b, |a, b| a + b)
    }
    #[inline(never)]
    fn sub(self, a: F, b: F) -> F {
        map2(a, b, |a, b| a - b)
    }
    #[inline(never)]
    fn mul(self, a: F, b: F) -> F {
        map2(a, b, |a, b| a * b)
    }
    #[inline(never)]
    fn div(self, a: F, b: F) -> F {
        map2(a, b, |a, b| a / b)
    }
    #[inline(never)]
    fn fma(self, a: F, b: F, c: F) -> F {
        fused::fma(&a, &b, &c)
    }
    #[inline(never)]
    fn sqrt(self, a: F) -> F {
        a.map(libm::sqrtf)
    }
    #[inline(never)]
    fn max(self, a: F, b: F) -> F {
        map2(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(never)]
    fn min(self, a: F, b: F) -> F {
        map2(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(never)]
    fn select(self, a: F, b: F, yes: F, no: F) -> F {
        from_fn(|i| if a[i] < b[i] { yes[i] } else { no[i] })
    }
    #[inline(never)]
    fn pow2(self, n: F) -> F {
        n.map(|n| f32::from_bits(((n as i32).wrapping_add(127) << 23) as u32))
    }
    #[inline(never)]
    fn sum(self, x: F) -> f32 {
        let x: [f32; 8] = from_fn(|i| x[i] + x[i + 8]);
        let x: [f32; 4] = from_fn(|i| x[i] + x[i + 4]);
        (x[0] + x[2]) + (x[1] + x[3])
    }
    #[inline(never)]
    fn largest(self, x: F) -> f32 {
        let larger = |a, b| if a > b { a } else { b };
        let x: [f32; 8] = from_fn(|i| larger(x[i], x[i + 8]));
        let x: [f32; 4] = from_fn(|i| larger(x[i], x[i + 4]));
        larger(larger(x[0], x[2]), larger(x[1], x[3]))
    }

    #[inline(never)]
    fn half(self, bits: u16) -> f32 {
        f16::from_bits(bits).to_f32_const()
    }
    #[inline(never)]
    fn load_half(self, from: &[u16; LANES]) -> F {
        from.map(|h| self.half(h))
    }
    #[inline(never)]
    fn store_half(self, x: F, to: &mut [u16; LANES]) {
        *to = x.map(|x| f16::from_f32_const(x).to_bits());
    }
    #[inline(never)]
    fn load_codes(self, from: &[i8; LANES]) -> F {
        from.map(f32::from)
    }
    #[inline(never)]
    fn store_codes(self, x: F, to: &mut [i8; LANES]) -> i16 {
        *to = math::round(self, x).map(|x| x as i8);
        to.iter().map(|code| i16::from(*code)).sum()
    }

    #[inline(never)]
    fn splat_int(self, x: i32) -> [i32; LANES] {
        [x; LANES]
    }
    #[inline(never)]
    fn float(self, x: [i32; LANES]) -> F {
        x.map(|x| x as f32)
    }
    #[inline(never)]
    fn dot4<const WIDE: bool>(self, sum: [i32; LANES], codes: &[i8; 4 * LANES], x: &[i8; 4]) -> [i32; LANES] {
        from_fn(|j| (0..4).fold(sum[j], |s, i| s + i32::from(codes[4 * j + i]) * i32::from(x[i])))
    }
    #[inline(never)]
    fn weigh(self, sums: &[i16; 2], by: [i16; 2]) -> [i32; LANES] {
        [i32::from(sums[0]) * i32::from(by[0]) + i32::from(sums[1]) * i32::from(by[1]); LANES]
    }
    #[inline(never)]
    fn add_int(self, a: [i32; LANES], b: [i32; LANES]) -> [i32; LANES] {
        from_fn(|i| a[i].wrapping_add(b[i]))
    }
    #[inline(always)]
    fn dot_rows<const WIDE: bool, const WHOLE: bool>(
        self,
        span: &impl Span<Scalar>,
        part: usize,
        _: i8,
    ) -> [[i32; LANES]; 2] {
        let mut sums = [[0; LANES]; 2];
        for first in (0..LANES).step_by(2) {
            for (lane, codes) in (first..).zip(span.codes(self, [first, first + 1], part)) {
                for (i, (code, x)) in codes.into_iter().zip(span.inputs(part)).enumerate() {
                    let half = if WHOLE { 0 } else { i / 16 };
                    sums[half][lane] += i32::from(code as i8) * i32::from(*x);
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn bytes(self, from: [&[u8; 32]; 2]) -> Self::C {
        from.map(|row| *row)
    }
    #[inline(never)]
    fn nibbles(self, from: [&[u8; 16]; 2]) -> Self::C {
        from.map(|row| from_fn(|i| if i < 16 { row[i] & 15 } else { row[i - 16] >> 4 }))
    }
    #[inline(never)]
    fn bits(self, x: Self::C, right: i32, mask: u8) -> Self::C {
        x.map(|row| row.map(|x| if right < 0 { x << -right } else { x >> right } & mask))
    }
    #[inline(always)]
    fn or(self, a: Self::C, b: Self::C) -> Self::C {
        from_fn(|row| from_fn(|i| a[row][i] | b[row][i]))
    }
    #[inline(never)]
    fn spread(self, bits: [[u8; 4]; 2], value: u8) -> Self::C {
        bits.map(|bits| from_fn(|i| (bits[i / 8] >> (i % 8) & 1) * value))
    }
    #[inline(never)]
    fn words(self, rows: [&[u8; 16]; LANES]) -> [Self::C; 4] {
        from_fn(|k| from_fn(|half| from_fn(|i| rows[8 * half + i / 4][4 * k + i % 4])))
    }
    #[inline(never)]
    fn byte(self, words: Self::C, at: usize) -> F {
        from_fn(|lane| f32::from(words[lane / 8][lane % 8 * 4 + at % 4] as i8))
    }
    #[inline(never)]
    fn look_up(self, table: &[i8; 16], x: Self::C) -> Self::C {
        x.map(|row| row.map(|x| table[usize::from(x & 15)] as u8))
    }
    #[inline(always)]
    fn keep(self, x: Self::C, to: [&mut [i8; 32]; 2]) {
        for (to, row) in to.into_iter().zip(x) {
            *to = row.map(|x| x as i8);
        }
    }

    #[inline(never)]
    fn weigh_bytes(self, sum: [i32; LANES], bytes: &[u8; LANES], by: i32) -> [i32; LANES] {
        from_fn(|i| sum[i].wrapping_add(by.wrapping_mul(i32::from(bytes[i]))))
    }
    #[inline(never)]
    fn weigh_pairs(
        self,
        sums: [[i32; LANES]; 2],
        pairs: &[u8; 2 * LANES],
        by: &[[u8; 4]; 2],
    ) -> [[i32; LANES]; 2] {
        from_fn(|h| {
            let by: [i16; 2] = bytemuck::cast(by[h]);
            from_fn(|j| {
                let product = |i: usize| i32::from(pairs[2 * j + i]) * i32::from(by[i]);
                sums[h][j].wrapping_add(product(0) + product(1))
            })
        })
    }
    #[inline(never)]
    fn zip_bytes(self, a: &[u8; LANES], b: &[u8; LANES], to: &mut [u8; 2 * LANES]) {
        *to = from_fn(|i| if i % 2 == 0 { a[i / 2] } else { b[i / 2] });
    }
    #[inline(never)]
    fn shift_left(self, x: [i32; LANES], bits: i32) -> [i32; LANES] {
        x.map(|x| x << bits)
    }
    #[inline(never)]
    fn store_bytes(self, x: [i32; LANES], bits: i32, to: &mut [u8; LANES]) {
        *to = x.map(|x| (x >> bits).clamp(0, 255) as u8);
    }
    #[inline(never)]
    fn transpose_bytes(self, from: [&[u8; LANES]; LANES], to: &mut [[u8; LANES]; LANES]) {
        for (j, column) in to.iter_mut().enumerate() {
            *column = from.map(|row| row[j]);
        }
    }
    #[inline(never)]
    fn transpose(self, from: [&[u32; LANES]; LANES], to: &mut [[u32; LANES]; LANES]) {
        for (j, column) in to.iter_mut().enumerate() {
            *column = from.map(|row| row[j]);
        }
    }
}
