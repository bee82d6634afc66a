//! Sixteen weight rows, where they lie.

use crate::cpu::LANES;
use crate::formats::{self, Quantized};
use bytemuck::Pod;
use ocelli_tape::Matrix;

/// Sixteen rows of a matrix: its blocks, and where among them each row begins.
pub(super) struct Rows<'w, F> {
    blocks: &'w [F],
    starts: [usize; LANES],
}

impl<'w, F: Quantized> Rows<'w, F> {
    /// The rows from `first` on; the last one again for those beyond it, whose results nobody reads.
    #[inline(always)]
    pub(super) fn of(w: &Matrix<'w>, first: usize) -> Self {
        let (row, last) = (w.width / F::BLOCK, w.height.saturating_sub(1));
        let mut starts = [0; LANES];
        for (lane, start) in starts.iter_mut().enumerate() {
            *start = (first + lane).min(last) * row;
        }
        Self { blocks: formats::blocks(w.bytes), starts }
    }

    /// Of each row the blocks from one on, as many as a `W` is.
    #[inline(always)]
    pub(super) fn at<W: Pod>(&self, block: usize) -> Option<[&'w W; LANES]> {
        let of = |lane: usize| {
            let from = self.starts[lane] + block;
            let blocks = self.blocks.get(from..from + size_of::<W>() / F::BYTES)?;
            bytemuck::try_cast_slice(blocks).ok()?.first()
        };
        let mut all = [of(0)?; LANES];
        for (lane, row) in all.iter_mut().enumerate() {
            *row = of(lane)?;
        }
        Some(all)
    }
}
