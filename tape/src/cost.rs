//! What a call does at least, counted from steps: nothing here is measured, and nothing is written down about any model.
//!
//! ```text
//! linear layer  2 · height · width · rows operations; the weights once
//! attention     4 · head_dim · query heads · pairs operations      pairs: keys that a row sees, summed over the rows
//!               the state's keys and values up to the last position once
//! table         the rows that are looked up
//! ```
//!
//! What norms, activations and the like compute is not counted: it is below a hundredth of a model's work. Bytes are what
//! must come from memory if caches keep everything until it is used for the last time, so a time derived from them is a
//! lower bound.

use crate::op::{Heads, Keys, Linear, Op, Visible};
use crate::recorder::{Step, Tape};
use crate::state::{KvType, State};
use crate::value::Rows;
use crate::weight::Weight;

/// The size of a call, as far as work depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Tokens of a decoder's call, views of an encoder's.
    pub items: usize,
    /// Positions that the state already holds.
    pub past: usize,
    /// How a decoder keeps keys and values.
    pub kv: KvType,
}

impl Extent {
    /// A call of so many items without state.
    pub const fn of(items: usize) -> Extent {
        Extent { items, past: 0, kv: KvType::F32 }
    }
}

/// Operations (a multiplication and an addition are two) and bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Work {
    /// Operations on quantized weights, which a CPU does on 8-bit integers.
    pub int_ops: u64,
    /// Floating-point operations.
    pub float_ops: u64,
    /// Bytes of weights that are read.
    pub weight_bytes: u64,
    /// Bytes of keys and values that are read from, and written to, a decoder's state.
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

impl Work {
    /// Reading a whole weight.
    pub fn weight(weight: &Weight) -> Work {
        Work { weight_bytes: weight.len().unwrap_or(0) as u64, ..Work::default() }
    }

    /// A linear layer of so many rows. Its bias is not counted.
    pub fn linear(map: &Linear, rows: usize) -> Work {
        let ops = product(&[2, map.w.height, map.w.width, rows]);
        let (int_ops, float_ops) = if map.w.format.is_float() { (0, ops) } else { (ops, 0) };
        Work { int_ops, float_ops, ..Work::weight(&map.w) }
    }

    /// Looking up so many rows of a table.
    pub fn lookup(table: &Weight, rows: usize) -> Work {
        let row = table.format.row_bytes(table.width).unwrap_or(0);
        Work { weight_bytes: product(&[row, rows]), ..Work::default() }
    }

    /// Writing keys, or values, of a call to a state.
    pub fn remember(heads: &Heads, extent: &Extent) -> Work {
        let bytes = product(&[extent.items, heads.kv, extent.kv.bytes(heads.dim)]);
        Work { cache_bytes: bytes, ..Work::default() }
    }

    /// Attention of queries of these rows.
    pub fn attention(heads: &Heads, keys: Keys, visible: Visible, rows: Rows, extent: &Extent) -> Work {
        let count = rows.count(extent.items);
        let pairs = match visible {
            Visible::Item => product(&[count, rows.count(1)]),
            Visible::Causal => causal_pairs(extent),
        };
        let cache_bytes = match keys {
            Keys::Rows => 0,
            Keys::State(_) => {
                let position = 2 * heads.kv * extent.kv.bytes(heads.dim);
                product(&[extent.past.saturating_add(extent.items), position])
            }
        };
        let float_ops = product(&[4, heads.dim, heads.count]).saturating_mul(pairs);
        Work { float_ops, cache_bytes, ..Work::default() }
    }

    /// The same with so many numbers of activations read and written.
    #[must_use]
    pub fn with_rows(self, numbers: usize) -> Work {
        Work { row_bytes: product(&[numbers, size_of::<f32>()]), ..self }
    }
}

/// Keys that all rows of a call see together: the first one those before it and itself, the next one more.
fn causal_pairs(extent: &Extent) -> u64 {
    let before = product(&[extent.items, extent.past]);
    before.saturating_add(product(&[extent.items, extent.items.saturating_add(1)]) / 2)
}

fn product(factors: &[usize]) -> u64 {
    factors.iter().fold(1, |all: u64, n| all.saturating_mul(*n as u64))
}

impl Tape {
    /// What a call of this size does in all steps together, on any device.
    pub fn work(&self, extent: &Extent) -> Work {
        self.steps().iter().map(|step| self.step_work(step, extent)).sum()
    }

    /// What one step does.
    pub fn step_work(&self, step: &Step, extent: &Extent) -> Work {
        let shape = self.shape(step.out);
        let rows = shape.rows.count(extent.items);
        let work = match &step.op {
            Op::Linear(map) => Work::linear(map, rows),
            Op::Embed(table) => Work::lookup(table, rows),
            Op::AddTable(weight) | Op::Prepend(weight) => Work::weight(weight),
            Op::Norm { norm, .. } => Work::weight(&norm.w),
            Op::Remember(slot) => {
                let State::Kv { heads } = self.states()[*slot];
                let mut both = Work::remember(&heads, extent);
                both += both;
                both
            }
            Op::Attention { heads, keys, visible, .. } => {
                Work::attention(heads, *keys, *visible, shape.rows, extent)
            }
            _ => Work::default(),
        };
        let numbers = |v: &crate::Value| {
            let shape = self.shape(*v);
            shape.rows.count(extent.items).saturating_mul(shape.width)
        };
        let read = match step.op {
            // Of all rows one is looked at.
            Op::Last => numbers(&step.out),
            _ => step.inputs.iter().flatten().map(numbers).sum(),
        };
        work.with_rows(numbers(&step.out).saturating_add(read))
    }
}
