//! A model, recorded once as a straight list of steps.
//!
//! A [`Tape`] is what a model's `encode` or `decode` wrote on a [`Recorder`]: there is no graph to schedule, the
//! order of the program is the order of execution. One dimension is left open, the number of **units** in a call (tokens
//! of a prompt, views of an image), up to a maximum chosen when recording ends. Everything else (shapes, weights,
//! places in memory) is fixed then, so a shape that does not fit is an error of loading, not of running, and names
//! the line of the model that wrote it.

use crate::formats::Format;
use crate::ops::activation::Activation;
use crate::ops::quantize;
use crate::ops::rope::{Pairing, Rotary};
use crate::plan;
use crate::weight::Weight;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::panic::Location;

/// Something computed: a matrix of activations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value(pub(crate) usize);

/// How many rows a value has in a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rows {
    /// So many for every unit of the call.
    PerUnit(usize),
    /// So many, whatever the call.
    Total(usize),
}

impl Rows {
    /// Rows in a call of so many units.
    pub fn count(self, units: usize) -> usize {
        match self {
            Rows::PerUnit(n) => n.saturating_mul(units),
            Rows::Total(n) => n,
        }
    }
}

/// A linear map `W·x + b`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub w: Weight,
    /// `[out]`.
    pub b: Option<Weight>,
}

/// A layer norm, or without bias an RMS norm.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Norm {
    /// `[width]`.
    pub w: Weight,
    /// `[width]`.
    pub b: Option<Weight>,
    /// Added to the variance.
    pub epsilon: f32,
}

/// The heads of an attention.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heads {
    /// Query heads, a multiple of `kv`.
    pub count: usize,
    /// Key and value heads.
    pub kv: usize,
    /// Elements of a head.
    pub dim: usize,
}

/// Which keys a query sees, and where they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mask {
    /// All rows of its own unit.
    Unit,
    /// Those of the cache of this layer, up to its own position.
    Causal {
        /// Number of the decoder layer.
        layer: usize,
    },
}

/// The vocabulary of steps.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Op {
    Input,
    Embed(Weight),
    /// Which of the tape's [`Rotary`].
    Angles(usize),
    Rope {
        head_dim: usize,
        dim: usize,
        pairing: Pairing,
    },
    Quantize,
    Linear {
        map: Linear,
        activation: Activation,
    },
    Norm {
        norm: Norm,
        center: bool,
    },
    Add,
    AddTable(Weight),
    Activate(Activation),
    Prepend(Weight),
    DropFirst,
    Shuffle {
        grid: usize,
        factor: usize,
    },
    Last,
    Keys {
        heads: Heads,
        mask: Mask,
    },
    Values {
        heads: Heads,
        mask: Mask,
    },
    Attention {
        heads: Heads,
        mask: Mask,
        scale: f32,
    },
}

/// Operands of a step.
pub(crate) const INPUTS: usize = 3;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) inputs: [Option<Value>; INPUTS],
    pub(crate) out: Value,
}

/// Shape and place of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) rows: Rows,
    /// Values of a row as the model sees it.
    pub(crate) width: usize,
    /// Cells of a row in memory: the width, unless the value is quantized or packed.
    pub(crate) cells: usize,
    /// First cell in the arena.
    pub(crate) offset: usize,
    /// The same rows quantized, if a linear map wanted them.
    quantized: Option<Value>,
}

/// A value worth looking at while a tape runs: the output of a block, say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// What it is, for example `layer`.
    pub name: &'static str,
    /// Which of several.
    pub index: usize,
    pub(crate) value: Value,
}

/// A recorded and planned program.
#[derive(Debug)]
pub struct Tape {
    pub(crate) steps: Vec<Step>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) rotaries: Vec<Rotary>,
    pub(crate) out: Value,
    /// Units a call may have at most.
    pub(crate) max_units: usize,
    /// Cells of the arena.
    pub(crate) arena: usize,
}

/// A shape that does not fit, found while a model was recorded.
#[derive(Clone, PartialEq, Eq)]
pub struct TapeError {
    /// What was to be recorded.
    pub op: &'static str,
    /// What it needs.
    pub expected: usize,
    /// What it got.
    pub found: usize,
    /// The line of the model.
    pub at: &'static Location<'static>,
}

impl fmt::Display for TapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TapeError { op, expected, found, at } = self;
        write!(f, "{op}: expected {expected}, found {found} (recorded at {}:{})", at.file(), at.line())
    }
}

impl fmt::Debug for TapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for TapeError {}

/// What a model writes on.
#[derive(Default)]
pub struct Recorder {
    steps: Vec<Step>,
    slots: Vec<Slot>,
    marks: Vec<Mark>,
    rotaries: Vec<Rotary>,
    error: Option<TapeError>,
}

impl Recorder {
    /// An empty tape.
    pub fn new() -> Recorder {
        Recorder::default()
    }

    #[track_caller]
    fn push(&mut self, op: Op, inputs: &[Value], rows: Rows, width: usize) -> Value {
        let out = Value(self.slots.len());
        self.slots.push(Slot { rows, width, cells: width, offset: 0, quantized: None });
        let inputs = core::array::from_fn(|i| inputs.get(i).copied());
        self.steps.push(Step { op, inputs, out });
        out
    }

    fn slot(&self, value: Value) -> Slot {
        self.slots[value.0]
    }

    /// Remembers the first thing that does not fit; recording goes on so that models need no `?` on every line.
    #[track_caller]
    fn expect(&mut self, op: &'static str, expected: usize, found: usize) {
        if expected != found && self.error.is_none() {
            self.error = Some(TapeError { op, expected, found, at: Location::caller() });
        }
    }

    /// The caller's rows, so many for each unit: pixels of patches.
    #[track_caller]
    pub fn input(&mut self, per_unit: usize, width: usize) -> Value {
        self.push(Op::Input, &[], Rows::PerUnit(per_unit), width)
    }

    /// One row for each cell of the call: a row of the table for a token, the caller's row for an image's.
    #[track_caller]
    pub fn embed(&mut self, table: &Weight) -> Value {
        self.push(Op::Embed(*table), &[], Rows::PerUnit(1), table.width)
    }

    /// `activation(W·x + b)`.
    #[track_caller]
    pub fn linear_then(&mut self, x: Value, map: &Linear, activation: Activation) -> Value {
        let slot = self.slot(x);
        self.expect("linear: inputs", map.w.width, slot.width);
        if let Some(b) = &map.b {
            self.expect("linear: bias", map.w.height, b.height * b.width);
        }
        let x = if map.w.format.is_float() { x } else { self.quantized(x, map.w.stored()) };
        self.push(Op::Linear { map: *map, activation }, &[x], slot.rows, map.w.height)
    }

    /// `W·x + b`.
    #[track_caller]
    pub fn linear(&mut self, x: Value, map: &Linear) -> Value {
        self.linear_then(x, map, Activation::None)
    }

    /// The quantized form of a value, its rows padded to `width`, recorded once however many linear maps use it.
    #[track_caller]
    fn quantized(&mut self, x: Value, width: usize) -> Value {
        let slot = self.slot(x);
        if let Some(q) = slot.quantized.filter(|q| self.slot(*q).width == width) {
            return q;
        }
        self.expect("linear: inputs of quantized weights, modulo 32", 0, width % quantize::GROUP);
        let q = self.push(Op::Quantize, &[x], slot.rows, width);
        self.slots[q.0].cells = quantize::cells(width);
        self.slots[x.0].quantized = Some(q);
        q
    }

    /// Layer norm.
    #[track_caller]
    pub fn layer_norm(&mut self, x: Value, norm: &Norm) -> Value {
        self.norm("layer norm", x, norm, true)
    }

    /// Root-mean-square norm.
    #[track_caller]
    pub fn rms_norm(&mut self, x: Value, norm: &Norm) -> Value {
        self.norm("RMS norm", x, norm, false)
    }

    #[track_caller]
    fn norm(&mut self, name: &'static str, x: Value, norm: &Norm, center: bool) -> Value {
        let slot = self.slot(x);
        self.expect(name, norm.w.height * norm.w.width, slot.width);
        if let Some(b) = &norm.b {
            self.expect(name, b.height * b.width, slot.width);
        }
        self.push(Op::Norm { norm: *norm, center }, &[x], slot.rows, slot.width)
    }

    /// `a + b`.
    #[track_caller]
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        let (sa, sb) = (self.slot(a), self.slot(b));
        self.expect("add: width", sa.width, sb.width);
        self.expect("add: rows", sa.rows.count(1), sb.rows.count(1));
        self.push(Op::Add, &[a, b], sa.rows, sa.width)
    }

    /// Adds row i of a table to row i of every unit.
    #[track_caller]
    pub fn add_table(&mut self, x: Value, table: &Weight) -> Value {
        let slot = self.slot(x);
        self.expect("table: width", table.width, slot.width);
        self.expect("table: rows", table.height, slot.rows.count(1));
        self.push(Op::AddTable(*table), &[x], slot.rows, slot.width)
    }

    /// `activation(gate) · up`.
    #[track_caller]
    pub fn gate(&mut self, gate: Value, activation: Activation, up: Value) -> Value {
        let (sg, su) = (self.slot(gate), self.slot(up));
        self.expect("gate: width", sg.width, su.width);
        self.push(Op::Activate(activation), &[gate, up], sg.rows, sg.width)
    }

    /// Puts a learned row before the rows of every unit.
    #[track_caller]
    pub fn prepend(&mut self, row: &Weight, x: Value) -> Value {
        let slot = self.slot(x);
        self.expect("class token: width", row.height * row.width, slot.width);
        self.push(Op::Prepend(*row), &[x], Rows::PerUnit(slot.rows.count(1) + 1), slot.width)
    }

    /// Drops the first row of every unit.
    #[track_caller]
    pub fn drop_first(&mut self, x: Value) -> Value {
        let slot = self.slot(x);
        self.push(Op::DropFirst, &[x], Rows::PerUnit(slot.rows.count(1).saturating_sub(1)), slot.width)
    }

    /// Space to depth: squares of `factor` × `factor` rows become one row.
    #[track_caller]
    pub fn shuffle(&mut self, x: Value, grid: usize, factor: usize) -> Value {
        let slot = self.slot(x);
        self.expect("pixel shuffle: rows", grid * grid, slot.rows.count(1));
        self.expect("pixel shuffle: side modulo factor", 0, grid % factor.max(1));
        let side = grid / factor.max(1);
        self.push(
            Op::Shuffle { grid, factor },
            &[x],
            Rows::PerUnit(side * side),
            slot.width * factor * factor,
        )
    }

    /// Only the last row of the call.
    #[track_caller]
    pub fn last(&mut self, x: Value) -> Value {
        let slot = self.slot(x);
        self.push(Op::Last, &[x], Rows::Total(1), slot.width)
    }

    /// The angles of all rows' positions, for [`rope`](Recorder::rope).
    #[track_caller]
    pub fn angles(&mut self, rotary: &Rotary) -> Value {
        if let Some(long) = &rotary.long {
            self.expect("rope: frequencies of long texts", rotary.frequencies.len(), long.frequencies.len());
        }
        self.rotaries.push(rotary.clone());
        let op = Op::Angles(self.rotaries.len() - 1);
        self.push(op, &[], Rows::PerUnit(1), rotary.dim())
    }

    /// Rotates the heads of `x` by their rows' angles.
    #[track_caller]
    pub fn rope(&mut self, x: Value, angles: Value, head_dim: usize, pairing: Pairing) -> Value {
        let (slot, dim) = (self.slot(x), self.slot(angles).width);
        self.expect("rope: width modulo head", 0, slot.width % head_dim.max(1));
        self.expect("rope: dimensions beyond the head", 0, dim.saturating_sub(head_dim));
        self.push(Op::Rope { head_dim, dim, pairing }, &[x, angles], slot.rows, slot.width)
    }

    /// Softmax attention of `q` over `k` and `v`, scores divided by √dim.
    #[track_caller]
    pub fn attention(&mut self, q: Value, k: Value, v: Value, heads: Heads, mask: Mask) -> Value {
        let slot = self.slot(q);
        self.expect("attention: queries", heads.count * heads.dim, slot.width);
        self.expect("attention: keys", heads.kv * heads.dim, self.slot(k).width);
        self.expect("attention: values", heads.kv * heads.dim, self.slot(v).width);
        self.expect("attention: heads modulo key-value heads", 0, heads.count % heads.kv.max(1));
        let (keys, values) = plan::memory(heads, mask, slot.rows);
        let k = self.remember(Op::Keys { heads, mask }, k, keys);
        let v = self.remember(Op::Values { heads, mask }, v, values);
        let scale = 1.0 / libm::sqrtf(heads.dim as f32);
        self.push(Op::Attention { heads, mask, scale }, &[q, k, v], slot.rows, slot.width)
    }

    #[track_caller]
    fn remember(&mut self, op: Op, x: Value, (rows, cells): (Rows, usize)) -> Value {
        let out = self.push(op, &[x], rows, cells);
        self.slots[out.0].cells = cells;
        out
    }

    /// Names a value, so that a run can show it.
    pub fn mark(&mut self, name: &'static str, index: usize, value: Value) {
        self.marks.push(Mark { name, index, value });
    }

    /// Ends recording: plans the memory for calls of at most `max_units` units, whose result is `out`.
    ///
    /// # Errors
    /// The first shape that did not fit, or an arena whose size cannot be represented.
    #[track_caller]
    pub fn finish(mut self, out: Value, max_units: usize) -> Result<Tape, TapeError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let arena = plan::place(&self.steps, &mut self.slots, out, max_units);
        let too_large = TapeError {
            op: "arena: bytes",
            expected: isize::MAX as usize,
            found: usize::MAX,
            at: Location::caller(),
        };
        let arena = arena.ok_or(too_large)?;
        let Recorder { steps, slots, marks, rotaries, .. } = self;
        Ok(Tape { steps, slots, marks, rotaries, out, max_units, arena })
    }
}

impl Tape {
    /// Units a call may have at most.
    pub fn max_units(&self) -> usize {
        self.max_units
    }

    /// Cells (`f32` words) of the arena a run works in.
    pub fn arena(&self) -> usize {
        self.arena
    }

    /// Rows and width of the result of a call of so many units.
    pub fn output(&self, units: usize) -> (usize, usize) {
        let slot = self.slots[self.out.0];
        (slot.rows.count(units), slot.width)
    }

    /// Cells of the result of a call of so many units.
    pub fn output_range(&self, units: usize) -> core::ops::Range<usize> {
        self.range(self.out, units)
    }

    /// Bytes that the tape itself holds.
    pub fn bytes(&self) -> usize {
        let (steps, slots) =
            (self.steps.capacity() * size_of::<Step>(), self.slots.capacity() * size_of::<Slot>());
        steps + slots + self.marks.capacity() * size_of::<Mark>() + self.rotary_bytes()
    }

    fn rotary_bytes(&self) -> usize {
        let long = |r: &Rotary| r.long.as_ref().map_or(0, |long| long.frequencies.capacity());
        let each = |r: &Rotary| size_of::<Rotary>() + 4 * (r.frequencies.capacity() + long(r));
        self.rotaries.iter().map(each).sum()
    }

    /// The longest text whose positions turn by the usual frequencies; all positions of a longer one turn by others, so what
    /// a cache holds of a text that grows beyond it must be computed again. See [`Call::reach`](crate::run::Call::reach).
    pub fn turns_beyond(&self) -> Option<usize> {
        // Without `std` no model reads such frequencies.
        if cfg!(not(feature = "std")) {
            return None;
        }
        self.rotaries.iter().find_map(|r| r.long.as_ref().map(|long| long.beyond))
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// One line per step: what it computes, of which values and weights, and where in the arena the result of a call of the
    /// most units is. Tests hold it.
    pub fn listing(&self) -> impl Iterator<Item = String> + '_ {
        self.steps.iter().map(|step| {
            let (slot, range) = (self.slots[step.out.0], self.range(step.out, self.max_units));
            let inputs: Vec<String> = step.inputs.iter().flatten().map(|v| format!(" %{}", v.0)).collect();
            let (rows, each) = match slot.rows {
                Rows::PerUnit(n) => (n, "/item"),
                Rows::Total(n) => (n, ""),
            };
            let (name, details) = (crate::work::name(&step.op).0, step.op.details());
            format!(
                "%{} = {name}{details}{} [{rows}{each} x {}] {}..{}",
                step.out.0,
                inputs.concat(),
                slot.width,
                range.start,
                range.end
            )
        })
    }

    /// Bytes of weights and their formats that the steps read, a pair for every linear map and table.
    pub fn weights(&self) -> impl Iterator<Item = (Format, usize)> + '_ {
        self.steps.iter().filter_map(|s| match s.op {
            Op::Linear { map, .. } => Some((map.w.format, map.w.len()?)),
            Op::Embed(t) | Op::AddTable(t) => Some((t.format, t.len()?)),
            _ => None,
        })
    }
}

impl Op {
    /// Weights and numbers, for a listing.
    fn details(&self) -> String {
        let weight = |w: &Weight| {
            let Weight { file, offset, format, height, width, padding } = w;
            format!(" {file}@{offset}:{}[{height}x{width}+{padding}]", format.name())
        };
        let optional = |w: &Option<Weight>| w.as_ref().map_or(String::new(), weight);
        let places = |heads: &Heads, mask: &Mask| {
            let of = match mask {
                Mask::Unit => String::from("of the item"),
                Mask::Causal { layer } => format!("of state {layer}"),
            };
            format!(" {}/{}x{} {of}", heads.count, heads.kv, heads.dim)
        };
        match self {
            Op::Input | Op::Quantize | Op::Add | Op::DropFirst | Op::Last => String::new(),
            Op::Embed(w) | Op::AddTable(w) | Op::Prepend(w) => weight(w),
            Op::Angles(which) => format!(" rotary {which}"),
            Op::Rope { head_dim, dim, pairing } => format!(" {dim} of {head_dim} {pairing:?}"),
            Op::Linear { map, activation } => {
                format!("{}{} {activation:?}", weight(&map.w), optional(&map.b))
            }
            Op::Norm { norm, center } => {
                let kind = if *center { "layer" } else { "rms" };
                format!(" {kind}{}{} {:e}", weight(&norm.w), optional(&norm.b), norm.epsilon)
            }
            Op::Activate(activation) => format!(" {activation:?}"),
            Op::Shuffle { grid, factor } => format!(" {grid} by {factor}"),
            Op::Keys { heads, mask } | Op::Values { heads, mask } => places(heads, mask),
            Op::Attention { heads, mask, scale } => format!("{} {scale:e}", places(heads, mask)),
        }
    }
}
