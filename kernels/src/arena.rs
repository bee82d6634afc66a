//! Memory of a program, planned once: every value gets a place in one arena.
//!
//! Program order gives each value a first and a last step; two values may share words when these ranges do not meet.
//! Places are taken first fit, in order. Offsets are those of the largest call, so a smaller call uses a prefix of
//! every place and nothing moves.

use crate::cpu::LANES;
use crate::ops::Slot;
use crate::program::Step;
use alloc::vec;
use alloc::vec::Vec;
use ocelli_tape::Value;

/// Gives every slot its offset; returns the arena's words, or `None` if they cannot be represented.
pub(crate) fn place(steps: &[Step], slots: &mut [Slot], out: Value, max_items: usize) -> Option<usize> {
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
        let rows = slot.rows.per_item.checked_mul(max_items)?.checked_add(slot.rows.fixed)?;
        let size = rows.checked_mul(slot.words)?.checked_next_multiple_of(LANES)?;
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
