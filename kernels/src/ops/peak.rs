//! What the arithmetic units give when nothing is in their way: the limit that linear maps are measured against.
//!
//! The inner loop of a linear map alone, in the instruction set's own form (`Isa::dot_panel`), over panels and rows
//! that stay in the first-level cache; for floats a chain of fused multiply-adds per register, eight chains at least.
//!
//! What it is not: a linear map. Nothing is unpacked, no group is scaled, no row is fetched from farther away, so no map
//! reaches it. Nor is it the maker's figure: loads of the panel are part of it, as they are of every product.

use super::Kernel;
use crate::cpu::{Isa, LANES, SPLIT};
use crate::tile::Tile;
use core::hint::black_box;

/// Inputs of the panel: 4 KiB of codes.
const INPUTS: usize = 256;
/// Groups of them, as activations have them.
const GROUPS: usize = INPUTS / 32;
/// Rows of activations times panels in a pass: a multiple of every instruction set's.
const ROWS: usize = 24;

/// Which units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Units {
    /// Products of codes of four bits, which some instruction sets can add up in 16 bits for a while.
    NarrowCodes,
    /// Products of codes of eight bits.
    WideCodes,
    /// Fused multiply-adds of `f32`.
    Float,
}

/// Every output element takes `passes` passes over the panel; what is written is of no use.
#[derive(Clone, Copy, Debug)]
pub struct Peak {
    /// Which units.
    pub units: Units,
    /// How often.
    pub passes: usize,
}

impl Peak {
    /// Operations of one output element, a multiplication and an addition counted as two.
    pub fn ops(&self) -> u64 {
        2 * (LANES * INPUTS * ROWS) as u64 * self.passes as u64
    }
}

impl Kernel for Peak {
    const PRODUCTS: bool = true;

    #[inline(always)]
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, _: &mut [f32]) {
        for r in tile.rows() {
            for y in tile.row(r) {
                let sum = match self.units {
                    Units::NarrowCodes => integers::<I, false>(isa, self.passes, 15),
                    Units::WideCodes => integers::<I, true>(isa, self.passes, 127),
                    Units::Float => floats(isa, self.passes),
                };
                *y = isa.sum(sum);
            }
        }
    }
}

/// As many rows and panels at a time as linear maps take on this instruction set.
#[inline(always)]
fn integers<I: Isa, const WIDE: bool>(isa: I, passes: usize, largest: i8) -> I::F {
    match (I::PANELS, I::ROWS) {
        (2, 6) => dots::<I, WIDE, 6, 2>(isa, passes * (ROWS / 12), largest),
        _ => dots::<I, WIDE, 4, 1>(isa, passes * (ROWS / 4), largest),
    }
}

#[inline(always)]
fn dots<I: Isa, const WIDE: bool, const T: usize, const P: usize>(
    isa: I,
    passes: usize,
    largest: i8,
) -> I::F {
    // Two neighbouring codes are the same and meet inputs of opposite sign: all sums stay zero, however long it runs.
    let mut codes = [[[[0i8; 4 * LANES]; 8]; GROUPS]; P];
    for (i, pair) in
        codes.as_flattened_mut().as_flattened_mut().as_flattened_mut().chunks_exact_mut(2).enumerate()
    {
        pair.fill((i * 37 % (largest as usize + 1)) as i8);
    }
    let mut rows = [[[[0i8; 4]; 8]; GROUPS]; T];
    for (i, four) in rows.as_flattened_mut().as_flattened_mut().iter_mut().enumerate() {
        let (a, b) = ((i * 29 % 127) as i8, (i * 53 % 127) as i8);
        *four = [a, -a, -b, b];
    }
    let loads = if WIDE && I::SPLITS { SPLIT } else { 8 };
    let mut split = [[[[0i8; 4 * LANES]; SPLIT]; GROUPS]; P];
    for (codes, split) in codes.as_flattened().iter().zip(split.as_flattened_mut()) {
        if loads == SPLIT {
            isa.split(codes, split);
        } else {
            split[..8].copy_from_slice(codes);
        }
    }
    let (codes, rows) = (black_box(&split), black_box(&rows));
    let mut sums = [[isa.splat_int(0); P]; T];
    for _ in 0..passes {
        for g in 0..GROUPS {
            let mut x = [&rows[0][g][..]; T];
            for t in 0..T {
                x[t] = &rows[t][g];
            }
            let mut panels = [&codes[0][g][..]; P];
            for p in 0..P {
                panels[p] = &codes[p][g][..loads];
            }
            sums = isa.dot_panel::<WIDE, T, P>(sums, panels, x, largest);
        }
    }
    let mut all = isa.splat(0.0);
    for sum in sums.into_iter().flatten() {
        all = isa.add(all, isa.float(sum));
    }
    all
}

#[inline(always)]
fn floats<I: Isa>(isa: I, passes: usize) -> I::F {
    if I::SUMS >= 16 {
        chains::<I, 8>(isa, passes * INPUTS * (ROWS / 8))
    } else {
        chains::<I, 4>(isa, passes * INPUTS * (ROWS / 4))
    }
}

/// `y = y + 1 · 10⁻³⁰` on and on. The sum is what is added to, as in a linear map: some instruction sets can write their result
/// over nothing else.
#[inline(always)]
fn chains<I: Isa, const T: usize>(isa: I, steps: usize) -> I::F {
    let (one, little) = (isa.splat(black_box(1.0)), isa.splat(black_box(1e-30)));
    let mut y = [isa.splat(black_box(0.0)); T];
    for _ in 0..steps {
        for y in &mut y {
            *y = isa.fma(one, little, *y);
        }
    }
    let mut all = isa.splat(0.0);
    for y in y {
        all = isa.add(all, y);
    }
    all
}
