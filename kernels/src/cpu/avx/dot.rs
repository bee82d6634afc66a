//! The integer dot product of AVX2, and of AVX-VNNI (Alder Lake, N100 and later, Zen 5), whose `vpdpbusd` takes the place
//! of three instructions.
#![allow(unsafe_code, reason = "intrinsics; the tokens below prove the CPU has them")]

use super::Avx;
use crate::cpu::{Detect, Isa, LANES, SPLIT, Task};
use core::arch::x86_64::*;

/// The part that differs: unsigned bytes of weights times signed bytes of activations, added up. A value of the type is
/// the proof that the CPU has its instructions.
pub(in crate::cpu) trait Dot: Copy + Send + Sync + 'static {
    /// The name of the instruction set that has this dot product.
    const NAME: &'static str;
    /// [`Isa::WIDE_BIAS`].
    const WIDE_BIAS: i32;
    /// [`Isa::SPLITS`].
    const SPLITS: bool = false;
    /// The proof, if this CPU has the instructions and AVX2's.
    fn new() -> Option<Self>;
    /// The proof of AVX2's alone.
    fn without(self) -> Pairs {
        Pairs(())
    }
    /// Runs the task with the features enabled.
    fn enter<T: Task>(isa: Avx<Self>, task: T) -> T::Out;
    /// `sum[j] + Σᵢ w[4j + i] · x[4j + i]` for the four `i`, exactly. Codes as in [`Isa::dot4`].
    fn dot<const WIDE: bool>(self, sum: __m256i, w: __m256i, x: __m256i) -> __m256i;
    /// The dot product of two with two, from zero. `largest` is the largest code.
    #[inline(always)]
    fn dot_two<const WIDE: bool>(self, w: [__m256i; 2], x: [__m256i; 2], _largest: i8) -> __m256i {
        // SAFETY: the token proves the features.
        let zero = unsafe { _mm256_setzero_si256() };
        self.dot::<WIDE>(self.dot::<WIDE>(zero, w[0], x[0]), w[1], x[1])
    }
    /// [`Isa::split`].
    #[inline(always)]
    fn split(self, _codes: &[[i8; 4 * LANES]; 8], _to: &mut [[i8; 4 * LANES]; SPLIT]) {}
    /// [`Isa::dot_panel`] of one panel.
    #[inline(always)]
    fn panel<const WIDE: bool, const T: usize>(
        self,
        mut sums: [[__m256i; 2]; T],
        codes: &[[i8; 4 * LANES]],
        x: [&[[i8; 4]]; T],
        _largest: i8,
    ) -> [[__m256i; 2]; T] {
        for (c, codes) in codes.iter().enumerate() {
            for t in 0..T {
                sums[t] = Avx(self).dot4::<WIDE>(sums[t], codes, &x[t][c]);
            }
        }
        sums
    }
}

/// `maddubs`, which multiplies unsigned by signed bytes and adds pairs in 16 bits.
///
/// Narrow codes are unsigned as they are (2 · 127 · 127 fits). A wide code passes its sign to x: |w| · (±x), where
/// |−128| = 128 is right as an unsigned byte and 2 · 128 · 127 still fits; x itself is never −128. Panels have a shorter way
/// (`panel.rs`).
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Pairs(());

impl Dot for Pairs {
    const NAME: &'static str = "avx2";
    const WIDE_BIAS: i32 = 0;
    const SPLITS: bool = true;

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
    fn dot_two<const WIDE: bool>(self, w: [__m256i; 2], x: [__m256i; 2], largest: i8) -> __m256i {
        // SAFETY: as above.
        unsafe {
            if Pairs::fit::<WIDE>(largest) < 2 {
                let first = self.dot::<WIDE>(_mm256_setzero_si256(), w[0], x[0]);
                return self.dot::<WIDE>(first, w[1], x[1]);
            }
            // Both fit 16 bits together, so that they are widened once.
            let pairs = _mm256_add_epi16(_mm256_maddubs_epi16(w[0], x[0]), _mm256_maddubs_epi16(w[1], x[1]));
            _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))
        }
    }
    #[inline(always)]
    fn split(self, codes: &[[i8; 4 * LANES]; 8], to: &mut [[i8; 4 * LANES]; SPLIT]) {
        Pairs::split(self, codes, to);
    }
    #[inline(always)]
    fn panel<const WIDE: bool, const T: usize>(
        self,
        sums: [[__m256i; 2]; T],
        codes: &[[i8; 4 * LANES]],
        x: [&[[i8; 4]]; T],
        largest: i8,
    ) -> [[__m256i; 2]; T] {
        match codes.first_chunk() {
            Some(codes) if WIDE => self.wide(sums, codes, x),
            None if WIDE => sums, // no group
            _ => self.narrow(sums, codes, x, Pairs::fit::<WIDE>(largest)),
        }
    }
}

impl Pairs {
    /// How many products of pairs, each added to the one before, fit 16 bits.
    #[inline(always)]
    fn fit<const WIDE: bool>(largest: i8) -> usize {
        if WIDE { 1 } else { i16::MAX as usize / (2 * 127 * largest.max(1) as usize) }
    }
}

#[inline(never)]
#[target_feature(enable = "avx2,fma,f16c")]
fn enter_pairs<T: Task>(isa: Avx<Pairs>, task: T) -> T::Out {
    task.run(isa)
}

/// `vpdpbusd`: four products and their sum in one instruction. Wide codes are shifted by 128 to have no sign, as in
/// `avx512.rs`.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Vnni(());

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

#[inline(never)]
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
fn enter_vnni<T: Task>(isa: Avx<Vnni>, task: T) -> T::Out {
    task.run(isa)
}

impl Detect for Avx<Pairs> {
    fn detect() -> Option<&'static Avx<Pairs>> {
        static TOKEN: Avx<Pairs> = Avx(Pairs(()));
        Pairs::new().map(|_| &TOKEN)
    }
}

impl Detect for Avx<Vnni> {
    fn detect() -> Option<&'static Avx<Vnni>> {
        static TOKEN: Avx<Vnni> = Avx(Vnni(()));
        Vnni::new().map(|_| &TOKEN)
    }
}

#[cfg(test)]
pub(in crate::cpu) mod long {
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

    impl Detect for Avx<Long> {
        fn detect() -> Option<&'static Avx<Long>> {
            static TOKEN: Avx<Long> = Avx(Long(()));
            Long::new().map(|_| &TOKEN)
        }
    }

    #[target_feature(enable = "avx2,fma,f16c,avx512vnni,avx512vl")]
    fn enter_long<T: Task>(isa: Avx<Long>, task: T) -> T::Out {
        task.run(isa)
    }
}
