//! Replaying a tape on the CPU. Allocates nothing.

use crate::cpu::LANES;
use crate::ops::activation::Activate;
use crate::ops::add::{Add, AddTable};
use crate::ops::attention::{self, Attention};
use crate::ops::embed::{Cell, Embed};
use crate::ops::linear;
use crate::ops::memory::{self, Layout};
use crate::ops::norm;
use crate::ops::quantize::Quantize;
use crate::ops::rearrange::{Move, Rearrange};
use crate::ops::rope::{Angles, Rope};
use crate::ops::{Job, Kernels};
use crate::plan;
use crate::pool::{Interrupt, Pool, Stopped};
use crate::profile::Profile;
use crate::tape::{Mark, Mask, Op, Step, Tape, Value};
use crate::weight::{Matrix, Weight, Weights};
use crate::work::Extent;
use core::fmt;
use core::ops::Range;

/// An instruction set and threads to run on.
#[derive(Clone, Copy)]
pub struct Machine<'a> {
    /// The instruction set.
    pub kernels: &'a dyn Kernels,
    /// The threads.
    pub pool: &'a Pool,
}

/// What varies from call to call.
#[derive(Clone, Copy, Default)]
pub struct Call<'a> {
    /// Tokens of a decoder's call, views of an encoder's.
    pub units: usize,
    /// Rows for the tape's input.
    pub input: &'a [f32],
    /// One cell per unit, for a tape that embeds.
    pub cells: &'a [Cell],
    /// The rows that cells refer to.
    pub rows: &'a [f32],
    /// Positions already in the cache.
    pub past: usize,
    /// Positions of the whole text that this call is a part of, if it goes on after the call: some models turn all positions
    /// of a long text by other angles ([`Tape::turns_beyond`]).
    pub reach: usize,
}

/// A decoder's cache: one layout for all layers, keys of a layer before its values.
pub struct Cache<'a> {
    /// Shape of a layer.
    pub layout: Layout,
    /// `layers · cells(layout)` cells.
    pub memory: &'a mut [f32],
}

impl Cache<'_> {
    /// Cells of one layer; the most that can be counted where there are more.
    pub fn cells(layout: &Layout) -> usize {
        layout.heads.saturating_mul(layout.keys().saturating_add(layout.values()))
    }

    /// Keys and values of a layer.
    fn layer(&mut self, layer: usize) -> (&mut [f32], &mut [f32]) {
        let (cells, keys) = (Cache::cells(&self.layout), self.layout.heads * self.layout.keys());
        let layer = self.memory.get_mut(layer * cells..(layer + 1) * cells).unwrap_or_default();
        layer.split_at_mut_checked(keys).unwrap_or_default()
    }
}

/// Memory a run works in.
pub struct Memory<'a> {
    /// At least `Tape::arena` cells.
    pub arena: &'a mut [f32],
    /// At least `Tape::scratch` cells for every thread.
    pub scratch: &'a mut [f32],
    /// For a decoder.
    pub cache: Option<Cache<'a>>,
}

/// Why a run did not end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunError {
    /// Its interrupt said so.
    Stopped,
    /// The call has more units than the tape was planned for, or its rows are missing.
    Call {
        /// Units or values needed or allowed.
        expected: usize,
        /// Units or values given.
        found: usize,
    },
    /// Less memory than planned.
    Memory {
        /// Cells needed.
        expected: usize,
        /// Cells given.
        found: usize,
    },
    /// The cache is full.
    Context {
        /// Positions needed.
        expected: usize,
        /// Positions there are.
        found: usize,
    },
    /// A weight lies outside its file.
    Weight,
}

impl From<Stopped> for RunError {
    fn from(_: Stopped) -> RunError {
        RunError::Stopped
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Stopped => f.write_str("stopped"),
            RunError::Call { expected, found } => write!(f, "call of {found} where {expected} fit"),
            RunError::Memory { expected, found } => {
                write!(f, "{found} cells of memory, {expected} are needed")
            }
            RunError::Context { expected, found } => {
                write!(f, "{expected} positions needed, the context has {found}")
            }
            RunError::Weight => f.write_str("a weight lies outside its file"),
        }
    }
}

impl core::error::Error for RunError {}

/// Sees marked values as they are computed.
pub type Observer<'a> = &'a mut dyn FnMut(&Mark, &[f32]);

/// Sees the rows that linear maps are given, as they are before they are quantized.
pub type Inputs<'a> = &'a mut dyn FnMut(&Weight, &[f32]);

/// Who looks on while a tape runs; by default nobody.
#[derive(Default)]
pub struct Watch<'a> {
    /// Sees marked values.
    pub observer: Option<Observer<'a>>,
    /// Gathers the time of every step.
    pub profile: Option<&'a mut Profile>,
    /// Sees what linear maps are given.
    pub inputs: Option<Inputs<'a>>,
}

impl Tape {
    /// Runs all steps and returns the result's rows.
    ///
    /// # Errors
    /// See [`RunError`]. After an error the arena and the cache beyond `call.past` hold nothing of use; positions
    /// before it are untouched.
    pub fn run<'m>(
        &self,
        machine: Machine<'_>,
        weights: Weights<'_>,
        memory: &'m mut Memory<'_>,
        call: Call<'_>,
        interrupt: &dyn Interrupt,
        mut watch: Watch<'_>,
    ) -> Result<&'m [f32], RunError> {
        self.check(&machine, memory, &call)?;
        let began = watch.profile.as_ref().map(|profile| profile.now());
        let result = self.steps(machine, weights, memory, &call, interrupt, &mut watch);
        if let (Some(profile), Some(began)) = (watch.profile, began) {
            profile.end(began);
        }
        result?;
        Ok(memory.arena.get(self.range(self.out, call.units)).unwrap_or(&[]))
    }

    fn steps(
        &self,
        machine: Machine<'_>,
        weights: Weights<'_>,
        memory: &mut Memory<'_>,
        call: &Call<'_>,
        interrupt: &dyn Interrupt,
        watch: &mut Watch<'_>,
    ) -> Result<(), RunError> {
        let cache = memory.cache.as_ref().map(|cache| cache.layout);
        let extent = Extent { units: call.units, past: call.past, cache };
        for (index, step) in self.steps.iter().enumerate() {
            if let Some(profile) = &mut watch.profile {
                let began = profile.now();
                self.step(step, machine, weights, memory, call, interrupt)?;
                profile.add(index, began, self.step_work(step, &extent));
            } else {
                self.step(step, machine, weights, memory, call, interrupt)?;
            }
            if let Some(inputs) = &mut watch.inputs {
                self.show_inputs(step, memory.arena, call.units, inputs);
            }
            if let Some(observer) = &mut watch.observer {
                for mark in self.marks.iter().filter(|m| m.value == step.out) {
                    observer(mark, memory.arena.get(self.range(step.out, call.units)).unwrap_or(&[]));
                }
            }
        }
        Ok(())
    }

    /// Shows the rows of a linear map on floats, or of all that take what this step has quantized. A step writes apart from
    /// what it reads, so they are there still.
    fn show_inputs(&self, step: &Step, arena: &[f32], units: usize, inputs: &mut Inputs<'_>) {
        let rows = |value: Value| arena.get(self.range(value, units)).unwrap_or(&[]);
        let [Some(x), ..] = step.inputs else { return };
        match step.op {
            Op::Linear { map, .. } if map.w.format.is_float() => inputs(&map.w, rows(x)),
            Op::Quantize => {
                for later in self.steps.iter().filter(|later| later.inputs[0] == Some(step.out)) {
                    if let Op::Linear { map, .. } = later.op {
                        inputs(&map.w, rows(x));
                    }
                }
            }
            _ => {}
        }
    }

    /// Everything that could go wrong in a step, before the first.
    fn check(&self, machine: &Machine<'_>, memory: &Memory<'_>, call: &Call<'_>) -> Result<(), RunError> {
        if call.units == 0 || call.units > self.max_units {
            return Err(RunError::Call { expected: self.max_units, found: call.units });
        }
        let capacity = memory.cache.as_ref().map_or(0, |c| c.layout.capacity);
        let scratch = self.scratch(capacity).saturating_mul(machine.pool.threads());
        let (layers, heads) = self.cached();
        let cache = memory.cache.as_ref().map_or((0, 0), |c| (Cache::cells(&c.layout), c.memory.len()));
        for (expected, found) in [
            (self.arena, memory.arena.len()),
            (scratch, memory.scratch.len()),
            (layers.saturating_mul(cache.0).max(layers), cache.1),
        ] {
            if found < expected {
                return Err(RunError::Memory { expected, found });
            }
        }
        let fits = |c: &Cache<'_>| heads.is_none_or(|h| h.kv == c.layout.heads && h.dim == c.layout.head_dim);
        if !memory.cache.as_ref().is_none_or(|c| fits(c) && c.layout.fits()) {
            return Err(RunError::Memory { expected: heads.map_or(0, |h| h.kv * h.dim), found: 0 });
        }
        let end = call.past.saturating_add(call.units);
        if layers > 0 && end > capacity {
            return Err(RunError::Context { expected: end, found: capacity });
        }
        for step in &self.steps {
            let (expected, found) = match step.op {
                Op::Input => (self.range(step.out, call.units).len(), call.input.len()),
                Op::Embed(_) => (call.units, call.cells.len()),
                _ => continue,
            };
            if expected != found {
                return Err(RunError::Call { expected, found });
            }
        }
        Ok(())
    }

    /// Cells of a value in a call.
    pub(crate) fn range(&self, value: Value, units: usize) -> Range<usize> {
        let slot = self.slots[value.0];
        slot.offset..slot.offset + slot.rows.count(units) * slot.cells
    }

    fn step(
        &self,
        step: &Step,
        machine: Machine<'_>,
        weights: Weights<'_>,
        memory: &mut Memory<'_>,
        call: &Call<'_>,
        interrupt: &dyn Interrupt,
    ) -> Result<(), RunError> {
        // The output lies apart from all inputs: split the arena there.
        let out = self.range(step.out, call.units);
        let (before, rest) = memory.arena.split_at_mut_checked(out.start).ok_or(RunError::Weight)?;
        let (out_cells, after) = rest.split_at_mut_checked(out.len()).ok_or(RunError::Weight)?;
        let input = |i: usize| -> &[f32] {
            let Some(value) = step.inputs[i] else { return &[] };
            let at = self.range(value, call.units);
            let found = if at.end <= out.start {
                before.get(at)
            } else {
                after.get(at.start - out.end..at.end - out.end)
            };
            found.unwrap_or(&[])
        };
        let operands = Operands { tape: self, step, weights, call };
        let out_slot = self.slots[step.out.0];
        let (mut to, mut width, mut block) =
            (out_cells, out_slot.cells, operands.block(machine.pool.threads()));
        let job = match step.op {
            Op::Input => {
                to.copy_from_slice(call.input);
                return Ok(());
            }
            Op::Keys { mask: Mask::Causal { layer }, .. }
            | Op::Values { mask: Mask::Causal { layer }, .. } => {
                let cache = memory.cache.as_mut().ok_or(RunError::Memory { expected: 1, found: 0 })?;
                let layout = cache.layout;
                let rows = memory::Rows { x: input(0), layout, per_unit: call.units, past: call.past };
                let (keys, values) = cache.layer(layer);
                block = (1, usize::MAX);
                if matches!(step.op, Op::Keys { .. }) {
                    (to, width) = (keys, layout.keys());
                    Job::Keys(memory::Keys(rows))
                } else {
                    (to, width) = (values, layout.values());
                    Job::Values(memory::Values(rows))
                }
            }
            Op::Attention { heads, mask: Mask::Causal { layer }, scale } => {
                let cache = memory.cache.as_mut().ok_or(RunError::Memory { expected: 1, found: 0 })?;
                let layout = cache.layout;
                let (keys, values) = cache.layer(layer);
                let groups = heads.count / heads.kv.max(1);
                let (q, per_unit, past) = (input(0), call.units, call.past);
                Job::Attention(Attention {
                    q,
                    keys,
                    values,
                    layout,
                    groups,
                    per_unit,
                    past,
                    causal: true,
                    scale,
                })
            }
            _ => operands.job([input(0), input(1), input(2)])?,
        };
        let grid = job.grid(to, width, (block.0, block.1.min(width)));
        machine.pool.run(grid, memory.scratch, interrupt, &|tile, scratch| {
            machine.kernels.tile(&job, tile, scratch)
        })?;
        Ok(())
    }
}

/// What a step needs to become a job.
struct Operands<'a> {
    tape: &'a Tape,
    step: &'a Step,
    weights: Weights<'a>,
    call: &'a Call<'a>,
}

impl<'a> Operands<'a> {
    /// Rows and columns of a tile: small enough to share the work and to stop soon, large enough to be worth it.
    fn block(&self, threads: usize) -> (usize, usize) {
        let rows = self.tape.slots[self.step.out.0].rows.count(self.call.units);
        match self.step.op {
            Op::Linear { map, .. } => linear::block(&map.w, rows, threads),
            Op::Attention { heads, .. } => (attention::ROWS, heads.count / heads.kv.max(1) * heads.dim),
            // Sixteen positions of all heads, whose rows lie together.
            Op::Keys { heads, .. } | Op::Values { heads, .. } => (heads.kv, LANES * heads.dim),
            Op::Angles(_) => (64, usize::MAX),
            Op::Norm { .. } => (16, usize::MAX),
            _ => (8, usize::MAX),
        }
    }

    fn matrix(&self, weight: &Weight) -> Result<Matrix<'a>, RunError> {
        self.weights.matrix(weight).ok_or(RunError::Weight)
    }

    fn optional(&self, weight: Option<&Weight>) -> Result<Option<Matrix<'a>>, RunError> {
        weight.map(|w| self.matrix(w)).transpose()
    }

    /// Every job whose operands are all in the arena.
    fn job(&self, [x, y, z]: [&'a [f32]; 3]) -> Result<Job<'a>, RunError> {
        let input = |i: usize| self.step.inputs[i].map(|v| self.tape.slots[v.0]);
        let (width, per_unit) = input(0).map_or((0, 0), |s| (s.width, s.rows.count(1)));
        let rearrange = |to| Job::Rearrange(Rearrange { x, width, per_unit, to });
        Ok(match &self.step.op {
            Op::Embed(table) => {
                Job::Embed(Embed { cells: self.call.cells, rows: self.call.rows, table: self.matrix(table)? })
            }
            Op::Angles(which) => {
                let rotary = &self.tape.rotaries[*which];
                let length = self.call.reach.max(self.call.past + self.call.units);
                let (frequencies, magnitude) = (rotary.of(length), rotary.magnitude);
                Job::Angles(Angles { past: self.call.past, frequencies, magnitude })
            }
            Op::Rope { head_dim, dim, pairing } => {
                Job::Rope(Rope { x, angles: y, width, head_dim: *head_dim, dim: *dim, pairing: *pairing })
            }
            Op::Quantize => Job::Quantize(Quantize { x, width }),
            Op::Linear { map, activation } => Job::Linear(linear::Linear {
                x,
                weight: self.matrix(&map.w)?,
                bias: self.optional(map.b.as_ref())?,
                activation: *activation,
            }),
            Op::Norm { norm, center } => {
                let flat = |w: Weight| Weight { width: w.width * w.height, height: 1, ..w };
                Job::Norm(norm::Norm {
                    x,
                    weight: self.matrix(&flat(norm.w))?,
                    bias: self.optional(norm.b.map(flat).as_ref())?,
                    epsilon: norm.epsilon,
                    center: *center,
                })
            }
            Op::Add => Job::Add(Add { a: x, b: y, width }),
            Op::AddTable(table) => Job::AddTable(AddTable { x, table: self.matrix(table)? }),
            Op::Activate(activation) => {
                let up = self.step.inputs[1].map(|_| y);
                Job::Activate(Activate { x, up, width, activation: *activation })
            }
            Op::Prepend(row) => rearrange(Move::Prepend(self.matrix(row)?)),
            Op::DropFirst => rearrange(Move::DropFirst),
            Op::Shuffle { grid, factor } => rearrange(Move::Shuffle { grid: *grid, factor: *factor }),
            Op::Last => rearrange(Move::Last),
            Op::Keys { heads, .. } => {
                Job::Keys(memory::Keys(self.rows(x, plan::unit_layout(*heads, per_unit))))
            }
            Op::Values { heads, .. } => {
                Job::Values(memory::Values(self.rows(x, plan::unit_layout(*heads, per_unit))))
            }
            Op::Attention { heads, scale, .. } => Job::Attention(Attention {
                q: x,
                keys: y,
                values: z,
                layout: plan::unit_layout(*heads, per_unit),
                groups: heads.count / heads.kv.max(1),
                per_unit,
                past: 0,
                causal: false,
                scale: *scale,
            }),
            Op::Input => return Err(RunError::Weight),
        })
    }

    fn rows(&self, x: &'a [f32], layout: memory::Layout) -> memory::Rows<'a> {
        memory::Rows { x, layout, per_unit: layout.capacity, past: 0 }
    }
}
