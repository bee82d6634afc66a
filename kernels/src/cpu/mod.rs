//! Instruction sets: the machine every kernel is written for, and the files that implement it.
//!
//! Kernels are generic over [`Isa`], a *sixteen-lane machine*: `F` is sixteen `f32`, `N` is sixteen `i32`, whatever
//! the registers are (one of AVX-512, two of AVX2, four of NEON, an array in the scalar file). Because the number
//! of lanes, every fused multiply-add and the shape of every sum are fixed here and not by the register width,
//! all instruction sets give the same bits. [`Scalar`] is the definition; the others are tested for equality with it.
//!
//! Kernels are `#[inline(always)]` and reach the machine through [`Isa::enter`], which is the one function compiled
//! with the instruction set's features: everything below it is inlined there.
//!
//! To add an instruction set: one file, one line in the list below, and one in `kernels/build.rs`, which knows what a target
//! guarantees.
#![cfg_attr(
    not(all(feature = "newer-isas", feature = "older-isas")),
    allow(dead_code, unused_imports, reason = "a build may leave instruction sets out")
)]

use crate::array::map;
use crate::ops::Kernels;

mod element;
mod fused;
mod scalar;

pub use element::Element;
pub use scalar::Scalar;

#[cfg(target_arch = "x86_64")]
mod avx;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
mod neon;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::each_isa;

/// Number of lanes of the machine: weight rows of a panel, keys of a block, partial sums of a row.
pub const LANES: usize = 16;

/// Loads of 32 wide codes of sixteen rows that were [split](Isa::split).
pub const SPLIT: usize = 17;

/// Work that is compiled once per instruction set.
pub trait Task {
    /// What it gives.
    type Out;
    /// Does the work; mark the implementation `#[inline(always)]`.
    fn run<I: Isa>(self, isa: I) -> Self::Out;
}

/// A sixteen-lane machine. A value of the type is the proof that the CPU has its instructions.
///
/// Floating-point operations round to nearest even and treat subnormals as IEEE 754 says.
pub trait Isa: Copy + Send + Sync + 'static {
    /// Sixteen `f32`.
    type F: Copy;
    /// Sixteen `i32`.
    type N: Copy;
    /// Sixty-four bytes: thirty-two of one weight row and thirty-two of another, or four of each of sixteen rows.
    type C: Copy;

    /// What does all work without integer dot products: itself, or an instruction set that differs in those alone, so that
    /// the code is there once.
    type Plain: Isa;

    /// Its name, as `OCELLI_ISA` spells it.
    const NAME: &'static str;

    /// Panels of codes that are multiplied together, 1 or 2, and activation rows that share a load of them, 4 or 6: as
    /// many as leave registers for everything else.
    const PANELS: usize = 1;
    /// See [`PANELS`](Isa::PANELS).
    const ROWS: usize = 4;

    /// Whether panels of codes hold eight inputs of each weight row side by side, not four.
    const EIGHTS: bool = false;

    /// Whether panels keep wide codes as [`split`](Isa::split) leaves them: 32 of each row in [`SPLIT`] loads instead of eight.
    const SPLITS: bool = false;

    /// Sums of sixteen lanes that a loop over floats keeps in registers: enough that none waits for its last addition.
    const SUMS: usize = 6;

    /// Parts of a span whose code is written out: as many as have shifts of their own, where code may be large; else one, and
    /// no other loop has a form of its own for many at a time.
    const UNROLLED: usize = if cfg!(feature = "unrolled") { 4 } else { 1 };

    /// What instruction sets whose dot product wants unsigned weights add to wide codes: 0 or 128.
    const WIDE_BIAS: i32 = 0;

    /// Runs the task with the instruction set's features enabled.
    fn enter<T: Task>(self, task: T) -> T::Out;
    /// That of work without integer dot products.
    fn plain(self) -> Self::Plain;

    /// Asks the memory for the cache line that is `after` bytes behind the first of these. It may be anywhere: a hint reads
    /// nothing.
    #[inline(always)]
    fn fetch(self, _bytes: &[u8], _after: usize) {}

    /// All lanes `x`.
    fn splat(self, x: f32) -> Self::F;
    /// Reads sixteen values.
    fn load(self, from: &[f32; LANES]) -> Self::F;
    /// Writes sixteen values.
    fn store(self, x: Self::F, to: &mut [f32; LANES]);
    /// `a + b`.
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a − b`.
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a · b`.
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a / b`.
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a · b + c`, rounded once.
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `√a`.
    fn sqrt(self, a: Self::F) -> Self::F;
    /// `if a > b { a } else { b }`: `b` where either is not a number.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// `if a < b { a } else { b }`: `b` where either is not a number.
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// `if a < b { yes } else { no }`.
    fn select(self, a: Self::F, b: Self::F, yes: Self::F, no: Self::F) -> Self::F;
    /// 2ⁿ for whole `n` in −126..=127.
    fn pow2(self, n: Self::F) -> Self::F;
    /// The sum of the lanes: lane i with i + 8, then i + 4, i + 2, i + 1.
    fn sum(self, x: Self::F) -> f32;
    /// The largest lane, by [`max`](Isa::max) in the order of `sum`.
    fn largest(self, x: Self::F) -> f32;

    /// One IEEE 754 binary16 as `f32`.
    fn half(self, bits: u16) -> f32;
    /// Sixteen binary16 values as `f32`.
    fn load_half(self, from: &[u16; LANES]) -> Self::F;
    /// Sixteen binary16 values from sixteen places, in the order of bytes of files, as `f32`.
    #[inline(always)]
    fn halves(self, from: [[u8; 2]; LANES]) -> Self::F {
        self.load_half(&map(from, u16::from_le_bytes))
    }
    /// Rounds to sixteen binary16 values, to nearest even; too large becomes infinite.
    fn store_half(self, x: Self::F, to: &mut [u16; LANES]);
    /// Sixteen signed bytes as `f32`.
    fn load_codes(self, from: &[i8; LANES]) -> Self::F;
    /// Writes values in −127..=127 as signed bytes, each rounded to the nearest whole number, to even where two are as near;
    /// gives the sum of what was written.
    fn store_codes(self, x: Self::F, to: &mut [i8; LANES]) -> i16;

    /// All lanes `x`.
    fn splat_int(self, x: i32) -> Self::N;
    /// Each lane as the nearest `f32`.
    fn float(self, x: Self::N) -> Self::F;
    /// `sum[j] + Σᵢ codes[4j + i] · x[i]` for the four `i`, exactly.
    ///
    /// `x` is in −127..=127. Without `WIDE`, codes are in 0..=127; with it they are any byte plus `WIDE_BIAS`, wrapped.
    fn dot4<const WIDE: bool>(self, sum: Self::N, codes: &[i8; 4 * LANES], x: &[i8; 4]) -> Self::N;
    /// Thirty-two wide codes of sixteen rows in another form, for instruction sets that have one ([`SPLITS`](Isa::SPLITS)).
    #[inline(always)]
    fn split(self, _codes: &[[i8; 4 * LANES]; 8], _to: &mut [[i8; 4 * LANES]; SPLIT]) {}
    /// For each of `T` activation rows and `P` panels the [`dot4`](Isa::dot4) of every fourth input in turn: `codes[p]` and
    /// `x[t]`, all of one length, give four inputs at a time, or two of them eight with [`EIGHTS`](Isa::EIGHTS). Where wide
    /// codes are split they are a whole group, and x all of its inputs. `largest` is the largest code.
    #[inline(always)]
    fn dot_panel<const WIDE: bool, const T: usize, const P: usize>(
        self,
        sums: [[Self::N; P]; T],
        codes: [&[[i8; 4 * LANES]]; P],
        x: [&[[i8; 4]]; T],
        _largest: i8,
    ) -> [[Self::N; P]; T] {
        fours::<_, WIDE, T, P>(self, sums, codes, x)
    }
    /// `sums[0] · by[0] + sums[1] · by[1]` in all lanes.
    fn weigh(self, sums: &[i16; 2], by: [i16; 2]) -> Self::N;
    /// `a + b`, wrapping.
    fn add_int(self, a: Self::N, b: Self::N) -> Self::N;
    /// Lane r is `Σᵢ codes[r][i] · inputs[i]` of a part, exactly, and with `WIDE` codes count as `code + WIDE_BIAS`; inputs
    /// are in −127..=127. With `WHOLE` over all `i`, in the first result; else over the first sixteen in one and over the
    /// last sixteen in the other. `largest` is the largest code.
    fn dot_rows<const WIDE: bool, const WHOLE: bool>(
        self,
        span: &impl Span<Self>,
        part: usize,
        largest: i8,
    ) -> [Self::N; 2];
    /// [`dot_rows`](Isa::dot_rows) of every part.
    #[inline(always)]
    fn dot_span<const WIDE: bool, const WHOLE: bool>(
        self,
        span: &impl Span<Self>,
        largest: i8,
        sums: &mut [[Self::N; 2]; 8],
    ) {
        for first in (0..sums.len()).step_by(Self::UNROLLED) {
            // One by one: where a part is known, places and shifts are.
            macro_rules! parts {
                ($($part:literal)*) => {$(
                    if $part < Self::UNROLLED {
                        span.ahead(self, first + $part);
                        sums[(first + $part) % 8] = self.dot_rows::<WIDE, WHOLE>(span, first + $part, largest);
                    }
                )*};
            }
            parts!(0 1 2 3);
        }
    }

    /// Thirty-two bytes of each row as they are.
    fn bytes(self, from: [&[u8; 32]; 2]) -> Self::C;
    /// Sixteen bytes of each row as nibbles: all the low ones, then all the high ones.
    fn nibbles(self, from: [&[u8; 16]; 2]) -> Self::C;
    /// `(x >> right) & mask` of each byte, to the left where `right` (−7..=7) is negative. The mask has no bits that the
    /// shift emptied.
    fn bits(self, x: Self::C, right: i32, mask: u8) -> Self::C;
    /// `a | b`.
    fn or(self, a: Self::C, b: Self::C) -> Self::C;
    /// `value` where a bit is set, else 0; the lowest bit of the first byte first.
    fn spread(self, bits: [[u8; 4]; 2], value: u8) -> Self::C;
    /// Looks bytes in 0..=15 up in a table.
    fn look_up(self, table: &[i8; 16], x: Self::C) -> Self::C;
    /// Writes the bytes of each row as codes.
    fn keep(self, x: Self::C, to: [&mut [i8; 32]; 2]);
    /// Bytes 4k to 4k + 3 of each of sixteen rows, as the k-th result.
    fn words(self, rows: [&[u8; 16]; LANES]) -> [Self::C; 4];
    /// Of four bytes of each of sixteen rows, that `at` 0..=3, which is signed, as `f32`.
    fn byte(self, words: Self::C, at: usize) -> Self::F;

    /// `sum + bytes · by`, wrapping, bytes being 0..=255.
    fn weigh_bytes(self, sum: Self::N, bytes: &[u8; LANES], by: i32) -> Self::N;
    /// `sums[h][j] + Σᵢ pairs[2j + i] · by[h][i]` over the two `i`, for both `h`; bytes are 0..=255, and `by[h]` two `i16`
    /// in the machine's order of bytes.
    fn weigh_pairs(self, sums: [Self::N; 2], pairs: &[u8; 2 * LANES], by: &[[u8; 4]; 2]) -> [Self::N; 2];
    /// `to[2j] = a[j]` and `to[2j + 1] = b[j]`.
    fn zip_bytes(self, a: &[u8; LANES], b: &[u8; LANES], to: &mut [u8; 2 * LANES]);
    /// `x << bits`, wrapping, `bits` in 0..=31.
    fn shift_left(self, x: Self::N, bits: i32) -> Self::N;
    /// Writes `x >> bits` (arithmetic, `bits` in 0..=31) as bytes, cut to 0..=255.
    fn store_bytes(self, x: Self::N, bits: i32, to: &mut [u8; LANES]);
    /// `to[j][i] = from[i][j]`.
    fn transpose_bytes(self, from: [&[u8; LANES]; LANES], to: &mut [[u8; LANES]; LANES]);
    /// `to[j][i] = from[i][j]`.
    fn transpose(self, from: [&[u32; LANES]; LANES], to: &mut [[u32; LANES]; LANES]);
}

/// Runs part of a task in a function of its own, in which it has all registers. ([`Isa::enter`] alone does not keep it out of
/// a caller that has the same features: `#[inline(never)]` means nothing on functions with `#[target_feature]`, rustc 1.96.)
#[inline(never)]
pub(crate) fn apart<I: Isa, T: Task>(isa: I, task: T) -> T::Out {
    isa.enter(task)
}

/// [`Isa::dot_panel`] by [`Isa::dot4`].
#[inline(always)]
fn fours<I: Isa, const WIDE: bool, const T: usize, const P: usize>(
    isa: I,
    mut sums: [[I::N; P]; T],
    codes: [&[[i8; 4 * LANES]]; P],
    x: [&[[i8; 4]]; T],
) -> [[I::N; P]; T] {
    for c in 0..codes[0].len() {
        for t in 0..T {
            for p in 0..P {
                sums[t][p] = isa.dot4::<WIDE>(sums[t][p], &codes[p][c], &x[t][c]);
            }
        }
    }
    sums
}

/// Eight parts of sixteen weight rows and an activation row, 32 inputs each. Codes are made as they are asked for, so
/// that they need not leave the registers. Mark implementations `#[inline(always)]`.
pub trait Span<I: Isa> {
    /// Thirty-two codes of each of two rows.
    fn codes(&self, isa: I, lanes: [usize; 2], part: usize) -> I::C;
    /// Thirty-two inputs, likewise.
    fn inputs(&self, part: usize) -> &[i8; 32];
    /// Asks the memory for an eighth of what is needed later. To be called with every eighth while the span is worked on.
    fn ahead(&self, isa: I, eighth: usize);
}

/// An instruction set that may be chosen at run time.
pub struct Entry {
    /// Its name, as `OCELLI_ISA` spells it.
    pub name: &'static str,
    /// Its kernels, if this CPU can run them.
    pub detect: fn() -> Option<&'static dyn Kernels>,
}

/// How an instruction set is found.
trait Detect: Isa {
    /// The proof that this CPU has the instructions, if it has.
    fn detect() -> Option<&'static Self>;
}

macro_rules! isas {
    ($($(#[$there:meta])? $isa:ty;)*) => {
        /// All instruction sets of this architecture, the fastest first. (A static, as every crate that names a constant would
        /// compile all the kernels behind it again.)
        ///
        /// Those that the build's target makes superfluous are not there, nor, in a build for one device (without the
        /// feature `newer-isas`, or without `std`), those that only some processors have.
        pub static ISAS: &[Entry] = &[$($(#[$there])? Entry {
            name: <$isa as Isa>::NAME,
            detect: || <$isa as Detect>::detect().map(|isa| isa as &dyn Kernels),
        },)*];

        /// Runs a task on the named instruction set, or on the fastest this CPU has. For work that is no
        /// [`Job`](crate::ops::Job).
        ///
        /// # Errors
        /// As [`choose`].
        pub fn run<T: Task>(name: Option<&str>, task: T) -> Result<T::Out, UnknownIsa> {
            let chosen = choose(name)?.name();
            $($(#[$there])? {
                if let Some(isa) = <$isa as Detect>::detect().filter(|_| <$isa as Isa>::NAME == chosen) {
                    return Ok(isa.enter(task));
                }
            })*
            Err(UnknownIsa { known: true })
        }

        /// Runs a task on every instruction set that this CPU has.
        #[cfg(test)]
        fn on_each<T: Task + Clone>(task: &T) {
            $($(#[$there])? {
                <$isa as Detect>::detect().map(|isa| isa.enter(task.clone()));
            })*
        }
    };
}

// Which there are in a build, `kernels/build.rs` says; tests have all.
isas! {
    #[cfg(all(target_arch = "x86_64", any(test, isa = "avx512")))] avx512::Avx512;
    #[cfg(all(target_arch = "x86_64", any(test, isa = "avx-vnni")))] avx::Avx<avx::Vnni>;
    #[cfg(all(target_arch = "x86_64", any(test, isa = "avx2")))] avx::Avx<avx::Pairs>;
    #[cfg(all(target_arch = "aarch64", target_feature = "neon", any(test, isa = "neon-i8mm")))]
    neon::Neon<neon::matrix::MatrixProduct>;
    #[cfg(all(target_arch = "aarch64", target_feature = "neon", any(test, isa = "neon-dotprod")))]
    neon::Neon<neon::dot::Dotprod>;
    #[cfg(all(target_arch = "aarch64", target_feature = "neon", any(test, isa = "neon")))]
    neon::Neon<neon::dot::Widening>;
    #[cfg(any(test, isa = "scalar"))]
    Scalar;
}

/// The kernels of the named instruction set, or the fastest this CPU has.
///
/// # Errors
/// The name is unknown, or the CPU lacks the instructions.
pub fn choose(name: Option<&str>) -> Result<&'static dyn Kernels, UnknownIsa> {
    let named = |e: &&Entry| name.is_none_or(|n| n == e.name);
    ISAS.iter()
        .filter(named)
        .find_map(|e| (e.detect)())
        .ok_or(UnknownIsa { known: name.is_none_or(|n| ISAS.iter().any(|e| e.name == n)) })
}

/// The instruction set asked for cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownIsa {
    /// Whether the name is one of [`ISAS`] (then the CPU lacks its instructions).
    pub known: bool,
}

impl core::fmt::Display for UnknownIsa {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(if self.known {
            "this CPU lacks the instruction set; "
        } else {
            "unknown instruction set; "
        })?;
        f.write_str("known here:")?;
        ISAS.iter().try_for_each(|e| write!(f, " {}", e.name))
    }
}

impl core::error::Error for UnknownIsa {}
