//! From a tape to the steps of a CPU.
//!
//! ```text
//! linear, quantized weights    quantize its operand, once for all layers that share it, and multiply those quants
//! linear, then activation      one step, where nothing else reads what is between
//! remember                     keys, transposed, and values, to state
//! attention over rows          keys, transposed, and values, to the arena; then attention
//! ```
//!
//! Every other operation is one step. Then each value gets its place in the arena, and scratch is the most that a step needs.

use crate::arena;
use crate::cpu::LANES;
use crate::machine::Cpu;
use crate::ops::activation::ActivateStep;
use crate::ops::add::{AddStep, AddTableStep};
use crate::ops::attention::AttentionStep;
use crate::ops::copy::CopyStep;
use crate::ops::embed::EmbedStep;
use crate::ops::linear::LinearStep;
use crate::ops::memory::{KeysStep, Layout, ValuesStep};
use crate::ops::norm::NormStep;
use crate::ops::quantize::{self, QuantizeStep};
use crate::ops::rearrange::RearrangeStep;
use crate::ops::rope::{AnglesStep, RopeStep};
use crate::ops::{Op, Slot};
use crate::program::{CpuProgram, Kv, Step};
use alloc::vec;
use alloc::vec::Vec;
use ocelli_tape::{
    Activation, Heads, Keys, Linear, PrepareError, Probe, Rows, Shape, State, StateOptions, Tape, TapeError,
    Value,
};

/// Lowers a tape.
///
/// # Errors
/// Keys and values cannot be stored as asked, a quantized layer's inputs are no whole groups, or the arena is too large.
pub(crate) fn lower(tape: &Tape, state: &StateOptions, cpu: &Cpu) -> Result<CpuProgram, PrepareError> {
    let kv = slots_of_state(tape, state)?;
    let mut lowering = Lowering::new(tape);
    let mut steps = tape.steps().iter().peekable();
    while let Some(step) = steps.next() {
        let fused = match (&step.op, steps.peek()) {
            (ocelli_tape::Op::Linear(_), Some(next)) => lowering.fuses(step, next),
            _ => None,
        };
        lowering.step(step, fused.unwrap_or(Activation::None))?;
        if fused.is_some()
            && let Some(next) = steps.next()
        {
            lowering.values[next.out.0] = lowering.values[step.out.0];
        }
    }
    lowering.finish(state, kv, cpu)
}

/// Where the keys and values of each slot lie.
fn slots_of_state(tape: &Tape, state: &StateOptions) -> Result<Vec<Kv>, PrepareError> {
    let mut offset = 0usize;
    let slot = |State::Kv { heads }: &State| {
        let layout =
            Layout { stored: state.kv, heads: heads.kv, head_dim: heads.dim, capacity: state.capacity };
        if !layout.fits() {
            return Err(PrepareError::Kv { kv: state.kv, head_dim: heads.dim });
        }
        let kv = Kv { layout, offset };
        offset = offset.saturating_add(layout.cells());
        Ok(kv)
    };
    tape.states().iter().map(slot).collect()
}

struct Lowering<'t> {
    tape: &'t Tape,
    /// How often each of the tape's values is read, probes and the result counted.
    uses: Vec<u32>,
    /// What each of the tape's values is here.
    values: Vec<Value>,
    steps: Vec<Step>,
    slots: Vec<Slot>,
    /// The same rows quantized, of each value here whose layers want them.
    quantized: Vec<Option<Value>>,
    /// What stands for a slot's keys and values as operands: values without rows.
    remembered: Vec<Option<[Value; 2]>>,
}

impl<'t> Lowering<'t> {
    fn new(tape: &'t Tape) -> Lowering<'t> {
        let mut uses = vec![0; tape.values()];
        let inputs = tape.steps().iter().flat_map(|step| step.inputs.iter().flatten());
        let probed = tape.probes().iter().map(|probe| &probe.value);
        inputs.chain(probed).chain([&tape.out()]).for_each(|value| uses[value.0] += 1);
        Lowering {
            tape,
            uses,
            values: vec![Value(0); tape.values()],
            steps: Vec::with_capacity(tape.steps().len()),
            slots: Vec::with_capacity(tape.values()),
            quantized: Vec::new(),
            remembered: vec![None; tape.states().len()],
        }
    }

    /// The activation that follows a linear layer and is its result's only reader.
    fn fuses(&self, linear: &ocelli_tape::Step, next: &ocelli_tape::Step) -> Option<Activation> {
        match next.op {
            ocelli_tape::Op::Activate(activation)
                if next.inputs[0] == Some(linear.out) && self.uses[linear.out.0] == 1 =>
            {
                Some(activation)
            }
            _ => None,
        }
    }

    fn push(&mut self, op: impl Into<Op>, inputs: &[Value], shape: Shape, words: usize) -> Value {
        let out = Value(self.slots.len());
        self.slots.push(Slot { rows: shape.rows, width: shape.width, words, offset: 0 });
        self.quantized.push(None);
        let inputs = core::array::from_fn(|i| inputs.get(i).copied());
        self.steps.push(Step { op: op.into(), inputs, out });
        out
    }

    fn step(&mut self, step: &ocelli_tape::Step, activation: Activation) -> Result<(), TapeError> {
        use ocelli_tape::Op as Neutral;
        let shape = self.tape.shape(step.out);
        let mut operands = [Value(0); 3];
        let mut count = 0;
        for (to, value) in operands.iter_mut().zip(step.inputs.iter().flatten()) {
            *to = self.values[value.0];
            count += 1;
        }
        let inputs = &operands[..count];
        let op: Op = match step.op {
            Neutral::Input => CopyStep { width: shape.width, per_item: shape.rows.per_item }.into(),
            Neutral::Embed(table) => EmbedStep(table).into(),
            Neutral::Angles(rotary) => AnglesStep(rotary).into(),
            Neutral::Rope { head_dim, dim, pairing } => RopeStep { head_dim, dim, pairing }.into(),
            Neutral::Linear(map) => {
                let x = self.operand(operands[0], &map, step)?;
                let out = self.push(LinearStep { map, activation }, &[x], shape, shape.width);
                self.values[step.out.0] = out;
                return Ok(());
            }
            Neutral::Norm { norm, center } => NormStep { norm, center }.into(),
            Neutral::Add => AddStep.into(),
            Neutral::AddTable(table) => AddTableStep(table).into(),
            Neutral::Activate(activation) => ActivateStep { activation, gate: false }.into(),
            Neutral::Gate(activation) => ActivateStep { activation, gate: true }.into(),
            Neutral::Prepend(row) => RearrangeStep::Prepend(row).into(),
            Neutral::DropFirst => RearrangeStep::DropFirst.into(),
            Neutral::Shuffle { grid, factor } => RearrangeStep::Shuffle { grid, factor }.into(),
            Neutral::Last => RearrangeStep::Last.into(),
            Neutral::Remember(slot) => {
                let State::Kv { heads } = self.tape.states()[slot];
                self.remembered[slot] = Some(self.turn(&operands[..2], heads, Some(slot), Rows::default()));
                return Ok(());
            }
            Neutral::Attention { heads, keys, visible, scale } => {
                let [q, k, v] = operands;
                let (slot, kv) = match keys {
                    Keys::Rows => (None, self.turn(&[k, v], heads, None, shape.rows)),
                    // Of a slot that nothing was added to in this call its operands are none.
                    Keys::State(slot) => (Some(slot), self.remembered[slot].unwrap_or([q; 2])),
                };
                let op = AttentionStep { heads, slot, visible, scale };
                let out = self.push(op, &[q, kv[0], kv[1]], shape, shape.width);
                self.values[step.out.0] = out;
                return Ok(());
            }
        };
        let out = self.push(op, inputs, shape, shape.width);
        self.values[step.out.0] = out;
        Ok(())
    }

    /// Steps that lay out keys and values for attention: to a slot of state, or one row for each head of an item.
    fn turn(&mut self, kv: &[Value], heads: Heads, slot: Option<usize>, rows: Rows) -> [Value; 2] {
        let layout = Layout::of_item(&heads, rows.count(1));
        let step = KeysStep { heads, slot };
        let shape = |width| match slot {
            Some(_) => Shape { rows: Rows::default(), width: 0 },
            None => Shape { rows: Rows::per_item(heads.kv), width },
        };
        let (keys, values) = (shape(layout.keys()), shape(layout.values()));
        let keys = self.push(step, &kv[..1], keys, keys.width);
        [keys, self.push(ValuesStep(step), &kv[1..], values, values.width)]
    }

    /// What a linear layer multiplies: floats as they are, else their quantized form, its rows padded as the weights' are.
    fn operand(&mut self, x: Value, map: &Linear, step: &ocelli_tape::Step) -> Result<Value, TapeError> {
        if map.w.format.is_float() {
            return Ok(x);
        }
        let width = map.w.stored();
        if let Some(q) = self.quantized[x.0].filter(|q| self.slots[q.0].width == width) {
            return Ok(q);
        }
        if !width.is_multiple_of(quantize::GROUP) {
            let (op, found) = ("linear: inputs of quantized weights, modulo 32", width % quantize::GROUP);
            return Err(TapeError { op, expected: 0, found, at: step.at });
        }
        let shape = Shape { rows: self.slots[x.0].rows, width };
        let q = self.push(QuantizeStep, &[x], shape, quantize::cells(width));
        self.quantized[x.0] = Some(q);
        Ok(q)
    }

    fn finish(mut self, state: &StateOptions, kv: Vec<Kv>, cpu: &Cpu) -> Result<CpuProgram, PrepareError> {
        let (tape, out) = (self.tape, self.values[self.tape.out().0]);
        let arena = arena::place(&self.steps, &mut self.slots, out, tape.max_items());
        let Some(arena) = arena else {
            let at = tape.steps().iter().find(|step| step.out == tape.out()).map(|step| step.at);
            let at = at.unwrap_or(core::panic::Location::caller());
            let (expected, found) = (isize::MAX as usize, usize::MAX);
            return Err(TapeError { op: "arena: bytes", expected, found, at }.into());
        };
        let need = |step: &Step| step.op.scratch(&self.slots[step.out.0], state.capacity);
        let scratch = self.steps.iter().map(need).max().unwrap_or(0).next_multiple_of(LANES);
        let probe = |probe: &Probe| Probe { value: self.values[probe.value.0], ..*probe };
        Ok(CpuProgram {
            probes: tape.probes().iter().map(probe).collect(),
            rotaries: tape.rotaries().to_vec(),
            steps: self.steps,
            slots: self.slots,
            kv,
            capacity: state.capacity,
            out,
            max_items: tape.max_items(),
            arena,
            scratch,
            cpu: cpu.clone(),
        })
    }
}
