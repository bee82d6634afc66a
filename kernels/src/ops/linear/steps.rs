//! What scales the codes of a block, of sixteen weight rows at once.
//!
//! Formats with factors keep them in sixteen bytes of a block. Turned as words, four bytes of all sixteen rows are one
//! register; there the few shifts and masks that take a format's factors apart are done for sixteen rows at once, and a
//! group's factor of every row is a byte of each word.

use crate::array::four;
use crate::cpu::{Isa, LANES};
use crate::formats::{Bytes, Quantized};
use core::marker::PhantomData;

/// The steps of a block of each of sixteen weight rows, and their factors.
pub(super) struct Steps<I: Isa, F> {
    d: I::F,
    m: I::F,
    /// Of four groups at a time the factors of each row: of scales, and of minimums.
    factors: [[I::C; 4]; 2],
    format: PhantomData<F>,
}

impl<I: Isa, F: Quantized> Steps<I, F> {
    #[inline(always)]
    pub(super) fn of(isa: I, blocks: &[&F; LANES]) -> Self {
        let mut steps = [[[0; 2]; LANES]; 2];
        for (lane, block) in blocks.iter().enumerate() {
            [steps[0][lane], steps[1][lane]] = block.steps();
        }
        let words = if F::FACTORS { packed(isa, blocks) } else { [isa.bytes([&[0; 32]; 2]); 4] };
        let [scales, minimums] = F::factors(four(words, |bytes| Packed(isa, bytes)));
        let d = isa.halves(steps[0]);
        let m = if F::MINIMUM { isa.halves(steps[1]) } else { d };
        let m = if F::FACTORS { isa.mul(m, isa.splat(-1.0)) } else { m };
        Self { d, m, factors: [four(scales, |s| s.1), four(minimums, |m| m.1)], format: PhantomData }
    }

    /// The scales of a group.
    #[inline(always)]
    pub(super) fn scale(&self, isa: I, group: usize) -> I::F {
        if !F::FACTORS {
            return self.d;
        }
        let factor = isa.byte(self.factors[0][group / 4 % 4], group);
        let offset = f32::from(F::FACTOR_OFFSET);
        isa.mul(self.d, if offset == 0.0 { factor } else { isa.sub(factor, isa.splat(offset)) })
    }

    /// Its minimums, of a format that has them.
    #[inline(always)]
    pub(super) fn minimum(&self, isa: I, group: usize) -> I::F {
        if F::FACTORS { isa.mul(self.m, isa.byte(self.factors[1][group / 4 % 4], group)) } else { self.m }
    }
}

/// The bytes that hold the factors of each block, turned.
#[inline(always)]
fn packed<I: Isa, F: Quantized>(isa: I, blocks: &[&F; LANES]) -> [I::C; 4] {
    let mut rooms = [[0; 16]; LANES];
    let mut rows = [&[0; 16]; LANES];
    for (row, (block, room)) in rows.iter_mut().zip(blocks.iter().zip(&mut rooms)) {
        *row = block.packed(room);
    }
    isa.words(rows)
}

/// Four bytes of each of sixteen rows.
#[derive(Clone, Copy)]
struct Packed<I: Isa>(I, I::C);

impl<I: Isa> Bytes for Packed<I> {
    #[inline(always)]
    fn bits(self, right: i32, mask: u8) -> Self {
        Self(self.0, self.0.bits(self.1, right, mask))
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        Self(self.0, self.0.or(self.1, other.1))
    }
}
