//! A tape as a CPU runs it: its steps, one after the other. Running allocates nothing.

use crate::machine::Cpu;
use crate::ops::memory::Layout;
use crate::ops::{Held, Op, Operand, Operands, Slot, Touch};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use ocelli_tape::{
    Call, Extent, Inputs, Interrupt, Memory, Need, Probe, Program, Rotary, RunError, Value, Watch, Work,
};

/// An operation with the numbers of its values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) inputs: [Option<Value>; 3],
    pub(crate) out: Value,
}

/// Keys and values of a slot of state: their layout, and the first word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kv {
    pub(crate) layout: Layout,
    pub(crate) offset: usize,
}

impl Kv {
    fn range(&self) -> Range<usize> {
        self.offset..self.offset.saturating_add(self.layout.cells())
    }

    /// Words of all keys, after which values come.
    fn keys(&self) -> usize {
        self.layout.heads * self.layout.keys()
    }
}

/// A program of a CPU. See [`Cpu::lower`].
pub struct CpuProgram {
    pub(crate) steps: Vec<Step>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) probes: Vec<Probe>,
    pub(crate) rotaries: Vec<Rotary>,
    pub(crate) kv: Vec<Kv>,
    /// Positions that state has room for.
    pub(crate) capacity: usize,
    pub(crate) out: Value,
    /// Items a call may have at most.
    pub(crate) max_items: usize,
    /// Words of the arena.
    pub(crate) arena: usize,
    /// Words of scratch that each thread needs.
    pub(crate) scratch: usize,
    pub(crate) cpu: Cpu,
}

impl Program for CpuProgram {
    fn need(&self) -> Need {
        let [arena, scratch, state] = self.host();
        Need {
            arena,
            scratch,
            state,
            device: 0,
            tables: self.tables(),
            steps: self.steps.len(),
            max_items: self.max_items,
        }
    }

    fn run(
        &mut self,
        call: &Call<'_>,
        memory: &mut Memory<'_>,
        mut watch: Watch<'_>,
        interrupt: &dyn Interrupt,
    ) -> Result<(), RunError> {
        self.check(call, memory)?;
        let began = watch.profile.as_ref().map(|profile| profile.now());
        let result = self.all(call, memory, &mut watch, interrupt);
        if let (Some(profile), Some(began)) = (watch.profile, began) {
            profile.end(began);
        }
        result
    }

    fn output<'m>(&'m self, arena: &'m [f32], items: usize) -> &'m [f32] {
        arena.get(self.range(self.out, items)).unwrap_or(&[])
    }

    #[cfg(feature = "std")]
    fn steps(&self) -> Vec<ocelli_tape::Description> {
        let described = |step: &Step| {
            let inputs = step.inputs[0].map_or(0, |v| self.slots[v.0].width);
            step.op.describe(inputs, &self.slots[step.out.0])
        };
        self.steps.iter().map(described).collect()
    }

    #[cfg(feature = "std")]
    fn work(&self, extent: &Extent) -> Work {
        self.steps.iter().map(|step| self.step_work(step, extent)).sum()
    }
}

impl CpuProgram {
    fn all(
        &self,
        call: &Call<'_>,
        memory: &mut Memory<'_>,
        watch: &mut Watch<'_>,
        interrupt: &dyn Interrupt,
    ) -> Result<(), RunError> {
        let kv = self.kv.first().map_or(ocelli_tape::KvType::F32, |kv| kv.layout.stored);
        let extent = Extent { items: call.items, past: call.past, kv };
        for (index, step) in self.steps.iter().enumerate() {
            let began = watch.profile.as_ref().map(|profile| profile.now());
            self.step(step, call, memory, interrupt)?;
            if let (Some(profile), Some(began)) = (&mut watch.profile, began) {
                profile.add(index, began, self.step_work(step, &extent));
            }
            if let Some(inputs) = &mut watch.inputs {
                self.show_inputs(step, memory.arena, call.items, inputs);
            }
            if let Some(observer) = &mut watch.observer {
                for probe in self.probes.iter().filter(|probe| probe.value == step.out) {
                    observer(probe, memory.arena.get(self.range(step.out, call.items)).unwrap_or(&[]));
                }
            }
        }
        Ok(())
    }

    /// Shows the input rows of a linear layer. For a quantize step those of all layers that read its output. Inputs are still
    /// valid: a step never overwrites them.
    fn show_inputs(&self, step: &Step, arena: &[f32], items: usize, inputs: &mut Inputs<'_>) {
        let rows = |value: Value| arena.get(self.range(value, items)).unwrap_or(&[]);
        let [Some(x), ..] = step.inputs else { return };
        match step.op {
            Op::Linear(linear) if linear.map.w.format.is_float() => inputs(&linear.map.w, rows(x)),
            Op::Quantize(_) => {
                for later in self.steps.iter().filter(|later| later.inputs[0] == Some(step.out)) {
                    if let Op::Linear(linear) = later.op {
                        inputs(&linear.map.w, rows(x));
                    }
                }
            }
            _ => {}
        }
    }

    /// Words of arena, scratch and state.
    fn host(&self) -> [usize; 3] {
        let state = self.kv.last().map_or(0, |kv| kv.range().end);
        [self.arena, self.scratch.saturating_mul(self.cpu.threads()), state]
    }

    /// What could go wrong in any step, before the first.
    fn check(&self, call: &Call<'_>, memory: &Memory<'_>) -> Result<(), RunError> {
        if call.items == 0 || call.items > self.max_items {
            return Err(RunError::Call { expected: self.max_items, found: call.items });
        }
        let found = [memory.arena.len(), memory.scratch.len(), memory.state.len()];
        for (expected, found) in self.host().into_iter().zip(found) {
            if found < expected {
                return Err(RunError::Memory { expected, found });
            }
        }
        let end = call.past.saturating_add(call.items);
        if !self.kv.is_empty() && end > self.capacity {
            return Err(RunError::Context { expected: end, found: self.capacity });
        }
        Ok(())
    }

    /// Words of a value in a call.
    fn range(&self, value: Value, items: usize) -> Range<usize> {
        let slot = &self.slots[value.0];
        slot.offset..slot.offset + slot.rows.count(items) * slot.words
    }

    fn step(
        &self,
        step: &Step,
        call: &Call<'_>,
        memory: &mut Memory<'_>,
        interrupt: &dyn Interrupt,
    ) -> Result<(), RunError> {
        // The output lies apart from all inputs: split the arena there.
        let out = self.range(step.out, call.items);
        let (before, rest) = memory.arena.split_at_mut_checked(out.start).ok_or(RunError::Weight)?;
        let (out_words, after) = rest.split_at_mut_checked(out.len()).ok_or(RunError::Weight)?;
        let input = |value: Option<Value>| {
            let Some(value) = value else { return Operand::default() };
            let (at, slot) = (self.range(value, call.items), &self.slots[value.0]);
            let found = if at.end <= out.start {
                before.get(at)
            } else {
                after.get(at.start - out.end..at.end - out.end)
            };
            Operand { x: found.unwrap_or(&[]), width: slot.width, per_item: slot.rows.count(1) }
        };
        let slot = &self.slots[step.out.0];
        let (mut to, mut width, mut held) = (out_words, slot.words, None);
        if let Some(touch) = step.op.touches() {
            let (Touch::Keys(which) | Touch::Values(which) | Touch::Reads(which)) = touch;
            let kv = self.kv.get(which).ok_or(RunError::Weight)?;
            let (all, layout) = (memory.state.get_mut(kv.range()).unwrap_or_default(), kv.layout);
            let (keys, values) = all.split_at_mut_checked(kv.keys()).unwrap_or_default();
            held = Some(match touch {
                Touch::Keys(_) => {
                    (to, width) = (keys, layout.keys());
                    Held { layout, keys: &[], values: &[] }
                }
                Touch::Values(_) => {
                    (to, width) = (values, layout.values());
                    Held { layout, keys: &[], values: &[] }
                }
                Touch::Reads(_) => Held { layout, keys, values },
            });
        }
        let operands = Operands { call, rotaries: &self.rotaries, inputs: step.inputs.map(input), held };
        let job = step.op.bind(&operands)?;
        let (kernels, pool) = (self.cpu.kernels(), self.cpu.pool());
        let (rows, columns) = step.op.block(slot.rows.count(call.items), pool.threads());
        let grid = job.grid(to, width, (rows, columns.min(width)));
        pool.run(grid, memory.scratch, interrupt, &|tile, scratch| kernels.tile(&job, tile, scratch))?;
        Ok(())
    }

    fn step_work(&self, step: &Step, extent: &Extent) -> Work {
        let written = self.range(step.out, extent.items).len();
        let read = |v: &Value| self.range(*v, extent.items).len();
        let read: usize =
            if step.op.reads_all() { step.inputs.iter().flatten().map(read).sum() } else { written };
        step.op.work(&self.slots[step.out.0], extent).with_rows(written.saturating_add(read))
    }

    /// Bytes that the program itself takes.
    fn tables(&self) -> usize {
        let long = |r: &Rotary| r.long.as_ref().map_or(0, |long| long.frequencies.capacity());
        let rotary = |r: &Rotary| size_of::<Rotary>() + 4 * (r.frequencies.capacity() + long(r));
        self.steps.capacity() * size_of::<Step>()
            + self.slots.capacity() * size_of::<Slot>()
            + self.probes.capacity() * size_of::<Probe>()
            + self.kv.capacity() * size_of::<Kv>()
            + self.rotaries.iter().map(rotary).sum::<usize>()
    }

    /// Rows and width of the result of a call of so many items.
    pub fn result(&self, items: usize) -> (usize, usize) {
        let slot = self.slots[self.out.0];
        (slot.rows.count(items), slot.width)
    }

    /// Where in the arena the result of a call of so many items is.
    pub fn result_range(&self, items: usize) -> Range<usize> {
        self.range(self.out, items)
    }

    /// One line per step: what it computes, of which values and weights, and where in the arena the result of a call of the
    /// most items is. Tests hold it.
    pub fn listing(&self) -> impl Iterator<Item = String> + '_ {
        self.steps.iter().map(|step| {
            let (slot, range) = (self.slots[step.out.0], self.range(step.out, self.max_items));
            let inputs: Vec<String> = step.inputs.iter().flatten().map(|v| format!(" %{}", v.0)).collect();
            let rows = match slot.rows {
                ocelli_tape::Rows { fixed, per_item: 0 } => format!("{fixed}"),
                ocelli_tape::Rows { fixed: 0, per_item } => format!("{per_item}/item"),
                ocelli_tape::Rows { fixed, per_item } => format!("{fixed} + {per_item}/item"),
            };
            let name = step.op.describe(0, &slot).op;
            format!(
                "%{} = {name}{}{} [{rows} x {}] {}..{}",
                step.out.0,
                step.op.details(),
                inputs.concat(),
                slot.width,
                range.start,
                range.end
            )
        })
    }
}
