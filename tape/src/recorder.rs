//! Recording: a model writes one `let` line per operation, and the order of the program is the order of execution.
//!
//! One dimension is open, the number of **items** in a call (tokens of a prompt, views of an image), up to a maximum chosen
//! when recording ends. Everything else is fixed then, so a shape that does not fit is an error of loading, not of running,
//! and names the line of the model that wrote it.

use crate::format::Format;
use crate::op::{Activation, Heads, Keys, Linear, Norm, Op, Pairing, Rotary, Visible, item_rows};
use crate::state::State;
use crate::value::{Rows, Shape, Value};
use crate::weight::Weight;
use alloc::vec::Vec;
use core::fmt;
use core::panic::Location;

/// Operands of a step, at most.
pub const OPERANDS: usize = 3;

/// One operation of a tape.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What is computed.
    pub op: Op,
    /// Of what.
    pub inputs: [Option<Value>; OPERANDS],
    /// The result.
    pub out: Value,
    /// The line of the model.
    pub at: &'static Location<'static>,
}

/// A value worth looking at while a program runs: the output of a block, say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// What it is, for example `layer`.
    pub name: &'static str,
    /// Which of several.
    pub index: usize,
    /// The value.
    pub value: Value,
}

/// A recorded model: what is computed, in order.
#[derive(Debug)]
pub struct Tape {
    steps: Vec<Step>,
    shapes: Vec<Shape>,
    probes: Vec<Probe>,
    rotaries: Vec<Rotary>,
    states: Vec<State>,
    out: Value,
    max_items: usize,
}

/// A shape that does not fit, found while a model was recorded or lowered.
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
    shapes: Vec<Shape>,
    probes: Vec<Probe>,
    rotaries: Vec<Rotary>,
    states: Vec<State>,
    error: Option<TapeError>,
}

impl Recorder {
    /// An empty tape.
    pub fn new() -> Recorder {
        Recorder::default()
    }

    #[track_caller]
    fn push(&mut self, op: Op, inputs: &[Value], rows: Rows, width: usize) -> Value {
        let out = Value(self.shapes.len());
        self.shapes.push(Shape { rows, width });
        let inputs = core::array::from_fn(|i| inputs.get(i).copied());
        self.steps.push(Step { op, inputs, out, at: Location::caller() });
        out
    }

    fn shape(&self, value: Value) -> Shape {
        self.shapes[value.0]
    }

    /// Remembers the first thing that does not fit; recording goes on so that models need no `?` on every line.
    #[track_caller]
    fn expect(&mut self, op: &'static str, expected: usize, found: usize) {
        if expected != found && self.error.is_none() {
            self.error = Some(TapeError { op, expected, found, at: Location::caller() });
        }
    }

    /// Rows of one item of a value that has nothing but items.
    #[track_caller]
    fn item(&mut self, op: &'static str, rows: Rows) -> usize {
        item_rows(rows).unwrap_or_else(|| {
            self.expect(op, 0, rows.fixed);
            0
        })
    }

    /// The caller's rows, so many for each item: pixels of patches.
    #[track_caller]
    pub fn input(&mut self, per_item: usize, width: usize) -> Value {
        self.push(Op::Input, &[], Rows::per_item(per_item), width)
    }

    /// One row for each input of the call: a row of the table for a token, the caller's row for an image's.
    #[track_caller]
    pub fn embed(&mut self, table: &Weight) -> Value {
        self.push(Op::Embed(*table), &[], Rows::per_item(1), table.width)
    }

    /// `W·x + b`.
    #[track_caller]
    pub fn linear(&mut self, x: Value, map: &Linear) -> Value {
        let shape = self.shape(x);
        self.expect("linear: inputs", map.w.width, shape.width);
        if let Some(b) = &map.b {
            self.expect("linear: bias", map.w.height, b.height * b.width);
        }
        self.push(Op::Linear(*map), &[x], shape.rows, map.w.height)
    }

    /// `activation(x)`.
    #[track_caller]
    pub fn activate(&mut self, x: Value, activation: Activation) -> Value {
        let shape = self.shape(x);
        self.push(Op::Activate(activation), &[x], shape.rows, shape.width)
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
        let shape = self.shape(x);
        self.expect(name, norm.w.height * norm.w.width, shape.width);
        if let Some(b) = &norm.b {
            self.expect(name, b.height * b.width, shape.width);
        }
        self.push(Op::Norm { norm: *norm, center }, &[x], shape.rows, shape.width)
    }

    /// `a + b`.
    #[track_caller]
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        let (sa, sb) = (self.shape(a), self.shape(b));
        self.same_rows("add: rows", sa.rows, sb.rows);
        self.expect("add: width", sa.width, sb.width);
        self.push(Op::Add, &[a, b], sa.rows, sa.width)
    }

    #[track_caller]
    fn same_rows(&mut self, op: &'static str, a: Rows, b: Rows) {
        self.expect(op, a.fixed, b.fixed);
        self.expect(op, a.per_item, b.per_item);
    }

    /// Adds row i of a table to row i of every item.
    #[track_caller]
    pub fn add_table(&mut self, x: Value, table: &Weight) -> Value {
        let shape = self.shape(x);
        let rows = self.item("table: rows of no item", shape.rows);
        self.expect("table: width", table.width, shape.width);
        self.expect("table: rows", table.height, rows);
        self.push(Op::AddTable(*table), &[x], shape.rows, shape.width)
    }

    /// `activation(gate) · up`.
    #[track_caller]
    pub fn gate(&mut self, gate: Value, activation: Activation, up: Value) -> Value {
        let (sg, su) = (self.shape(gate), self.shape(up));
        self.same_rows("gate: rows", sg.rows, su.rows);
        self.expect("gate: width", sg.width, su.width);
        self.push(Op::Gate(activation), &[gate, up], sg.rows, sg.width)
    }

    /// Puts a learned row before the rows of every item.
    #[track_caller]
    pub fn prepend(&mut self, row: &Weight, x: Value) -> Value {
        let shape = self.shape(x);
        let rows = self.item("class token: rows of no item", shape.rows);
        self.expect("class token: width", row.height * row.width, shape.width);
        self.push(Op::Prepend(*row), &[x], Rows::per_item(rows + 1), shape.width)
    }

    /// Drops the first row of every item.
    #[track_caller]
    pub fn drop_first(&mut self, x: Value) -> Value {
        let shape = self.shape(x);
        let rows = self.item("drop first: rows of no item", shape.rows);
        self.push(Op::DropFirst, &[x], Rows::per_item(rows.saturating_sub(1)), shape.width)
    }

    /// Space to depth: squares of `factor` × `factor` rows become one row.
    #[track_caller]
    pub fn shuffle(&mut self, x: Value, grid: usize, factor: usize) -> Value {
        let shape = self.shape(x);
        let rows = self.item("pixel shuffle: rows of no item", shape.rows);
        self.expect("pixel shuffle: rows", grid * grid, rows);
        self.expect("pixel shuffle: side modulo factor", 0, grid % factor.max(1));
        let side = grid / factor.max(1);
        let width = shape.width * factor * factor;
        self.push(Op::Shuffle { grid, factor }, &[x], Rows::per_item(side * side), width)
    }

    /// Only the last row of the call.
    #[track_caller]
    pub fn last(&mut self, x: Value) -> Value {
        let shape = self.shape(x);
        self.push(Op::Last, &[x], Rows::fixed(1), shape.width)
    }

    /// The angles of all rows' positions, for [`rope`](Recorder::rope).
    #[track_caller]
    pub fn angles(&mut self, rotary: &Rotary) -> Value {
        if let Some(long) = &rotary.long {
            self.expect("rope: frequencies of long texts", rotary.frequencies.len(), long.frequencies.len());
        }
        self.rotaries.push(rotary.clone());
        let op = Op::Angles(self.rotaries.len() - 1);
        self.push(op, &[], Rows::per_item(1), rotary.dim())
    }

    /// Rotates the heads of `x` by their rows' angles.
    #[track_caller]
    pub fn rope(&mut self, x: Value, angles: Value, head_dim: usize, pairing: Pairing) -> Value {
        let (shape, dim) = (self.shape(x), self.shape(angles).width);
        self.expect("rope: width modulo head", 0, shape.width % head_dim.max(1));
        self.expect("rope: dimensions beyond the head", 0, dim.saturating_sub(head_dim));
        self.push(Op::Rope { head_dim, dim, pairing }, &[x, angles], shape.rows, shape.width)
    }

    /// Softmax attention of `q` over the `k` and `v` of its own item; `scale` multiplies the scores.
    #[track_caller]
    pub fn attention(&mut self, q: Value, k: Value, v: Value, heads: Heads, scale: f32) -> Value {
        self.heads(heads, k, v);
        let (keys, visible) = (Keys::Rows, Visible::Item);
        let rows = self.shape(q).rows;
        for other in [k, v] {
            let found = self.shape(other).rows;
            self.same_rows("attention: rows", rows, found);
        }
        self.attend(&[q, k, v], Op::Attention { heads, keys, visible, scale }, heads)
    }

    /// Declares a slot of state.
    pub fn state(&mut self, state: State) -> usize {
        self.states.push(state);
        self.states.len() - 1
    }

    /// Adds keys and values of this call's rows to a slot.
    #[track_caller]
    pub fn remember(&mut self, slot: usize, k: Value, v: Value) {
        if let Some(State::Kv { heads }) = self.states.get(slot).copied() {
            self.heads(heads, k, v);
        }
        self.push(Op::Remember(slot), &[k, v], Rows::fixed(0), 0);
    }

    /// Softmax attention of `q` over what a slot holds, this call's rows included, up to the query's own position.
    #[track_caller]
    pub fn attend_state(&mut self, q: Value, slot: usize, scale: f32) -> Value {
        let Some(State::Kv { heads }) = self.states.get(slot).copied() else {
            self.expect("attention: state slots", slot + 1, self.states.len());
            return q;
        };
        let (keys, visible) = (Keys::State(slot), Visible::Causal);
        self.attend(&[q], Op::Attention { heads, keys, visible, scale }, heads)
    }

    #[track_caller]
    fn heads(&mut self, heads: Heads, k: Value, v: Value) {
        let (k, v) = (self.shape(k), self.shape(v));
        self.expect("attention: keys", heads.kv * heads.dim, k.width);
        self.expect("attention: values", heads.kv * heads.dim, v.width);
        self.expect("attention: heads modulo key-value heads", 0, heads.count % heads.kv.max(1));
    }

    #[track_caller]
    fn attend(&mut self, operands: &[Value], op: Op, heads: Heads) -> Value {
        let shape = self.shape(operands[0]);
        self.expect("attention: queries", heads.count * heads.dim, shape.width);
        self.push(op, operands, shape.rows, shape.width)
    }

    /// Names a value, so that a run can show it.
    pub fn probe(&mut self, name: &'static str, index: usize, value: Value) {
        self.probes.push(Probe { name, index, value });
    }

    /// Ends recording, for calls of at most `max_items` items whose result is `out`.
    ///
    /// # Errors
    /// The first shape that did not fit.
    pub fn finish(self, out: Value, max_items: usize) -> Result<Tape, TapeError> {
        let Recorder { steps, shapes, probes, rotaries, states, error } = self;
        match error {
            Some(error) => Err(error),
            None => Ok(Tape { steps, shapes, probes, rotaries, states, out, max_items }),
        }
    }
}

impl Tape {
    /// Items that a call may have at most.
    pub fn max_items(&self) -> usize {
        self.max_items
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Shape of a value.
    pub fn shape(&self, value: Value) -> Shape {
        self.shapes.get(value.0).copied().unwrap_or(Shape { rows: Rows::fixed(0), width: 0 })
    }

    /// Number of values.
    pub fn values(&self) -> usize {
        self.shapes.len()
    }

    /// The values that are worth looking at.
    pub fn probes(&self) -> &[Probe] {
        &self.probes
    }

    /// How positions are rotated; [`Op::Angles`] names one.
    pub fn rotaries(&self) -> &[Rotary] {
        &self.rotaries
    }

    /// The slots of state.
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// The result.
    pub fn out(&self) -> Value {
        self.out
    }

    /// The longest text whose positions are rotated by the usual frequencies; all positions of a longer one are rotated by
    /// others, so what a state holds of a text that grows beyond it must be computed again. See
    /// [`Call::reach`](crate::Call::reach).
    pub fn rotates_beyond(&self) -> Option<usize> {
        // Without `std` no model reads such frequencies.
        if cfg!(not(feature = "std")) {
            return None;
        }
        self.rotaries.iter().find_map(|r| r.long.as_ref().map(|long| long.beyond))
    }

    /// Bytes of weights and their formats that the steps read, a pair for every linear layer and table.
    pub fn weights(&self) -> impl Iterator<Item = (Format, usize)> + '_ {
        self.steps.iter().filter_map(|s| match s.op {
            Op::Linear(map) => Some((map.w.format, map.w.len()?)),
            Op::Embed(t) | Op::AddTable(t) => Some((t.format, t.len()?)),
            _ => None,
        })
    }
}
