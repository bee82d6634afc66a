//! `Q5_K`: as `Q4_K` with 31 levels, and k from 30.5 to 32 over the range (with importance 30.1 to 31.9).

use super::Encoder;
use super::affine::Search;
use super::q4_k::{Eight, SixteenBlocks, TwoBlocks, pairs};
use super::weighted::{Spread, Weighted};
use ocelli_kernels::cpu::Isa;

#[derive(Clone, Copy)]
pub(super) struct Q5K;

const SEARCH: Search = Search { levels: 31, first: -0.5, steps: 15, apart: 0.1, absolute: false };

impl Encoder for Q5K {
    const BLOCK: usize = 256;
    const BYTES: usize = 176;
    const TOGETHER: usize = 2;
    const HALVES: &'static [usize] = &[0, 2];

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], blocks: &mut [u8]) {
        store(&isa.enter(TwoBlocks(values, &SEARCH)), blocks);
    }
}

#[inline(always)]
fn store(made: &[Eight], blocks: &mut [u8]) {
    for (made, block) in made.iter().zip(blocks.chunks_exact_mut(176)) {
        places!(block => d: 2, dmin: 2, packed: 12, fifth: 32, quants: 128);
        (*d, *dmin, *packed) = (made.d, made.dmin, made.packed);
        pairs(&made.codes, quants);
        // Bit g of byte i is the fifth bit of value i of group g.
        for (i, to) in fifth.iter_mut().enumerate() {
            *to = made.codes.iter().enumerate().fold(0, |bits, (g, group)| bits | (group[i] >> 4) << g);
        }
    }
}

const WEIGHTED: Search = Search { levels: 31, first: -0.9, steps: 36, apart: 0.05, absolute: false };

impl Weighted for Q5K {
    const BLOCK: usize = 256;
    const BYTES: usize = 176;
    const HALVES: &'static [usize] = &[0, 2];
    const SPREAD: Spread = Spread::Block(2.0);

    #[inline(always)]
    fn encode<I: Isa>(isa: I, values: &[f32], weights: &[f32], blocks: &mut [u8]) {
        let made = isa.enter(SixteenBlocks { both: (values, weights), search: &WEIGHTED, most: 63 });
        store(made.as_flattened(), blocks);
    }
}
