//! Memory, planned once: every value gets a place in one arena.
//!
//! Program order gives each value a first and a last step; two values may share cells when these ranges do not meet.
//! Places are taken first fit, in order. Offsets are those of the largest call, so a smaller call uses a prefix of
//! every place and nothing moves.

use crate::cpu::LANES;
use crate::ops::memory::{Layout, Stored};
use crate::ops::{attention, linear, norm};
use crate::tape::{Heads, Mask, Op, Rows, Slot, Step, Tape, Value};
use alloc::vec;
use alloc::vec::Vec;

/// Gives every slot its offset; returns the arena's cells, or `None` if they cannot be represented.
pub(crate) fn place(steps: &[Step], slots: &mut [Slot], out: Value, max_units: usize) -> Option<usize> {
    let mut last = vec![0; slots.len()];
    for (i, step) in steps.iter().enumerate() {
        step.inputs.iter().flatten().for_each(|v| last[v.0] = i);
    }
    last[out.0] = usize::MAX;
    let mut live: Vec<(usize, usize, usize)> = Vec::new(); // start, end, value
    let mut peak = 0usize;
    for (i, step) in steps.iter().enumerate() {
        // What this step reads must stay until it has run.
        live.retain(|(_, _, value)| last[*value] >= i);
        let slot = &mut slots[step.out.0];
        let rows = match slot.rows {
            Rows::PerUnit(n) => n.checked_mul(max_units)?,
            Rows::Total(n) => n,
        };
        let size = rows.checked_mul(slot.cells)?.checked_next_multiple_of(LANES)?;
        if size == 0 {
            continue;
        }
        let mut start = 0usize;
        let mut at = live.len();
        for (n, (from, to, _)) in live.iter().enumerate() {
            if start.checked_add(size)? <= *from {
                at = n;
                break;
            }
            start = *to;
        }
        slot.offset = start;
        let end = start.checked_add(size)?;
        live.insert(at, (start, end, step.out.0));
        peak = peak.max(end);
    }
    (peak <= isize::MAX as usize / 4).then_some(peak)
}

/// Rows and cells of the keys and values an attention remembers in the arena: none when they go to the cache.
pub(crate) fn memory(heads: Heads, mask: Mask, rows: Rows) -> ((Rows, usize), (Rows, usize)) {
    match mask {
        Mask::Unit => {
            let layout = unit_layout(heads, rows.count(1));
            ((Rows::PerUnit(heads.kv), layout.keys()), (Rows::PerUnit(heads.kv), layout.values()))
        }
        Mask::Causal { .. } => ((Rows::Total(0), 0), (Rows::Total(0), 0)),
    }
}

/// The layout of keys and values within a unit of so many rows.
pub(crate) fn unit_layout(heads: Heads, rows: usize) -> Layout {
    Layout { stored: Stored::F32, heads: heads.kv, head_dim: heads.dim, capacity: rows }
}

impl Tape {
    /// Cells of scratch that each thread needs, when the cache holds so many positions.
    pub fn scratch(&self, capacity: usize) -> usize {
        let need = |step: &Step| match step.op {
            Op::Linear { .. } => linear::SCRATCH,
            Op::Norm { .. } => norm::scratch(self.slots[step.out.0].width),
            Op::Attention { heads, mask: Mask::Causal { .. }, .. } => attention::scratch(capacity, heads.dim),
            Op::Attention { heads, mask: Mask::Unit, .. } => {
                attention::scratch(self.slots[step.out.0].rows.count(1), heads.dim)
            }
            _ => 0,
        };
        self.steps.iter().map(need).max().unwrap_or(0).next_multiple_of(LANES)
    }

    /// Decoder layers that keep keys and values, and their heads: what a cache must hold.
    pub fn cached(&self) -> (usize, Option<Heads>) {
        let cached = |step: &Step| match step.op {
            Op::Keys { heads, mask: Mask::Causal { layer } } => Some((layer + 1, heads)),
            _ => None,
        };
        let layers = self.steps.iter().filter_map(cached);
        layers.fold((0, None), |(n, _), (layer, heads)| (n.max(layer), Some(heads)))
    }
}
