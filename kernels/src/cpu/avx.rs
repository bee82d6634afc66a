//! AVX2 with FMA and F16C: every x86 laptop and edge box since 2013. Sixteen lanes are two registers.
//!
//! Two instruction sets share all but the integer dot product, which is in `avx/dot.rs`: `Avx<Pairs>` is what AVX2 itself
//! has, `Avx<Vnni>` adds AVX-VNNI.
#![allow(unsafe_code, reason = "intrinsics; the tokens below prove the CPU has them")]

use super::{Isa, LANES, SPLIT, Span, Task, x86};
use core::arch::x86_64::*;

mod codes;
mod dot;
mod panel;
mod rows;

#[cfg(test)]
pub(super) use dot::long::Long;
pub(super) use dot::{Dot, Pairs, Vnni};

/// The token, which holds the proof.
#[derive(Clone, Copy)]
pub(super) struct Avx<D>(D);

/// Eight columns of eight rows of 32-bit words: three rounds of interleaving pairs, quads and halves.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose8(r: [__m256i; 8]) -> [__m256i; 8] {
    let pair = |a, b| (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let quad = |a, b| (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    let ((a0, a1), (b0, b1)) = (pair(r[0], r[1]), pair(r[2], r[3]));
    let ((c0, c1), (d0, d1)) = (pair(r[4], r[5]), pair(r[6], r[7]));
    let ((e0, e1), (e2, e3)) = (quad(a0, b0), quad(a1, b1));
    let ((f0, f1), (f2, f3)) = (quad(c0, d0), quad(c1, d1));
    let low = |a, b| _mm256_permute2x128_si256::<0x20>(a, b);
    let high = |a, b| _mm256_permute2x128_si256::<0x31>(a, b);
    [
        low(e0, f0),
        low(e1, f1),
        low(e2, f2),
        low(e3, f3),
        high(e0, f0),
        high(e1, f1),
        high(e2, f2),
        high(e3, f3),
    ]
}

// SAFETY of every block below: an `Avx` leaves this file only after its features have been seen; loads and stores
// are unaligned ones and go through references to arrays of the exact size.
macro_rules! lanes {
    ($x:expr => $f:expr) => {{
        let x = $x;
        // SAFETY: see above.
        unsafe { [$f(x[0]), $f(x[1])] }
    }};
    ($a:expr, $b:expr => $f:expr) => {{
        let (a, b) = ($a, $b);
        // SAFETY: see above.
        unsafe { [$f(a[0], b[0]), $f(a[1], b[1])] }
    }};
    ($a:expr, $b:expr, $c:expr => $f:expr) => {{
        let (a, b, c) = ($a, $b, $c);
        // SAFETY: see above.
        unsafe { [$f(a[0], b[0], c[0]), $f(a[1], b[1], c[1])] }
    }};
}

type F = [__m256; 2];

impl<D: Dot> Isa for Avx<D> {
    const NAME: &'static str = D::NAME;
    const WIDE_BIAS: i32 = D::WIDE_BIAS;
    const SPLITS: bool = D::SPLITS;
    type Plain = Avx<Pairs>;
    type F = F;
    type N = [__m256i; 2];
    type C = [__m256i; 2];

    #[inline(always)]
    fn enter<T: Task>(self, task: T) -> T::Out {
        D::enter(self, task)
    }

    #[inline(always)]
    fn fetch(self, bytes: &[u8], after: usize) {
        // SAFETY: see above; a hint, which reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(after).cast()) }
    }

    #[inline(always)]
    fn plain(self) -> Avx<Pairs> {
        Avx(self.0.without())
    }
    #[inline(always)]
    fn splat(self, x: f32) -> F {
        // SAFETY: see above.
        unsafe { [_mm256_set1_ps(x); 2] }
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> F {
        // SAFETY: see above.
        unsafe { [_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))] }
    }
    #[inline(always)]
    fn store(self, x: F, to: &mut [f32; LANES]) {
        // SAFETY: see above.
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), x[0]);
            _mm256_storeu_ps(to.as_mut_ptr().add(8), x[1]);
        }
    }
    #[inline(always)]
    fn add(self, a: F, b: F) -> F {
        lanes!(a, b => _mm256_add_ps)
    }
    #[inline(always)]
    fn sub(self, a: F, b: F) -> F {
        lanes!(a, b => _mm256_sub_ps)
    }
    #[inline(always)]
    fn mul(self, a: F, b: F) -> F {
        lanes!(a, b => _mm256_mul_ps)
    }
    #[inline(always)]
    fn div(self, a: F, b: F) -> F {
        lanes!(a, b => _mm256_div_ps)
    }
    #[inline(always)]
    fn fma(self, a: F, b: F, c: F) -> F {
        lanes!(a, b, c => _mm256_fmadd_ps)
    }
    #[inline(always)]
    fn sqrt(self, a: F) -> F {
        lanes!(a => _mm256_sqrt_ps)
    }
    #[inline(always)]
    fn max(self, a: F, b: F) -> F {
        lanes!(a, b => _mm256_max_ps)
    }
    #[inline(always)]
    fn min(self, a: F, b: F) -> F {
        lanes!(a, b => _mm256_min_ps)
    }
    #[inline(always)]
    fn select(self, a: F, b: F, yes: F, no: F) -> F {
        let less = lanes!(a, b => _mm256_cmp_ps::<_CMP_LT_OQ>);
        lanes!(no, yes, less => _mm256_blendv_ps)
    }
    #[inline(always)]
    fn pow2(self, n: F) -> F {
        lanes!(n => |n| _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(
            _mm256_cvtps_epi32(n),
            _mm256_set1_epi32(127)
        ))))
    }
    #[inline(always)]
    fn sum(self, x: F) -> f32 {
        // SAFETY: see above.
        unsafe {
            let x = _mm256_add_ps(x[0], x[1]);
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        }
    }
    #[inline(always)]
    fn largest(self, x: F) -> f32 {
        // SAFETY: see above.
        unsafe {
            let x = _mm256_max_ps(x[0], x[1]);
            let x = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_max_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)))
        }
    }

    #[inline(always)]
    fn half(self, bits: u16) -> f32 {
        // SAFETY: see above.
        unsafe { _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(bits)))) }
    }
    #[inline(always)]
    fn load_half(self, from: &[u16; LANES]) -> F {
        // SAFETY: see above.
        unsafe {
            let p = from.as_ptr().cast::<__m128i>();
            [_mm256_cvtph_ps(_mm_loadu_si128(p)), _mm256_cvtph_ps(_mm_loadu_si128(p.add(1)))]
        }
    }
    #[inline(always)]
    fn halves(self, from: [[u8; 2]; LANES]) -> F {
        let [a, b] = bytemuck::cast_ref::<_, [[[u8; 2]; 8]; 2]>(&from);
        // SAFETY: see above.
        unsafe { [_mm256_cvtph_ps(x86::gather(a)), _mm256_cvtph_ps(x86::gather(b))] }
    }
    #[inline(always)]
    fn store_half(self, x: F, to: &mut [u16; LANES]) {
        // SAFETY: see above.
        unsafe {
            let p = to.as_mut_ptr().cast::<__m128i>();
            _mm_storeu_si128(p, _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x[0]));
            _mm_storeu_si128(p.add(1), _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x[1]));
        }
    }
    #[inline(always)]
    fn load_codes(self, from: &[i8; LANES]) -> F {
        // SAFETY: see above.
        unsafe {
            let x = _mm_loadu_si128(from.as_ptr().cast());
            let y = _mm_unpackhi_epi64(x, x);
            [_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(x)), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(y))]
        }
    }
    #[inline(always)]
    fn store_codes(self, x: F, to: &mut [i8; LANES]) -> i16 {
        // SAFETY: see above.
        unsafe {
            let words = _mm256_packs_epi32(_mm256_cvtps_epi32(x[0]), _mm256_cvtps_epi32(x[1]));
            // packs works within 128-bit halves: bring the four quarters into order.
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
            let bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
            x86::sum_bytes(bytes)
        }
    }

    #[inline(always)]
    fn splat_int(self, x: i32) -> [__m256i; 2] {
        // SAFETY: see above.
        unsafe { [_mm256_set1_epi32(x); 2] }
    }
    #[inline(always)]
    fn float(self, x: [__m256i; 2]) -> F {
        lanes!(x => _mm256_cvtepi32_ps)
    }
    #[inline(always)]
    fn dot4<const WIDE: bool>(self, sum: Self::N, codes: &[i8; 4 * LANES], x: &[i8; 4]) -> Self::N {
        // SAFETY: see above.
        unsafe {
            let p = codes.as_ptr().cast::<__m256i>();
            let x = _mm256_set1_epi32(bytemuck::cast(*x));
            [
                self.0.dot::<WIDE>(sum[0], _mm256_loadu_si256(p), x),
                self.0.dot::<WIDE>(sum[1], _mm256_loadu_si256(p.add(1)), x),
            ]
        }
    }
    #[inline(always)]
    fn split(self, codes: &[[i8; 4 * LANES]; 8], to: &mut [[i8; 4 * LANES]; SPLIT]) {
        self.0.split(codes, to);
    }
    #[inline(always)]
    fn dot_panel<const WIDE: bool, const T: usize, const P: usize>(
        self,
        mut sums: [[Self::N; P]; T],
        codes: [&[[i8; 4 * LANES]]; P],
        x: [&[[i8; 4]]; T],
        largest: i8,
    ) -> [[Self::N; P]; T] {
        for p in 0..P {
            let mut of_panel = [sums[0][p]; T];
            for t in 0..T {
                of_panel[t] = sums[t][p];
            }
            let of_panel = self.0.panel::<WIDE, T>(of_panel, codes[p], x, largest);
            for t in 0..T {
                sums[t][p] = of_panel[t];
            }
        }
        sums
    }
    #[inline(always)]
    fn weigh(self, sums: &[i16; 2], by: [i16; 2]) -> Self::N {
        // SAFETY: see above.
        unsafe {
            let (sums, by) = (bytemuck::cast(*sums), bytemuck::cast(by));
            [_mm256_madd_epi16(_mm256_set1_epi32(sums), _mm256_set1_epi32(by)); 2]
        }
    }
    #[inline(always)]
    fn add_int(self, a: Self::N, b: Self::N) -> Self::N {
        lanes!(a, b => _mm256_add_epi32)
    }
    #[inline(always)]
    fn dot_rows<const WIDE: bool, const WHOLE: bool>(
        self,
        span: &impl Span<Self>,
        part: usize,
        largest: i8,
    ) -> [Self::N; 2] {
        let [a0, a1] = self.eight::<WIDE, WHOLE>(span, 0, part, largest);
        let [b0, b1] = self.eight::<WIDE, WHOLE>(span, 8, part, largest);
        [[a0, b0], [a1, b1]]
    }
    #[inline(always)]
    fn dot_span<const WIDE: bool, const WHOLE: bool>(
        self,
        span: &impl Span<Self>,
        largest: i8,
        sums: &mut [[Self::N; 2]; 8],
    ) {
        for half in 0..2 {
            self.half::<WIDE, WHOLE>(span, half, largest, sums);
        }
    }

    #[inline(always)]
    fn bytes(self, from: [&[u8; 32]; 2]) -> Self::C {
        let [a, b]: [&[[u8; 16]; 2]; 2] = [bytemuck::cast_ref(from[0]), bytemuck::cast_ref(from[1])];
        // SAFETY: see above.
        unsafe { [codes::beside(&a[0], &b[0]), codes::beside(&a[1], &b[1])] }
    }
    #[inline(always)]
    fn nibbles(self, from: [&[u8; 16]; 2]) -> Self::C {
        // SAFETY: see above.
        unsafe {
            let (x, mask) = (codes::beside(from[0], from[1]), _mm256_set1_epi8(15));
            [_mm256_and_si256(x, mask), _mm256_and_si256(_mm256_srli_epi16::<4>(x), mask)]
        }
    }
    #[inline(always)]
    fn bits(self, x: Self::C, right: i32, mask: u8) -> Self::C {
        // SAFETY: see above.
        unsafe { [codes::bits(x[0], right, mask), codes::bits(x[1], right, mask)] }
    }
    #[inline(always)]
    fn or(self, a: Self::C, b: Self::C) -> Self::C {
        lanes!(a, b => _mm256_or_si256)
    }
    #[inline(always)]
    fn spread(self, bits: [[u8; 4]; 2], value: u8) -> Self::C {
        // SAFETY: see above.
        unsafe { codes::spread(bits, value) }
    }
    #[inline(always)]
    fn words(self, rows: [&[u8; 16]; LANES]) -> [Self::C; 4] {
        let mut words = [[self.splat_int(0)[0]; 2]; 4];
        for (half, rows) in rows.as_chunks::<8>().0.iter().enumerate() {
            // SAFETY: see above.
            let columns = unsafe { codes::columns(rows) };
            for (word, column) in words.iter_mut().zip(columns) {
                word[half] = column;
            }
        }
        words
    }
    #[inline(always)]
    fn byte(self, words: Self::C, at: usize) -> F {
        // SAFETY: see above.
        lanes!(words => |x| {
            let top = _mm256_sll_epi32(x, _mm_cvtsi32_si128(24 - 8 * (at % 4) as i32));
            _mm256_cvtepi32_ps(_mm256_srai_epi32::<24>(top))
        })
    }
    #[inline(always)]
    fn look_up(self, table: &[i8; 16], x: Self::C) -> Self::C {
        // SAFETY: see above.
        unsafe {
            let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast()));
            [_mm256_shuffle_epi8(table, x[0]), _mm256_shuffle_epi8(table, x[1])]
        }
    }
    #[inline(always)]
    fn keep(self, x: Self::C, to: [&mut [i8; 32]; 2]) {
        for (row, to) in to.into_iter().enumerate() {
            for (x, to) in x.into_iter().zip(to.as_chunks_mut::<16>().0) {
                // SAFETY: see above.
                unsafe {
                    let half =
                        if row == 0 { _mm256_castsi256_si128(x) } else { _mm256_extracti128_si256::<1>(x) };
                    _mm_storeu_si128(to.as_mut_ptr().cast(), half);
                }
            }
        }
    }

    #[inline(always)]
    fn weigh_bytes(self, sum: Self::N, bytes: &[u8; LANES], by: i32) -> Self::N {
        // SAFETY: see above.
        unsafe {
            let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
            let by = _mm256_set1_epi32(by);
            let (low, high) =
                (_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_unpackhi_epi64(bytes, bytes)));
            [
                _mm256_add_epi32(sum[0], _mm256_mullo_epi32(low, by)),
                _mm256_add_epi32(sum[1], _mm256_mullo_epi32(high, by)),
            ]
        }
    }
    #[inline(always)]
    fn weigh_pairs(self, sums: [Self::N; 2], pairs: &[u8; 2 * LANES], by: &[[u8; 4]; 2]) -> [Self::N; 2] {
        // SAFETY: see above.
        unsafe {
            let p = pairs.as_ptr().cast::<__m128i>();
            let high = _mm256_set1_epi32(i32::from_ne_bytes(by[0]));
            let low = _mm256_set1_epi32(i32::from_ne_bytes(by[1]));
            let mut out = sums;
            // One half after the other: twelve sums of three channels leave four registers.
            for half in [0, 1] {
                let words = _mm256_cvtepu8_epi16(_mm_loadu_si128(p.add(half)));
                out[0][half] = _mm256_add_epi32(out[0][half], _mm256_madd_epi16(words, high));
                out[1][half] = _mm256_add_epi32(out[1][half], _mm256_madd_epi16(words, low));
            }
            out
        }
    }
    #[inline(always)]
    fn zip_bytes(self, a: &[u8; LANES], b: &[u8; LANES], to: &mut [u8; 2 * LANES]) {
        // SAFETY: see above.
        unsafe { x86::zip_bytes(a, b, to) }
    }
    #[inline(always)]
    fn shift_left(self, x: Self::N, bits: i32) -> Self::N {
        // SAFETY: see above.
        unsafe {
            let bits = _mm_cvtsi32_si128(bits);
            [_mm256_sll_epi32(x[0], bits), _mm256_sll_epi32(x[1], bits)]
        }
    }
    #[inline(always)]
    fn store_bytes(self, x: Self::N, bits: i32, to: &mut [u8; LANES]) {
        // SAFETY: see above.
        unsafe {
            let bits = _mm_cvtsi32_si128(bits);
            // packs works within 128-bit halves: bring the four quarters into order.
            let words = _mm256_packs_epi32(_mm256_sra_epi32(x[0], bits), _mm256_sra_epi32(x[1], bits));
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
            let bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
        }
    }
    #[inline(always)]
    fn transpose_bytes(self, from: [&[u8; LANES]; LANES], to: &mut [[u8; LANES]; LANES]) {
        // SAFETY: see above.
        unsafe { x86::transpose_bytes(from, to) }
    }
    #[inline(always)]
    fn transpose(self, from: [&[u32; LANES]; LANES], to: &mut [[u32; LANES]; LANES]) {
        // SAFETY: see above; 8 · `right` is 0 or 8, so eight words from there are inside the sixteen.
        unsafe {
            for (below, rows) in from.as_chunks::<8>().0.iter().enumerate() {
                for (right, columns) in to.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                    // Not by closures, which a compiler may compile apart, without the features.
                    let mut quarter = [_mm256_setzero_si256(); 8];
                    for (register, row) in quarter.iter_mut().zip(rows) {
                        *register = _mm256_loadu_si256(row.as_ptr().add(8 * right).cast());
                    }
                    for (column, to) in transpose8(quarter).into_iter().zip(columns) {
                        _mm256_storeu_si256(to.as_mut_ptr().add(8 * below).cast(), column);
                    }
                }
            }
        }
    }
}
