//! Numbers as they lie in memory: sixteen at a time they become lanes.

use super::{Isa, LANES};

/// A way to store a number.
pub trait Element: bytemuck::Pod + Default + Send + Sync {
    /// Reads sixteen.
    fn load<I: Isa>(isa: I, from: &[Self; LANES]) -> I::F;
    /// Reads one.
    fn one<I: Isa>(isa: I, from: Self) -> f32;
}

impl Element for f32 {
    #[inline(always)]
    fn load<I: Isa>(isa: I, from: &[f32; LANES]) -> I::F {
        isa.load(from)
    }
    #[inline(always)]
    fn one<I: Isa>(_: I, from: f32) -> f32 {
        from
    }
}

/// The bits of an IEEE 754 binary16.
impl Element for u16 {
    #[inline(always)]
    fn load<I: Isa>(isa: I, from: &[u16; LANES]) -> I::F {
        isa.load_half(from)
    }
    #[inline(always)]
    fn one<I: Isa>(isa: I, from: u16) -> f32 {
        isa.half(from)
    }
}

/// A code.
impl Element for i8 {
    #[inline(always)]
    fn load<I: Isa>(isa: I, from: &[i8; LANES]) -> I::F {
        isa.load_codes(from)
    }
    #[inline(always)]
    fn one<I: Isa>(_: I, from: i8) -> f32 {
        f32::from(from)
    }
}
