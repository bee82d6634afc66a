//! AVX-512 with VNNI: Ice Lake and later, Zen 4 and later. Sixteen lanes are one register.
//!
//! `vpdpbusd` multiplies four unsigned bytes by four signed ones and adds the products to a 32-bit lane, exactly. The
//! weight is the unsigned operand: narrow codes are as they are, wide ones are shifted by 128 ([`Isa::WIDE_BIAS`]),
//! which costs nothing where the caller starts from −128 times the sum of the activations.
#![allow(unsafe_code, reason = "intrinsics; the token below proves the CPU has them")]

use super::{Detect, Isa, LANES, Span, Task, x86};
use core::arch::x86_64::*;

impl Detect for Avx512 {
    fn detect() -> Option<&'static Avx512> {
        static TOKEN: Avx512 = Avx512(());
        Avx512::new().map(|_| &TOKEN)
    }
}

/// The token: only [`Avx512::new`] and [`Detect`] let it out, after they have seen the features.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    /// The proof that this CPU has the instructions, if it has.
    pub(super) fn new() -> Option<Avx512> {
        #[cfg(feature = "std")]
        let has = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("avx512vnni")
            && std::arch::is_x86_feature_detected!("f16c");
        #[cfg(not(feature = "std"))]
        let has = cfg!(all(
            target_feature = "avx512f",
            target_feature = "avx512bw",
            target_feature = "avx512vl",
            target_feature = "avx512vnni",
            target_feature = "f16c"
        ));
        has.then_some(Avx512(()))
    }
}

#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,f16c")]
fn enter<T: Task>(isa: Avx512, task: T) -> T::Out {
    task.run(isa)
}

/// Columns of four rows of four 32-bit words, in each 128-bit quarter: pairs, then quads.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose4([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (ab, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (cd, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_unpacklo_epi64(ab, cd),
        _mm512_unpackhi_epi64(ab, cd),
        _mm512_unpacklo_epi64(ab_high, cd_high),
        _mm512_unpackhi_epi64(ab_high, cd_high),
    ]
}

/// The four columns of words of sixteen rows: rows r, r + 4, r + 8 and r + 12 side by side, so that they come out in order.
#[inline]
#[target_feature(enable = "avx512f")]
fn columns(rows: [&[u8; 16]; LANES]) -> [__m512i; 4] {
    let mut r = [_mm512_setzero_si512(); 4];
    for (i, r) in r.iter_mut().enumerate() {
        // SAFETY: unaligned loads of sixteen bytes from arrays of so many.
        let row = |at: usize| unsafe { _mm_loadu_si128(rows[at].as_ptr().cast()) };
        let x = _mm512_inserti32x4::<1>(_mm512_castsi128_si512(row(i)), row(i + 4));
        *r = _mm512_inserti32x4::<3>(_mm512_inserti32x4::<2>(x, row(i + 8)), row(i + 12));
    }
    transpose4(r)
}

/// Columns of sixteen rows of 32-bit words: of four, then quarters of registers, twice.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose16(mut r: [__m512i; 16]) -> [__m512i; 16] {
    // Within each 128-bit quarter q, afterwards r[4g + j] holds word 4q + j of rows 4g to 4g + 3.
    for group in r.as_chunks_mut::<4>().0 {
        *group = transpose4(*group);
    }
    // The same on quarters: register 4q + j gathers quarter q of the four groups.
    let mut out = r;
    for j in 0..4 {
        let (a, b, c, d) = (r[j], r[4 + j], r[8 + j], r[12 + j]);
        let (low, high) = (_mm512_shuffle_i32x4::<0x44>(a, b), _mm512_shuffle_i32x4::<0x44>(c, d));
        out[j] = _mm512_shuffle_i32x4::<0x88>(low, high);
        out[4 + j] = _mm512_shuffle_i32x4::<0xDD>(low, high);
        let (low, high) = (_mm512_shuffle_i32x4::<0xEE>(a, b), _mm512_shuffle_i32x4::<0xEE>(c, d));
        out[8 + j] = _mm512_shuffle_i32x4::<0x88>(low, high);
        out[12 + j] = _mm512_shuffle_i32x4::<0xDD>(low, high);
    }
    out
}

/// Eight registers, each the sums of a row and of the row four below it, eight lanes each: lane r of one result is the
/// total of the first four lanes of row r, of the other that of the last four.
#[inline]
#[target_feature(enable = "avx512f")]
fn totals(r: [__m512i; 8]) -> [__m512i; 2] {
    // Interleave two registers and add: sums of pairs, those of the first register in the even lanes.
    let pairs = |a, b| _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let quads = |a, b| _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    let a = quads(pairs(r[0], r[1]), pairs(r[2], r[3]));
    let b = quads(pairs(r[4], r[5]), pairs(r[6], r[7]));
    [_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xDD>(a, b)]
}

// SAFETY of every block below: an `Avx512` leaves this file only after its features have been seen; loads and stores
// are unaligned ones and go through references to arrays of the exact size.
impl Isa for Avx512 {
    const NAME: &'static str = "avx512-vnni";
    const PANELS: usize = 2;
    const ROWS: usize = 6;
    const SUMS: usize = 16;
    const WIDE_BIAS: i32 = 128;
    type Plain = Avx512;
    type F = __m512;
    type N = __m512i;
    type C = __m512i;

    #[inline(always)]
    fn enter<T: Task>(self, task: T) -> T::Out {
        // SAFETY: the token proves the features.
        unsafe { enter(self, task) }
    }

    #[inline(always)]
    fn fetch(self, bytes: &[u8], after: usize) {
        // SAFETY: see above; a hint, which reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(after).cast()) }
    }

    #[inline(always)]
    fn plain(self) -> Avx512 {
        self
    }
    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, x: __m512, to: &mut [f32; LANES]) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), x) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn sqrt(self, a: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_sqrt_ps(a) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn select(self, a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), no, yes) }
    }
    #[inline(always)]
    fn pow2(self, n: __m512) -> __m512 {
        // SAFETY: see above.
        unsafe {
            let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
        }
    }
    #[inline(always)]
    fn sum(self, x: __m512) -> f32 {
        // SAFETY: see above.
        unsafe {
            let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(x)));
            let x = _mm256_add_ps(_mm512_castps512_ps256(x), high);
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        }
    }
    #[inline(always)]
    fn largest(self, x: __m512) -> f32 {
        // SAFETY: see above.
        unsafe {
            let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(x)));
            let x = _mm256_max_ps(_mm512_castps512_ps256(x), high);
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
    fn load_half(self, from: &[u16; LANES]) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast())) }
    }
    #[inline(always)]
    fn halves(self, from: [[u8; 2]; LANES]) -> __m512 {
        let [a, b] = bytemuck::cast_ref::<_, [[[u8; 2]; 8]; 2]>(&from);
        // SAFETY: see above.
        unsafe { _mm512_cvtph_ps(_mm256_set_m128i(x86::gather(b), x86::gather(a))) }
    }
    #[inline(always)]
    fn store_half(self, x: __m512, to: &mut [u16; LANES]) {
        // SAFETY: see above.
        unsafe {
            _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x));
        }
    }
    #[inline(always)]
    fn load_codes(self, from: &[i8; LANES]) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.as_ptr().cast()))) }
    }
    #[inline(always)]
    fn store_codes(self, x: __m512, to: &mut [i8; LANES]) -> i16 {
        // SAFETY: see above.
        unsafe {
            let bytes = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(x));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
            x86::sum_bytes(bytes)
        }
    }

    #[inline(always)]
    fn splat_int(self, x: i32) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_set1_epi32(x) }
    }
    #[inline(always)]
    fn float(self, x: __m512i) -> __m512 {
        // SAFETY: see above.
        unsafe { _mm512_cvtepi32_ps(x) }
    }
    #[inline(always)]
    fn dot4<const WIDE: bool>(self, sum: __m512i, codes: &[i8; 4 * LANES], x: &[i8; 4]) -> __m512i {
        // SAFETY: see above.
        unsafe {
            let codes = _mm512_loadu_si512(codes.as_ptr().cast());
            _mm512_dpbusd_epi32(sum, codes, _mm512_set1_epi32(bytemuck::cast(*x)))
        }
    }
    #[inline(always)]
    fn weigh(self, sums: &[i16; 2], by: [i16; 2]) -> __m512i {
        // SAFETY: see above.
        unsafe {
            let (sums, by) = (bytemuck::cast(*sums), bytemuck::cast(by));
            _mm512_madd_epi16(_mm512_set1_epi32(by), _mm512_set1_epi32(sums))
        }
    }
    #[inline(always)]
    fn add_int(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_add_epi32(a, b) }
    }
    #[inline(always)]
    fn dot_rows<const WIDE: bool, const WHOLE: bool>(
        self,
        span: &impl Span<Self>,
        part: usize,
        _: i8,
    ) -> [__m512i; 2] {
        // SAFETY: see above.
        unsafe {
            let x = _mm512_broadcast_i64x4(_mm256_loadu_si256(span.inputs(part).as_ptr().cast()));
            let mut sums = [_mm512_setzero_si512(); 8];
            for (i, sum) in sums.iter_mut().enumerate() {
                // Rows 0 to 3 and 8 to 11, each beside the one four below.
                let row = i / 4 * 8 + i % 4;
                let codes = span.codes(self, [row, row + 4], part);
                // Code + 128 as an unsigned byte: the top bit turned.
                let codes = if WIDE { _mm512_xor_si512(codes, _mm512_set1_epi8(-128)) } else { codes };
                *sum = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes, x);
            }
            let [first, last] = totals(sums);
            if WHOLE { [_mm512_add_epi32(first, last), last] } else { [first, last] }
        }
    }

    #[inline(always)]
    fn bytes(self, from: [&[u8; 32]; 2]) -> __m512i {
        // SAFETY: see above.
        unsafe {
            let [a, b] = [from[0], from[1]].map(|row| _mm256_loadu_si256(row.as_ptr().cast()));
            _mm512_inserti64x4::<1>(_mm512_castsi256_si512(a), b)
        }
    }
    #[inline(always)]
    fn nibbles(self, from: [&[u8; 16]; 2]) -> __m512i {
        // SAFETY: see above.
        unsafe {
            // Each row twice; the second time the high nibbles come down.
            let a = _mm512_broadcast_i32x4(_mm_loadu_si128(from[0].as_ptr().cast()));
            let x = _mm512_mask_broadcast_i32x4(a, 0xff00, _mm_loadu_si128(from[1].as_ptr().cast()));
            let down = _mm512_srlv_epi64(x, _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4));
            _mm512_and_si512(down, _mm512_set1_epi8(15))
        }
    }
    #[inline(always)]
    fn bits(self, x: __m512i, right: i32, mask: u8) -> __m512i {
        // SAFETY: see above.
        unsafe {
            // In words of two bytes: the mask takes away what came over from the other byte.
            let moved = if right < 0 {
                _mm512_sll_epi16(x, _mm_cvtsi32_si128(-right))
            } else {
                _mm512_srl_epi16(x, _mm_cvtsi32_si128(right))
            };
            _mm512_and_si512(moved, _mm512_set1_epi8(mask as i8))
        }
    }
    #[inline(always)]
    fn or(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_or_si512(a, b) }
    }
    #[inline(always)]
    fn spread(self, bits: [[u8; 4]; 2], value: u8) -> __m512i {
        let set = u64::from_le_bytes(bytemuck::cast(bits));
        // SAFETY: see above.
        unsafe { _mm512_maskz_mov_epi8(set, _mm512_set1_epi8(value as i8)) }
    }
    #[inline(always)]
    fn words(self, rows: [&[u8; 16]; LANES]) -> [__m512i; 4] {
        // SAFETY: see above.
        unsafe { columns(rows) }
    }
    #[inline(always)]
    fn byte(self, words: __m512i, at: usize) -> __m512 {
        // SAFETY: see above.
        unsafe {
            let top = _mm512_sll_epi32(words, _mm_cvtsi32_si128(24 - 8 * (at % 4) as i32));
            _mm512_cvtepi32_ps(_mm512_srai_epi32::<24>(top))
        }
    }
    #[inline(always)]
    fn look_up(self, table: &[i8; 16], x: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe {
            let table = _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast()));
            _mm512_shuffle_epi8(table, x)
        }
    }
    #[inline(always)]
    fn keep(self, x: __m512i, to: [&mut [i8; 32]; 2]) {
        let [first, second] = to;
        // SAFETY: see above.
        unsafe {
            _mm256_storeu_si256(first.as_mut_ptr().cast(), _mm512_castsi512_si256(x));
            _mm256_storeu_si256(second.as_mut_ptr().cast(), _mm512_extracti64x4_epi64::<1>(x));
        }
    }

    #[inline(always)]
    fn weigh_bytes(self, sum: __m512i, bytes: &[u8; LANES], by: i32) -> __m512i {
        // SAFETY: see above.
        unsafe {
            let bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes.as_ptr().cast()));
            _mm512_add_epi32(sum, _mm512_mullo_epi32(bytes, _mm512_set1_epi32(by)))
        }
    }
    #[inline(always)]
    fn weigh_pairs(self, sums: [__m512i; 2], pairs: &[u8; 2 * LANES], by: &[[u8; 4]; 2]) -> [__m512i; 2] {
        // SAFETY: see above.
        unsafe {
            let pairs = _mm512_cvtepu8_epi16(_mm256_loadu_si256(pairs.as_ptr().cast()));
            let mut out = sums;
            for (sum, by) in out.iter_mut().zip(by) {
                *sum = _mm512_dpwssd_epi32(*sum, pairs, _mm512_set1_epi32(i32::from_ne_bytes(*by)));
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
    fn shift_left(self, x: __m512i, bits: i32) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_sll_epi32(x, _mm_cvtsi32_si128(bits)) }
    }
    #[inline(always)]
    fn store_bytes(self, x: __m512i, bits: i32, to: &mut [u8; LANES]) {
        // SAFETY: see above.
        unsafe {
            let x = _mm512_sra_epi32(x, _mm_cvtsi32_si128(bits));
            let x = _mm512_cvtusepi32_epi8(_mm512_max_epi32(x, _mm512_setzero_si512()));
            _mm_storeu_si128(to.as_mut_ptr().cast(), x);
        }
    }
    #[inline(always)]
    fn transpose_bytes(self, from: [&[u8; LANES]; LANES], to: &mut [[u8; LANES]; LANES]) {
        // SAFETY: see above.
        unsafe { x86::transpose_bytes(from, to) }
    }
    #[inline(always)]
    fn transpose(self, from: [&[u32; LANES]; LANES], to: &mut [[u32; LANES]; LANES]) {
        // SAFETY: see above.
        unsafe {
            // Not by closures, which a compiler may compile apart, without the features.
            let mut square = [_mm512_setzero_si512(); LANES];
            for (register, row) in square.iter_mut().zip(from) {
                *register = _mm512_loadu_si512(row.as_ptr().cast());
            }
            for (column, to) in transpose16(square).into_iter().zip(to) {
                _mm512_storeu_si512(to.as_mut_ptr().cast(), column);
            }
        }
    }
}
