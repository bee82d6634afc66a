//! Sixteen numbers with operators, one per group, and how numbers become codes.
//!
//! A group is searched value by value, in order; sixteen groups are searched at once, one per lane. So a sum has the
//! order that the reference's loop over one group has, whatever the registers are.

use core::ops::{Add, Div, Mul, Neg, Sub};
use ocelli_kernels::cpu::{Isa, LANES};

/// Sixteen numbers.
#[derive(Clone, Copy)]
pub(super) struct Lanes<I: Isa> {
    isa: I,
    x: I::F,
}

/// 1.5 · 2²³: the sum with a number below 2²² has no bits for a fraction.
const ROUNDER: f32 = 12_582_912.0;

/// The nearest whole number, ties to even, of |x| < 2²². Of larger ones, infinities and what is no number, the low 23 bits
/// of the sum as they come: the reference does not ask either, and then takes what is in the range of codes.
#[inline(always)]
pub(super) fn nearest(x: f32) -> i32 {
    ((x + ROUNDER).to_bits() & 0x007f_ffff) as i32 - 0x0040_0000
}

impl<I: Isa> Lanes<I> {
    /// The same number in all lanes.
    #[inline(always)]
    pub fn all(isa: I, x: f32) -> Self {
        Self { isa, x: isa.splat(x) }
    }

    /// These numbers.
    #[inline(always)]
    pub fn new(isa: I, x: &[f32; LANES]) -> Self {
        Self { isa, x: isa.load(x) }
    }

    /// What is in the lanes.
    #[inline(always)]
    pub fn values(self) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        self.isa.store(self.x, &mut out);
        out
    }

    /// `if self < bound { yes } else { no }`.
    #[inline(always)]
    pub fn below(self, bound: Self, yes: Self, no: Self) -> Self {
        Self { x: self.isa.select(self.x, bound.x, yes.x, no.x), ..self }
    }

    /// `if self > 0 { yes } else { no }`.
    #[inline(always)]
    pub fn positive(self, yes: Self, no: Self) -> Self {
        self.zero().below(self, yes, no)
    }

    /// The smaller of the two, `self` when they are equal.
    #[inline(always)]
    pub fn smaller(self, other: Self) -> Self {
        other.below(self, other, self)
    }

    /// The larger of the two, `self` when they are equal.
    #[inline(always)]
    pub fn larger(self, other: Self) -> Self {
        self.below(other, other, self)
    }

    /// Without its sign.
    #[inline(always)]
    pub fn abs(self) -> Self {
        let negated = self.zero() - self;
        Self { x: self.isa.max(self.x, negated.x), ..self }
    }

    /// The square root.
    #[inline(always)]
    pub fn sqrt(self) -> Self {
        Self { x: self.isa.sqrt(self.x), ..self }
    }

    /// Zero.
    #[inline(always)]
    pub fn zero(self) -> Self {
        self.same(0.0)
    }

    /// Another number in all lanes.
    #[inline(always)]
    pub fn same(self, x: f32) -> Self {
        Self::all(self.isa, x)
    }

    /// As [`nearest`], then moved into `low..=high`.
    #[inline(always)]
    pub fn code(self, low: i32, high: i32) -> Self {
        let mut codes = self.values();
        for x in &mut codes {
            *x = nearest(*x).clamp(low, high) as f32;
        }
        Self::new(self.isa, &codes)
    }

    /// Whole numbers as the byte that is kept of them.
    #[inline(always)]
    pub fn byte(self) -> Self {
        let mut codes = self.values();
        for x in &mut codes {
            *x = f32::from(*x as i32 as u8);
        }
        Self::new(self.isa, &codes)
    }
}

macro_rules! operators {
    ($($trait:ident $name:ident $method:ident;)*) => {$(
        impl<I: Isa> $trait for Lanes<I> {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                Self { x: self.isa.$method(self.x, other.x), ..self }
            }
        }
    )*};
}

operators! {
    Add add add;
    Sub sub sub;
    Mul mul mul;
    Div div div;
}

impl<I: Isa> Neg for Lanes<I> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self * Self::all(self.isa, -1.0)
    }
}

/// Sixteen groups of `G` values, as `G` times sixteen lanes: the transpose.
#[inline(always)]
pub(super) fn columns<I: Isa, const G: usize>(isa: I, values: &[f32]) -> [Lanes<I>; G] {
    let mut across = [[0.0; LANES]; G];
    for (lane, group) in values.chunks_exact(G).take(LANES).enumerate() {
        for (to, x) in across.iter_mut().zip(group) {
            to[lane] = *x;
        }
    }
    let mut out = [Lanes::all(isa, 0.0); G];
    for (to, x) in out.iter_mut().zip(&across) {
        *to = Lanes::new(isa, x);
    }
    out
}

/// Codes of `G` times sixteen lanes, group by group: the transpose back.
#[inline(always)]
pub(super) fn groups<I: Isa, const G: usize>(codes: &[Lanes<I>; G]) -> [[u8; G]; LANES] {
    let mut out = [[0; G]; LANES];
    for (i, codes) in codes.iter().enumerate() {
        for (to, code) in out.iter_mut().zip(codes.values()) {
            to[i] = code as u8;
        }
    }
    out
}

/// A number rounded to binary16, as it lies in a block.
#[inline(always)]
pub(super) fn half<I: Isa>(isa: I, x: f32) -> [u8; 2] {
    let mut bits = [0; LANES];
    isa.store_half(isa.splat(x), &mut bits);
    bits[0].to_le_bytes()
}

/// The number that such bytes stand for.
#[inline(always)]
pub(super) fn whole<I: Isa>(isa: I, bytes: [u8; 2]) -> f32 {
    isa.half(u16::from_le_bytes(bytes))
}
