//! What a call of a tape does at least, counted from its steps: nothing here is measured, and nothing is written down
//! about any model.
//!
//! ```text
//! linear map   2 · height · width · rows operations; the weights once
//! attention    4 · head_dim · query heads · pairs operations      pairs: keys that a row sees, summed over the rows
//!              the cache's keys and values up to the last position once
//! table        the rows that are looked up
//! ```
//!
//! Operations of quantized maps are integer ones, all others floating point. What norms, activations and the like compute
//! is not counted: it is below a hundredth of a model's work. Bytes are what must come from memory if caches keep
//! everything until it is used for the last time, so a time derived from them is a lower bound.

use crate::cpu::LANES;
use crate::ops::memory::Layout;
use crate::tape::{Mask, Op, Rows, Step, Tape};
use crate::weight::Weight;

/// The size of a call, as far as work depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extent {
    /// Tokens of a decoder's call, views of an encoder's.
    pub units: usize,
    /// Positions already in the cache.
    pub past: usize,
    /// How a decoder keeps keys and values.
    pub cache: Option<Layout>,
}

/// Operations (a multiplication and an addition are two) and bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Work {
    /// 8-bit integer operations.
    pub int_ops: u64,
    /// Floating-point operations.
    pub float_ops: u64,
    /// Bytes of weights that are read.
    pub weight_bytes: u64,
    /// Bytes of keys and values that are read from, and written to, a decoder's cache.
    pub cache_bytes: u64,
    /// Bytes of activations that are read and written; they stay in caches where a call is small.
    pub row_bytes: u64,
}

impl Work {
    /// Operations of either kind.
    pub fn ops(&self) -> u64 {
        self.int_ops.saturating_add(self.float_ops)
    }

    /// Bytes that no cache can be expected to hold from one call to the next: weights, keys and values.
    pub fn memory_bytes(&self) -> u64 {
        self.weight_bytes.saturating_add(self.cache_bytes)
    }

    /// All bytes.
    pub fn bytes(&self) -> u64 {
        self.memory_bytes().saturating_add(self.row_bytes)
    }
}

impl core::ops::AddAssign for Work {
    fn add_assign(&mut self, other: Work) {
        self.int_ops = self.int_ops.saturating_add(other.int_ops);
        self.float_ops = self.float_ops.saturating_add(other.float_ops);
        self.weight_bytes = self.weight_bytes.saturating_add(other.weight_bytes);
        self.cache_bytes = self.cache_bytes.saturating_add(other.cache_bytes);
        self.row_bytes = self.row_bytes.saturating_add(other.row_bytes);
    }
}

impl core::iter::Sum for Work {
    fn sum<I: Iterator<Item = Work>>(works: I) -> Work {
        let mut all = Work::default();
        works.for_each(|work| all += work);
        all
    }
}

/// What a step is.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The kind of operation.
    pub op: &'static str,
    /// Its weights: of a linear map without the bias.
    pub weight: Option<Weight>,
    /// Rows of its result.
    pub rows: Rows,
    /// Values of a row of its first operand; 0 without one.
    pub inputs: usize,
    /// Values of a row of its result.
    pub width: usize,
}

impl Tape {
    /// What a call of this size does in all steps together.
    pub fn work(&self, extent: &Extent) -> Work {
        self.steps.iter().map(|step| self.step_work(step, extent)).sum()
    }

    /// What each step is, in order.
    pub fn descriptions(&self) -> impl ExactSizeIterator<Item = Description> + '_ {
        self.steps.iter().map(|step| {
            let slot = self.slots[step.out.0];
            let inputs = step.inputs[0].map_or(0, |v| self.slots[v.0].width);
            let (op, weight) = name(&step.op);
            Description { op, weight, rows: slot.rows, inputs, width: slot.width }
        })
    }

    pub(crate) fn step_work(&self, step: &Step, extent: &Extent) -> Work {
        let out = self.slots[step.out.0];
        let rows = out.rows.count(extent.units);
        let mut work = Work { row_bytes: self.row_bytes(step, extent.units), ..Work::default() };
        match step.op {
            Op::Linear { map, .. } => {
                let ops = product(&[2, map.w.height, map.w.width, rows]);
                if map.w.format.is_float() {
                    work.float_ops = ops
                } else {
                    work.int_ops = ops
                }
                work.weight_bytes = size(&map.w);
            }
            Op::Embed(table) => {
                let row = table.format.row_bytes(table.width).unwrap_or(0);
                work.weight_bytes = product(&[row, rows]);
            }
            Op::AddTable(weight) | Op::Prepend(weight) => work.weight_bytes = size(&weight),
            Op::Norm { norm, .. } => work.weight_bytes = size(&norm.w),
            Op::Keys { mask: Mask::Causal { .. }, .. } => {
                work.cache_bytes = product(&[extent.units, position(extent).0]);
            }
            Op::Values { mask: Mask::Causal { .. }, .. } => {
                work.cache_bytes = product(&[extent.units, position(extent).1]);
            }
            Op::Attention { heads, mask, .. } => {
                let (pairs, (keys, values)) = match mask {
                    Mask::Unit => (product(&[rows, out.rows.count(1)]), (0, 0)),
                    Mask::Causal { .. } => (causal_pairs(extent), position(extent)),
                };
                work.float_ops = product(&[4, heads.dim, heads.count]).saturating_mul(pairs);
                work.cache_bytes = product(&[extent.past + extent.units, keys + values]);
            }
            _ => {}
        }
        work
    }

    /// Bytes of operands and result in the arena.
    fn row_bytes(&self, step: &Step, units: usize) -> u64 {
        let written = self.range(step.out, units).len();
        let read = |v| self.range(v, units).len();
        let read: usize = match step.op {
            // Of all rows one is looked at.
            Op::Last => written,
            _ => step.inputs.iter().flatten().map(|v| read(*v)).sum(),
        };
        product(&[written.saturating_add(read), size_of::<f32>()])
    }
}

/// Keys that all rows of a call see together: the first one those before it and itself, the next one more.
fn causal_pairs(extent: &Extent) -> u64 {
    let before = product(&[extent.units, extent.past]);
    before.saturating_add(product(&[extent.units, extent.units + 1]) / 2)
}

/// Bytes of a position's keys and of its values in one layer.
fn position(extent: &Extent) -> (usize, usize) {
    let cells = |l: Layout| {
        (l.heads * l.key_block() * size_of::<f32>() / LANES, l.heads * l.value() * size_of::<f32>())
    };
    extent.cache.map_or((0, 0), cells)
}

fn size(weight: &Weight) -> u64 {
    weight.len().unwrap_or(0) as u64
}

fn product(factors: &[usize]) -> u64 {
    factors.iter().fold(1, |all: u64, n| all.saturating_mul(*n as u64))
}

pub(crate) fn name(op: &Op) -> (&'static str, Option<Weight>) {
    match op {
        Op::Input => ("input", None),
        Op::Embed(table) => ("embed", Some(*table)),
        Op::Angles(_) => ("angles", None),
        Op::Rope { .. } => ("rope", None),
        Op::Quantize => ("quantize", None),
        Op::Linear { map, .. } => ("linear", Some(map.w)),
        Op::Norm { norm, .. } => ("norm", Some(norm.w)),
        Op::Add => ("add", None),
        Op::AddTable(table) => ("add table", Some(*table)),
        Op::Activate(_) => ("activation", None),
        Op::Prepend(row) => ("prepend", Some(*row)),
        Op::DropFirst => ("drop first", None),
        Op::Shuffle { .. } => ("shuffle", None),
        Op::Last => ("last", None),
        Op::Keys { .. } => ("keys", None),
        Op::Values { .. } => ("values", None),
        Op::Attention { .. } => ("attention", None),
    }
}
