//! AVX2 with FMA and F16C: every x86 laptop and edge box since 2013. Sixteen lanes are two registers.
//!
//! Two instruction sets share all but the integer dot product: `Avx<Pairs>` is what AVX2 itself has, `Avx<Vnni>` adds
//! `vpdpbusd` in its short form (AVX-VNNI: Alder Lake, N100 and later, Zen 5), which takes the place of three
//! instructions.
#![allow(unsafe_code, reason = "intrinsics; the tokens below prove the CPU has them")]

use super::{Isa, LANES, Task};
use crate::ops::Kernels;
use core::arch::x86_64::*;

/// The part that differs: unsigned bytes of weights times signed bytes of activations, added up. A value of the type is
/// the proof that the CPU has its instructions.
pub(super) trait Dot: Copy + Send + Sync + 'static {
    /// The name of the instruction set that has this dot product.
    const NAME: &'static str;
    /// [`Isa::WIDE_BIAS`].
    const WIDE_BIAS: i32;
    /// The proof, if this CPU has the instructions.
    fn new() -> Option<Self>;
    /// Runs the task with the features enabled.
    fn enter<T: Task>(isa: Avx<Self>, task: T) -> T::Out;
    /// `sum[j] + Σᵢ w[4j + i] · x[4j + i]` for the four `i`, exactly. Codes as in [`Isa::dot4`].
    fn dot<const WIDE: bool>(self, sum: __m256i, w: __m256i, x: __m256i) -> __m256i;
    /// How many products of pairs, each added to the one before, fit 16 bits; 1 where they are never kept there.
    fn pairs<const WIDE: bool>(_largest: i8) -> usize {
        1
    }
}

/// `maddubs`, which multiplies unsigned by signed bytes and adds pairs in 16 bits.
///
/// Narrow codes are unsigned as they are (2 · 127 · 127 fits). A wide code passes its sign to x: |w| · (±x), where
/// |−128| = 128 is right as an unsigned byte and 2 · 128 · 127 still fits; x itself is never −128.
#[derive(Clone, Copy)]
pub(super) struct Pairs(());

impl Dot for Pairs {
    const NAME: &'static str = "avx2";
    const WIDE_BIAS: i32 = 0;

    fn new() -> Option<Pairs> {
        #[cfg(feature = "std")]
        let has = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma")
            && std::arch::is_x86_feature_detected!("f16c");
        #[cfg(not(feature = "std"))]
        let has = cfg!(all(target_feature = "avx2", target_feature = "fma", target_feature = "f16c"));
        has.then_some(Pairs(()))
    }
    #[inline(always)]
    fn enter<T: Task>(isa: Avx<Pairs>, task: T) -> T::Out {
        // SAFETY: a `Pairs` leaves `new` only after the features have been seen.
        unsafe { enter_pairs(isa, task) }
    }
    #[inline(always)]
    fn dot<const WIDE: bool>(self, sum: __m256i, w: __m256i, x: __m256i) -> __m256i {
        // SAFETY: as above; register operations only.
        unsafe {
            let pairs = if WIDE {
                _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w))
            } else {
                _mm256_maddubs_epi16(w, x)
            };
            _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }
    #[inline(always)]
    fn pairs<const WIDE: bool>(largest: i8) -> usize {
        if WIDE { 1 } else { i16::MAX as usize / (2 * 127 * largest.max(1) as usize) }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn enter_pairs<T: Task>(isa: Avx<Pairs>, task: T) -> T::Out {
    task.run(isa)
}

/// `vpdpbusd`: four products and their sum in one instruction. Wide codes are shifted by 128 to have no sign, as in
/// `avx512.rs`.
#[derive(Clone, Copy)]
pub(super) struct Vnni(());

impl Dot for Vnni {
    const NAME: &'static str = "avx-vnni";
    const WIDE_BIAS: i32 = 128;

    fn new() -> Option<Vnni> {
        #[cfg(feature = "std")]
        let has = std::arch::is_x86_feature_detected!("avxvnni");
        #[cfg(not(feature = "std"))]
        let has = cfg!(target_feature = "avxvnni");
        (has && Pairs::new().is_some()).then_some(Vnni(()))
    }
    #[inline(always)]
    fn enter<T: Task>(isa: Avx<Vnni>, task: T) -> T::Out {
        // SAFETY: a `Vnni` leaves `new` only after the features have been seen.
        unsafe { enter_vnni(isa, task) }
    }
    #[inline(always)]
    fn dot<const WIDE: bool>(self, sum: __m256i, w: __m256i, x: __m256i) -> __m256i {
        // SAFETY: as above; register operations only.
        unsafe { _mm256_dpbusd_avx_epi32(sum, w, x) }
    }
}

#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
fn enter_vnni<T: Task>(isa: Avx<Vnni>, task: T) -> T::Out {
    task.run(isa)
}

/// The token, which holds the proof.
#[derive(Clone, Copy)]
pub(super) struct Avx<D>(D);

impl<D: Dot> Avx<D> {
    /// The proof that this CPU has the instructions, if it has.
    pub(super) fn new() -> Option<Avx<D>> {
        D::new().map(Avx)
    }
}

pub(super) fn detect() -> Option<&'static dyn Kernels> {
    static TOKEN: Avx<Pairs> = Avx(Pairs(()));
    Avx::<Pairs>::new().map(|_| &TOKEN as &dyn Kernels)
}

pub(super) fn detect_vnni() -> Option<&'static dyn Kernels> {
    static TOKEN: Avx<Vnni> = Avx(Vnni(()));
    Avx::<Vnni>::new().map(|_| &TOKEN as &dyn Kernels)
}

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

/// [`Isa::transpose_bytes`] for both x86 machines: interleaving rows eight apart four times turns sixteen.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn transpose_bytes(from: [&[u8; LANES]; LANES], to: &mut [[u8; LANES]; LANES]) {
    let mut rows = [_mm_setzero_si128(); LANES];
    for (register, row) in rows.iter_mut().zip(from) {
        // SAFETY: an unaligned load of sixteen bytes from an array of so many.
        *register = unsafe { _mm_loadu_si128(row.as_ptr().cast()) };
    }
    for _ in 0..4 {
        let old = rows;
        for i in 0..8 {
            rows[2 * i] = _mm_unpacklo_epi8(old[i], old[i + 8]);
            rows[2 * i + 1] = _mm_unpackhi_epi8(old[i], old[i + 8]);
        }
    }
    for (register, column) in rows.into_iter().zip(to) {
        // SAFETY: likewise, a store.
        unsafe { _mm_storeu_si128(column.as_mut_ptr().cast(), register) }
    }
}

/// [`Isa::zip_bytes`] for both.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn zip_bytes(a: &[u8; LANES], b: &[u8; LANES], to: &mut [u8; 2 * LANES]) {
    // SAFETY: unaligned loads and stores of sixteen bytes inside arrays of so many, or twice.
    unsafe {
        let (a, b) = (_mm_loadu_si128(a.as_ptr().cast()), _mm_loadu_si128(b.as_ptr().cast()));
        let p = to.as_mut_ptr().cast::<__m128i>();
        _mm_storeu_si128(p, _mm_unpacklo_epi8(a, b));
        _mm_storeu_si128(p.add(1), _mm_unpackhi_epi8(a, b));
    }
}

/// Eight registers of eight sums: lane r of one result is the total of the low half of register r, of the other that
/// of the high half.
#[inline]
#[target_feature(enable = "avx2")]
fn totals(r: [__m256i; 8]) -> [__m256i; 2] {
    // Interleave two registers and add: sums of pairs, those of the first register in the even lanes.
    let pairs = |a, b| _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let quads = |a, b| _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    let a = quads(pairs(r[0], r[1]), pairs(r[2], r[3]));
    let b = quads(pairs(r[4], r[5]), pairs(r[6], r[7]));
    [_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x31>(a, b)]
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
    type F = F;
    type N = [__m256i; 2];

    #[inline(always)]
    fn enter<T: Task>(self, task: T) -> T::Out {
        D::enter(self, task)
    }

    #[inline(always)]
    fn fetch(self, bytes: &[u8]) {
        for line in bytes.chunks(64) {
            // SAFETY: see above; a hint, which reads nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) }
        }
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
    fn store_codes(self, x: F, to: &mut [i8; LANES]) {
        // SAFETY: see above.
        unsafe {
            let words = _mm256_packs_epi32(_mm256_cvtps_epi32(x[0]), _mm256_cvtps_epi32(x[1]));
            // packs works within 128-bit halves: bring the four quarters into order.
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
            let bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
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
    fn dot_panel<const WIDE: bool, const T: usize>(
        self,
        mut sums: [Self::N; T],
        codes: &[[i8; 4 * LANES]],
        x: [&[[i8; 4]]; T],
        largest: i8,
    ) -> [Self::N; T] {
        // Only sums of as many as fit are widened: of 8 for four-bit codes, of 4 for five.
        let fit = D::pairs::<WIDE>(largest);
        if fit == 1 {
            for (c, codes) in codes.iter().enumerate() {
                for t in 0..T {
                    sums[t] = self.dot4::<WIDE>(sums[t], codes, &x[t][c]);
                }
            }
            return sums;
        }
        // SAFETY: see above.
        unsafe {
            let zero = _mm256_setzero_si256();
            for (block, codes) in codes.chunks(fit).enumerate() {
                let mut pairs = [[zero; 2]; T];
                for (c, codes) in codes.iter().enumerate() {
                    let p = codes.as_ptr().cast::<__m256i>();
                    let (low, high) = (_mm256_loadu_si256(p), _mm256_loadu_si256(p.add(1)));
                    for t in 0..T {
                        let x = _mm256_set1_epi32(bytemuck::cast(x[t][block * fit + c]));
                        pairs[t][0] = _mm256_add_epi16(pairs[t][0], _mm256_maddubs_epi16(low, x));
                        pairs[t][1] = _mm256_add_epi16(pairs[t][1], _mm256_maddubs_epi16(high, x));
                    }
                }
                for t in 0..T {
                    for half in 0..2 {
                        let wide = _mm256_madd_epi16(pairs[t][half], _mm256_set1_epi16(1));
                        sums[t][half] = _mm256_add_epi32(sums[t][half], wide);
                    }
                }
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
    fn dot_rows<const WIDE: bool>(self, rows: [&[i8; 32]; LANES], x: &[i8; 32]) -> [Self::N; 2] {
        // SAFETY: see above.
        unsafe {
            let x = _mm256_loadu_si256(x.as_ptr().cast());
            let mut out = [[_mm256_setzero_si256(); 2]; 2];
            for (eight, rows) in rows.as_chunks::<8>().0.iter().enumerate() {
                let mut sums = [_mm256_setzero_si256(); 8];
                for (sum, row) in sums.iter_mut().zip(rows) {
                    let codes = _mm256_loadu_si256(row.as_ptr().cast());
                    let codes = if WIDE && D::WIDE_BIAS != 0 {
                        _mm256_xor_si256(codes, _mm256_set1_epi8(-128))
                    } else {
                        codes
                    };
                    *sum = self.0.dot::<WIDE>(*sum, codes, x);
                }
                [out[0][eight], out[1][eight]] = totals(sums);
            }
            out
        }
    }
    #[inline(always)]
    fn lookup(self, table: &[i8; 16], nibbles: &[u8; 16]) -> [i8; 16] {
        let mut out = [0; 16];
        // SAFETY: see above.
        unsafe {
            let table = _mm_loadu_si128(table.as_ptr().cast());
            let index = _mm_and_si128(_mm_loadu_si128(nibbles.as_ptr().cast()), _mm_set1_epi8(15));
            _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_shuffle_epi8(table, index));
        }
        out
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
        unsafe { zip_bytes(a, b, to) }
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
        unsafe { transpose_bytes(from, to) }
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

#[cfg(test)]
pub(super) mod tests {
    //! `vpdpbusd` has two encodings that compute the same. A CPU that has only the long one (AVX-512 with VNNI, 256 bits
    //! wide) can so run everything of [`Vnni`](super::Vnni) but the encoding itself.

    use super::*;

    #[derive(Clone, Copy)]
    pub(in crate::cpu) struct Long(());

    impl Dot for Long {
        const NAME: &'static str = "avx-vnni, in the long encoding";
        const WIDE_BIAS: i32 = 128;

        fn new() -> Option<Long> {
            let has = std::arch::is_x86_feature_detected!("avx512vnni")
                && std::arch::is_x86_feature_detected!("avx512vl");
            (has && Pairs::new().is_some()).then_some(Long(()))
        }
        #[inline(always)]
        fn enter<T: Task>(isa: Avx<Long>, task: T) -> T::Out {
            // SAFETY: a `Long` leaves `new` only after the features have been seen.
            unsafe { enter_long(isa, task) }
        }
        #[inline(always)]
        fn dot<const WIDE: bool>(self, sum: __m256i, w: __m256i, x: __m256i) -> __m256i {
            // SAFETY: as above; register operations only.
            unsafe { _mm256_dpbusd_epi32(sum, w, x) }
        }
    }

    #[target_feature(enable = "avx2,fma,f16c,avx512vnni,avx512vl")]
    fn enter_long<T: Task>(isa: Avx<Long>, task: T) -> T::Out {
        task.run(isa)
    }
}
