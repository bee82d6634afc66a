//! A language model that says what it thinks of every position of a text, not only of the last one.
//!
//! A session computes the logits of a prompt's last row. Measuring a text needs those of all rows, so the model is recorded
//! a second time with them ([`Decoder::decode_every`](ocelli_models::Decoder::decode_every)). Rows whose logits nobody
//! asks for go through the usual tape, which leaves the output map out. Memory: one batch of logits, `BATCH` · vocabulary.

use crate::Options;
use crate::error::Error;
use crate::model::{Model, weights};
use crate::session::plan::{default_threads, prepare, state_options};
use crate::session::zeroed;
use alloc::boxed::Box;
use alloc::vec::Vec;
use ocelli_kernels::{Cpu, cpu};
use ocelli_tape::{Backend, Call, Input, Inputs, Memory, Never, Observer, Program, Watch};

/// Rows of a call: enough that a panel of weights is used many times, few enough that their logits are some megabytes.
pub const BATCH: usize = 64;

/// A language model and the memory it reads in.
pub struct Scorer<'m> {
    files: Vec<&'m [u8]>,
    /// The logits of every row, and of none but the last.
    every: Box<dyn Program>,
    last: Box<dyn Program>,
    context: usize,
    arena: Vec<f32>,
    scratch: Vec<f32>,
    state: Vec<f32>,
    inputs: Vec<Input>,
    past: usize,
}

impl<'m> Scorer<'m> {
    /// Makes one whose context, threads, instruction set and cache are those of the options.
    ///
    /// # Errors
    /// An option that makes no sense, or memory that cannot be had.
    pub fn new(model: &'m Model<'_>, options: &Options, context: usize) -> Result<Scorer<'m>, Error> {
        let threads = options.threads.unwrap_or_else(default_threads);
        let cpu = Cpu::new(cpu::choose(options.isa.as_deref())?, threads);
        Scorer::on(&cpu, model, options, context)
    }

    /// The same on a device, of which options choose no more than how keys and values are stored.
    ///
    /// # Errors
    /// Likewise.
    pub fn on(
        backend: &dyn Backend,
        model: &'m Model<'_>,
        options: &Options,
        context: usize,
    ) -> Result<Scorer<'m>, Error> {
        let untaped = |error| Error::Tape { name: model.text_name(), error };
        let (every, last) = (model.decoder().decode_every(BATCH).map_err(untaped)?, model.decode(BATCH)?);
        let state = state_options(&every, options.kv, context)?;
        let prepare = |tape| prepare(backend, tape, &state, || model.text_name());
        let (mut every, mut last) = (prepare(&every)?, prepare(&last)?);
        let (a, b, files) = (every.need(), last.need(), model.files());
        every.load(&weights(&files))?;
        last.load(&weights(&files))?;
        Ok(Scorer {
            files,
            arena: zeroed(a.arena.max(b.arena))?,
            scratch: zeroed(a.scratch.max(b.scratch))?,
            state: zeroed(a.state)?,
            inputs: Vec::with_capacity(BATCH),
            every,
            last,
            context,
            past: 0,
        })
    }

    /// Begins a new text.
    pub fn rewind(&mut self) {
        self.past = 0;
    }

    /// Reads at most [`BATCH`] tokens after those before. With `logits` it gives a row of them for every token, one after
    /// the other; without, nothing of use.
    ///
    /// # Errors
    /// The context is full.
    pub fn read(&mut self, ids: &[u32], logits: bool) -> Result<&[f32], Error> {
        self.tokens(ids, logits, Watch::default())
    }

    /// The same with logits, for somebody who sees what linear maps are given.
    ///
    /// # Errors
    /// As [`read`](Scorer::read).
    pub fn show(&mut self, ids: &[u32], inputs: Inputs<'_>) -> Result<(), Error> {
        self.tokens(ids, true, Watch { inputs: Some(inputs), ..Watch::default() })?;
        Ok(())
    }

    fn tokens(&mut self, ids: &[u32], logits: bool, watch: Watch<'_>) -> Result<&[f32], Error> {
        let mut inputs = core::mem::take(&mut self.inputs);
        inputs.clear();
        inputs.extend(ids.iter().map(|id| Input::Token(*id)));
        let result = self.run(&inputs, &[], logits, watch);
        self.inputs = inputs;
        result?;
        Ok(self.output(logits, ids.len()))
    }

    /// The same for tokens and rows of images, with somebody who looks on: logits of every input.
    ///
    /// # Errors
    /// As [`read`](Scorer::read).
    pub fn watch(&mut self, inputs: &[Input], rows: &[f32], observer: Observer<'_>) -> Result<&[f32], Error> {
        let watch = Watch { observer: Some(observer), ..Watch::default() };
        self.run(inputs, rows, true, watch)?;
        Ok(self.output(true, inputs.len()))
    }

    fn output(&self, logits: bool, items: usize) -> &[f32] {
        let program = if logits { &self.every } else { &self.last };
        program.output(&self.arena, items)
    }

    fn run(
        &mut self,
        inputs: &[Input],
        image_rows: &[f32],
        logits: bool,
        watch: Watch<'_>,
    ) -> Result<(), Error> {
        let program = if logits { &mut self.every } else { &mut self.last };
        let (arena, scratch, state) = (&mut self.arena, &mut self.scratch, &mut self.state);
        let mut memory = Memory { arena, scratch, state };
        // The context of a scorer is as long as its text.
        let (items, past, reach) = (inputs.len(), self.past, self.context);
        let call = Call { items, inputs, image_rows, past, reach, ..Call::of(weights(&self.files)) };
        program.run(&call, &mut memory, watch, &Never)?;
        self.past += items;
        Ok(())
    }
}
